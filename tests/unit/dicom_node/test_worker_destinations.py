"""Several destinations: each gets what it takes, none waits for another, and a report waits for the first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicom_node.errands import Archive
from inference.domain.artifact import ArtifactKind, Segmentation
from inference.domain.delivery import DeliveryState, Wanted
from inference.domain.identifiers import JobID
from inference.domain.job import JobState
from inference.errors import PeerRefused, PeerUnavailable
from tests.support.fakes import FakeArtifactSink
from tests.support.work_bench import WorkBench

PICTURES = Wanted(frozenset({ArtifactKind.SC, ArtifactKind.PDF}))
LABEL_MAPS = Wanted(frozenset({ArtifactKind.SEG, ArtifactKind.SR}), Segmentation.LABELMAP)


@pytest.fixture
def second() -> FakeArtifactSink:
    """Give a further archive."""
    return FakeArtifactSink()


@pytest.fixture
def bench(bench: WorkBench, second: FakeArtifactSink) -> WorkBench:
    """Give a bench with two archives, of which the second is an old one that shows pictures only."""
    return replace(bench, further=[Archive("old-pacs", second, PICTURES)])


def kinds(archive: FakeArtifactSink) -> set[ArtifactKind]:
    """Give the kinds of objects that an archive holds."""
    return {artifact.kind for artifact in archive.objects.values()}


def states(bench: WorkBench, job_id: JobID) -> dict[str, DeliveryState]:
    """Give how far the job has come, by destination."""
    return {row.destination: row.state for row in bench.deliveries.of(job_id)}


def test_everybody_gets_what_they_take(bench: WorkBench, second: FakeArtifactSink) -> None:
    """From one analysis; the report names what the first one holds."""
    job_id = bench.arrive()
    bench.infer(job_id)

    assert bench.deliver(job_id).state is JobState.COMPLETED
    assert kinds(bench.archive) == {ArtifactKind.SEG, ArtifactKind.SR, ArtifactKind.KOS}
    assert kinds(second) == {ArtifactKind.SC, ArtifactKind.PDF}
    assert states(bench, job_id) == dict.fromkeys(("archive", "old-pacs", "fhir"), DeliveryState.DONE)


def test_a_segmentation_is_encoded_as_each_wants_it(bench: WorkBench, second: FakeArtifactSink) -> None:
    """Each archive's SR refers to the SEG that this archive holds, and no object is in both."""
    bench.further = [Archive("research", second, LABEL_MAPS)]
    job_id = bench.arrive()
    bench.infer(job_id)
    bench.deliver(job_id)

    seg_classes = [
        {held.identity.sop_class_uid for held in archive.objects.values() if held.kind is ArtifactKind.SEG}
        for archive in (bench.archive, second)
    ]
    assert seg_classes == [{"1.2.840.10008.5.1.4.1.1.66.4"}, {"1.2.840.10008.5.1.4.1.1.66.7"}]
    assert not set(bench.archive.objects) & set(second.objects)
    (report,) = bench.reports.reports.values()
    assert {entry.identity.sop_instance_uid for entry in report.evidence} == set(bench.archive.objects)


def test_one_that_is_away_holds_up_no_other(bench: WorkBench, second: FakeArtifactSink) -> None:
    """The report is stored, the job waits for the archive that is away, and nothing is sent twice meanwhile."""
    job_id = bench.arrive()
    bench.infer(job_id)
    second.failures = [PeerUnavailable("the archive does not answer")]

    job = bench.deliver(job_id)

    assert (job.state, job.error_code) == (JobState.DELIVERING, "delivery.peer_unavailable")
    assert job.error_message == "old-pacs: the archive does not answer"
    assert states(bench, job_id) == {
        "archive": DeliveryState.DONE,
        "old-pacs": DeliveryState.PENDING,
        "fhir": DeliveryState.DONE,
    }
    bench.wait_for(job_id)
    ended = bench.deliver(job_id)
    assert (ended.state, ended.error_code) == (JobState.COMPLETED, None)
    assert ended.result is not None
    assert str(ended.result["report"]).startswith("DiagnosticReport/")
    assert (bench.archive.deliveries, second.deliveries, bench.reports.calls) == (1, 1, 1)


def test_the_report_waits_for_the_first_archive(bench: WorkBench, second: FakeArtifactSink) -> None:
    """Whoever reads it finds the objects; the other archive has its own already."""
    job_id = bench.arrive()
    bench.infer(job_id)
    bench.archive.failures = [PeerUnavailable("the archive does not answer")]

    bench.deliver(job_id)

    assert (bench.reports.calls, kinds(second)) == (0, {ArtifactKind.SC, ArtifactKind.PDF})
    bench.wait_for(job_id)
    assert bench.deliver(job_id).state is JobState.COMPLETED


def test_one_that_refuses_fails_the_job_after_all_others_have_it(bench: WorkBench, second: FakeArtifactSink) -> None:
    """A person looks at it, and the retry asks only the one that refused."""
    job_id = bench.arrive()
    bench.infer(job_id)
    second.failures = [PeerRefused("it does not take SC objects")]

    job = bench.deliver(job_id)

    assert (job.state, job.error_code) == (JobState.FAILED, "delivery.peer_refused")
    assert bench.reports.calls == 1
    bench.jobs.retry(job_id)
    assert bench.deliver(job_id).state is JobState.COMPLETED
    assert (bench.archive.deliveries, bench.reports.calls) == (1, 1)


def test_a_defect_at_one_destination_is_that_destinations(bench: WorkBench, second: FakeArtifactSink) -> None:
    """It is tried again, it is visible, and the others have their objects."""
    job_id = bench.arrive()
    bench.infer(job_id)
    second.failures = [ZeroDivisionError()]  # type: ignore[list-item]

    job = bench.deliver(job_id)

    assert (job.state, job.error_code) == (JobState.DELIVERING, "node.unexpected")
    assert states(bench, job_id)["fhir"] is DeliveryState.DONE
    bench.wait_for(job_id)
    assert bench.deliver(job_id).state is JobState.COMPLETED


def test_a_destination_that_was_added_meanwhile_gets_it_too(bench: WorkBench, second: FakeArtifactSink) -> None:
    """A job that waits is delivered as the settings are now."""
    bench.further = []
    job_id = bench.arrive()
    bench.infer(job_id)
    bench.archive.failures = [PeerUnavailable("the archive does not answer")]
    bench.deliver(job_id)
    bench.further = [Archive("research", second, Wanted(frozenset({ArtifactKind.SEG})))]
    bench.wait_for(job_id)

    assert bench.deliver(job_id).state is JobState.COMPLETED
    assert kinds(second) == {ArtifactKind.SEG}


def test_a_report_names_what_the_first_archive_takes(bench: WorkBench) -> None:
    """And nothing is encoded that nobody takes."""
    bench.takes = PICTURES
    bench.further = [Archive("research", FakeArtifactSink(), LABEL_MAPS)]
    job_id = bench.arrive()
    bench.infer(job_id)
    bench.deliver(job_id)

    (report,) = bench.reports.reports.values()
    assert {entry.identity.sop_instance_uid for entry in report.evidence} == set(bench.archive.objects)
    assert {kept.segmentation for kept in bench.results.artifacts(job_id)} == {None, Segmentation.LABELMAP}
