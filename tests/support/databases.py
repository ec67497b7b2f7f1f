"""Migrated databases: the same tests run on SQLite and, as integration tests, on MariaDB."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import URL, Engine

from integrations.persistence.engine import engine_for
from integrations.persistence.migrations import upgrade
from integrations.persistence.tables import METADATA

if TYPE_CHECKING:  # pytest rewrites that module when it loads it as a plugin
    from tests.support.mariadb_server import MariaDB

BOTH_DATABASES = ["sqlite", pytest.param("mariadb", marks=pytest.mark.integration)]
"""Parameters for a fixture or test that runs on both."""


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a migrated SQLite database without rows; to be copied, because migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "node.sqlite3"
    engine = engine_for(URL.create("sqlite", database=str(path)))
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def sqlite_engine(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Engine]:
    """Give a migrated SQLite database in a file."""
    path = shutil.copy(migrated_sqlite, tmp_path / "node.sqlite3")
    engine = engine_for(URL.create("sqlite", database=str(path)))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_mariadb(mariadb_server: MariaDB) -> Iterator[Engine]:
    """Give a migrated MariaDB schema for the whole run; use ``mariadb_engine``, which empties it."""
    engine = engine_for(mariadb_server.new_database())
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def mariadb_engine(migrated_mariadb: Engine) -> Engine:
    """Give a migrated MariaDB schema without rows."""
    with migrated_mariadb.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(table.delete())
    return migrated_mariadb


@pytest.fixture(params=BOTH_DATABASES)
def database(request: pytest.FixtureRequest) -> Engine:
    """Give a migrated, empty database: SQLite, then MariaDB."""
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    return engine
