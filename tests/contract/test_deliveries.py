"""What the outbox of results must do, on SQLite and on MariaDB."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from inference.domain.delivery import DeliveryState
from inference.domain.job import Failure, Lease, ModelReference, NewJob, QueueName
from inference.errors import LeaseLost
from integrations.persistence.deliveries import SQLDeliveryLog
from integrations.persistence.job_store import SQLJobStore
from tests.support.fakes import CountingUIDSource, FixedClock
from tests.support.spooled_instances import SERIES, STUDY

MODEL = ModelReference("brain_structures", "1.0.0", "d" * 64)
AWAY = Failure("delivery.peer_unavailable", "the archive does not answer")
REFUSED = Failure("delivery.peer_refused", "the archive said no")
TWO = ("pacs", "research")


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that the test moves."""
    return FixedClock()


@pytest.fixture
def store(database: Engine, clock: FixedClock) -> SQLJobStore:
    """Give an empty store of jobs."""
    return SQLJobStore(database, clock, CountingUIDSource())


@pytest.fixture
def log(database: Engine, clock: FixedClock) -> SQLDeliveryLog:
    """Give the rows of the same database."""
    return SQLDeliveryLog(database, clock)


@pytest.fixture
def lease(store: SQLJobStore) -> Lease:
    """Give a job that is being delivered."""
    job_id = store.create(NewJob(STUDY, SERIES, 1, MODEL)).job_id
    store.deliver(taken(store, job_id, QueueName.INFERENCE), {})
    return taken(store, job_id, QueueName.DELIVERY)


def taken(store: SQLJobStore, job_id: str, queue: QueueName) -> Lease:
    """Claim a job for two minutes."""
    lease = store.claim(job_id, queue, "worker-1", 120)  # type: ignore[arg-type]
    assert lease is not None
    return lease


def test_rows_are_made_once_and_come_in_the_order_asked_for(log: SQLDeliveryLog, lease: Lease) -> None:
    """A second round finds what the first one did, and a destination that is new gets its row."""
    first = log.plan(lease, "result", TWO)
    log.done(lease, first[0], "somewhere")

    rows = log.plan(lease, "result", ("new", *TWO))

    assert [row.destination for row in rows] == ["new", "pacs", "research"]
    assert [row.state for row in rows] == [DeliveryState.PENDING, DeliveryState.DONE, DeliveryState.PENDING]
    assert rows[1].address == "somewhere"


def test_errands_have_rows_of_their_own(log: SQLDeliveryLog, lease: Lease) -> None:
    """Who has the result need not have its withdrawal."""
    (row,) = log.plan(lease, "result", ("pacs",))
    log.done(lease, row)

    (other,) = log.plan(lease, "withdrawal", ("pacs",))

    assert other.state is DeliveryState.PENDING
    assert [each.errand for each in log.of(lease.job.job_id)] == ["result", "withdrawal"]


def test_a_wait_is_kept_with_its_reason(log: SQLDeliveryLog, lease: Lease, clock: FixedClock) -> None:
    """Every attempt counts; success takes the reason away."""
    (row,) = log.plan(lease, "result", ("pacs",))
    due = clock.now() + timedelta(minutes=5)

    log.put_off(lease, row, AWAY, due)

    (waiting,) = log.plan(lease, "result", ("pacs",))
    assert (waiting.state, waiting.next_run_at, waiting.attempts) == (DeliveryState.PENDING, due, 1)
    assert (waiting.code, waiting.message) == (AWAY.code, AWAY.message)
    log.done(lease, waiting)
    (done,) = log.of(lease.job.job_id)
    assert (done.state, done.attempts, done.code, done.next_run_at) == (DeliveryState.DONE, 2, None, None)
    assert done.settled_at == clock.now()


def test_a_persons_retry_begins_anew_with_what_did_not_arrive(
    log: SQLDeliveryLog, store: SQLJobStore, lease: Lease, clock: FixedClock
) -> None:
    """What has arrived stays; what was refused or waits is due at once, as if it had just been ordered."""
    arrived, refused, waiting = log.plan(lease, "result", ("a", "b", "c"))
    log.done(lease, arrived)
    log.put_off(lease, refused, REFUSED, None)
    log.put_off(lease, waiting, AWAY, clock.now() + timedelta(hours=1))
    store.fail(lease, REFUSED)
    clock.advance(3600)

    store.retry(lease.job.job_id)

    first, second, third = log.of(lease.job.job_id)
    assert first.state is DeliveryState.DONE
    for row in (second, third):
        assert (row.state, row.next_run_at, row.settled_at) == (DeliveryState.PENDING, None, None)
        assert row.since == clock.now()


def test_a_new_run_of_the_same_job_forgets_what_arrived(
    log: SQLDeliveryLog, store: SQLJobStore, lease: Lease
) -> None:
    """After a cancel and a retry the result is another one."""
    (row,) = log.plan(lease, "result", ("pacs",))
    log.done(lease, row)
    store.cancel(lease.job.job_id)

    store.retry(lease.job.job_id)

    assert log.of(lease.job.job_id) == []


def test_who_lost_the_lease_writes_nothing(
    log: SQLDeliveryLog, store: SQLJobStore, lease: Lease, clock: FixedClock
) -> None:
    """A worker that was taken for dead may still be sending; its word does not count."""
    (row,) = log.plan(lease, "result", ("pacs",))
    clock.advance(121)
    taken(store, lease.job.job_id, QueueName.DELIVERY)

    for write in (
        lambda: log.done(lease, row),
        lambda: log.put_off(lease, row, AWAY, None),
        lambda: log.plan(lease, "result", ("other",)),
    ):
        with pytest.raises(LeaseLost):
            write()
    (kept,) = log.of(lease.job.job_id)
    assert (kept.state, kept.attempts) == (DeliveryState.PENDING, 0)
