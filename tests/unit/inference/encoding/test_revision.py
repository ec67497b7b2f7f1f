"""A person's review makes new objects: a verified report, a segmentation without what is excluded, a rejection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array

from inference.domain.artifact import ArtifactKind, DicomArtifact, Segmentation
from inference.domain.geometry import Grid
from inference.domain.identifiers import UID
from inference.domain.review import Review, Verdict
from inference.encoding import revised_segmentation
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.objects import encode
from inference.encoding.part10 import to_artifact
from inference.encoding.revision import revise
from inference.errors import EncodingError
from tests.support.artifacts import artifact as other_artifact
from tests.support.findings import (
    Case,
    blocks,
    classified,
    items,
    make_case,
    make_spec,
    overlapping_lesions,
)
from tests.support.reviews import (
    READER,
    REVIEWED_AT,
    excluding,
    objects_of,
    of_kind,
    read,
    review,
    with_probabilities,
)
from tests.support.synthetic_series import axial_grid

ODD: Grid = axial_grid((5, 7, 9), (2.5, 1.1, 0.9))
"""Frames of 63 pixels, which do not begin with a byte where they have one bit each."""


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


def revised(encoding: EncodingInput, artifacts: Sequence[DicomArtifact], said: Review) -> tuple[DicomArtifact, ...]:
    """Revise, twice: the same review must give the same bytes, and leave the old objects as they are."""
    before = [artifact.sha256 for artifact in artifacts]
    made = revise(artifacts, encoding.spec.reference, said)
    assert revise(artifacts, encoding.spec.reference, said) == made
    assert [artifact.sha256 for artifact in artifacts] == before
    return made


def referenced_by(document: Dataset) -> set[str]:
    """Give the instances that a Key Object Selection names."""
    references = [
        item.ReferencedSOPSequence[0] for item in document.ContentSequence if "ReferencedSOPSequence" in item
    ]
    return {str(reference.ReferencedSOPInstanceUID) for reference in references}


def uids_of(artifacts: Sequence[DicomArtifact]) -> set[str]:
    """Give the SOP Instance UIDs of objects."""
    return {str(artifact.identity.sop_instance_uid) for artifact in artifacts}


def drawn(seg: Dataset) -> dict[tuple[str, tuple[float, ...]], NDArray[np.integer]]:
    """Give each segment's pixels, as pydicom decodes them, by Tracking UID and position; empty ones are left out."""
    frames = np.atleast_3d(pixel_array(seg)).reshape(-1, int(seg.Rows), int(seg.Columns))
    tracking = {
        int(item.SegmentNumber): str(item.TrackingUID) for item in seg.SegmentSequence if "TrackingUID" in item
    }
    shared, found = seg.SharedFunctionalGroupsSequence[0], {}
    for frame, group in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        position = tuple(float(value) for value in group.PlanePositionSequence[0].ImagePositionPatient)
        if seg.SegmentationType == "LABELMAP":
            each = {number: (frame == number).astype(np.uint8) for number in tracking}
        else:
            stated = group.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence
            each = {int(stated[0].ReferencedSegmentNumber): frame}
        found.update({(tracking[number], position): mask for number, mask in each.items() if mask.any()})
    return found


def check_remainder(old: Dataset, new: Dataset, excluded: set[str]) -> None:
    """Every kept segment is there pixel for pixel, and nothing else; numbers and dimensions have no gap."""
    expected = {key: mask for key, mask in drawn(old).items() if key[0] not in excluded}
    found = drawn(new)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[key], expected[key]) for key in expected)
    numbers = [int(item.SegmentNumber) for item in new.SegmentSequence]
    assert [number for number in numbers if number] == list(range(1, len({key[0] for key in expected}) + 1))
    assert len(new.PerFrameFunctionalGroupsSequence) == int(new.NumberOfFrames)
    values = np.array(
        [
            np.atleast_1d(group.FrameContentSequence[0].DimensionIndexValues)
            for group in new.PerFrameFunctionalGroupsSequence
        ]
    )
    for column in values.T:
        assert sorted(set(column.tolist())) == list(range(1, len(set(column.tolist())) + 1))


def test_an_accepted_report_is_verified_by_its_reader(case: Case) -> None:
    """Name, organization and time of PS3.3 section C.17.2, in a report that is final."""
    (new,) = revised(case.encoding, objects_of(case.encoding), review())
    document = read(new)
    (observer,) = document.VerifyingObserverSequence
    assert (document.VerificationFlag, document.PreliminaryFlag, document.CompletionFlag) == (
        "VERIFIED",
        "FINAL",
        "COMPLETE",
    )
    assert (observer.VerifyingObserverName, observer.VerifyingOrganization) == (READER, "Seoul Hospital")
    assert observer.VerificationDateTime == "20260103123015.250000+0000"
    assert observer.VerifyingObserverIdentificationCodeSequence == []
    assert document.ContentDate == document.SeriesDate == "20260103"


def test_an_accepted_report_names_the_old_one(case: Case) -> None:
    """It is a new object in a new series of the same study, with the old number."""
    objects = objects_of(case.encoding)
    (new,) = revised(case.encoding, objects, review())
    old, document = objects[1].identity, read(new)
    (study,) = document.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    assert study.StudyInstanceUID == new.identity.study_instance_uid == old.study_instance_uid
    assert series.SeriesInstanceUID == old.series_instance_uid != new.identity.series_instance_uid
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == old.sop_instance_uid
    assert new.identity.sop_instance_uid != old.sop_instance_uid
    assert document.file_meta.MediaStorageSOPInstanceUID == document.SOPInstanceUID == new.identity.sop_instance_uid
    assert document.SeriesNumber == 9001
    assert document.SeriesDescription == "AI brain-structures verified (research only)"


def test_an_accepted_report_says_what_the_old_one_said(case: Case) -> None:
    """Word for word, but for that nobody had seen it."""
    _, old, _ = objects_of(case.encoding)
    (new,) = revised(case.encoding, (old,), review())
    before, after = (json.dumps(read(artifact).to_json_dict()["0040A730"]) for artifact in (old, new))
    assert "Not reviewed by a person." in before
    assert b"Not reviewed" not in new.content
    assert after == before.replace("Not reviewed by a person.", "Reviewed by a person.")


def test_each_report_has_a_successor_of_its_kind(case: Case) -> None:
    """One for each encoding of the segmentation."""
    encoding = with_probabilities(case)
    objects = [artifact for kind in Segmentation for artifact in objects_of(encoding, kind)[:2]]
    made = revised(encoding, objects, review())
    assert [(artifact.kind, artifact.segmentation) for artifact in made] == [
        (ArtifactKind.SR, k) for k in Segmentation
    ]
    assert len({artifact.identity.series_instance_uid for artifact in made}) == 3


@pytest.mark.parametrize("kind", Segmentation)
@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("grid", [None, ODD], ids=["whole bytes", "odd frames"])
def test_an_excluded_segment_is_gone_and_the_others_are_as_they_were(
    tmp_path: Path, kind: Segmentation, which: int, grid: Grid | None
) -> None:
    """Of every kind of encoding, whichever segment it is, however frames lie in bytes."""
    encoding = with_probabilities(make_case(tmp_path, grid=grid))
    tracking = encoding.result.segments[which].volume.tracking_uid
    objects = objects_of(encoding, kind)
    seg, *_ = made = revised(encoding, objects, excluding(tracking))
    assert [artifact.kind for artifact in made] == [ArtifactKind.SEG, ArtifactKind.SR, ArtifactKind.KOS]
    assert (seg.segmentation, made[1].segmentation) == (kind, kind)
    check_remainder(read(objects[0]), read(seg), {str(tracking)})
    assert not any(b"Not reviewed" in artifact.content for artifact in made[:2])


@pytest.mark.parametrize(("left", "is_stack"), [((0, 1, 2), True), ((0, 1, 5), False)])
def test_what_is_left_of_a_label_map_is_a_stack_only_where_it_has_no_hole(
    tmp_path: Path, left: tuple[int, ...], is_stack: bool
) -> None:
    """Frames that show nothing any more are dropped, also from the middle."""
    labels = np.zeros((6, 20, 16), dtype=np.uint8)
    labels[:, 4:9, 4:9] = 1
    labels[list(left), 10:14, 4:9] = 2
    encoding = with_probabilities(make_case(tmp_path, labels=labels))
    objects = objects_of(encoding, Segmentation.LABELMAP)
    assert read(objects[0]).DimensionOrganizationType == "3D"
    seg, *_ = revised(encoding, objects, excluding(encoding.result.segments[0].volume.tracking_uid))
    check_remainder(read(objects[0]), read(seg), {str(encoding.result.segments[0].volume.tracking_uid)})
    assert ("DimensionOrganizationType" in read(seg)) is is_stack


def test_overlapping_segments_are_left_out_too(case: Case) -> None:
    """The tumour goes, the edema around it stays; the answer to the task goes with it."""
    encoding = overlapping_lesions(case)
    tumour, edema = encoding.result.segments
    objects = objects_of(encoding)
    seg, report, _ = revised(encoding, objects, excluding(tumour.volume.tracking_uid))
    check_remainder(read(objects[0]), read(seg), {str(tumour.volume.tracking_uid)})
    document = read(report)
    assert items(objects_document(objects), "Neoplasm")
    assert items(document, "Neoplasm") == []
    assert {item.UID for item in items(document, "Tracking Unique Identifier")} == {edema.volume.tracking_uid}


def objects_document(objects: Sequence[DicomArtifact]) -> Dataset:
    """Read the report among objects."""
    (report,) = of_kind(objects, ArtifactKind.SR)
    return read(report)


def test_the_amended_report_refers_to_the_amended_segmentation(case: Case) -> None:
    """Its groups, their numbers, and its evidence; what is excluded has no group."""
    excluded, *kept = case.encoding.result.segments
    objects = objects_of(case.encoding)
    seg, report, _ = revised(case.encoding, objects, excluding(excluded.volume.tracking_uid))
    document = read(report)
    references = [item.ReferencedSOPSequence[0] for item in items(document, "Referenced Segment")]
    assert [int(reference.ReferencedSegmentNumber) for reference in references] == [1, 2]
    assert {reference.ReferencedSOPInstanceUID for reference in references} == {seg.identity.sop_instance_uid}
    groups = items(document, "Measurement Group")
    assert [items(group, "Tracking Unique Identifier")[0].UID for group in groups] == [
        segment.volume.tracking_uid for segment in kept for _ in "ab"
    ]
    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    listed = {
        reference.ReferencedSOPInstanceUID: series.SeriesInstanceUID
        for series in study.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    }
    assert listed[seg.identity.sop_instance_uid] == seg.identity.series_instance_uid
    assert objects[0].identity.sop_instance_uid not in listed


def test_the_amended_report_says_what_the_reader_says(case: Case) -> None:
    """With the reader as the observer, verified; a total that is none any more is gone."""
    (excluded, *_) = case.encoding.result.segments
    said = excluding(excluded.volume.tracking_uid, conclusion="No abnormality. 정상.")
    _, report, _ = revised(case.encoding, objects_of(case.encoding), said)
    document = read(report)
    (conclusion,) = items(document, "Conclusion")
    own, comment = items(document, "Comment")
    assert own.TextValue == "Research use only. Not for diagnosis. Reviewed by a person."
    assert comment.TextValue == "Left out by the reader: brain-structures Thalamus. Reason: a vessel"
    assert conclusion.TextValue == "No abnormality. 정상."
    for item in (comment, conclusion):
        assert items(item, "Observer Type")[0].ConceptCodeSequence[0].CodeMeaning == "Person"
        assert items(item, "Person Observer Name")[0].PersonName == READER
    assert document.VerificationFlag == "VERIFIED"
    assert document.SeriesDescription == "AI brain-structures amended (research only)"


def test_what_shows_the_excluded_finding_is_rejected(case: Case) -> None:
    """The old segmentation, report and key images, and pictures; what is new is not."""
    (excluded, *_) = case.encoding.result.segments
    capture = replace(other_artifact(), kind=ArtifactKind.SC)
    capture = to_artifact(ArtifactKind.SC, in_study_of(case, read(capture)))
    objects = [*objects_of(case.encoding), capture]
    *_, rejection = revised(case.encoding, objects, excluding(excluded.volume.tracking_uid))
    document = read(rejection)
    assert referenced_by(document) == uids_of(objects)
    assert document.ConceptNameCodeSequence[0].CodeValue == "113001"
    assert items(document, "Key Object Description")[0].TextValue == "replaced by an amended version: a vessel"
    assert "Not reviewed" not in str(document)
    assert items(document, "Person Observer Name")[0].PersonName == READER


def in_study_of(case: Case, data_set: Dataset) -> Dataset:
    """Put an object into the study of a case."""
    data_set.StudyInstanceUID = case.series.study_instance_uid
    data_set.SeriesNumber = 9003
    data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber"):
        data_set[keyword] = case.encoding.data_sets[0][keyword]
    return data_set


def test_of_a_result_that_is_wrong_altogether_a_report_is_left_that_says_so(case: Case) -> None:
    """No segmentation; the report is one that viewers show as text, and keeps its source as evidence."""
    everything = [segment.volume.tracking_uid for segment in case.encoding.result.segments]
    objects = objects_of(case.encoding)
    report, rejection = revised(case.encoding, objects, excluding(*everything))
    document = read(report)
    assert document.ConceptNameCodeSequence[0].CodeValue == "findings-report"
    assert document.ContinuityOfContent == "SEPARATE"
    for meaning in ("Imaging Measurements", "Image Library", "Measurement Group"):
        assert items(document, meaning) == []
    _, comment = items(document, "Comment")
    assert comment.TextValue.startswith("Left out by the reader: brain-structures Thalamus, brain-structures Hip")
    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    assert [series.SeriesInstanceUID for series in study.ReferencedSeriesSequence] == [
        case.series.series_instance_uid
    ]
    assert referenced_by(read(rejection)) == uids_of(objects)


def test_a_finding_without_a_place_can_be_excluded(case: Case) -> None:
    """Its evaluation goes, in code and in words; what was not found is still said."""
    encoding = classified(case)
    found, absent = encoding.result.findings
    report, _ = revised(encoding, encode(encoding), excluding(found.tracking_uid))
    document = read(report)
    assert [item.UID for item in items(document, "Tracking Unique Identifier")] == [absent.tracking_uid]
    own, _ = items(document, "Comment")
    assert own.TextValue.startswith("Edema: absent, probability 3.1 %. Research use only.")


def test_what_stands_is_said_as_it_was(case: Case) -> None:
    """With the model's own name, which tells the side; and what was noted of the source stays noted."""
    label = replace(case.encoding.spec.labels[-1], name="Right effusion")
    *others, _ = case.encoding.result.segments
    result = replace(case.encoding.result, segments=tuple(others), absent=(label,))
    volume = replace(case.encoding.volume, warnings=("one slice was interpolated",))
    encoding = replace(case.encoding, result=result, volume=volume)
    made = encode(encoding)
    before = read(next(each for each in made if each.kind is ArtifactKind.SR))
    _, report, _ = revised(encoding, made, excluding(others[0].volume.tracking_uid))
    for document in (before, read(report)):
        words = items(document, "Comment")[0].TextValue
        assert words.startswith("Right effusion: absent. ")
        assert "Note: one slice was interpolated." in words


def test_a_conclusion_alone_leaves_every_finding(case: Case) -> None:
    """The report has a successor, the segmentation stands, and nothing is rejected."""
    said = review(Verdict.AMEND, reason="seen with the earlier study", conclusion="Unchanged.")
    objects = objects_of(case.encoding)
    (report,) = revised(case.encoding, objects, said)
    document = read(report)
    assert len(items(document, "Measurement Group")) == 2 * len(case.encoding.result.segments)
    own, comment = items(document, "Comment")
    assert own.TextValue.startswith("All structures: volume ")
    assert comment.TextValue == "Reason: seen with the earlier study"
    assert items(document, "Conclusion")[0].TextValue == "Unchanged."


def test_a_report_without_evaluations_is_given_them(case: Case) -> None:
    """The reader's words need a place of their own."""
    encoding = replace(case.encoding, result=replace(case.encoding.result, totals=()))
    objects = objects_of(encoding)
    assert items(objects_document(objects), "Comment") == []
    (report,) = revised(encoding, objects, review(Verdict.AMEND, conclusion="Unchanged."))
    (container,) = items(read(report), "Qualitative Evaluations")
    assert [item.TextValue for item in container.ContentSequence] == ["Reason: a vessel", "Unchanged."]


def test_voxels_that_are_lost_are_found_missing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was encoded is read again before it leaves."""
    objects = objects_of(case.encoding)
    monkeypatch.setattr(revised_segmentation, "_packed", lambda _, frames: bytes(frames.nbytes))
    with pytest.raises(EncodingError, match="does not hold the others as they were"):
        revise(objects, case.encoding.spec.reference, excluding(case.encoding.result.segments[0].volume.tracking_uid))


def test_a_rejected_result_is_rejected_whole(case: Case) -> None:
    """One object names all others, its key images too."""
    objects = objects_of(case.encoding)
    (rejection,) = revised(case.encoding, objects, review(Verdict.REJECT, reason="motion"))
    document = read(rejection)
    assert referenced_by(document) == uids_of(objects)
    assert items(document, "Key Object Description")[0].TextValue == "rejected by a reader: motion"
    assert document.SeriesDescription == "AI brain-structures rejected (research only)"
    assert document.SeriesNumber == 9002
    assert document.ContentDate == "20260103"


def test_a_later_review_is_of_what_stands(case: Case) -> None:
    """The amended report has the next successor, the one it replaced has none."""
    (excluded, kept, _) = case.encoding.result.segments
    objects = objects_of(case.encoding)
    amended = revised(case.encoding, objects, excluding(excluded.volume.tracking_uid))
    (accepted,) = revised(case.encoding, [*objects, *amended], review(at=REVIEWED_AT + timedelta(days=1)))
    (study,) = read(accepted).PredecessorDocumentsSequence
    reference = study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == amended[1].identity.sop_instance_uid
    again = revised(
        case.encoding, [*objects, *amended], excluding(kept.volume.tracking_uid, at=REVIEWED_AT + timedelta(days=1))
    )
    assert referenced_by(read(again[-1])) == uids_of(amended[:2])
    check_remainder(read(objects[0]), read(again[0]), {str(s.volume.tracking_uid) for s in (excluded, kept)})
    assert [item.TextValue for item in items(read(again[1]), "Comment")][1:] == [
        "Left out by the reader: brain-structures Thalamus. Reason: a vessel",
        "Left out by the reader: brain-structures Hippocampus. Reason: a vessel",
    ]


def test_another_review_is_another_object(case: Case) -> None:
    """An archive keeps the bytes it had under a UID."""
    objects = objects_of(case.encoding)
    reviews = [
        review(),
        review(at=REVIEWED_AT + timedelta(seconds=1)),
        review(reviewer="lee"),
        review(reviewer_name="Lee^Jiwoo"),
        review(organization="Busan Hospital"),
        review(reason="well drawn"),
    ]
    made = [revised(case.encoding, objects, said)[0].identity for said in reviews]
    assert len({identity.sop_instance_uid for identity in made}) == len(reviews)


def test_without_a_report_there_is_nothing_to_verify(case: Case) -> None:
    """A destination that takes none."""
    seg, *_ = objects_of(case.encoding)
    assert revised(case.encoding, (seg,), review()) == ()


def test_a_reader_without_organization_cannot_verify(case: Case) -> None:
    """Verifying Organization is of type 1; nor can one whose organization does not fit."""
    for organization in ("", "o" * 65):
        with pytest.raises(EncodingError, match="could not be built"):
            revise(objects_of(case.encoding), case.encoding.spec.reference, review(organization=organization))


def test_a_finding_of_another_result_cannot_be_excluded(case: Case) -> None:
    """It would be a review of something else."""
    with pytest.raises(EncodingError, match="none of this result"):
        revise(objects_of(case.encoding), case.encoding.spec.reference, excluding(UID("1.2.3")))


def test_nothing_cannot_be_rejected(case: Case) -> None:
    """A result without objects."""
    with pytest.raises(EncodingError, match="no object"):
        revise((), case.encoding.spec.reference, review(Verdict.REJECT))


def test_bytes_that_are_no_object_are_an_encoding_error(case: Case) -> None:
    """The message names the kind of fault and no value."""
    seg, report, _ = objects_of(case.encoding)
    spoilt = replace(report, content=b"SENTINEL")
    with pytest.raises(EncodingError, match="could not be built") as caught:
        revise((seg, spoilt), case.encoding.spec.reference, review())
    assert "SENTINEL" not in str(caught.value)


def test_many_segments_keep_their_order(tmp_path: Path) -> None:
    """Of nine structures three go."""
    grid = axial_grid((6, 40, 16), (2.5, 1.1, 0.9))
    encoding = make_case(tmp_path, grid=grid, labels=blocks(grid.shape, 9), spec=make_spec(9)).encoding
    gone = [encoding.result.segments[index].volume.tracking_uid for index in (0, 4, 8)]
    objects = objects_of(encoding)
    seg, *_ = revised(encoding, objects, excluding(*gone))
    labels = [item.SegmentLabel for item in read(seg).SegmentSequence]
    assert labels == [s.label.name for s in encoding.result.segments if s.volume.tracking_uid not in gone]
    check_remainder(read(objects[0]), read(seg), {str(uid) for uid in gone})
