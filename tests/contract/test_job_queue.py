"""What every queue of hints must do, on SQLite and on Redis."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

import pytest

from inference.domain.identifiers import JobID
from inference.domain.job import About, Hint, QueueName
from inference.errors import QueueUnavailable
from integrations.settings import Settings
from integrations.taskqueue import HueyJobQueue, QueueConsumer, make_job_queue
from tests.support.waiting import wait_until

if TYPE_CHECKING:  # pytest rewrites that module when it loads it as a plugin
    from tests.support.redis_server import RedisServer

INFERENCE, DELIVERY = QueueName.INFERENCE, QueueName.DELIVERY
SECRET = "s" * 32
Make = Callable[[Callable[[Hint], None] | None], HueyJobQueue]


def settings_for(folder: Path, redis_url: str | None = None, secret: str = SECRET) -> Settings:
    """Give settings whose queue is in the folder, or in Redis."""
    address = {} if redis_url is None else {"redis_url": redis_url}
    return Settings(data_dir=folder, queue_secret=secret, jwt_secret=secret, **address)  # type: ignore[arg-type]


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.integration)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Give settings with an empty queue."""
    if request.param == "sqlite":
        return settings_for(tmp_path)
    server: RedisServer = request.getfixturevalue("redis_server")
    server.client().flushall()
    return settings_for(tmp_path, server.url)


class Work:
    """What a worker was given; ``before`` is called first."""

    def __init__(self, before: Callable[[Hint], None] | None = None) -> None:
        self.hints: list[Hint] = []
        self._before = before
        self._lock = Lock()

    def __call__(self, hint: Hint) -> None:
        if self._before is not None:
            self._before(hint)
        with self._lock:
            self.hints.append(hint)


@contextmanager
def consuming(queue: HueyJobQueue, name: QueueName, workers: int = 1) -> Iterator[QueueConsumer]:
    """Run a consumer in a thread, as a worker process does, and stop it."""
    consumer = queue.consumer(name, workers)
    thread = Thread(target=consumer.run)
    thread.start()
    try:
        yield consumer
    finally:
        consumer.stop()
        thread.join(30)
        assert not thread.is_alive()


def hint(number: int, queue: QueueName = INFERENCE) -> Hint:
    """Give a hint."""
    return Hint(queue, JobID(f"{number:032x}"))


def test_hints_are_counted_and_arrive(settings: Settings) -> None:
    """What one process sends another one gets, in order, once."""
    sender = make_job_queue(settings, None)
    sent = [hint(number) for number in range(5)]
    for one in sent:
        sender.enqueue(one)
    assert (sender.depth(INFERENCE), sender.depth(DELIVERY)) == (5, 0)
    work = Work()

    with consuming(make_job_queue(settings, work), INFERENCE):
        wait_until(lambda: len(work.hints) == 5, 20, "five hints")

    assert work.hints == sent
    assert sender.depth(INFERENCE) == 0


def test_a_hint_says_what_it_is_about(settings: Settings) -> None:
    """A look at a model and a round of questions go the same way as jobs."""
    sent = [replace(hint(number), about=about) for number, about in enumerate(About)]
    work = Work()
    queue = make_job_queue(settings, work)
    for one in sent:
        queue.enqueue(one)

    with consuming(queue, INFERENCE):
        wait_until(lambda: len(work.hints) == len(sent), 20, "all hints")

    assert work.hints == sent


def test_queues_do_not_mix(settings: Settings) -> None:
    """A consumer of one queue leaves the other alone."""
    work = Work()
    queue = make_job_queue(settings, work)
    queue.enqueue(hint(1, DELIVERY))
    queue.enqueue(hint(2, INFERENCE))

    with consuming(queue, INFERENCE):
        wait_until(lambda: work.hints, 20, "the inference hint")

    assert work.hints == [hint(2, INFERENCE)]
    assert queue.depth(DELIVERY) == 1


def test_workers_work_at_the_same_time(settings: Settings) -> None:
    """Two workers have two hints in hand at once."""
    both = Event()
    begun: list[Hint] = []

    def wait_for_the_other(one: Hint) -> None:
        begun.append(one)
        if len(begun) == 2:
            both.set()
        assert both.wait(20)

    work = Work(wait_for_the_other)
    queue = make_job_queue(settings, work)
    queue.enqueue(hint(1))
    queue.enqueue(hint(2))

    with consuming(queue, INFERENCE, workers=2):
        wait_until(lambda: len(work.hints) == 2, 30, "both hints")


def test_work_that_raises_does_not_stop_the_consumer(settings: Settings) -> None:
    """The next hint is worked on although the one before ended in an exception."""

    def fail_first(one: Hint) -> None:
        if one == hint(1):
            raise RuntimeError

    work = Work(fail_first)
    queue = make_job_queue(settings, work)
    queue.enqueue(hint(1))
    queue.enqueue(hint(2))

    with consuming(queue, INFERENCE):
        wait_until(lambda: work.hints, 20, "the second hint")

    assert work.hints == [hint(2)]


def test_stop_waits_for_the_job_at_hand(settings: Settings) -> None:
    """A consumer that is told to stop ends what it began and takes nothing new."""
    begun, go_on = Event(), Event()

    def slowly(_: Hint) -> None:
        begun.set()
        assert go_on.wait(20)

    work = Work(slowly)
    queue = make_job_queue(settings, work)
    queue.enqueue(hint(1))

    with consuming(queue, INFERENCE) as consumer:
        assert begun.wait(20)
        queue.enqueue(hint(2))
        consumer.stop()
        go_on.set()

    assert work.hints == [hint(1)]
    assert queue.depth(INFERENCE) == 1


def test_signals_are_left_alone(settings: Settings) -> None:
    """A consumer changes no signal handler: what a signal means is for the process to say."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    consumer = make_job_queue(settings, Work()).consumer(INFERENCE, 1)
    consumer.stop()

    consumer.run()

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_a_message_of_somebody_else_is_not_run(settings: Settings, tmp_path: Path) -> None:
    """A message with another key is dropped unread, and the good one after it is worked on."""
    stranger = settings.model_copy(update={"queue_secret": settings_for(tmp_path, secret="x" * 32).queue_secret})
    make_job_queue(stranger, None).enqueue(hint(1))
    work = Work()
    queue = make_job_queue(settings, work)
    queue.enqueue(hint(2))

    with consuming(queue, INFERENCE):
        wait_until(lambda: work.hints, 20, "the good hint")

    assert work.hints == [hint(2)]


def test_a_sender_cannot_consume(settings: Settings) -> None:
    """A process that gave nothing to run gets no consumer that would eat hints."""
    with pytest.raises(ValueError, match="something to run"):
        make_job_queue(settings, None).consumer(INFERENCE, 1)


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._path,)


@pytest.mark.integration
def test_a_planted_pickle_is_not_opened(redis_server: RedisServer, tmp_path: Path) -> None:
    """Whoever can write to Redis still cannot make a worker run something."""
    client = redis_server.client()
    client.flushall()
    settings = settings_for(tmp_path, redis_server.url)
    work, touched = Work(), tmp_path / "touched"
    client.lpush("huey.redis.neuronova_inference", pickle.dumps(Bomb(touched)))
    queue = make_job_queue(settings, work)
    queue.enqueue(hint(1))

    with consuming(queue, INFERENCE):
        wait_until(lambda: work.hints, 20, "the good hint")

    assert not touched.exists()


@pytest.mark.integration
def test_messages_hold_ids_only(redis_server: RedisServer, tmp_path: Path) -> None:
    """What lies in Redis is the name of a queue and a job id; nothing of a patient can be there."""
    client = redis_server.client()
    client.flushall()
    make_job_queue(settings_for(tmp_path, redis_server.url), None).enqueue(hint(0xABC))

    (message,) = client.lrange("huey.redis.neuronova_inference", 0, -1)

    assert b"inference" in message
    assert hint(0xABC).job_id.encode() in message
    assert len(message) < 400


@pytest.mark.integration
def test_redis_may_go_and_come_back(own_redis_server: RedisServer, tmp_path: Path) -> None:
    """While Redis is away sending says so; the consumer outlives it; what was acknowledged is there again."""
    work = Work()
    queue = make_job_queue(settings_for(tmp_path, own_redis_server.url), work)
    queue.enqueue(hint(1))

    own_redis_server.kill()
    with pytest.raises(QueueUnavailable):
        queue.enqueue(hint(2))
    with pytest.raises(QueueUnavailable):
        queue.depth(INFERENCE)

    with consuming(queue, INFERENCE):
        own_redis_server.restart()
        wait_until(lambda: work.hints == [hint(1)], 30, "the hint from before")
        queue.enqueue(hint(3))
        wait_until(lambda: work.hints == [hint(1), hint(3)], 30, "the hint from after")


def test_an_embedded_queue_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A damaged queue file is the queue's error, not SQLite's."""
    settings = settings_for(tmp_path)
    queue = make_job_queue(settings, None)
    for file in tmp_path.glob("queue.sqlite3*"):
        file.write_bytes(b"not a database at all " * 100)

    with pytest.raises(QueueUnavailable):
        queue.enqueue(hint(1))
