"""Periodic work by Huey's crontab, on SQLite and on Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from dicom_node.processes import Consumers
from inference.domain.job import QueueName
from inference.errors import QueueUnavailable
from integrations.periodic_queue import PeriodicTask, periodic_consumer
from integrations.settings import Settings
from integrations.taskqueue import QueueConsumer, make_job_queue
from tests.contract.test_job_queue import hint, settings_for
from tests.support.waiting import wait_until


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.integration)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Give settings with an empty queue."""
    if request.param == "sqlite":
        return settings_for(tmp_path)
    server = request.getfixturevalue("redis_server")
    server.client().flushall()
    return settings_for(tmp_path, server.url)


@contextmanager
def consuming(consumer: QueueConsumer | Consumers) -> Iterator[None]:
    """Run a consumer in a thread, as a worker process does, and stop it."""
    thread = Thread(target=consumer.run)
    thread.start()
    try:
        yield
    finally:
        consumer.stop()
        thread.join(30)
        assert not thread.is_alive()


def test_what_the_crontab_says_is_done(settings: Settings) -> None:
    """At once where its minute is now; what fails keeps nothing from the others."""
    done: list[str] = []

    def fail() -> None:
        done.append("fails")
        raise RuntimeError("Doe^Jane")

    def refuse() -> None:
        done.append("refused")
        raise QueueUnavailable("away")

    tasks = [
        PeriodicTask("fails", "*", fail),
        PeriodicTask("refused", "*", refuse),
        PeriodicTask("works", "*", lambda: done.append("works")),
    ]
    with consuming(periodic_consumer(settings, tasks)):
        wait_until(lambda: {"fails", "refused", "works"} <= set(done), 30, "three tasks")


def test_jobs_are_worked_on_beside_it(settings: Settings) -> None:
    """One process consumes both, and ends as one."""
    done: list[str] = []
    jobs = make_job_queue(settings, lambda hint: done.append(hint.queue.value))
    periodic = periodic_consumer(settings, [PeriodicTask("works", "*", lambda: done.append("works"))])
    with consuming(Consumers([jobs.consumer(QueueName.DELIVERY, 1), periodic])):
        jobs.enqueue(hint(1, QueueName.DELIVERY))
        wait_until(lambda: set(done) == {"delivery", "works"}, 30, "a job and a task")


class BrokenConsumer:
    """Ends by itself, at once."""

    def run(self) -> None:
        """Fail."""
        raise RuntimeError("no queue")

    def stop(self) -> None:
        """Have nothing to stop."""


@pytest.mark.parametrize("place", [0, 1])
def test_where_one_consumer_ends_all_do(tmp_path: Path, place: int) -> None:
    """A process that does half of its work must not look alive."""
    good = periodic_consumer(settings_for(tmp_path), [])
    order = [BrokenConsumer(), good] if place == 0 else [good, BrokenConsumer()]
    ended: list[bool] = []

    def run() -> None:
        try:
            Consumers(order).run()
        except RuntimeError:
            ended.append(True)
        else:
            ended.append(False)

    thread = Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert ended == [place == 0]
