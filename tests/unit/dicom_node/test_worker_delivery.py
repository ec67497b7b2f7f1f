"""The delivery part of a worker: archive first, report after the archive's word, and an end to trying."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from inference.domain.job import JobState, QueueName
from inference.domain.result import Report
from inference.errors import FHIRRejected, FHIRUnavailable, NodeError, PeerRefused, PeerUnavailable, Stage
from integrations.persistence.tables import jobs
from tests.support.fakes import FakeReportSink, FixedCatalogue
from tests.support.small_analysis import SPEC, write_blocks
from tests.support.synthetic_series import SeriesOptions, revision_of
from tests.support.work_bench import LEASE_SECONDS, WorkBench

DELIVERY = QueueName.DELIVERY
DEADLINE_HOURS = 2.0


@pytest.fixture
def bench(bench: WorkBench) -> WorkBench:
    """Give a worker that tries for two hours."""
    return replace(bench, options=replace(bench.options, delivery_deadline_hours=DEADLINE_HOURS))


def down() -> PeerUnavailable:
    """Give the error of an archive that is down."""
    return PeerUnavailable("the archive does not answer")


def test_the_whole_line_ends_completed(bench: WorkBench) -> None:
    """Objects are in the archive, the report is stored, its address is known, and somebody is told."""
    job_id = bench.arrive()
    bench.infer(job_id)

    job = bench.deliver(job_id)

    (report,) = bench.reports.reports.values()
    assert (job.state, job.error_code, job.lease_owner) == (JobState.COMPLETED, None, None)
    assert job.result is not None
    assert job.result["report"] == f"DiagnosticReport/{report.report_uid}"
    assert job.result["measurements"]
    assert set(bench.archive.objects) == {entry.identity.sop_instance_uid for entry in report.evidence}
    assert [time.stage for time in job.stages[-2:]] == [Stage.DELIVER, Stage.REPORT]
    assert [told.state for told in bench.notifier.jobs] == [JobState.COMPLETED]


def test_the_report_is_stored_after_the_objects(bench: WorkBench) -> None:
    """Whoever follows a reference of the report finds the object."""

    class WatchingSink(FakeReportSink):
        """Looks into the archive at the moment of storing."""

        def store(self, report: Report) -> str:
            assert bench.archive.objects, "the archive is empty"
            return super().store(report)

    bench.reports = WatchingSink()
    assert bench.deliver(bench.analysed()).state is JobState.COMPLETED


def test_nothing_is_reported_before_the_archive_confirms(bench: WorkBench) -> None:
    """Taken is not kept: while the archive does not show the objects, the job waits."""
    job_id = bench.analysed()
    bench.archive.commits = False

    job = bench.deliver(job_id)
    assert (job.state, job.error_code) == (JobState.DELIVERING, "delivery.not_committed")
    assert bench.archive.objects
    assert bench.reports.calls == 0

    bench.archive.commits = True
    bench.wait_for(job_id)
    assert bench.deliver(job_id).state is JobState.COMPLETED


@pytest.mark.parametrize("part", ["archive", "reports"])
def test_an_hour_without_a_server_only_delays(bench: WorkBench, part: str) -> None:
    """Nothing is lost, nothing is analysed again, and what was delivered is delivered again without harm."""
    job_id = bench.analysed()
    failure = down() if part == "archive" else FHIRUnavailable("the report server does not answer")
    until = bench.clock.now() + timedelta(hours=1)
    tries = 0
    while bench.clock.now() < until:
        getattr(bench, part).failures = [failure]
        job = bench.deliver(job_id)
        assert (job.state, job.error_code) == (JobState.DELIVERING, failure.code)
        bench.wait_for(job_id)
        tries += 1

    assert bench.deliver(job_id).state is JobState.COMPLETED
    assert 5 <= tries <= 20
    assert bench.runner.ran == []
    assert len(bench.archive.objects) == len(bench.reports.reports) == 1


def test_waits_grow_from_the_base_to_the_cap(bench: WorkBench) -> None:
    """A server that comes back soon is noticed soon; one that stays away is not asked all the time."""
    job_id = bench.analysed()
    waits = []
    for _ in range(12):
        bench.archive.failures = [down()]
        job = bench.deliver(job_id)
        assert job.next_run_at is not None
        waits.append((job.next_run_at - bench.clock.now()).total_seconds())
        bench.wait_for(job_id)

    assert 7.5 <= waits[0] <= 12.5
    assert all(675 <= wait <= 1125 for wait in waits[-3:])


def test_the_deadline_ends_the_trying(bench: WorkBench) -> None:
    """After the deadline the job is FAILED with the last error, visible, and nobody tries again by himself."""
    job_id = bench.analysed()
    ordered = bench.clock.now()
    while (job := bench.jobs.get(job_id)).state is JobState.DELIVERING:
        bench.archive.failures = [down()]
        if job.next_run_at is not None:
            bench.wait_for(job_id)
        bench.deliver(job_id)

    assert (job.state, job.error_code) == (JobState.FAILED, "delivery.peer_unavailable")
    tried_for = bench.clock.now() - ordered
    assert timedelta(hours=DEADLINE_HOURS) < tried_for < timedelta(hours=DEADLINE_HOURS, seconds=1125)
    assert bench.jobs.due(10) == []
    assert [told.state for told in bench.notifier.jobs] == [JobState.FAILED]


def test_a_persons_retry_has_the_whole_time_again(bench: WorkBench) -> None:
    """A retry days later is tried, and tried again, without another analysis."""
    job_id = bench.analysed()
    bench.archive.failures = [PeerRefused("not registered")]
    assert bench.deliver(job_id).state is JobState.FAILED
    bench.clock.advance(10 * 24 * 3600)
    assert bench.jobs.retry(job_id).state is JobState.DELIVERING

    bench.archive.failures = [down()]
    job = bench.deliver(job_id)
    assert (job.state, job.error_code) == (JobState.DELIVERING, "delivery.peer_unavailable")
    assert job.next_run_at is not None
    assert job.next_run_at - bench.clock.now() < timedelta(seconds=13)
    bench.wait_for(job_id)
    assert bench.deliver(job_id).state is JobState.COMPLETED


@pytest.mark.parametrize(
    ("failure", "code"), [(None, "delivery.deadline"), (down(), "delivery.peer_unavailable")], ids=["silent", "known"]
)
def test_a_delivery_that_kills_its_workers_ends(bench: WorkBench, failure: NodeError | None, code: str) -> None:
    """Nobody is left to look at the deadline in an error's handling, so the next claim does."""
    job_id = bench.analysed()
    if failure is not None:
        bench.archive.failures = [failure]
        bench.deliver(job_id)
        bench.wait_for(job_id)
    deaths = 0
    while bench.jobs.due(10):
        bench.take(job_id, DELIVERY)
        deaths += 1
        bench.clock.advance(LEASE_SECONDS + 1)
        if bench.clock.now() - bench.jobs.get(job_id).created_at > timedelta(hours=DEADLINE_HOURS):
            break

    job = bench.deliver(job_id)

    assert deaths > 10
    assert (job.state, job.error_code) == (JobState.FAILED, code)
    assert job.error_message is not None
    assert "2 hours" in job.error_message
    assert bench.archive.deliveries == 0
    assert [told.job_id for told in bench.notifier.jobs] == [job_id]
    assert bench.jobs.due(10) == []


def test_a_death_before_the_deadline_is_no_end(bench: WorkBench) -> None:
    """The next worker simply delivers."""
    job_id = bench.analysed()
    bench.take(job_id, DELIVERY)
    bench.clock.advance(LEASE_SECONDS + 1)
    assert bench.deliver(job_id).state is JobState.COMPLETED


def test_a_node_that_was_off_delivers_when_it_is_on_again(bench: WorkBench) -> None:
    """Time in which nobody tried must not cost a result its delivery."""
    job_id = bench.analysed()
    bench.archive.failures = [down()]
    bench.deliver(job_id)
    bench.clock.advance(30 * 24 * 3600)
    assert bench.deliver(job_id).state is JobState.COMPLETED


@pytest.mark.parametrize(
    ("part", "failure"),
    [("archive", PeerRefused("not registered")), ("reports", FHIRRejected("no such profile"))],
    ids=["archive", "reports"],
)
def test_a_refusal_ends_the_job_at_once(bench: WorkBench, part: str, failure: NodeError) -> None:
    """What repeating cannot heal waits for a person, whose retry delivers the same objects."""
    job_id = bench.analysed()
    getattr(bench, part).failures = [failure]

    job = bench.deliver(job_id)

    where = {"archive": "archive", "reports": "fhir"}[part]
    message = f"{where}: {failure.message}"
    assert (job.state, job.error_code, job.error_message) == (JobState.FAILED, failure.code, message)
    assert bench.reports.reports == {}
    bench.jobs.retry(job_id)
    assert bench.deliver(job_id).state is JobState.COMPLETED


def test_a_job_cancelled_while_it_is_delivered_is_not_reported(
    bench: WorkBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive may have it by then; the report server learns nothing."""
    job_id = bench.analysed()
    monkeypatch.setattr(bench.archive, "confirm", lambda _: bench.jobs.cancel(job_id))

    assert bench.deliver(job_id).state is JobState.CANCELLED
    assert bench.reports.calls == 0
    assert bench.notifier.jobs == []


def test_what_is_analysed_again_is_the_same_objects(bench: WorkBench) -> None:
    """An archive keeps the bytes it has: a retry days after a cancelled delivery must make these very bytes."""
    job_id = bench.arrive()
    bench.infer(job_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.archive, "confirm", lambda _: bench.jobs.cancel(job_id))
        bench.deliver(job_id)
    assert len(bench.archive.objects) == 3
    bench.clock.advance(3 * 24 * 3600)
    bench.jobs.retry(job_id)
    bench.infer(job_id)

    assert bench.deliver(job_id).state is JobState.COMPLETED
    assert len(bench.runner.ran) == 2


def test_a_worker_that_lost_the_delivery_does_not_report(bench: WorkBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that has it now will."""
    job_id = bench.analysed()

    def lose(_: object) -> None:
        bench.clock.advance(LEASE_SECONDS + 1)
        bench.take(job_id, DELIVERY)

    monkeypatch.setattr(bench.archive, "confirm", lose)

    job = bench.deliver(job_id)

    assert (job.state, job.lease_owner, job.error_code) == (JobState.DELIVERING, "worker-2", None)
    assert bench.reports.calls == 0


def test_a_result_that_is_not_here_is_looked_for_again(bench: WorkBench) -> None:
    """Shared storage may lag behind, or be gone: the job says so, and its deadline holds."""
    job_id = bench.wanted()
    bench.jobs.deliver(bench.take(job_id, QueueName.INFERENCE), {})

    job = bench.deliver(job_id)

    assert (job.state, job.error_code) == (JobState.DELIVERING, "job.store_unavailable")
    assert job.next_run_at is not None


def test_a_model_that_publishes_no_report_gets_none(bench: WorkBench) -> None:
    """The manifest decides what leaves the node."""
    bench.catalogue = FixedCatalogue([replace(SPEC, publication=replace(SPEC.publication, fhir=False))])
    job_id = bench.arrive()
    bench.infer(job_id)

    job = bench.deliver(job_id)

    assert job.state is JobState.COMPLETED
    assert job.result is not None
    assert job.result["report"] is None
    assert bench.reports.calls == 0
    assert len(bench.archive.objects) == 3


def test_a_later_revisions_result_supersedes_the_earlier(bench: WorkBench, sqlite_engine: Engine) -> None:
    """Whichever is delivered last, the earlier revision's job points at the later one's."""
    first = bench.arrive()
    bench.infer(first)
    late = revision_of(write_blocks(bench.spool / "late", SeriesOptions(header={"PatientComments": "late"})))
    bench.add(late.instances[0])
    second = bench.close(late)
    bench.infer(second)

    for job_id in (second, first):
        assert bench.deliver(job_id).state is JobState.COMPLETED
    with sqlite_engine.connect() as connection:
        found = connection.execute(select(jobs.c.job_id, jobs.c.superseded_by)).all()
    assert {row.job_id: row.superseded_by for row in found} == {first: second, second: None}
