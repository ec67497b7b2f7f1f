"""The read side: what lists and detail pages show, by read-only SQL; nothing in here changes a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Connection, Integer, Row, Select, and_, func, or_, select, type_coerce

from control_api.records import (
    Cursor,
    Item,
    JobFilter,
    JobView,
    Listing,
    SeriesView,
    StudyFilter,
    StudyView,
    Withdrawal,
)
from inference.domain.delivery import DeliveryState
from inference.domain.identifiers import UID, JobID
from inference.domain.job import DELIVERY_STATES, REVIEWS, WITHDRAWAL, JobState, ModelReference
from inference.domain.review import Review
from inference.errors import JobNotFound, StudyNotFound
from integrations.persistence.deliveries import deliveries_of
from integrations.persistence.job_rows import model_of, stages_of
from integrations.persistence.tables import deliveries, jobs, joined_series, series, studies
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions

_NAMES: Final = frozenset({"artifacts", "report", "model_title"})
"""Parts of a job's result that name it."""

_OF_ALL_PARTS: Final = frozenset({"tumor_detected", "confidence", "location", "volume_ml"})
"""Parts of a job's result that sum its measured parts up."""

_SERIES_COUNTS: Final = (
    select(
        series.c.study_instance_uid,
        func.count().label("series_count"),
        func.sum(series.c.instance_count).label("instance_count"),
        func.max(type_coerce(series.c.receiving, Integer)).label("receiving"),
    )
    .group_by(series.c.study_instance_uid)
    .subquery("series_counts")
)
_STUDIES: Final = select(
    studies,
    func.coalesce(_SERIES_COUNTS.c.series_count, 0).label("series_count"),
    func.coalesce(_SERIES_COUNTS.c.instance_count, 0).label("instance_count"),
    func.coalesce(_SERIES_COUNTS.c.receiving, 0).label("receiving"),
).outerjoin(_SERIES_COUNTS, _SERIES_COUNTS.c.study_instance_uid == studies.c.study_instance_uid)


class ReadModel:
    """Questions that the API asks the database.

    Parameters
    ----------
    transactions
        The database; every question raises StoreUnavailable where it cannot be asked.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def list_jobs(self, wanted: JobFilter, limit: int, after: Cursor | None = None) -> Listing[JobView]:
        """List jobs, newest first, without stages and result."""
        statement = select(jobs).where(*_job_conditions(wanted))
        statement = _page(statement, (jobs.c.created_at, jobs.c.job_id), limit, after)
        with self._transactions.read() as connection:
            found = [_job(row) for row in connection.execute(statement)]
        return _listing(found, limit, lambda job: Cursor(job.created_at, job.job_id))

    def job(self, job_id: JobID) -> JobView:
        """Give one job with its stages and result.

        Raises
        ------
        JobNotFound
            If there is none.
        """
        with self._transactions.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).one_or_none()
            if row is None:
                raise JobNotFound("there is no such job")
            return replace(
                _job(row),
                result=_shown(row.result or {}),
                stages=stages_of(connection, job_id),
                deliveries=tuple(deliveries_of(connection, job_id)),
            )

    def list_studies(self, wanted: StudyFilter, limit: int, after: Cursor | None = None) -> Listing[StudyView]:
        """List studies, the one that was received last first, without their series."""
        statement = _STUDIES.where(*_study_conditions(wanted))
        statement = _page(statement, (studies.c.last_received_at, studies.c.study_instance_uid), limit, after)
        with self._transactions.read() as connection:
            found = [_study(row) for row in connection.execute(statement)]
        return _listing(found, limit, lambda study: Cursor(study.last_received_at, study.study_uid))

    def study(self, study_uid: UID) -> StudyView:
        """Give one study with its series, their decisions and their jobs.

        Raises
        ------
        StudyNotFound
            If there is none.
        """
        with self._transactions.read() as connection:
            row = connection.execute(_STUDIES.where(studies.c.study_instance_uid == study_uid)).one_or_none()
            if row is None:
                raise StudyNotFound("there is no such study on this node")
            return replace(_study(row), series=_series_of(connection, study_uid))

    def study_of(self, series_uid: UID) -> StudyView:
        """Give the study to which a series belongs.

        Raises
        ------
        StudyNotFound
            If the series is not known.
        """
        statement = select(series.c.study_instance_uid).where(series.c.series_instance_uid == series_uid)
        with self._transactions.read() as connection:
            study_uid = connection.execute(statement).scalar_one_or_none()
        if study_uid is None:
            raise StudyNotFound("there is no such series on this node")
        return self.study(UID(study_uid))

    def next_run(self, series_uid: UID, revision: int, model: ModelReference) -> int:
        """Give the run number after the highest that was used for this input and model."""
        statement = select(func.max(jobs.c.run)).where(
            jobs.c.series_instance_uid == series_uid,
            jobs.c.revision == revision,
            jobs.c.model_id == model.model_id,
            jobs.c.model_digest == model.digest,
        )
        with self._transactions.read() as connection:
            highest = connection.execute(statement).scalar_one()
        return 1 if highest is None else int(highest) + 1

    def job_counts(self, *, shadow: bool = False) -> dict[JobState, int]:
        """Count the jobs that publish, or those in shadow, by state; every state is named, also one without a job."""
        statement = select(jobs.c.state, func.count()).where(jobs.c.shadow.is_(shadow)).group_by(jobs.c.state)
        with self._transactions.read() as connection:
            found = {row[0]: row[1] for row in connection.execute(statement)}
        return {state: found.get(state.value, 0) for state in JobState}

    def decision_counts(self) -> dict[str, int]:
        """Count the series that are complete by decision: ``analysed``, or the code of the reason."""
        decision = func.coalesce(series.c.reason_code, series.c.decision)
        statement = select(decision, func.count()).where(series.c.decision.is_not(None)).group_by(decision)
        with self._transactions.read() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def ending_counts(self) -> dict[str, int]:
        """Count the jobs that ended without a result by the code of the reason or failure; shadows do not count."""
        ended = jobs.c.state.in_([JobState.REJECTED.value, JobState.FAILED.value])
        statement = select(jobs.c.error_code, func.count()).where(ended, jobs.c.shadow.is_(False))
        with self._transactions.read() as connection:
            found = connection.execute(statement.group_by(jobs.c.error_code))
            return {row[0]: row[1] for row in found if row[0] is not None}

    def delivery_counts(self) -> dict[tuple[str, DeliveryState], int]:
        """Count what has not arrived, by destination and state; a job that ended otherwise owes nothing."""
        statement = (
            select(deliveries.c.destination, deliveries.c.state, func.count())
            .join(jobs, jobs.c.job_id == deliveries.c.job_id)
            .where(deliveries.c.state != DeliveryState.DONE, jobs.c.state.in_([*DELIVERY_STATES, JobState.FAILED]))
            .group_by(deliveries.c.destination, deliveries.c.state)
        )
        with self._transactions.read() as connection:
            return {(row[0], DeliveryState(row[1])): row[2] for row in connection.execute(statement)}

    def receiving_count(self) -> int:
        """Count the series that are still open."""
        statement = select(func.count()).select_from(series).where(series.c.receiving)
        with self._transactions.read() as connection:
            return int(connection.execute(statement).scalar_one())


def _job_conditions(wanted: JobFilter) -> list[Any]:
    pairs = (
        (jobs.c.state, wanted.state.value if wanted.state else None),
        (jobs.c.study_instance_uid, wanted.study_uid),
        (jobs.c.series_instance_uid, wanted.series_uid),
        (jobs.c.model_id, wanted.model),
        (jobs.c.shadow, wanted.shadow),
    )
    return [column == value for column, value in pairs if value is not None]


def _study_conditions(wanted: StudyFilter) -> list[Any]:
    """Compare dates as the DA strings they are kept as (PS3.5 section 6.2): ``YYYYMMDD`` sorts like its date."""
    conditions = []
    if wanted.patient_id is not None:
        conditions.append(studies.c.patient_id == wanted.patient_id)
    if wanted.accession_number is not None:
        conditions.append(studies.c.accession_number == wanted.accession_number)
    if wanted.date_from is not None:
        conditions.append(studies.c.study_date >= f"{wanted.date_from:%Y%m%d}")
    if wanted.date_to is not None:
        conditions.append(studies.c.study_date <= f"{wanted.date_to:%Y%m%d}")
        conditions.append(studies.c.study_date != "")
    return conditions


def _page(
    statement: Select[Any], keys: tuple[Column[Any], Column[Any]], limit: int, after: Cursor | None
) -> Select[Any]:
    """Take one row more than asked for, so that one knows whether a next page exists."""
    time, key = keys
    if after is not None:
        at = to_column(after.at)
        statement = statement.where(or_(time < at, and_(time == at, key < after.key)))
    return statement.order_by(time.desc(), key.desc()).limit(limit + 1)


def _listing(found: Sequence[Item], limit: int, cursor: Callable[[Item], Cursor]) -> Listing[Item]:
    more = len(found) > limit
    return Listing(tuple(found[:limit]), cursor(found[limit - 1]) if more else None)


def _job(row: Row[Any]) -> JobView:
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
        shadow=row.shadow,
        withdrawn=_withdrawal(row.result or {}),
        reviews=tuple(Review.from_json(values) for values in (row.result or {}).get(REVIEWS, ())),
    )


def _withdrawal(result: Mapping[str, Any]) -> Withdrawal | None:
    note = result.get(WITHDRAWAL)
    return None if note is None else Withdrawal(note["reason"], datetime.fromisoformat(note["at"]), note.get("by"))


def _shown(result: Mapping[str, Any]) -> Mapping[str, Any]:
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
    shown = {**result, "measurements": left, "findings": findings}
    if len(left) == len(measurements):
        return shown
    of_parts = [one for one in left if one.get("tracking_uid")]
    return {name: value for name, value in shown.items() if name not in _OF_ALL_PARTS} | {"measurements": of_parts}


def _study(row: Row[Any]) -> StudyView:
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
        series_count=int(row.series_count),
        instance_count=int(row.instance_count),
        receiving=bool(row.receiving),
    )


def _series_of(connection: Connection, study_uid: UID) -> tuple[SeriesView, ...]:
    made: dict[str, list[JobView]] = {}
    joined = _joined(connection, study_uid)
    job_rows = select(jobs).where(jobs.c.study_instance_uid == study_uid).order_by(jobs.c.created_at, jobs.c.job_id)
    for row in connection.execute(job_rows):
        for series_uid in {row.series_instance_uid, *joined.get(row.job_id, ())}:
            made.setdefault(series_uid, []).append(_job(row))
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
        evidence=row.evidence,
        decision=row.decision,
        reason_code=row.reason_code,
        reason_message=row.reason_message,
        first_received_at=from_column(row.first_received_at),
        last_received_at=from_column(row.last_received_at),
        completed_at=from_column(row.completed_at),
        jobs=tuple(made),
    )
