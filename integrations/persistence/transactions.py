"""Transactions that are repeated when a neighbour got in the way, and that speak the node's own errors."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from inference.errors import StoreUnavailable
from inference.ports import Clock
from integrations.persistence.engine import BEGIN_OPTION

Result = TypeVar("Result")

ATTEMPTS: Final = 8
"""How often a transaction is tried before the database counts as unavailable."""

FIRST_WAIT_SECONDS: Final = 0.01
LONGEST_WAIT_SECONDS: Final = 0.5

_TRANSIENT_MYSQL: Final = frozenset({1020, 1205, 1213})
"""ER_CHECKREAD (MariaDB), ER_LOCK_WAIT_TIMEOUT and ER_LOCK_DEADLOCK: the transaction was rolled back, repeat it."""


class Transactions:
    """Runs pieces of work in transactions of one engine.

    Parameters
    ----------
    engine
        The database.
    clock
        For the short waits between attempts.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._snapshot = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._clock = clock

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for reading one moment of the database; what is written on it is rolled back.

        All statements in the block see what the first one saw: SQLite's readers do so by themselves (write-ahead
        log), MySQL and MariaDB where the transaction asks for REPEATABLE READ (consistent nonlocking reads).

        Raises
        ------
        StoreUnavailable
            If the database cannot be read.
        """
        try:
            with self._engine.connect() as connection:
                yield connection.execution_options(**self._snapshot)
        except SQLAlchemyError as error:
            raise StoreUnavailable(_message(error)) from error

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work`` in one transaction and commit it.

        A deadlock, a lock that takes too long and a duplicate key (a concurrent transaction made the same row
        first) are answered by another attempt after a short random wait. A connection that broke is not: whether
        the commit arrived is unknown then, and only the caller knows whether to repeat.

        Parameters
        ----------
        work
            Takes the connection; may run several times, so it must not do anything beside the database.

        Raises
        ------
        StoreUnavailable
            If the database cannot be written.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._once(work)
            except SQLAlchemyError as error:
                if attempt >= ATTEMPTS or not _is_transient(error):
                    raise StoreUnavailable(_message(error)) from error
            self._clock.wait(_wait_seconds(attempt))

    def _once(self, work: Callable[[Connection], Result]) -> Result:
        with self._engine.connect() as connection:
            writer = connection.execution_options(**{BEGIN_OPTION: "IMMEDIATE"})
            with writer.begin():
                return work(writer)


def _is_transient(error: SQLAlchemyError) -> bool:
    if isinstance(error, IntegrityError):
        return True
    if not isinstance(error, DBAPIError) or error.orig is None:
        return False
    first = error.orig.args[0] if error.orig.args else None
    if isinstance(first, int):
        return first in _TRANSIENT_MYSQL
    return isinstance(first, str) and "database is locked" in first


def _wait_seconds(attempt: int) -> float:
    longest = min(math.ldexp(FIRST_WAIT_SECONDS, attempt), LONGEST_WAIT_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


def _message(error: SQLAlchemyError) -> str:
    """Describe without the statement's values, which hold patient data."""
    kind = type(error.orig).__name__ if isinstance(error, DBAPIError) and error.orig else type(error).__name__
    return f"the database cannot be used at the moment ({kind})"
