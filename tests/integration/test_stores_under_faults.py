"""Stores while servers restart and processes die: what was acknowledged is there, and work goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import URL, Engine, text

from inference.domain.arrival import Arrival, ArrivalHeader
from inference.domain.job import JobState, ModelReference, NewJob, QueueName
from inference.domain.study import CompletionEvidence
from inference.errors import SpoolFull, StoreUnavailable
from integrations.persistence.engine import engine_for
from integrations.persistence.job_store import SQLJobStore
from integrations.persistence.migrations import upgrade
from integrations.persistence.study_index import SQLStudyIndex
from integrations.system import RandomUIDSource, SystemClock
from tests.support.fakes import CountingUIDSource, FixedClock
from tests.support.spooled_instances import SENDER, SERIES, STUDY, arriving
from tests.support.waiting import wait_until

if TYPE_CHECKING:  # pytest rewrites that module when it loads it as a plugin
    from tests.support.mariadb_server import MariaDB

pytestmark = pytest.mark.integration

NEW = NewJob(STUDY, SERIES, 1, ModelReference("brain-structures", "1.0.0", "d" * 64))


def test_mariadb_may_go_and_come_back(own_mariadb_server: MariaDB, tmp_path: Path) -> None:
    """While it is away the sender is told to come again; afterwards the same objects go on, and nothing is lost."""
    engine, clock = engine_for(own_mariadb_server.new_database()), FixedClock()
    upgrade(engine)
    index, store = SQLStudyIndex(engine, clock, tmp_path), SQLJobStore(engine, clock, CountingUIDSource())
    assert index.add(arriving(1, tmp_path), ArrivalHeader(), SENDER) is Arrival.NEW
    job = store.create(NEW)
    lease = store.claim(job.job_id, QueueName.INFERENCE, "worker-1", 60)
    assert lease is not None

    own_mariadb_server.kill()
    with pytest.raises(SpoolFull):
        index.add(arriving(2, tmp_path), ArrivalHeader(), SENDER)
    with pytest.raises(StoreUnavailable):
        store.heartbeat(lease, 60)
    own_mariadb_server.restart()

    assert index.add(arriving(2, tmp_path), ArrivalHeader(), SENDER) is Arrival.NEW
    assert len(index.series(SERIES, CompletionEvidence.SIGNAL).instances) == 2
    store.heartbeat(lease, 60)
    store.deliver(lease, {})
    assert store.get(job.job_id).state is JobState.DELIVERING
    engine.dispose()


def test_a_connection_that_was_cut_is_replaced(mariadb_engine: Engine, tmp_path: Path) -> None:
    """A connection the server closed while it was idle is found out before it is used."""
    index = SQLStudyIndex(mariadb_engine, FixedClock(), tmp_path)
    index.add(arriving(1, tmp_path), ArrivalHeader(), SENDER)
    with mariadb_engine.connect() as connection:
        mine = connection.scalar(text("SELECT CONNECTION_ID()"))
        schema = connection.scalar(text("SELECT DATABASE()"))
        others = connection.scalars(
            text("SELECT id FROM information_schema.processlist WHERE db = :schema AND id <> :mine"),
            {"schema": schema, "mine": mine},
        ).all()
        for number in others:
            connection.exec_driver_sql(f"KILL {int(number)}")

    assert index.add(arriving(2, tmp_path), ArrivalHeader(), SENDER) is Arrival.NEW


def test_no_transaction_sees_half_of_another(mariadb_engine: Engine) -> None:
    """Statements read what is committed now, not what was when the transaction began: claims rely on it."""
    with mariadb_engine.connect() as connection:
        assert connection.get_isolation_level() == "READ COMMITTED"


ADD_FOREVER = """
import sys
from pathlib import Path
from sqlalchemy import URL
from inference.domain.arrival import ArrivalHeader
from integrations.persistence.engine import engine_for
from integrations.persistence.study_index import SQLStudyIndex
from integrations.system import SystemClock
from tests.support.spooled_instances import SENDER, arriving

root, first = Path(sys.argv[1]), int(sys.argv[2])
index = SQLStudyIndex(engine_for(URL.create("sqlite", database=str(root / "node.sqlite3"))), SystemClock(), root)
for number in range(first, first + 100_000):
    index.add(arriving(number, root), ArrivalHeader(), SENDER)
    print(number, flush=True)
"""


def test_killed_receivers_lose_nothing_they_acknowledged(tmp_path: Path) -> None:
    """Two processes add to one SQLite file and are killed in the middle: every acknowledged instance is there."""
    engine = engine_for(URL.create("sqlite", database=str(tmp_path / "node.sqlite3")))
    upgrade(engine)
    logs = [tmp_path / "one.txt", tmp_path / "two.txt"]
    receivers = []
    for number, log in enumerate(logs, start=1):
        arguments = [sys.executable, "-c", ADD_FOREVER, str(tmp_path), str(number * 1_000_000)]
        with log.open("wb") as output:
            receivers.append(subprocess.Popen(arguments, stdout=output, cwd=Path(__file__).parents[2]))
    try:
        wait_until(lambda: all(log.read_bytes().count(b"\n") > 40 for log in logs), 60, "forty instances of each")
    finally:
        for receiver in receivers:
            os.kill(receiver.pid, signal.SIGKILL)
            receiver.wait()

    index = SQLStudyIndex(engine, SystemClock(), tmp_path)
    found = {
        instance.identity.sop_instance_uid for instance in index.series(SERIES, CompletionEvidence.SIGNAL).instances
    }
    for log in logs:
        acknowledged = [int(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        assert {arriving(number, tmp_path).identity.sop_instance_uid for number in acknowledged} <= found
    (receiving,) = index.receiving()
    assert receiving.instance_count == len(found)
    engine.dispose()


CLAIM_AND_HANG = """
import sys
from threading import Event
from sqlalchemy import URL
from inference.domain.job import QueueName
from integrations.persistence.engine import engine_for
from integrations.persistence.job_store import SQLJobStore
from integrations.system import RandomUIDSource, SystemClock

store = SQLJobStore(engine_for(URL.create("sqlite", database=sys.argv[1])), SystemClock(), RandomUIDSource())
print(store.claim(sys.argv[2], QueueName.INFERENCE, "doomed", 1.0) is not None, flush=True)
Event().wait()
"""


def test_a_killed_workers_job_is_due_and_goes_to_another(tmp_path: Path) -> None:
    """After ``kill -9`` of a worker its job comes back by itself, once its lease has ended, with the next attempt."""
    path = tmp_path / "node.sqlite3"
    engine = engine_for(URL.create("sqlite", database=str(path)))
    upgrade(engine)
    store = SQLJobStore(engine, SystemClock(), RandomUIDSource())
    job = store.create(NEW)
    worker = subprocess.Popen(
        [sys.executable, "-c", CLAIM_AND_HANG, str(path), job.job_id], stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "True\n"

    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()

    wait_until(lambda: store.due(10), 20, "the killed worker's job")
    lease = store.claim(job.job_id, QueueName.INFERENCE, "heir", 60)
    assert lease is not None
    assert (lease.token, lease.job.attempt) == (2, 2)
    engine.dispose()
