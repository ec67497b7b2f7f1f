"""What a worker brings where after a person's word on a result, and after a changed one."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from dicom_node.errands import Archive
from inference.domain.artifact import ArtifactKind
from inference.domain.delivery import Wanted
from inference.domain.identifiers import JobID
from inference.domain.job import Job, JobState, NewJob
from inference.domain.review import Review, Verdict
from inference.encoding.withdrawal import is_rejection
from inference.errors import FHIRUnavailable, IllegalTransition, PeerUnavailable
from tests.support.fakes import NOON, FakeArtifactSink
from tests.support.work_bench import WorkBench

ACCEPTED = Review(Verdict.ACCEPT, "kim", "Kim^Min", "City hospital", NOON)
REJECTED = replace(ACCEPTED, verdict=Verdict.REJECT, reason="motion")


@pytest.fixture
def published(bench: WorkBench) -> JobID:
    """Give a job whose result everybody has."""
    job_id = bench.arrive()
    bench.infer(job_id)
    assert bench.deliver(job_id).state is JobState.COMPLETED
    return job_id


def reports(bench: WorkBench) -> list[Dataset]:
    """Give the SRs that the archive holds, in the order in which they came."""
    held = [artifact for artifact in bench.archive.objects.values() if artifact.kind is ArtifactKind.SR]
    return [dcmread(BytesIO(artifact.content)) for artifact in held]


def tracked(bench: WorkBench, job_id: JobID) -> list[str]:
    """Give the tracking UIDs of what was measured."""
    result = bench.jobs.get(job_id).result
    assert result is not None
    return [entry["tracking_uid"] for entry in result["measurements"] if entry["tracking_uid"]]  # type: ignore[attr-defined]


def names(bench: WorkBench, job_id: JobID, kind: ArtifactKind) -> list[str]:
    """Give the SOP Instance UIDs of a kind that the job's result names."""
    result = bench.jobs.get(job_id).result
    assert result is not None
    return [entry["sop_instance_uid"] for entry in result["artifacts"] if entry["kind"] == kind]  # type: ignore[attr-defined]


def test_an_accepted_result_is_final_everywhere(bench: WorkBench, published: JobID) -> None:
    """The archive gets a verified SR that names the first one; the report server its status; the job the new name."""
    bench.jobs.review(published, ACCEPTED)

    assert bench.deliver(published).state is JobState.COMPLETED

    first, verified = reports(bench)
    (study,) = verified.PredecessorDocumentsSequence
    (predecessor,) = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert predecessor.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert (first.VerificationFlag, verified.VerificationFlag) == ("UNVERIFIED", "VERIFIED")
    assert list(bench.reports.reviews.values()) == [ACCEPTED]
    assert names(bench, published, ArtifactKind.SR) == [verified.SOPInstanceUID]


def test_an_amended_result_leaves_no_old_object_standing(bench: WorkBench, published: JobID) -> None:
    """A new SEG and SR without what was excluded; what showed it is rejected."""
    excluded, kept = tracked(bench, published)
    before = set(bench.archive.objects)
    amended = replace(ACCEPTED, verdict=Verdict.AMEND, reason="no structure", excluded=(excluded,))
    bench.jobs.review(published, amended)

    assert bench.deliver(published).state is JobState.COMPLETED

    new = [held for uid, held in bench.archive.objects.items() if uid not in before]
    assert sorted(held.kind for held in new) == ["KOS", "SEG", "SR"]
    (rejection,) = (held for held in new if held.kind is ArtifactKind.KOS)
    assert is_rejection(rejection)
    (seg,) = (dcmread(BytesIO(held.content)) for held in new if held.kind is ArtifactKind.SEG)
    assert [segment.TrackingUID for segment in seg.SegmentSequence] == [kept]
    assert names(bench, published, ArtifactKind.SEG) == [seg.SOPInstanceUID]


def test_a_rejected_result_is_withdrawn_everywhere(bench: WorkBench, published: JobID) -> None:
    """With the reader's reason, also after it had been accepted; the verified SR is rejected too."""
    bench.jobs.review(published, ACCEPTED)
    bench.deliver(published)
    bench.jobs.review(published, REJECTED)

    assert bench.deliver(published).state is JobState.WITHDRAWN

    (rejection,) = (held for held in bench.archive.objects.values() if is_rejection(held))
    document = dcmread(BytesIO(rejection.content))
    rejected = {
        item.ReferencedSOPInstanceUID
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert rejected == set(bench.archive.objects) - {rejection.identity.sop_instance_uid}
    assert list(bench.reports.withdrawn.values()) == ["rejected by a reader: motion"]
    words = " ".join(str(item.get("TextValue", "")) for item in document.ContentSequence)
    assert "motion" in words
    assert "recalled" not in words
    assert "Kim^Min" in str(document)


def test_a_review_while_a_server_is_away_is_only_late(bench: WorkBench, published: JobID) -> None:
    """Both are told in the end, each once."""
    bench.jobs.review(published, ACCEPTED)
    bench.archive.failures = [PeerUnavailable("no answer")]

    assert bench.deliver(published).state is JobState.REVIEWING
    assert bench.reports.reviews == {}
    bench.reports.failures = [FHIRUnavailable("no answer")]
    bench.wait_for(published)
    assert bench.deliver(published).state is JobState.REVIEWING
    bench.wait_for(published)
    assert bench.deliver(published).state is JobState.COMPLETED
    assert len(reports(bench)) == 2
    assert list(bench.reports.reviews.values()) == [ACCEPTED]


def test_an_accepted_result_can_be_amended(bench: WorkBench, published: JobID) -> None:
    """The third SR names the second; errands of both reviews are kept apart."""
    bench.jobs.review(published, ACCEPTED)
    bench.deliver(published)
    amended = replace(ACCEPTED, verdict=Verdict.AMEND, reason="forgotten", conclusion="Normal for age.")
    bench.jobs.review(published, amended)

    assert bench.deliver(published).state is JobState.COMPLETED

    _, second, third = reports(bench)
    (study,) = third.PredecessorDocumentsSequence
    (predecessor,) = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert predecessor.ReferencedSOPInstanceUID == second.SOPInstanceUID
    errands = {row.errand for row in bench.deliveries.of(published)}
    assert errands == {"result", "review-1", "review-2"}


PICTURES = Wanted(frozenset({ArtifactKind.SC, ArtifactKind.PDF}))


def amended(*excluded: str, **changes: str) -> Review:
    """Take findings out of a result."""
    return replace(ACCEPTED, verdict=Verdict.AMEND, reason="no structure", excluded=excluded, **changes)


def test_an_archive_of_pictures_learns_what_is_rejected(bench: WorkBench) -> None:
    """Whatever it takes otherwise: the pictures that it holds show what was excluded."""
    old = FakeArtifactSink()
    bench.further = [Archive("old-pacs", old, PICTURES)]
    job_id = bench.arrive()
    bench.infer(job_id)
    bench.deliver(job_id)
    held = set(old.objects)

    bench.jobs.review(job_id, amended(tracked(bench, job_id)[0]))

    assert bench.deliver(job_id).state is JobState.COMPLETED
    (rejection,) = (each for uid, each in old.objects.items() if uid not in held)
    assert is_rejection(rejection)


def test_an_archive_that_came_later_is_told_nothing(bench: WorkBench, published: JobID) -> None:
    """It has nothing of the result, so a verified report would refer to what is not there."""
    new = FakeArtifactSink()
    bench.further = [Archive("new", new, Wanted())]
    bench.jobs.review(published, ACCEPTED)

    assert bench.deliver(published).state is JobState.COMPLETED
    assert new.objects == {}


def test_what_was_excluded_stays_so_for_report_servers(bench: WorkBench, published: JobID) -> None:
    """A result that was amended and is accepted afterwards is an amended one; nothing comes back."""
    excluded, _ = tracked(bench, published)
    for review in (amended(excluded, conclusion="Seen before."), ACCEPTED):
        bench.jobs.review(published, review)
        assert bench.deliver(published).state is JobState.COMPLETED

    (told,) = bench.reports.reviews.values()
    assert (told.verdict, told.excluded, told.conclusion) == (Verdict.AMEND, (excluded,), "Seen before.")


def test_a_finding_is_excluded_once(bench: WorkBench, published: JobID) -> None:
    """What does not stand any more cannot be taken out."""
    excluded, kept = tracked(bench, published)
    bench.jobs.review(published, amended(excluded))
    bench.deliver(published)

    with pytest.raises(IllegalTransition, match="stands"):
        bench.jobs.review(published, amended(excluded, kept))


def test_what_one_archive_holds_can_be_rejected_while_another_is_away(bench: WorkBench) -> None:
    """The reader sees it already; accepting it has to wait until everybody has it."""
    away = FakeArtifactSink()
    away.failures = [PeerUnavailable("no answer")]
    bench.further = [Archive("research", away, Wanted())]
    job_id = bench.arrive()
    bench.infer(job_id)
    assert bench.deliver(job_id).state is JobState.DELIVERING

    with pytest.raises(IllegalTransition):
        bench.jobs.review(job_id, ACCEPTED)
    bench.jobs.review(job_id, REJECTED)

    assert bench.deliver(job_id).state is JobState.WITHDRAWN
    assert any(is_rejection(each) for each in bench.archive.objects.values())


def again(bench: WorkBench, job_id: JobID) -> Job:
    """Analyse the same series by the same model once more."""
    bench.clock.advance(60)
    job = bench.jobs.get(job_id)
    names = job.study_instance_uid, job.series_instance_uid, job.revision
    repeated = bench.jobs.create(NewJob(*names, job.model, run=1)).job_id
    return bench.infer(repeated)


def test_a_repetition_of_a_rejected_answer_is_not_published(bench: WorkBench, published: JobID) -> None:
    """It is the same answer, whose objects are rejected in the archive."""
    bench.jobs.review(published, REJECTED)
    bench.deliver(published)

    job = again(bench, published)

    assert (job.state, job.error_code) == (JobState.REJECTED, "result.rejected_before")


def test_a_repetition_keeps_what_was_said_of_the_answer(bench: WorkBench, published: JobID) -> None:
    """Its objects are those of the first run, which a reader has amended; they can be rejected all the same."""
    bench.jobs.review(published, amended(tracked(bench, published)[0]))
    bench.deliver(published)
    standing = names(bench, published, ArtifactKind.SEG)

    job = again(bench, published)

    assert bench.deliver(job.job_id).state is JobState.COMPLETED
    assert names(bench, job.job_id, ArtifactKind.SEG) == standing
    bench.jobs.review(job.job_id, REJECTED)
    assert bench.deliver(job.job_id).state is JobState.WITHDRAWN
    rejected = [str(dcmread(BytesIO(each.content))) for each in bench.archive.objects.values() if is_rejection(each)]
    assert any(standing[0] in document for document in rejected)
