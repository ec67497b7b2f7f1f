"""A read sees one moment of the database, however many questions it asks, on SQLite and on MariaDB."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, func, insert, select

from integrations.persistence.tables import users
from integrations.persistence.transactions import Transactions
from tests.support.fakes import NOON, FixedClock


def count(connection: Connection) -> int:
    """Count the accounts."""
    return int(connection.scalar(select(func.count()).select_from(users)) or 0)


def add_account(connection: Connection) -> None:
    """Commit something that a reader could notice."""
    row = {"username": "a", "password_hash": "x", "role": "admin", "created_at": NOON.replace(tzinfo=None)}
    connection.execute(insert(users).values(row))


def test_a_read_does_not_see_what_is_committed_meanwhile(database: Engine) -> None:
    """Else a study could be shown with a decision of one moment and the jobs of another."""
    transactions = Transactions(database, FixedClock())

    with transactions.read() as connection:
        before = count(connection)
        transactions.write(add_account)
        assert count(connection) == before
    with transactions.read() as connection:
        assert count(connection) == before + 1
