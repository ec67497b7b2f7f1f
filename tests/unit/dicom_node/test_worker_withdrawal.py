"""What a worker does for a model in shadow, and for one that was recalled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest
from pydicom import dcmread

from inference.domain.artifact import DicomArtifact
from inference.domain.deployment import DeploymentEvent
from inference.domain.identifiers import JobID
from inference.domain.job import Job, JobState, NewJob, QueueName
from inference.domain.model_spec import Deployment
from inference.encoding.withdrawal import is_rejection
from inference.errors import FHIRUnavailable, NodeError, PeerRefused, PeerUnavailable, Stage
from integrations.persistence.deployments import SQLDeploymentLog
from tests.support.fakes import FixedCatalogue
from tests.support.small_analysis import SPEC
from tests.support.spooled_instances import SERIES, STUDY
from tests.support.work_bench import LEASE_SECONDS, WorkBench

REASON = "it mixes up left and right"
HOURS = 2.0


@pytest.fixture
def bench(bench: WorkBench) -> WorkBench:
    """Give a worker that tries for two hours."""
    return replace(bench, options=replace(bench.options, delivery_deadline_hours=HOURS))


def recall(bench: WorkBench) -> list[JobID]:
    """Recall the model, as the command does, and give the jobs whose results are withdrawn."""
    log = SQLDeploymentLog(bench.engine, bench.clock)
    log.record(DeploymentEvent(bench.clock.now(), SPEC.reference, Deployment.RECALLED, "operator", REASON))
    bench.catalogue = FixedCatalogue([replace(SPEC, deployment=Deployment.RECALLED)])
    return list(bench.jobs.withdraw(SPEC.reference, REASON))


def published(bench: WorkBench) -> JobID:
    """Give a job whose result is in the archive and the report server."""
    job_id = bench.arrive()
    bench.infer(job_id)
    assert bench.deliver(job_id).state is JobState.COMPLETED
    return job_id


def notes(bench: WorkBench) -> list[DicomArtifact]:
    """Give the rejection notes that the archive holds."""
    return [held for held in bench.archive.objects.values() if is_rejection(held)]


def withdrawn_everywhere(bench: WorkBench) -> bool:
    """Tell whether archive and report server say once that the result does not stand."""
    return len(notes(bench)) == 1 and bench.reports.withdrawn == dict.fromkeys(bench.reports.reports, REASON)


# Shadow


def test_a_result_in_shadow_is_recorded_and_goes_nowhere(bench: WorkBench) -> None:
    """The row holds what was measured; no object is kept, sent or named, and nothing is due."""
    bench.catalogue = FixedCatalogue([replace(SPEC, deployment=Deployment.SHADOW)])
    arrived = bench.jobs.get(bench.arrive(None))
    names = arrived.study_instance_uid, arrived.series_instance_uid, arrived.revision
    job_id = bench.jobs.create(NewJob(*names, SPEC.reference, shadow=True)).job_id

    job = bench.infer(job_id)

    assert (job.state, job.shadow) == (JobState.COMPLETED, True)
    assert job.result is not None
    assert job.result["measurements"]
    assert job.result["artifacts"] == []
    assert bench.results.manifests == {}
    assert (bench.archive.deliveries, bench.reports.calls) == (0, 0)
    assert job_id not in {hint.job_id for hint in bench.jobs.due(10)}


def test_a_job_runs_the_version_it_was_made_for(bench: WorkBench) -> None:
    """Another version that was activated meanwhile does not take its place."""
    newer = replace(SPEC, reference=replace(SPEC.reference, version="1.1.0"))
    bench.catalogue = FixedCatalogue([newer, replace(SPEC, deployment=Deployment.INACTIVE)])

    assert bench.infer(bench.arrive()).state is JobState.DELIVERING
    assert [spec.reference for spec in bench.runner.ran] == [SPEC.reference]


# Recall


def test_a_published_result_is_withdrawn(bench: WorkBench) -> None:
    """The archive gets an object that names the others and the reason, the report is marked, somebody is told."""
    job_id = published(bench)
    sent = set(bench.archive.objects)
    assert recall(bench) == [job_id]

    job = bench.deliver(job_id)

    assert (job.state, job.error_code) == (JobState.WITHDRAWN, None)
    assert withdrawn_everywhere(bench)
    (note,) = (dcmread(BytesIO(held.content)) for held in notes(bench))
    series = note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert {item.ReferencedSOPInstanceUID for one in series for item in one.ReferencedSOPSequence} == sent
    assert any(REASON in str(item.get("TextValue", "")) for item in note.ContentSequence)
    assert [time.stage for time in job.stages[-2:]] == [Stage.DELIVER, Stage.REPORT]
    assert bench.notifier.jobs[-1] == job


@pytest.mark.parametrize("part", ["archive", "reports"])
def test_a_peer_that_is_down_only_delays(bench: WorkBench, part: str) -> None:
    """It waits and says why, what can be told is told at once, and in the end everything is said once."""
    job_id = published(bench)
    recall(bench)
    down: NodeError = PeerUnavailable("no answer") if part == "archive" else FHIRUnavailable("no answer")
    for _ in range(3):
        getattr(bench, part).failures = [down]
        job = bench.deliver(job_id)
        assert (job.state, job.error_code) == (JobState.WITHDRAWING, down.code)
        assert bool(notes(bench)) == (part == "reports")
        assert bool(bench.reports.withdrawn) == (part == "archive")
        bench.wait_for(job_id)

    assert bench.deliver(job_id).state is JobState.WITHDRAWN
    assert withdrawn_everywhere(bench)


def test_an_archive_that_says_no_ends_it_visibly(bench: WorkBench) -> None:
    """The report is marked all the same; a person mends the archive and tries again."""
    job_id = published(bench)
    recall(bench)
    bench.archive.failures = [PeerRefused("no such SOP class")]

    job = bench.deliver(job_id)
    assert (job.state, job.error_code) == (JobState.FAILED, "delivery.peer_refused")
    assert bench.reports.withdrawn

    bench.jobs.retry(job_id)
    assert bench.deliver(job_id).state is JobState.WITHDRAWN
    assert withdrawn_everywhere(bench)


def test_a_worker_that_dies_on_the_way_leaves_one_note(bench: WorkBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one makes the same object: the archive cannot tell that it came twice."""
    job_id = published(bench)
    recall(bench)

    def die(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bench.jobs, "withdrawn", die)
        with pytest.raises(KeyboardInterrupt):
            bench.deliver(job_id)
    bench.clock.advance(LEASE_SECONDS + 1)

    assert bench.deliver(job_id).state is JobState.WITHDRAWN
    assert withdrawn_everywhere(bench)


def test_a_deadline_ends_the_trying(bench: WorkBench) -> None:
    """As with a delivery, and a repeated recall begins anew."""
    job_id = published(bench)
    bench.clock.advance(3600 * 24 * 30)
    recall(bench)
    ordered = bench.clock.now()
    while (job := bench.jobs.get(job_id)).state is JobState.WITHDRAWING:
        bench.archive.failures = [PeerUnavailable("no answer")]
        if job.next_run_at is not None:
            bench.wait_for(job_id)
        bench.deliver(job_id)

    assert (job.state, job.error_code) == (JobState.FAILED, "delivery.peer_unavailable")
    assert bench.clock.now() - ordered > timedelta(hours=HOURS)
    assert recall(bench) == [job_id]
    assert bench.deliver(job_id).state is JobState.WITHDRAWN


def test_a_withdrawal_whose_workers_all_die_ends(bench: WorkBench) -> None:
    """A job that kills its worker is not given out for ever."""
    job_id = published(bench)
    recall(bench)
    bench.take(job_id, QueueName.DELIVERY)
    bench.clock.advance(3600 * HOURS + 1)

    job = bench.deliver(job_id)

    assert (job.state, job.error_code) == (JobState.FAILED, "delivery.deadline")
    assert "not withdrawn" in (job.error_message or "")


def test_a_model_that_publishes_no_report_withdraws_none(bench: WorkBench) -> None:
    """The report server never heard of it."""
    bench.catalogue = FixedCatalogue([replace(SPEC, publication=replace(SPEC.publication, fhir=False))])
    job_id = published(bench)
    recall(bench)

    assert bench.deliver(job_id).state is JobState.WITHDRAWN
    assert (len(notes(bench)), bench.reports.calls) == (1, 0)


def test_a_model_that_publishes_no_objects_leaves_no_note(bench: WorkBench) -> None:
    """There is nothing in the archive that a note could name."""
    job_id = bench.analysed()
    bench.results.save(job_id, [], bench.results.report(job_id), {})
    bench.deliver(job_id)
    recall(bench)

    assert bench.deliver(job_id).state is JobState.WITHDRAWN
    assert (bench.archive.objects, len(bench.reports.withdrawn)) == ({}, 1)


def ended(bench: WorkBench, job: Job) -> bool:
    """Tell whether a job ended by the recall with nothing published."""
    return (job.state, job.error_code, bench.archive.deliveries) == (JobState.FAILED, "model.recalled", 0)


def test_an_analysis_that_has_not_begun_does_not(bench: WorkBench) -> None:
    """The order ends it; a job that was made just after it ends when it asks for its model."""
    before = bench.arrive()
    recall(bench)
    assert ended(bench, bench.jobs.get(before))

    after = bench.wanted()
    assert ended(bench, bench.infer(after))
    assert bench.runner.ran == []


def test_an_analysis_that_is_running_publishes_nothing(bench: WorkBench) -> None:
    """The recall comes while the network computes."""
    job_id = bench.arrive()
    bench.runner.on_run = lambda: recall(bench)

    assert ended(bench, bench.infer(job_id))
    assert bench.jobs.due(10) == []


def test_a_delivery_that_is_running_is_withdrawn_after_it(bench: WorkBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker that was delivering reports nothing more; the withdrawal comes when its lease is over."""
    job_id = bench.arrive()
    bench.infer(job_id)
    with monkeypatch.context() as patch:
        patch.setattr(bench.archive, "confirm", lambda _: recall(bench))
        job = bench.deliver(job_id)
    assert (job.state, bench.reports.calls) == (JobState.WITHDRAWING, 0)
    assert bench.deliver(job_id).state is JobState.WITHDRAWING

    bench.clock.advance(LEASE_SECONDS + 1)

    assert bench.deliver(job_id).state is JobState.WITHDRAWN
    assert len(notes(bench)) == 1


def test_a_series_of_a_recalled_model_is_no_reason_to_stop_others(bench: WorkBench) -> None:
    """Another version's result is delivered as ever."""
    other = replace(SPEC, reference=replace(SPEC.reference, version="1.1.0"))
    bench.catalogue = FixedCatalogue([SPEC, other])
    job_id = bench.jobs.create(NewJob(STUDY, SERIES, 1, other.reference)).job_id
    lease = bench.take(job_id, QueueName.INFERENCE)
    bench.results.save(job_id, [], bench.results.report(bench.analysed()), {})
    bench.jobs.deliver(lease, {})
    recall(bench)

    assert bench.deliver(job_id).state is JobState.COMPLETED
