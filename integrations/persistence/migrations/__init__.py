"""Bringing a database to the schema this version of the node expects, with Alembic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from inference.errors import StoreUnavailable
from integrations.persistence.engine import BEGIN_OPTION

LOCK_NAME: Final = "neuronova_node_migrations"
LOCK_SECONDS: Final = 120


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run every migration that the database lacks.

    Several processes may start at once: one migrates, the others wait and find nothing to do.

    Parameters
    ----------
    engine
        The database.
    revision
        How far to go.

    Raises
    ------
    StoreUnavailable
        If the database cannot be reached or changed.
    """
    try:
        with _exclusive(engine) as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the database cannot be migrated ({type(error).__name__})") from error


def is_current(engine: Engine) -> bool:
    """Tell whether the database has the schema of this version.

    Raises
    ------
    StoreUnavailable
        If the database cannot be reached.
    """
    try:
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the database cannot be reached ({type(error).__name__})") from error
    return found == ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


@contextmanager
def _loose_references(connection: Connection) -> Iterator[None]:
    """Switch foreign keys off, outside any transaction: SQLite changes a table by making it anew under its name.

    See "Making Other Kinds Of Table Schema Changes" in SQLite's ALTER TABLE documentation.
    """
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _check_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise StoreUnavailable(f"the migration would leave rows of {broken[0]} without what they refer to")


@contextmanager
def _exclusive(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as plain:
        connection = plain.execution_options(**{BEGIN_OPTION: "EXCLUSIVE"})
        if engine.dialect.name == "sqlite":
            with _loose_references(connection), connection.begin():
                yield connection
                _check_references(connection)
            return
        # A schema change commits by itself in MySQL, so a lock that outlives transactions is needed.
        if (
            connection.scalar(text("SELECT GET_LOCK(:name, :seconds)"), {"name": LOCK_NAME, "seconds": LOCK_SECONDS})
            != 1
        ):
            raise StoreUnavailable("another process has been migrating the database for too long")
        try:
            yield connection
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": LOCK_NAME})
