"""A heartbeat keeps a lease alive and learns when it is lost."""

from __future__ import annotations

from collections.abc import Callable
from threading import enumerate as threads

import pytest

from dicom_node.heartbeat import Heartbeat
from inference.domain.job import Lease, QueueName
from inference.errors import JobCancelled, LeaseLost, NodeError, StoreUnavailable
from tests.support.waiting import wait_until
from tests.support.work_bench import LEASE_SECONDS, WorkBench

QUICK = 0.03
"""Seconds of a lease that is beaten for a hundred times a second; the bench's clock stands meanwhile."""


@pytest.fixture
def lease(bench: WorkBench) -> Lease:
    """Give a lease on a job."""
    return bench.take(bench.wanted(), QueueName.INFERENCE, "worker-1")


def lost(heartbeat: Heartbeat) -> Callable[[], bool]:
    """Tell whether a heartbeat has noticed."""

    def asked() -> bool:
        try:
            heartbeat.check()
        except NodeError:
            return True
        return False

    return asked


def test_beats_extend_the_lease(bench: WorkBench, lease: Lease) -> None:
    """A worker that lives keeps its job, however long a stage takes."""
    before = lease.job.lease_expires_at
    assert before is not None
    bench.clock.advance(LEASE_SECONDS + 1)
    heartbeat = Heartbeat(bench.jobs, lease, QUICK)

    with heartbeat.beating():
        wait_until(lambda: bench.jobs.get(lease.job.job_id).lease_expires_at != before, 10, "a beat")
        heartbeat.check()

    extended = bench.jobs.get(lease.job.job_id).lease_expires_at
    assert extended is not None
    assert (extended - bench.clock.now()).total_seconds() == pytest.approx(QUICK)


def test_a_job_that_was_taken_is_noticed(bench: WorkBench, lease: Lease) -> None:
    """The next check raises, and goes on raising after the block has ended."""
    heartbeat = Heartbeat(bench.jobs, lease, QUICK)

    def take() -> bool:
        bench.clock.advance(LEASE_SECONDS + 1)  # a beat may come in between and renew the lease once more
        return bench.jobs.claim(lease.job.job_id, QueueName.INFERENCE, "worker-2", LEASE_SECONDS) is not None

    with heartbeat.beating():
        heartbeat.check()
        wait_until(take, 10, "a claim between two beats")
        wait_until(lost(heartbeat), 10, "the loss")
    with pytest.raises(LeaseLost):
        heartbeat.check()


def test_a_job_that_was_cancelled_is_noticed(bench: WorkBench, lease: Lease) -> None:
    """A person does not have to wait for the end of the stage's successor."""
    heartbeat = Heartbeat(bench.jobs, lease, QUICK)
    with heartbeat.beating():
        bench.jobs.cancel(lease.job.job_id)
        wait_until(lost(heartbeat), 10, "the cancellation")
    with pytest.raises(JobCancelled):
        heartbeat.check()


def test_a_database_that_is_away_for_a_moment_is_no_loss(
    bench: WorkBench, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease itself says when that is too long."""
    beats: list[Lease] = []
    renew = bench.jobs.heartbeat

    def sometimes(lease: Lease, lease_seconds: float) -> None:
        beats.append(lease)
        if len(beats) < 3:
            raise StoreUnavailable("the database cannot be used at the moment")
        renew(lease, lease_seconds)

    monkeypatch.setattr(bench.jobs, "heartbeat", sometimes)
    heartbeat = Heartbeat(bench.jobs, lease, QUICK)
    with heartbeat.beating():
        wait_until(lambda: len(beats) > 4, 10, "beats after the fault")
        heartbeat.check()


def test_nothing_beats_after_the_block(bench: WorkBench, lease: Lease) -> None:
    """Also when the work ended in an error: a thread that beats on would keep a dead job alive."""
    heartbeat = Heartbeat(bench.jobs, lease, QUICK)
    with pytest.raises(ZeroDivisionError), heartbeat.beating():
        raise ZeroDivisionError
    assert [thread for thread in threads() if thread.name == "heartbeat"] == []
