"""Rows of jobs as people see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, select

from control_api.records import JobFilter, JobView, Withdrawal
from inference.domain.identifiers import UID, JobID
from inference.domain.job import REVIEWS, WITHDRAWAL, JobState
from inference.domain.review import Review
from integrations.persistence.job_rows import model_of
from integrations.persistence.tables import jobs, studies
from integrations.persistence.times import from_column, to_column

_NAMES: Final = frozenset({"artifacts", "report", "model_title"})
"""Parts of a job's result that name it."""

_OF_ALL_PARTS: Final = frozenset({"tumor_detected", "confidence", "location", "volume_ml"})
"""Parts of a job's result that sum its measured parts up."""

JOBS: Final[Select[Any]] = select(jobs, studies.c.patient_id).outerjoin(
    studies, studies.c.study_instance_uid == jobs.c.study_instance_uid
)
"""Jobs with whom they are about."""

STANDING: Final[tuple[ColumnElement[bool], ...]] = (
    jobs.c.state.in_([JobState.COMPLETED.value, JobState.REVIEWING.value]),
    jobs.c.shadow.is_(False),
    jobs.c.superseded_by.is_(None),
)
"""Conditions of jobs whose result is published and stands."""


def conditions(wanted: JobFilter) -> list[ColumnElement[bool]]:
    """Give the conditions of a filter."""
    pairs = (
        (jobs.c.state, wanted.state.value if wanted.state else None),
        (jobs.c.study_instance_uid, wanted.study_uid),
        (jobs.c.series_instance_uid, wanted.series_uid),
        (studies.c.patient_id, wanted.patient_id),
        (jobs.c.model_id, wanted.model),
        (jobs.c.shadow, wanted.shadow),
    )
    found = [column == value for column, value in pairs if value is not None]
    if wanted.created_from is not None:
        found.append(jobs.c.created_at >= to_column(wanted.created_from))
    if wanted.created_before is not None:
        found.append(jobs.c.created_at < to_column(wanted.created_before))
    return found


def job_view(row: Row[Any]) -> JobView:
    """Read a row of ``JOBS``, without stages and result."""
    return JobView(
        job_id=JobID(row.job_id),
        study_uid=UID(row.study_instance_uid),
        series_uid=UID(row.series_instance_uid),
        revision=row.revision,
        model=model_of(row),
        run=row.run,
        state=JobState(row.state),
        attempt=row.attempt,
        error_code=row.error_code,
        error_message=row.error_message,
        created_at=from_column(row.created_at),
        updated_at=from_column(row.updated_at),
        next_run_at=from_column(row.next_run_at),
        superseded_by=JobID(row.superseded_by) if row.superseded_by else None,
        patient_id=row.patient_id or "",
        shadow=row.shadow,
        withdrawn=_withdrawal(row.result or {}),
        reviews=tuple(Review.from_json(values) for values in (row.result or {}).get(REVIEWS, ())),
    )


def _withdrawal(result: Mapping[str, Any]) -> Withdrawal | None:
    note = result.get(WITHDRAWAL)
    return None if note is None else Withdrawal(note["reason"], datetime.fromisoformat(note["at"]), note.get("by"))


def shown(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give what a reader may see: of a result that is withdrawn what it is known by, and nothing that it says.

    Of an amended one what readers have left; a total and the answer to a tumour job fall with any part of them.
    """
    if WITHDRAWAL in result:
        return {name: value for name, value in result.items() if name in _NAMES}
    gone = {uid for review in result.get(REVIEWS, ()) for uid in review["excluded"]}
    if not gone:
        return result
    measurements = result.get("measurements", [])
    left = [one for one in measurements if one.get("tracking_uid") not in gone]
    findings = [one for one in result.get("findings", []) if one.get("tracking_uid") not in gone]
    remaining = {**result, "measurements": left, "findings": findings}
    if len(left) == len(measurements):
        return remaining
    of_parts = [one for one in left if one.get("tracking_uid")]
    kept = {name: value for name, value in remaining.items() if name not in _OF_ALL_PARTS}
    return kept | {"measurements": of_parts}
