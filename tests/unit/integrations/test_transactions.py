"""Transactions: repeated when a neighbour got in the way, never otherwise, and silent about values."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta, timezone

import pymysql
import pytest
from sqlalchemy import Connection, Engine, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from inference.errors import StoreUnavailable
from integrations.persistence.tables import users
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import ATTEMPTS, Transactions
from tests.support.fakes import NOON, FixedClock

TRANSIENT = [
    OperationalError("UPDATE", {}, pymysql.err.OperationalError(1213, "Deadlock found")),
    OperationalError("UPDATE", {}, pymysql.err.OperationalError(1205, "Lock wait timeout exceeded")),
    OperationalError("UPDATE", {}, pymysql.err.OperationalError(1020, "Record has changed since last read")),
    OperationalError("BEGIN", {}, sqlite3.OperationalError("database is locked")),
    IntegrityError("INSERT", {}, pymysql.err.IntegrityError(1062, "Duplicate entry")),
]
LASTING = [
    OperationalError("UPDATE", {}, pymysql.err.OperationalError(2013, "Lost connection during query")),
    OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error")),
    OperationalError("UPDATE", {}, sqlite3.OperationalError()),
]


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that notes waits."""
    return FixedClock()


@pytest.fixture
def transactions(sqlite_engine: Engine, clock: FixedClock) -> Transactions:
    """Give transactions on SQLite."""
    return Transactions(sqlite_engine, clock)


class Failing:
    """Work that adds a user, and raises ``error`` the first ``times`` times."""

    def __init__(self, error: Exception, times: int) -> None:
        self._error = error
        self._times = times
        self.calls = 0

    def __call__(self, connection: Connection) -> str:
        self.calls += 1
        values = {"username": f"u{self.calls}", "password_hash": "", "role": "admin", "created_at": to_column(NOON)}
        connection.execute(insert(users).values(values))
        if self.calls <= self._times:
            raise self._error
        return "done"


def names(transactions: Transactions) -> list[str]:
    """Read the users there are."""
    with transactions.read() as connection:
        return list(connection.scalars(select(users.c.username)))


@pytest.mark.parametrize("error", TRANSIENT)
def test_a_neighbour_in_the_way_is_waited_out(
    transactions: Transactions, clock: FixedClock, error: Exception
) -> None:
    """The whole transaction is done again after a short wait; nothing of the failed ones stays."""
    work = Failing(error, times=3)

    assert transactions.write(work) == "done"

    assert names(transactions) == ["u4"]
    assert len(clock.waits) == 3
    assert all(0 < wait <= 0.5 for wait in clock.waits)


@pytest.mark.parametrize("error", TRANSIENT)
def test_a_neighbour_that_stays_is_an_outage(transactions: Transactions, error: Exception) -> None:
    """The number of attempts is bounded."""
    work = Failing(error, times=1000)

    with pytest.raises(StoreUnavailable):
        transactions.write(work)

    assert work.calls == ATTEMPTS
    assert names(transactions) == []


@pytest.mark.parametrize("error", LASTING)
def test_other_errors_are_not_repeated(transactions: Transactions, clock: FixedClock, error: Exception) -> None:
    """Whether a commit arrived over a connection that broke is unknown: the caller decides."""
    work = Failing(error, times=1)

    with pytest.raises(StoreUnavailable):
        transactions.write(work)

    assert (work.calls, clock.waits) == (1, [])


def test_an_error_of_ours_rolls_back_and_passes(transactions: Transactions) -> None:
    """What the work itself raises is not translated, and undoes what it wrote."""
    with pytest.raises(KeyError):
        transactions.write(Failing(KeyError("ours"), times=1))

    assert names(transactions) == []


def test_values_are_never_in_a_message(transactions: Transactions) -> None:
    """A statement that fails has patient data among its values; neither error nor cause shows them."""

    def fail(connection: Connection) -> None:
        connection.execute(text("INSERT INTO nowhere VALUES (:name)"), {"name": "Sentinel^Patient"})

    with pytest.raises(StoreUnavailable) as raised:
        transactions.write(fail)

    assert "Sentinel" not in f"{raised.value} {raised.value.__cause__}"


def test_reading_does_not_write(transactions: Transactions) -> None:
    """What is written on a reader's connection is rolled back."""
    with transactions.read() as connection:
        Failing(KeyError(), times=0)(connection)

    assert names(transactions) == []


def test_reading_translates_errors(transactions: Transactions) -> None:
    """A reader's failure is the node's own error too."""
    with pytest.raises(StoreUnavailable), transactions.read() as connection:
        connection.execute(text("SELECT * FROM nowhere"))


def test_times_keep_their_instant() -> None:
    """Any zone goes in, UTC comes out, and a time without a zone is refused."""
    seoul = datetime(2026, 1, 2, 21, 0, tzinfo=timezone(timedelta(hours=9)))

    assert from_column(to_column(seoul)) == NOON
    assert from_column(None) is None
    with pytest.raises(ValueError, match="zone"):
        to_column(NOON.replace(tzinfo=None))
