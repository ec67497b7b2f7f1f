"""The outbox of results: a row for each errand of a job to each destination, written under the job's lease."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, update

from inference.domain.delivery import RESULT, Delivery, DeliveryState
from inference.domain.identifiers import JobID
from inference.domain.job import Failure, Lease
from inference.ports import Clock, DeliveryLog
from integrations.persistence.job_writes import reason_columns, write_leased
from integrations.persistence.tables import deliveries
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions

LONGEST_ADDRESS = 512


class SQLDeliveryLog(DeliveryLog):
    """The rows in SQLite, MySQL or MariaDB.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        Time of changes.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock

    def plan(self, lease: Lease, errand: str, destinations: Sequence[str]) -> Sequence[Delivery]:
        """Give the rows of an errand in the order of the destinations, made where they are not there yet.

        Parameters
        ----------
        lease
            The right to work on the job.
        errand
            What is brought.
        destinations
            Where to; rows of destinations that the settings no longer name are left as they are.

        Raises
        ------
        LeaseLost, JobCancelled
        """
        now = self._clock.now()

        def make(connection: Connection) -> Sequence[Delivery]:
            """Insert what is missing, if the lease still stands."""
            self._check(connection, lease)
            known = {row.destination: _delivery(row) for row in _rows(connection, lease.job.job_id, errand)}
            for name in destinations:
                if name not in known:
                    known[name] = Delivery(name, errand, DeliveryState.PENDING, since=now)
                    connection.execute(insert(deliveries).values(_columns(lease.job.job_id, known[name])))
            return [known[name] for name in destinations]

        return self._transactions.write(make)

    def done(self, lease: Lease, delivery: Delivery, address: str | None = None) -> None:
        """Note that a destination has it.

        Raises
        ------
        LeaseLost, JobCancelled
        """
        kept = None if address is None else address[:LONGEST_ADDRESS]
        settled = {"state": DeliveryState.DONE, "settled_at": to_column(self._clock.now()), "address": kept}
        self._change(lease, delivery, {**settled, "next_run_at": None, "error_code": None, "error_message": None})

    def put_off(self, lease: Lease, delivery: Delivery, failure: Failure, next_run_at: datetime | None) -> None:
        """Note why an attempt failed, and when the next one is; None for never.

        Raises
        ------
        LeaseLost, JobCancelled
        """
        if next_run_at is None:
            after = {"state": DeliveryState.FAILED, "settled_at": to_column(self._clock.now()), "next_run_at": None}
        else:
            after = {"next_run_at": to_column(next_run_at)}
        self._change(lease, delivery, {**reason_columns(failure), **after})

    def of(self, job_id: JobID) -> Sequence[Delivery]:
        """List all rows of a job, oldest first."""
        with self._transactions.read() as connection:
            return deliveries_of(connection, job_id)

    def _change(self, lease: Lease, delivery: Delivery, values: Mapping[str, Any]) -> None:
        wanted = (
            deliveries.c.job_id == lease.job.job_id,
            deliveries.c.errand == delivery.errand,
            deliveries.c.destination == delivery.destination,
        )

        def change(connection: Connection) -> None:
            """Write the end of an attempt, if the lease still stands."""
            self._check(connection, lease)
            counted = {**values, "attempts": deliveries.c.attempts + 1}
            connection.execute(update(deliveries).where(*wanted).values(counted))

        self._transactions.write(change)

    def _check(self, connection: Connection, lease: Lease) -> None:
        now = to_column(self._clock.now())
        write_leased(connection, lease, None, {"heartbeat_at": now, "updated_at": now})


def deliveries_of(connection: Connection, job_id: JobID) -> Sequence[Delivery]:
    """List all rows of a job, oldest first."""
    return [_delivery(row) for row in _rows(connection, job_id)]


def is_held(connection: Connection, job_id: str) -> bool:
    """Tell whether a result has arrived anywhere."""
    arrived = (
        deliveries.c.job_id == job_id,
        deliveries.c.errand == RESULT,
        deliveries.c.state == DeliveryState.DONE,
    )
    return connection.execute(select(deliveries.c.id).where(*arrived).limit(1)).first() is not None


def begin_anew(connection: Connection, job_id: JobID, now: datetime) -> None:
    """Let what did not arrive be tried again as if it had just been ordered, because a person wants it."""
    unsettled = (deliveries.c.job_id == job_id, deliveries.c.state != DeliveryState.DONE)
    values = {"state": DeliveryState.PENDING, "created_at": to_column(now), "next_run_at": None, "settled_at": None}
    connection.execute(update(deliveries).where(*unsettled).values(values))


def forget(connection: Connection, job_id: JobID) -> None:
    """Forget what arrived of an earlier result, because the job makes a new one."""
    connection.execute(deliveries.delete().where(deliveries.c.job_id == job_id))


def _rows(connection: Connection, job_id: JobID, errand: str | None = None) -> Sequence[Row[Any]]:
    wanted = [deliveries.c.job_id == job_id]
    if errand is not None:
        wanted.append(deliveries.c.errand == errand)
    return connection.execute(select(deliveries).where(*wanted).order_by(deliveries.c.id)).all()


def _columns(job_id: JobID, delivery: Delivery) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "errand": delivery.errand,
        "destination": delivery.destination,
        "state": delivery.state,
        "attempts": 0,
        "created_at": to_column(delivery.since),
    }


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        destination=row.destination,
        errand=row.errand,
        state=DeliveryState(row.state),
        since=from_column(row.created_at),
        attempts=row.attempts,
        next_run_at=from_column(row.next_run_at),
        settled_at=from_column(row.settled_at),
        code=row.error_code,
        message=row.error_message,
        address=row.address,
    )
