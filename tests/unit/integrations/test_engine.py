"""How databases are addressed and opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from inference.errors import ConfigurationError
from integrations.persistence.engine import database_url, engine_for, make_engine
from integrations.settings import Settings

SECRET = "s" * 32


def settings(**values: object) -> Settings:
    """Give settings."""
    return Settings(queue_secret=SECRET, jwt_secret=SECRET, **values)  # type: ignore[arg-type]


def test_the_embedded_database_is_a_file(tmp_path: Path) -> None:
    """Without an address the database is in the data folder, which is made."""
    engine = make_engine(settings(data_dir=tmp_path / "new"))

    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert (tmp_path / "new" / "node.sqlite3").exists()
    engine.dispose()


def test_the_parts_make_an_address() -> None:
    """The guide's parts become one address, with a password of any characters."""
    url = database_url(settings(db_host="db", db_port=3307, db_name="cdss", db_user="u", db_password="p@:/w"))

    assert (url.drivername, url.host, url.port, url.database) == ("mysql+pymysql", "db", 3307, "cdss")
    assert (url.username, url.password) == ("u", "p@:/w")


def test_a_user_may_have_no_password() -> None:
    """A server that trusts its socket or network needs none."""
    assert database_url(settings(db_host="db")).password is None


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql"])
def test_plain_schemes_get_our_driver(scheme: str) -> None:
    """An address without a driver means the one that we bring."""
    assert database_url(settings(database_url=f"{scheme}://u:p@h/d")).drivername == "mysql+pymysql"


@pytest.mark.parametrize("address", ["nonsense", "oracle://h/d", "mysql://h:port/d"])
def test_an_address_that_is_none(address: str) -> None:
    """What cannot be an address is the configuration's fault, and is not shown: it may hold a password."""
    with pytest.raises(ConfigurationError) as raised:
        make_engine(settings(database_url=address))

    assert address not in raised.value.message


def test_sqlite_is_opened_for_durability(sqlite_engine: Engine) -> None:
    """A commit is on disk when it returns; readers do not wait for writers; keys are checked."""
    with sqlite_engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}


def test_mysql_is_opened_for_names_of_people() -> None:
    """Every character fits, and values stay out of messages; nothing is connected yet."""
    engine = engine_for(database_url(settings(db_host="db")))

    assert engine.url.query["charset"] == "utf8mb4"
    assert engine.hide_parameters
