"""The read side: what lists and detail pages show, by read-only SQL; nothing in here changes a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, Select, and_, func, or_, select

from control_api.job_views import JOBS, STANDING, job_view, shown
from control_api.job_views import conditions as job_conditions
from control_api.records import Cursor, Item, JobFilter, JobView, Listing, Result, StudyFilter, StudyView
from control_api.study_views import conditions as study_conditions
from control_api.study_views import (
    descriptions,
    earlier_studies,
    latest_first,
    series_of,
    studies_by_uid,
    study_views,
)
from inference.domain.delivery import DeliveryState
from inference.domain.identifiers import UID, JobID
from inference.domain.job import DELIVERY_STATES, JobState, ModelReference
from inference.errors import JobNotFound, StudyNotFound
from integrations.persistence.deliveries import deliveries_of
from integrations.persistence.job_rows import stages_of
from integrations.persistence.tables import deliveries, jobs, series, studies
from integrations.persistence.times import to_column
from integrations.persistence.transactions import Transactions


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
        statement = JOBS.where(*job_conditions(wanted))
        statement = _page(statement, (jobs.c.created_at, jobs.c.job_id), limit, after)
        with self._transactions.read() as connection:
            found = [job_view(row) for row in connection.execute(statement)]
        return _listing(found, limit, lambda job: Cursor(job.created_at, job.job_id))

    def job(self, job_id: JobID) -> JobView:
        """Give one job with its stages and result.

        Raises
        ------
        JobNotFound
            If there is none.
        """
        with self._transactions.read() as connection:
            row = connection.execute(JOBS.where(jobs.c.job_id == job_id)).one_or_none()
            if row is None:
                raise JobNotFound("there is no such job")
            return replace(
                job_view(row),
                result=shown(row.result or {}),
                stages=stages_of(connection, job_id),
                deliveries=tuple(deliveries_of(connection, job_id)),
            )

    def results_of(self, study_uid: UID, series_uid: UID) -> tuple[JobView, ...]:
        """List the jobs made for a series that publish and have a result, newest first, with that."""
        wanted = (jobs.c.study_instance_uid == study_uid, jobs.c.series_instance_uid == series_uid)
        statement = JOBS.where(*wanted, jobs.c.shadow.is_(False))
        statement = statement.order_by(jobs.c.created_at.desc(), jobs.c.job_id.desc())
        with self._transactions.read() as connection:
            rows = connection.execute(statement).all()
        return tuple(replace(job_view(row), result=shown(row.result)) for row in rows if row.result)

    def standing_results(self, study_uid: UID) -> tuple[Result, ...]:
        """List the results of a study that are published and stand, oldest first.

        Raises
        ------
        StudyNotFound
            If there is no such study.
        """
        study = self.study(study_uid)
        described = {series.series_uid: series.series_description for series in study.series}
        statement = JOBS.where(jobs.c.study_instance_uid == study_uid, *STANDING)
        with self._transactions.read() as connection:
            rows = connection.execute(statement.order_by(jobs.c.created_at, jobs.c.job_id)).all()
        made = [replace(job_view(row), result=shown(row.result)) for row in rows if row.result]
        return tuple(Result(job, replace(study, series=()), described.get(job.series_uid, "")) for job in made)

    def earlier_results(self, current: Result, limit: int = 50) -> tuple[Result, ...]:
        """List the standing results of the same model about earlier studies of the same patient, the latest first."""
        statement = JOBS.where(*earlier_studies(current.study), *STANDING)
        statement = statement.where(jobs.c.model_id == current.job.model_type).limit(limit)
        with self._transactions.read() as connection:
            rows = [row for row in connection.execute(latest_first(statement)) if row.result]
            views = studies_by_uid(connection, {row.study_instance_uid for row in rows})
            described = descriptions(connection, {row.series_instance_uid for row in rows})
        made = [replace(job_view(row), result=shown(row.result)) for row in rows]
        return tuple(Result(job, views[job.study_uid], described.get(job.series_uid, "")) for job in made)

    def list_studies(self, wanted: StudyFilter, limit: int, after: Cursor | None = None) -> Listing[StudyView]:
        """List studies, the one that was received last first, without their series."""
        statement = select(studies).where(*study_conditions(wanted))
        statement = _page(statement, (studies.c.last_received_at, studies.c.study_instance_uid), limit, after)
        with self._transactions.read() as connection:
            found = study_views(connection, connection.execute(statement).all())
        return _listing(found, limit, lambda study: Cursor(study.last_received_at, study.study_uid))

    def study(self, study_uid: UID) -> StudyView:
        """Give one study with its series, their decisions and their jobs.

        Raises
        ------
        StudyNotFound
            If there is none.
        """
        with self._transactions.read() as connection:
            row = connection.execute(select(studies).where(studies.c.study_instance_uid == study_uid)).one_or_none()
            if row is None:
                raise StudyNotFound("there is no such study on this node")
            [study] = study_views(connection, [row])
            return replace(study, series=series_of(connection, study_uid))

    def has_study(self, study_uid: UID) -> bool:
        """Tell whether anything of a study has arrived."""
        statement = select(studies.c.study_instance_uid).where(studies.c.study_instance_uid == study_uid)
        with self._transactions.read() as connection:
            return connection.execute(statement).first() is not None

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
