"""Hints to workers by Huey: Redis in production, SQLite where the node is embedded.

Huey takes a message out of the queue before it runs it, so a worker that dies loses it; that is harmless here,
because a message is only a hint and the database sends another (ADR 0002). A message holds the name of the queue, an
id and what that is the id of, nothing else, and is signed: Huey unpickles what it reads, and only we may have written
that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from threading import Event
from typing import Any, Final, cast

import huey
import redis
from huey.consumer import Consumer
from huey.serializer import SignedSerializer

from inference.domain.identifiers import JobID
from inference.domain.job import About, Hint, QueueName
from inference.errors import QueueUnavailable
from inference.ports import JobQueue
from integrations.settings import Settings

STOP_SECONDS: Final = 20.0
"""How long a stopping consumer waits for the job at hand; its lease covers what is cut off."""

HEALTH_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 0.1
POLL_SECONDS: Final = 0.5
"""Longest pause between two looks into the embedded queue; Redis wakes its reader by itself."""

_UNAVAILABLE: Final = (redis.RedisError, sqlite3.Error, OSError)

Run = Callable[[Hint], None]


class QueueConsumer:
    """Worker threads that take hints from one queue.

    Threads, never processes: Huey's process workers outlive a killed parent and go on taking messages.

    Parameters
    ----------
    queue
        The Huey instance to read.
    workers
        Number of threads.
    periodic
        Whether the queue's crontab is looked at, too.
    """

    def __init__(self, queue: Any, workers: int, *, periodic: bool = False) -> None:
        self._consumer = _QuietConsumer(
            queue,
            workers=workers,
            periodic=periodic,
            worker_type="thread",
            initial_delay=0.05,
            max_delay=POLL_SECONDS,
            shutdown_timeout=STOP_SECONDS,
            scheduler_interval=60,
        )
        self._stopping = False

    def run(self) -> None:
        """Take hints until ``stop`` is called, then wait for the jobs at hand, but not for ever."""
        self._consumer.start()
        pause = Event()  # our own: a signal handler in this thread must never find the lock of Huey's flag taken
        looks = 0
        while not self._stopping:
            pause.wait(PAUSE_SECONDS)
            looks += 1
            if looks * PAUSE_SECONDS >= HEALTH_SECONDS:
                looks = 0
                self._consumer.check_worker_health()
        self._consumer.stop(graceful=True)

    def stop(self) -> None:
        """Make ``run`` end and workers take nothing more; a signal handler and any thread may call it."""
        if not self._stopping:
            self._stopping = True
            self._consumer.stop_flag.set()


class _QuietConsumer(Consumer):  # type: ignore[misc]
    """Huey's consumer without its signal handlers: what a signal means is for the process to say."""

    def _set_signal_handlers(self) -> None:
        """Leave signals alone."""


class HueyJobQueue(JobQueue):
    """One Huey per queue.

    Parameters
    ----------
    queues
        A Huey for each name.
    run
        What a worker does with a hint; None in a process that only sends.
    """

    def __init__(self, queues: dict[QueueName, Any], run: Run | None) -> None:
        self._queues = queues
        self._run = run
        self._tasks = {name: self._task(name, queue) for name, queue in queues.items()}

    def enqueue(self, hint: Hint) -> None:
        """Send one hint.

        Raises
        ------
        QueueUnavailable
            If the queue takes no message; the job is safe in the database and will be hinted at again.
        """
        try:
            self._tasks[hint.queue](hint.queue.value, str(hint.job_id), hint.about.value)
        except _UNAVAILABLE as error:
            raise QueueUnavailable(f"the queue takes no message ({type(error).__name__})") from error

    def depth(self, queue: QueueName) -> int:
        """Count waiting messages.

        Raises
        ------
        QueueUnavailable
            If the queue cannot be asked.
        """
        try:
            return cast("int", self._queues[queue].pending_count())
        except _UNAVAILABLE as error:
            raise QueueUnavailable(f"the queue cannot be asked ({type(error).__name__})") from error

    def consumer(self, queue: QueueName, workers: int) -> QueueConsumer:
        """Give a consumer of one queue.

        Parameters
        ----------
        queue
            The queue to read.
        workers
            Jobs at the same time.

        Raises
        ------
        ValueError
            If this queue was made for sending only.
        """
        if self._run is None:
            raise ValueError("a consumer needs something to run")
        return QueueConsumer(self._queues[queue], workers)

    def _task(self, name: QueueName, queue: Any) -> Callable[[str, str, str], object]:
        def work_on(queue_name: str, job_id: str, about: str = About.JOB.value) -> None:
            """Give a message to the worker; one of an earlier node is about a job."""
            if self._run is not None:
                self._run(Hint(QueueName(queue_name), JobID(job_id), About(about)))

        task: Callable[[str, str, str], object] = queue.task(name=f"work_on_{name.value}")(work_on)
        return task


def make_job_queue(settings: Settings, run: Run | None) -> HueyJobQueue:
    """Build the queue that the settings name; nothing is connected yet to Redis.

    Parameters
    ----------
    settings
        Address and secret of the queue.
    run
        What a worker does with a hint; None in a process that only sends.
    """
    return HueyJobQueue({name: open_queue(settings, name.value) for name in QueueName}, run)


def open_queue(settings: Settings, name: str) -> Any:
    """Give the Huey of one queue; nothing is connected yet to Redis.

    Parameters
    ----------
    settings
        Address and secret of the queue.
    name
        Of the queue.
    """
    common = {
        "name": f"neuronova_{name}",
        "results": False,
        "serializer": SignedSerializer(settings.queue_secret.get_secret_value(), salt=f"neuronova-{name}"),
    }
    if settings.redis_url is None:
        settings.queue_path.parent.mkdir(parents=True, exist_ok=True)
        return huey.SqliteHuey(filename=str(settings.queue_path), timeout=10, **common)
    pool = redis.ConnectionPool.from_url(
        settings.redis_url.get_secret_value(), socket_connect_timeout=5, socket_timeout=10, health_check_interval=30
    )
    return huey.RedisHuey(connection_pool=pool, blocking=True, read_timeout=1, **common)
