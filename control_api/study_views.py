"""Rows of studies and series as people see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Table,
    and_,
    case,
    exists,
    func,
    not_,
    or_,
    select,
    type_coerce,
)

from control_api.job_views import JOBS, STANDING, job_view
from control_api.records import JobView, Reason, SeriesView, StudyFilter, StudyView
from inference.domain.identifiers import UID
from inference.domain.job import JobState
from inference.domain.study import CompletionEvidence
from integrations.persistence.tables import jobs, joined_series, series, studies
from integrations.persistence.times import from_column, to_column

_COUNTED: Final = (CompletionEvidence.SIGNAL.value, CompletionEvidence.ARCHIVE_COUNT.value)
"""Evidence that is stronger than what headers promise: they may speak of several series together."""

_PROMISED: Final = case((series.c.evidence.in_(_COUNTED), None), else_=series.c.promised_count)
_KNOWN: Final = func.coalesce(series.c.expected_count, _PROMISED)
_MISSING: Final = case((series.c.instance_count < _KNOWN, _KNOWN - series.c.instance_count), else_=0)

_HAS_RESULT: Final = exists().where(jobs.c.study_instance_uid == studies.c.study_instance_uid, *STANDING)
_IS_INCOMPLETE: Final = exists().where(
    series.c.study_instance_uid == studies.c.study_instance_uid, or_(series.c.receiving, _MISSING > 0)
)

_WITHOUT_RESULT: Final = (JobState.FAILED.value, JobState.REJECTED.value)


def conditions(wanted: StudyFilter) -> list[ColumnElement[bool]]:
    """Give the conditions of a filter.

    Dates are compared as the DA strings they are kept as (PS3.5 section 6.2): ``YYYYMMDD`` sorts like its date.
    """
    found: list[ColumnElement[bool]] = []
    if wanted.patient_id is not None:
        found.append(studies.c.patient_id == wanted.patient_id)
    if wanted.accession_number is not None:
        found.append(studies.c.accession_number == wanted.accession_number)
    if wanted.date_from is not None:
        found.append(studies.c.study_date >= f"{wanted.date_from:%Y%m%d}")
    if wanted.date_to is not None:
        found += [studies.c.study_date <= f"{wanted.date_to:%Y%m%d}", studies.c.study_date != ""]
    for asked, condition in ((wanted.has_result, _HAS_RESULT), (wanted.incomplete, _IS_INCOMPLETE)):
        if asked is not None:
            found.append(condition if asked else not_(condition))
    return found + ([] if wanted.text is None else [_says(wanted.text)])


def earlier_studies(study: StudyView) -> list[ColumnElement[bool]]:
    """Give the conditions of earlier studies of the same patient; one of the same day is earlier if it came first."""
    same_day = and_(
        studies.c.study_date == study.study_date, studies.c.first_received_at < to_column(study.first_received_at)
    )
    return [
        studies.c.patient_id == study.patient_id,
        studies.c.study_instance_uid != study.study_uid,
        studies.c.study_date != "",
        or_(studies.c.study_date < study.study_date, same_day),
    ]


def latest_first(statement: Select[Any]) -> Select[Any]:
    """Put jobs in order of their studies, the latest first, and of their own within one."""
    of_study = (studies.c.study_date.desc(), studies.c.first_received_at.desc(), studies.c.study_instance_uid)
    return statement.order_by(*of_study, jobs.c.created_at.desc(), jobs.c.job_id.desc())


def studies_by_uid(connection: Connection, uids: Collection[str]) -> dict[UID, StudyView]:
    """Read some studies, without their series."""
    rows = connection.execute(select(studies).where(_of(studies, uids))).all()
    return {view.study_uid: view for view in study_views(connection, rows)}


def descriptions(connection: Connection, uids: Collection[str]) -> dict[UID, str]:
    """Read how some series are called."""
    columns = (series.c.series_instance_uid, series.c.series_description)
    rows = connection.execute(select(*columns).where(series.c.series_instance_uid.in_(uids)))
    return {UID(series_uid): description for series_uid, description in rows}


def _says(text: str) -> ColumnElement[bool]:
    """Look for a text in name and id: as it is, never as a pattern.

    Collations differ, so both are made small; SQLite does so with Latin letters only, and is asked for the text too.
    """
    columns = (studies.c.patient_name, studies.c.patient_id)
    small = (func.lower(column).contains(text.lower(), autoescape=True) for column in columns)
    return or_(*small, *(column.contains(text, autoescape=True) for column in columns))


@dataclass(frozen=True, slots=True)
class _Contents:
    """What is counted of a study's series."""

    series_count: int = 0
    instance_count: int = 0
    receiving: bool = False
    missing_count: int = 0


_NOTHING: Final = _Contents()


def study_views(connection: Connection, rows: Sequence[Row[Any]]) -> list[StudyView]:
    """Read rows of ``studies`` with what is counted of their series and jobs; a few questions for all of them."""
    uids = [row.study_instance_uid for row in rows]
    contents, states, reasons = _contents(connection, uids), _job_states(connection, uids), _reasons(connection, uids)
    standing = set(connection.scalars(select(jobs.c.study_instance_uid).where(_of(jobs, uids), *STANDING)))
    return [
        replace(
            _study(row, contents.get(row.study_instance_uid, _NOTHING)),
            has_result=row.study_instance_uid in standing,
            jobs=states.get(row.study_instance_uid, {}),
            reasons=tuple(reasons.get(row.study_instance_uid, {}).values()),
        )
        for row in rows
    ]


def _study(row: Row[Any], contents: _Contents) -> StudyView:
    return StudyView(
        study_uid=UID(row.study_instance_uid),
        patient_id=row.patient_id,
        patient_name=row.patient_name,
        accession_number=row.accession_number,
        study_date=row.study_date,
        study_description=row.study_description,
        calling_ae=row.calling_ae,
        signalled_at=from_column(row.signalled_at),
        first_received_at=from_column(row.first_received_at),
        last_received_at=from_column(row.last_received_at),
        series_count=contents.series_count,
        instance_count=contents.instance_count,
        receiving=contents.receiving,
        missing_count=contents.missing_count,
    )


def _of(table: Table, uids: Collection[str]) -> ColumnElement[bool]:
    return table.c.study_instance_uid.in_(uids)


def _contents(connection: Connection, uids: Collection[str]) -> dict[str, _Contents]:
    """Count series and instances by study; as numbers, where a database gives decimals."""
    statement = select(
        series.c.study_instance_uid,
        func.count(),
        func.sum(series.c.instance_count),
        func.max(type_coerce(series.c.receiving, Integer)),
        func.sum(_MISSING),
    ).where(_of(series, uids))
    rows = connection.execute(statement.group_by(series.c.study_instance_uid))
    return {row[0]: _Contents(int(row[1]), int(row[2]), bool(row[3]), int(row[4])) for row in rows}


def _job_states(connection: Connection, uids: Collection[str]) -> dict[str, dict[JobState, int]]:
    statement = (
        select(jobs.c.study_instance_uid, jobs.c.state, func.count())
        .where(_of(jobs, uids), jobs.c.shadow.is_(False))
        .group_by(jobs.c.study_instance_uid, jobs.c.state)
        .order_by(jobs.c.state)
    )
    states: dict[str, dict[JobState, int]] = {}
    for study_uid, state, count in connection.execute(statement):
        states.setdefault(study_uid, {})[JobState(state)] = int(count)
    return states


def _reasons(connection: Connection, uids: Collection[str]) -> dict[str, dict[str, Reason]]:
    """Gather reasons by study and code: those of series first, then those of jobs that gave no result."""
    of_series = select(series.c.study_instance_uid, series.c.reason_code, series.c.reason_message).where(
        _of(series, uids), series.c.reason_code.is_not(None)
    )
    of_jobs = select(jobs.c.study_instance_uid, jobs.c.error_code, jobs.c.error_message).where(
        _of(jobs, uids), jobs.c.state.in_(_WITHOUT_RESULT), jobs.c.shadow.is_(False), jobs.c.error_code.is_not(None)
    )
    reasons: dict[str, dict[str, Reason]] = {}
    in_order = (of_series.order_by(series.c.first_received_at), of_jobs.order_by(jobs.c.created_at))
    for statement in in_order:
        for study_uid, code, message in connection.execute(statement):
            reasons.setdefault(study_uid, {}).setdefault(code or "", Reason(code or "", message or ""))
    return reasons


def series_of(connection: Connection, study_uid: UID) -> tuple[SeriesView, ...]:
    """Read the series of a study in order of arrival, each with its jobs."""
    made: dict[str, list[JobView]] = {}
    joined = _joined(connection, study_uid)
    job_rows = JOBS.where(jobs.c.study_instance_uid == study_uid).order_by(jobs.c.created_at, jobs.c.job_id)
    for row in connection.execute(job_rows):
        for series_uid in {row.series_instance_uid, *joined.get(row.job_id, ())}:
            made.setdefault(series_uid, []).append(job_view(row))
    statement = select(series).where(series.c.study_instance_uid == study_uid)
    rows = connection.execute(statement.order_by(series.c.first_received_at, series.c.series_instance_uid))
    return tuple(_series(row, made.get(row.series_instance_uid, ())) for row in rows)


def _joined(connection: Connection, study_uid: UID) -> dict[str, list[str]]:
    """List the series that stand with the jobs of a study, by job, beside the one that each was made for."""
    statement = select(joined_series.c.job_id, joined_series.c.series_instance_uid).join(jobs)
    found: dict[str, list[str]] = {}
    for job_id, series_uid in connection.execute(statement.where(jobs.c.study_instance_uid == study_uid)):
        found.setdefault(job_id, []).append(series_uid)
    return found


def _series(row: Row[Any], made: Sequence[JobView]) -> SeriesView:
    return SeriesView(
        series_uid=UID(row.series_instance_uid),
        modality=row.modality,
        series_description=row.series_description,
        calling_ae=row.calling_ae,
        revision=row.revision,
        receiving=row.receiving,
        instance_count=row.instance_count,
        expected_count=row.expected_count,
        promised_count=None if row.evidence in _COUNTED else row.promised_count,
        evidence=row.evidence,
        decision=row.decision,
        reason_code=row.reason_code,
        reason_message=row.reason_message,
        first_received_at=from_column(row.first_received_at),
        last_received_at=from_column(row.last_received_at),
        completed_at=from_column(row.completed_at),
        jobs=tuple(made),
    )
