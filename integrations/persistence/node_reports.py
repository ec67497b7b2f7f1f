"""What workers say of themselves, and what peers answered, in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update

from inference.domain.job import Failure
from inference.domain.node_report import PeerKind, PeerOutcome, WorkerReport
from inference.ports import Clock
from integrations.persistence.tables import instances, node_workers, peer_probes
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions

FORGOTTEN_AFTER: Final = timedelta(days=1)
"""A worker that was not heard of for so long is gone, and its row with it."""


class SQLWorkerRoll:
    """The processes that work; every method raises StoreUnavailable where the database cannot be asked.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        For the short waits between attempts.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._transactions = Transactions(engine, clock)

    def seen(self, report: WorkerReport) -> None:
        """Write down what a worker says of itself; those not heard of for a day are forgotten."""
        values = _worker_row(report)
        gone = node_workers.c.seen_at < to_column(report.seen_at - FORGOTTEN_AFTER)

        def work(connection: Connection) -> None:
            connection.execute(delete(node_workers).where(gone))
            mine = node_workers.c.owner == report.owner
            if connection.scalar(select(node_workers.c.pid).where(mine)) is None:
                connection.execute(insert(node_workers).values(values))
            else:
                connection.execute(update(node_workers).where(mine).values(values))

        self._transactions.write(work)

    def left(self, owner: str) -> None:
        """Forget a worker that ended in order."""
        statement = delete(node_workers).where(node_workers.c.owner == owner)
        self._transactions.write(lambda connection: connection.execute(statement))

    def all(self) -> Sequence[WorkerReport]:
        """List the workers by kind and since when they are there."""
        statement = select(node_workers).order_by(node_workers.c.kind, node_workers.c.started_at)
        with self._transactions.read() as connection:
            return [_worker(row) for row in connection.execute(statement)]


class SQLPeerLog:
    """What each peer answered when it was asked last; raises StoreUnavailable where the database cannot be asked.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        For the short waits between attempts.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._transactions = Transactions(engine, clock)

    def note(self, outcome: PeerOutcome) -> None:
        """Write down what came of asking a peer."""
        values = _probe_row(outcome)

        def work(connection: Connection) -> None:
            this = peer_probes.c.name == outcome.name
            if connection.scalar(select(peer_probes.c.kind).where(this)) is None:
                connection.execute(insert(peer_probes).values(values))
            else:
                connection.execute(update(peer_probes).where(this).values(values))

        self._transactions.write(work)

    def keep_only(self, names: Collection[str]) -> None:
        """Forget peers that are not configured any more."""
        statement = delete(peer_probes).where(peer_probes.c.name.not_in(names))
        self._transactions.write(lambda connection: connection.execute(statement))

    def all(self) -> Sequence[PeerOutcome]:
        """List the last answers by name."""
        statement = select(peer_probes).order_by(peer_probes.c.name)
        with self._transactions.read() as connection:
            return [_outcome(row) for row in connection.execute(statement)]


def spool_bytes(transactions: Transactions) -> int:
    """Count what was received and is kept, in bytes; it reads a row for each instance, so it is asked seldom.

    Parameters
    ----------
    transactions
        The database.

    Raises
    ------
    StoreUnavailable
        If it cannot be asked.
    """
    with transactions.read() as connection:
        return int(connection.scalar(select(func.coalesce(func.sum(instances.c.size_bytes), 0))) or 0)


def _worker_row(report: WorkerReport) -> dict[str, Any]:
    return {
        "owner": report.owner,
        "kind": report.kind,
        "host": report.host[:255],
        "pid": report.pid,
        "threads": report.threads,
        "version": report.version,
        "started_at": to_column(report.started_at),
        "seen_at": to_column(report.seen_at),
        "facts": dict(report.facts),
    }


def _worker(row: Row[Any]) -> WorkerReport:
    return WorkerReport(
        owner=row.owner,
        kind=row.kind,
        host=row.host,
        pid=row.pid,
        threads=row.threads,
        version=row.version,
        started_at=from_column(row.started_at),
        seen_at=from_column(row.seen_at),
        facts=row.facts or {},
    )


def _probe_row(outcome: PeerOutcome) -> dict[str, Any]:
    """Give the row; when a peer could last be used stays as it was where it cannot."""
    failure = outcome.failure
    row = {
        "name": outcome.name,
        "kind": outcome.kind,
        "address": outcome.address[:512],
        "probed_at": to_column(outcome.probed_at),
        "seconds": outcome.seconds,
        "reachable": failure is None,
        "error_code": None if failure is None else failure.code,
        "error_message": None if failure is None else failure.message,
    }
    return row | ({"reachable_at": row["probed_at"]} if failure is None else {})


def _outcome(row: Row[Any]) -> PeerOutcome:
    return PeerOutcome(
        name=row.name,
        kind=PeerKind(row.kind),
        address=row.address,
        probed_at=from_column(row.probed_at),
        seconds=row.seconds,
        failure=None if row.reachable else Failure(row.error_code, row.error_message),
        reachable_at=from_column(row.reachable_at),
    )
