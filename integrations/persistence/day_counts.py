"""What happened lately, counted; ids and codes, and no patient data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, func, select

from inference.domain.delivery import DeliveryState
from inference.domain.job import DELIVERY_STATES, TERMINAL, JobState
from inference.ports import Clock
from integrations.persistence.tables import deliveries, jobs, studies
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions

MOST_FAILURES: Final = 20
"""Named; more are counted."""


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that a person should look at."""

    job_id: str
    model: str
    code: str


@dataclass(frozen=True, slots=True)
class OwedDelivery:
    """What a destination lacks: how many errands, and since when the oldest is tried."""

    destination: str
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What happened since a time.

    Parameters
    ----------
    studies
        That arrived.
    ended
        Jobs that ended, by state.
    by_model
        The same by model and state.
    reasons
        Jobs that ended without a result, by code.
    failures
        The last of those that failed.
    unfinished
        Jobs that have not ended, whenever they began.
    owed
        What destinations lack, whenever it began.
    """

    studies: int
    ended: Mapping[str, int]
    by_model: Mapping[tuple[str, str], int]
    reasons: Mapping[str, int]
    failures: Sequence[FailedJob]
    unfinished: int
    owed: Sequence[OwedDelivery]


class SQLDayCounts:
    """Counts in SQLite, MySQL or MariaDB.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        For the waits of transactions.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._transactions = Transactions(engine, clock)

    def since(self, time: datetime) -> DayCounts:
        """Count; jobs in shadow, and series that no model wanted, do not count."""
        with self._transactions.read() as connection:
            return _counts(connection, to_column(time))


def _counts(connection: Connection, time: datetime) -> DayCounts:
    ours = (jobs.c.shadow.is_(False), jobs.c.model_id != "")
    ended = (*ours, jobs.c.state.in_(TERMINAL), jobs.c.updated_at >= time)
    columns = (jobs.c.state, jobs.c.model_id, jobs.c.error_code)
    grouped = connection.execute(select(*columns, func.count()).where(*ended).group_by(*columns)).all()
    by_state: dict[str, int] = {}
    by_model: dict[tuple[str, str], int] = {}
    reasons: dict[str, int] = {}
    for state, model, code, count in grouped:
        by_state[state] = by_state.get(state, 0) + count
        by_model[model, state] = by_model.get((model, state), 0) + count
        if code is not None and state in {JobState.FAILED, JobState.REJECTED}:
            reasons[code] = reasons.get(code, 0) + count
    failed = select(jobs).where(*ended, jobs.c.state == JobState.FAILED).order_by(jobs.c.updated_at.desc())
    arrived = select(func.count()).select_from(studies).where(studies.c.first_received_at >= time)
    waiting = select(func.count()).select_from(jobs).where(*ours, jobs.c.state.not_in(TERMINAL))
    return DayCounts(
        studies=connection.execute(arrived).scalar_one(),
        ended=by_state,
        by_model=by_model,
        reasons=reasons,
        failures=[
            FailedJob(row.job_id, row.model_id, row.error_code or "")
            for row in connection.execute(failed.limit(MOST_FAILURES))
        ],
        unfinished=connection.execute(waiting).scalar_one(),
        owed=_owed(connection),
    )


def _owed(connection: Connection) -> list[OwedDelivery]:
    lacks = (deliveries.c.state != DeliveryState.DONE, jobs.c.state.in_([*DELIVERY_STATES, JobState.FAILED]))
    columns = (deliveries.c.destination, func.count(), func.min(deliveries.c.created_at))
    statement = select(*columns).join(jobs, jobs.c.job_id == deliveries.c.job_id).where(*lacks)
    rows = connection.execute(statement.group_by(deliveries.c.destination).order_by(deliveries.c.destination))
    return [OwedDelivery(name, count, from_column(oldest)) for name, count, oldest in rows]
