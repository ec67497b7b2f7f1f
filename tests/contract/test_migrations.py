"""The migrations make exactly the schema of ``tables.py``, on every database, from every start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import JSON, URL, Column, Engine, MetaData, Table, insert, inspect, select
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError

from inference.errors import StoreUnavailable
from integrations.persistence.engine import engine_for
from integrations.persistence.migrations import is_current, upgrade
from integrations.persistence.tables import METADATA, job_stages, jobs, studies
from tests.support.databases import BOTH_DATABASES
from tests.support.fakes import NOON


@pytest.fixture(params=BOTH_DATABASES)
def empty_database(request: pytest.FixtureRequest, tmp_path: Any) -> URL:
    """Give the address of a database without any table."""
    if request.param == "sqlite":
        return URL.create("sqlite", database=str(tmp_path / "empty.sqlite3"))
    url: URL = request.getfixturevalue("mariadb_server").new_database()
    return url


def differences(engine: Engine) -> list[Any]:
    """Compare a database with the tables, types included; MariaDB's JSON is a LONGTEXT with a check."""

    def differ(_context: Any, _inspected: Any, _declared: Any, found: Any, wanted: Any) -> bool | None:
        return False if isinstance(wanted, JSON) and isinstance(found, mysql.LONGTEXT) else None

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": differ})
        found: list[Any] = compare_metadata(context, METADATA)
        return found


def test_upgrade_makes_the_tables(empty_database: URL) -> None:
    """An empty database becomes the schema of ``tables.py``, and a second upgrade changes nothing."""
    engine = engine_for(empty_database)
    assert not is_current(engine)

    upgrade(engine)
    upgrade(engine)

    assert is_current(engine)
    assert differences(engine) == []
    engine.dispose()


def test_rows_of_the_first_schema_are_kept(empty_database: URL) -> None:
    """A node that has worked is upgraded with all it knows, and what refers to a job still does."""
    engine = engine_for(empty_database)
    upgrade(engine, "0001")
    old = Table("jobs", MetaData(), Column("result", JSON), autoload_with=engine)
    with engine.begin() as connection:
        model = {"model_id": "brain_structures", "model_version": "0.1.0", "model_digest": "d" * 64}
        made = {"created_at": NOON, "updated_at": NOON, "state": "COMPLETED", "attempt": 1, "lease_token": 1}
        job = {
            "job_id": "a" * 32,
            "study_instance_uid": "1.2",
            "series_instance_uid": "1.2.3",
            "revision": 1,
            "run": 0,
        }
        connection.execute(insert(old).values(**job, **model, **made, result={"measurements": [1.5]}))
        stage = {"stage": "infer", "attempt": 1, "started_at": NOON, "seconds": 2.0}
        connection.execute(insert(job_stages).values(job_id="a" * 32, **stage))

    upgrade(engine)

    assert differences(engine) == []
    with engine.connect() as connection:
        kept = connection.execute(select(jobs, job_stages.c.seconds).join(job_stages)).one()
        assert (kept.job_id, kept.shadow, kept.result, kept.seconds) == (
            "a" * 32,
            False,
            {"measurements": [1.5]},
            2.0,
        )
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(job_stages).values(job_id="b" * 32, **stage))
    engine.dispose()


def test_processes_that_start_at_once_migrate_once(empty_database: URL) -> None:
    """Several processes that upgrade at the same time all succeed."""
    engines = [engine_for(empty_database) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, engines))

    assert all(is_current(engine) for engine in engines)
    for engine in engines:
        engine.dispose()


def test_names_of_any_script_are_kept(database: Engine) -> None:
    """A name outside the Basic Multilingual Plane comes back unchanged, whatever the server's default charset."""
    name = "山田^太郎 김희중 𠮷野"
    with database.begin() as connection:
        connection.execute(
            insert(studies).values(
                study_instance_uid="1.2", patient_name=name, first_received_at=NOON, last_received_at=NOON
            )
        )
    with database.connect() as connection:
        assert connection.scalar(select(studies.c.patient_name)) == name


@pytest.mark.integration
def test_microseconds_are_kept(mariadb_engine: Engine) -> None:
    """MariaDB's times have microseconds: a lease would otherwise end up to half a second early."""
    types = {column["name"]: column["type"] for column in inspect(mariadb_engine).get_columns("jobs")}

    assert getattr(types["lease_expires_at"], "fsp", None) == 6


def test_a_database_that_is_not_there_is_said_so() -> None:
    """An address where nobody listens gives the node's own error."""
    engine = engine_for(URL.create("mysql+pymysql", "nobody", None, "127.0.0.1", 1, "nothing"))

    with pytest.raises(StoreUnavailable):
        upgrade(engine)
    with pytest.raises(StoreUnavailable):
        is_current(engine)
