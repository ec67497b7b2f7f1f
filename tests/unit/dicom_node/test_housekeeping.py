"""The dispatcher turns what the database owes into hints, and outlives whatever is away."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from dicom_node.housekeeping import Dispatcher
from inference.domain.job import About, Hint, JobState, ModelReference, QueueName
from inference.domain.verification import Subject
from inference.errors import QueueUnavailable, StoreUnavailable
from integrations.persistence.verifications import SQLVerificationLog
from tests.support.fakes import CountingUIDSource, RecordingQueue
from tests.support.waiting import wait_until
from tests.support.work_bench import LEASE_SECONDS, WorkBench

INFERENCE, DELIVERY = QueueName.INFERENCE, QueueName.DELIVERY


@pytest.fixture
def queue() -> RecordingQueue:
    """Give an empty queue."""
    return RecordingQueue()


def test_an_owed_hint_is_sent_once(bench: WorkBench, queue: RecordingQueue) -> None:
    """The job is QUEUED afterwards, and the next pass finds nothing."""
    job_id = bench.wanted()
    dispatcher = Dispatcher(bench.jobs, queue)

    assert dispatcher.tick() == 1
    assert queue.hints == [Hint(INFERENCE, job_id)]
    assert bench.jobs.get(job_id).state is JobState.QUEUED
    assert dispatcher.tick() == 0


def test_a_message_that_was_lost_is_sent_again(bench: WorkBench, queue: RecordingQueue) -> None:
    """A queue may lose any message; after a minute without effect there is another."""
    job_id = bench.wanted()
    dispatcher = Dispatcher(bench.jobs, queue)
    dispatcher.tick()
    bench.clock.advance(61)
    assert dispatcher.tick() == 1
    assert queue.hints == [Hint(INFERENCE, job_id)] * 2


def test_what_a_dead_worker_left_is_sent_again(bench: WorkBench, queue: RecordingQueue) -> None:
    """As soon as its lease is over."""
    job_id = bench.analysed()
    dispatcher = Dispatcher(bench.jobs, queue)
    dispatcher.tick()
    bench.take(job_id, DELIVERY)
    assert dispatcher.tick() == 0
    bench.clock.advance(LEASE_SECONDS + 1)
    assert dispatcher.tick() == 1
    assert queue.hints == [Hint(DELIVERY, job_id)] * 2


def test_a_hurried_pass_sends_at_once_and_never_fails(bench: WorkBench, queue: RecordingQueue) -> None:
    """Whoever just made a job due sends its message, and does not suffer from a queue that is away."""
    job_id = bench.wanted()
    dispatcher = Dispatcher(bench.jobs, queue)
    queue.failure = QueueUnavailable("away")
    dispatcher.hurry()
    assert queue.hints == []
    queue.failure = None
    dispatcher.hurry()
    assert queue.hints == [Hint(INFERENCE, job_id)]


def test_a_queue_that_is_away_costs_nothing(bench: WorkBench, queue: RecordingQueue) -> None:
    """What was not sent stays owed."""
    job_id = bench.wanted()
    queue.failure = QueueUnavailable("the queue takes no message")
    dispatcher = Dispatcher(bench.jobs, queue)
    with pytest.raises(QueueUnavailable):
        dispatcher.tick()

    queue.failure = None

    assert dispatcher.tick() == 1
    assert queue.hints == [Hint(INFERENCE, job_id)]


def test_a_pass_has_a_size(bench: WorkBench, queue: RecordingQueue) -> None:
    """A node that comes back to a mountain of work takes it in pieces."""
    bench.wanted()
    assert Dispatcher(bench.jobs, queue, batch=0).tick() == 0
    assert Dispatcher(bench.jobs, queue, batch=1).tick() == 1


@pytest.mark.parametrize(
    "failure",
    [QueueUnavailable("away"), StoreUnavailable("away"), RuntimeError("Phantom^Test")],
    ids=lambda failure: type(failure).__name__,
)
def test_the_loop_outlives_anything(
    bench: WorkBench, queue: RecordingQueue, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """It goes on with the next pass, says what happened, and stops when it is told to."""
    bench.wanted()
    due = bench.jobs.due
    failures = [failure] * 3

    def sometimes(limit: int) -> object:
        if failures:
            raise failures.pop()
        return due(limit)

    monkeypatch.setattr(bench.jobs, "due", sometimes)
    stop = Event()
    loop = Thread(target=Dispatcher(bench.jobs, queue).run, args=(stop, 0.01))
    loop.start()
    try:
        wait_until(lambda: queue.hints, 10, "a hint after three failures")
    finally:
        stop.set()
        loop.join(10)

    assert not loop.is_alive()
    assert len(queue.hints) == 1
    warned = [entry for entry in bench.logs if entry["log_level"] == "warning"]
    assert len(warned) == 3
    assert "Phantom" not in str(warned)


def test_a_loop_that_is_told_to_stop_makes_no_pass(bench: WorkBench, queue: RecordingQueue) -> None:
    """Stopping never waits for a pass."""
    bench.wanted()
    stop = Event()
    stop.set()
    Dispatcher(bench.jobs, queue).run(stop, 60)
    assert queue.hints == []


def test_what_else_is_owed_is_sent_too(bench: WorkBench, queue: RecordingQueue) -> None:
    """A look at a model that somebody asked for reaches a worker although its first message was lost."""
    log = SQLVerificationLog(bench.engine, bench.clock, CountingUIDSource())
    subject = Subject(ModelReference("bright_tissue", "1.0.0", "d" * 64), "a" * 64, "9.8.7")
    asked = log.request(subject, "admin")
    dispatcher = Dispatcher(bench.jobs, queue, further=(log,))

    assert dispatcher.tick() == 1
    assert queue.hints == [Hint(INFERENCE, asked.verification_id, About.VERIFICATION)]
    assert dispatcher.tick() == 0
