"""How busy the node is and was, by read-only SQL that SQLite, MySQL and MariaDB answer alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, case, extract, func, select

from inference.domain.identifiers import JobID
from inference.domain.job import DELIVERY_STATES, JobState, ModelReference, QueueName
from inference.domain.verification import VerificationState
from integrations.persistence.job_hints import WAITING
from integrations.persistence.job_rows import model_of
from integrations.persistence.tables import instances, job_stages, jobs, model_verifications, series, studies
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions

MOST_STAGES: Final = 200_000
"""Stage times that are looked at, the latest first; no node makes more in a week that anybody would wait for."""

_HOUR: Final = ("year", "month", "day", "hour")
_MODEL: Final = (jobs.c.model_id, jobs.c.model_version, jobs.c.model_digest)
_STANDINGS: Final = ("waiting", "postponed", "working")


@dataclass(frozen=True, slots=True)
class QueueWork:
    """What the database says about a queue.

    Parameters
    ----------
    waiting
        Jobs that could be worked on now.
    postponed
        Jobs that wait for their next attempt.
    working
        Jobs that a worker has.
    oldest_waiting_at
        Since when the one that waits longest does; None where none waits.
    """

    waiting: int = 0
    postponed: int = 0
    working: int = 0
    oldest_waiting_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that a worker has.

    Parameters
    ----------
    job_id, model, state
        Which.
    owner
        The worker.
    heartbeat_at, lease_expires_at
        When it was last heard of, and when the job is taken from it.
    """

    job_id: JobID
    model: ModelReference | None
    state: JobState
    owner: str
    heartbeat_at: datetime | None
    lease_expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Hour:
    """What came and was made in an hour; jobs are counted in the hour in which they were made, as they are now.

    Parameters
    ----------
    at
        When it began, UTC.
    studies, series, jobs
        How many came, and how many jobs were made for them.
    completed, failed, rejected
        What has become of these jobs.
    """

    at: datetime
    studies: int = 0
    series: int = 0
    jobs: int = 0
    completed: int = 0
    failed: int = 0
    rejected: int = 0


class NodeReadModel:
    """Questions about the node that the API asks the database.

    Parameters
    ----------
    transactions
        The database; every question raises StoreUnavailable where it cannot be asked.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def queue_work(self, now: datetime) -> Mapping[QueueName, QueueWork]:
        """Count the jobs of each queue by whether they are waiting, postponed or being worked on."""
        queue, standing = _queue(), _standing(to_column(now))
        statement = (
            select(queue, standing, func.count(), func.min(func.coalesce(jobs.c.next_run_at, jobs.c.updated_at)))
            .where(jobs.c.state.in_([*WAITING, JobState.PROCESSING, *DELIVERY_STATES]))
            .group_by(queue, standing)
        )
        with self._transactions.read() as connection:
            found = {(row[0], row[1]): (int(row[2]), row[3]) for row in connection.execute(statement)}
        return {name: _work(name, found) for name in QueueName}

    def held_jobs(self, now: datetime) -> Sequence[HeldJob]:
        """List the jobs that workers have, the one that was made first first."""
        statement = (
            select(jobs)
            .where(jobs.c.state.in_([JobState.PROCESSING, *DELIVERY_STATES]), jobs.c.lease_owner.is_not(None))
            .where(jobs.c.lease_expires_at > to_column(now))
            .order_by(jobs.c.created_at, jobs.c.job_id)
        )
        with self._transactions.read() as connection:
            return [_held(row) for row in connection.execute(statement)]

    def verifying(self) -> Sequence[tuple[str, ModelReference]]:
        """List which worker looks a version of a model over."""
        rows = model_verifications
        statement = select(rows).where(rows.c.state == VerificationState.RUNNING, rows.c.lease_owner.is_not(None))
        with self._transactions.read() as connection:
            return [
                (row.lease_owner, ModelReference(row.model_id, row.model_version, row.model_digest))
                for row in connection.execute(statement)
            ]

    def hours(self, since: datetime, now: datetime) -> Sequence[Hour]:
        """Count what came and was made in each hour of a window, also in those in which nothing did.

        Parameters
        ----------
        since, now
            The window; it begins with the hour of ``since``.
        """
        first = since.replace(minute=0, second=0, microsecond=0)
        with self._transactions.read() as connection:
            counted = {
                name: _by_hour(connection.execute(statement)) for name, statement in _counts(to_column(first)).items()
            }
        return [
            Hour(at, **{name: counts[at] for name, counts in counted.items()}) for at in _hours_between(first, now)
        ]

    def received_bytes(self, since: datetime) -> int:
        """Count the bytes that were received since a time."""
        at = to_column(since)
        statement = (
            select(func.coalesce(func.sum(instances.c.size_bytes), 0))
            .join(series, series.c.series_instance_uid == instances.c.series_instance_uid)
            .join(studies, studies.c.study_instance_uid == series.c.study_instance_uid)
            .where(studies.c.last_received_at >= at, instances.c.received_at >= at)  # the first has an index
        )
        with self._transactions.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def stage_seconds(self, since: datetime) -> Mapping[tuple[ModelReference, str], Sequence[float]]:
        """Give how long each stage took, by model and stage, of the jobs that were made since a time."""
        statement = (
            select(
                jobs.c.model_id, jobs.c.model_version, jobs.c.model_digest, job_stages.c.stage, job_stages.c.seconds
            )
            .join(jobs, jobs.c.job_id == job_stages.c.job_id)
            .where(jobs.c.created_at >= to_column(since), jobs.c.model_id != "")
            .order_by(jobs.c.created_at.desc(), jobs.c.job_id)
            .limit(MOST_STAGES)
        )
        found: dict[tuple[ModelReference, str], list[float]] = {}
        with self._transactions.read() as connection:
            for model_id, version, digest, stage, seconds in connection.execute(statement):
                found.setdefault((ModelReference(model_id, version, digest), stage), []).append(seconds)
        return found


def _queue() -> ColumnElement[str]:
    return case((jobs.c.state.in_(DELIVERY_STATES), QueueName.DELIVERY.value), else_=QueueName.INFERENCE.value).label(
        "queue"
    )


def _standing(now: datetime) -> ColumnElement[str]:
    """Say how a job stands, by the conditions under which it may be claimed (``job_hints.is_claimable``)."""
    begun = jobs.c.state.in_([JobState.PROCESSING, *DELIVERY_STATES])
    held = and_(jobs.c.lease_owner.is_not(None), jobs.c.lease_expires_at > now)
    later = and_(jobs.c.state != JobState.PROCESSING, jobs.c.next_run_at > now)
    return case((and_(begun, held), "working"), (later, "postponed"), else_="waiting").label("standing")


def _work(queue: QueueName, found: Mapping[tuple[str, str], tuple[int, Any]]) -> QueueWork:
    counts = {
        standing: found.get((queue.value, standing), (0, None)) for standing in ("waiting", "postponed", "working")
    }
    (waiting, oldest), (postponed, _), (working, _) = counts.values()
    return QueueWork(waiting, postponed, working, from_column(oldest))


def _held(row: Any) -> HeldJob:
    return HeldJob(
        JobID(row.job_id),
        model_of(row),
        JobState(row.state),
        row.lease_owner,
        from_column(row.heartbeat_at),
        from_column(row.lease_expires_at),
    )


def _counts(first: datetime) -> dict[str, Select[Any]]:
    """Give the questions by the name of what they count.

    What was first received in the window was last received in it too, which has an index.
    """
    recent = studies.c.last_received_at >= first
    ended = {"completed": JobState.COMPLETED, "failed": JobState.FAILED, "rejected": JobState.REJECTED}
    of_series = _per_hour(series.c.first_received_at, first).join(
        studies, studies.c.study_instance_uid == series.c.study_instance_uid
    )
    made = _per_hour(jobs.c.created_at, first).where(jobs.c.model_id != "")
    return {
        "studies": _per_hour(studies.c.first_received_at, first).where(recent),
        "series": of_series.where(recent),
        "jobs": made,
        **{name: made.where(jobs.c.state == state) for name, state in ended.items()},
    }


def _per_hour(time: Any, first: datetime) -> Select[Any]:
    parts: list[ColumnElement[Any]] = [extract(part, time) for part in _HOUR]
    counted: Select[Any] = select(*parts, func.count())
    return counted.where(time >= first).group_by(*parts)


def _by_hour(rows: Any) -> Counter[datetime]:
    return Counter({_begins(*map(int, row[:4])): int(row[4]) for row in rows})


def _begins(year: int, month: int, day: int, hour: int) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def _hours_between(first: datetime, now: datetime) -> Iterator[datetime]:
    while first <= now:
        yield first
        first += timedelta(hours=1)
