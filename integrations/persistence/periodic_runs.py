"""Turns of periodic work: several machines look at the clock, one of them works, and its report is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from inference.ports import Clock
from integrations.persistence.tables import periodic_runs
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions

ABANDONED_AFTER: Final = timedelta(hours=1)
"""A turn that is not over by then is another's: whoever began it has died."""

REPEATED_AFTER: Final = timedelta(minutes=5)
MOST_ATTEMPTS: Final = 5
"""Of one turn; a later turn tries anew."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to do a piece of periodic work once.

    Parameters
    ----------
    task
        Which work.
    slot
        Which turn of it.
    attempt
        Counts up with every claim; the word of an earlier one counts no more.
    """

    task: str
    slot: str
    attempt: int = 1


class SQLTurns:
    """Turns in SQLite, MySQL or MariaDB.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        Time.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock

    def begin(self, task: str, slot: str) -> Turn | None:
        """Take a turn; None where it is done, or somebody else's, or has failed too lately or too often."""
        now = self._clock.now()

        def begin(connection: Connection) -> Turn | None:
            """Make the row, or take it over."""
            same = (periodic_runs.c.task == task, periodic_runs.c.slot == slot)
            row = connection.execute(select(periodic_runs).where(*same).with_for_update()).one_or_none()
            if row is None:
                values = {"task": task, "slot": slot, "attempt": 1, "started_at": to_column(now)}
                connection.execute(insert(periodic_runs).values(values))
                return Turn(task, slot)
            if not _is_free(row, now):
                return None
            anew = {"attempt": row.attempt + 1, "started_at": to_column(now), "finished_at": None, "error_code": None}
            connection.execute(update(periodic_runs).where(*same).values(anew))
            return Turn(task, slot, row.attempt + 1)

        return self._transactions.write(begin)

    def finish(self, turn: Turn, report: Mapping[str, Any]) -> None:
        """Keep what was done: counts, and no patient data."""
        self._end(turn, {"report": dict(report), "error_code": None})

    def fail(self, turn: Turn, code: str) -> None:
        """Note why it was not done; it is tried again after some minutes."""
        self._end(turn, {"error_code": code[:64]})

    def last_report(self, task: str) -> tuple[datetime, Mapping[str, Any]] | None:
        """Give when a task was done last, and what it reported; None where it never was."""
        table = periodic_runs
        done = (table.c.report.is_not(None), table.c.error_code.is_(None), table.c.finished_at.is_not(None))
        statement = select(table).where(table.c.task == task, *done)
        with self._transactions.read() as connection:
            row = connection.execute(statement.order_by(table.c.started_at.desc()).limit(1)).one_or_none()
        return None if row is None else (from_column(row.finished_at), row.report)

    def prune(self, before: datetime) -> int:
        """Delete turns of long ago, and give how many rows that were; the last report of a task may be among them."""
        statement = delete(periodic_runs).where(periodic_runs.c.started_at < to_column(before))
        return self._transactions.write(lambda connection: connection.execute(statement).rowcount)

    def _end(self, turn: Turn, values: Mapping[str, Any]) -> None:
        ours = (
            periodic_runs.c.task == turn.task,
            periodic_runs.c.slot == turn.slot,
            periodic_runs.c.attempt == turn.attempt,
        )
        ended = {**values, "finished_at": to_column(self._clock.now())}
        statement = update(periodic_runs).where(*ours).values(ended)
        self._transactions.write(lambda connection: connection.execute(statement))


def _is_free(row: Row[Any], now: datetime) -> bool:
    if row.finished_at is None:
        return bool(from_column(row.started_at) + ABANDONED_AFTER < now)
    repeats = row.error_code is not None and row.attempt < MOST_ATTEMPTS
    return bool(repeats and from_column(row.finished_at) + REPEATED_AFTER <= now)
