"""One engine per process: how we talk to SQLite, MySQL 8 and MariaDB so that the three behave alike."""

from __future__ import annotations

import fcntl
import sqlite3
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.exc import ArgumentError

from inference.errors import ConfigurationError
from integrations.settings import Settings

SQLITE_BUSY_SECONDS: Final = 30.0
"""How long a SQLite writer waits for another process's transaction before it gives up."""

BEGIN_OPTION: Final = "sqlite_begin"
"""Execution option that names the kind of SQLite transaction; writers say IMMEDIATE."""


def make_engine(settings: Settings) -> Engine:
    """Build the engine of the database that the settings name; nothing is connected yet.

    Raises
    ------
    ConfigurationError
        If the address of the database cannot be parsed or its driver is not there.
    """
    try:
        url = database_url(settings)
        return engine_for(url)
    except (ArgumentError, ImportError, ValueError) as error:
        raise ConfigurationError("the address of the database is not valid") from error


def database_url(settings: Settings) -> URL:
    """Give the database's address: the one URL, the guide's parts, or the file in the data folder."""
    if settings.database_url is not None:
        url = make_url(settings.database_url.get_secret_value())
        return url.set(drivername="mysql+pymysql") if url.drivername in {"mysql", "mariadb"} else url
    if settings.db_host is not None:
        password = settings.db_password
        return URL.create(
            "mysql+pymysql",
            username=settings.db_user,
            password=password.get_secret_value() if password is not None else None,
            host=settings.db_host,
            port=settings.db_port,
            database=settings.db_name,
        )
    settings.sqlite_path.parent.mkdir(parents=True, exist_ok=True)
    return URL.create("sqlite", database=str(settings.sqlite_path))


def engine_for(url: URL) -> Engine:
    """Build an engine for an address.

    Parameters are never shown in messages, because they hold patient data.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    return sqlalchemy.create_engine(
        url.update_query_dict({"charset": "utf8mb4"}),
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_recycle=1800,
        pool_size=10,
        max_overflow=30,
        hide_parameters=True,
        connect_args={"connect_timeout": 10, "read_timeout": 120, "write_timeout": 120},
    )


def _sqlite(url: URL) -> Engine:
    engine = sqlalchemy.create_engine(
        url, hide_parameters=True, connect_args={"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        """Make a connection durable and strict."""
        connection.isolation_level = None  # the driver must not begin by itself: see `begin`
        _write_ahead(connection, url.database)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        """Begin as the transaction asks: a writer takes the lock at once."""
        kind = connection.get_execution_options().get(BEGIN_OPTION, "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")

    return engine


def _write_ahead(connection: sqlite3.Connection, path: str | None) -> None:
    """Switch a database file to write-ahead logging, once.

    Where two processes switch at the same moment SQLite refuses one of them at once, whatever its busy timeout says
    (sqlite.org/wal.html), so they take turns by a lock on a file beside it.
    """
    if path in (None, "", ":memory:") or connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    with Path(f"{path}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        connection.execute("PRAGMA journal_mode=WAL")
