"""What does not conform, or refers to nothing, does not leave; what is good does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless

from inference.domain.artifact import ArtifactKind, DicomArtifact, Segmentation
from inference.domain.delivery import RESULT_KINDS, Order
from inference.domain.identifiers import UID
from inference.domain.result import Refusal
from inference.domain.review import Verdict
from inference.encoding.gate import MOST_FAULTS, check_objects
from inference.encoding.note import NoteSubject, refusal_note
from inference.encoding.objects import encode
from inference.encoding.required import LOOKED_AT, SAMPLES, sampled, thin_frames
from inference.encoding.revision import revise
from inference.errors import EncodingError
from tests.support.artifacts import artifact as an_image
from tests.support.findings import (
    PRODUCED_AT,
    Case,
    classified,
    detections,
    items,
    make_case,
    no_lesions,
    overlapping_lesions,
    place_in,
)
from tests.support.reviews import excluding, of_kind, read, review, with_probabilities
from tests.support.sources import VARIANTS
from tests.unit.inference.encoding.test_source_images import enhanced

EVERYTHING = Order(RESULT_KINDS, tuple(Segmentation))


@dataclass(frozen=True)
class Sent:
    """Objects that are fit to be sent.

    Parameters
    ----------
    objects
        Of every kind.
    sources
        The source instances.
    """

    objects: tuple[DicomArtifact, ...]
    sources: frozenset[UID]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def sent(case: Case) -> Sent:
    """Give all objects of a result with probabilities."""
    encoding = with_probabilities(case)
    publication = replace(encoding.spec.publication, parametric_map=True)
    encoding = replace(encoding, order=EVERYTHING, spec=replace(encoding.spec, publication=publication))
    return Sent(encode(encoding), sources_of(case))


def sources_of(case: Case) -> frozenset[UID]:
    """Give the instances of a source."""
    return frozenset(instance.identity.sop_instance_uid for instance in case.series.instances)


def written(artifact: DicomArtifact, data_set: Dataset) -> DicomArtifact:
    """Write a data set in the place of an object, under the object's identity."""
    buffer = BytesIO()
    data_set.save_as(buffer, enforce_file_format=True)
    return replace(artifact, content=buffer.getvalue(), sha256=f"{artifact.sha256[:-1]}x")


def spoil(sent: Sent, kind: ArtifactKind, edit: Callable[[Dataset], None]) -> Sequence[DicomArtifact]:
    """Spoil the first object of a kind."""
    (first, *_) = of_kind(sent.objects, kind)
    data_set = read(first)
    edit(data_set)
    spoilt = written(first, data_set)
    return [spoilt if artifact is first else artifact for artifact in sent.objects]


def test_good_objects_pass(sent: Sent) -> None:
    """Of every kind and every encoding."""
    assert {artifact.kind for artifact in sent.objects} == RESULT_KINDS
    assert {artifact.segmentation for artifact in of_kind(sent.objects, ArtifactKind.SEG)} == set(Segmentation)
    check_objects(sent.objects, sent.sources)
    check_objects((), ())


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("variant", VARIANTS)
def test_objects_of_every_source_pass(tmp_path: Path, variant: str) -> None:
    """Whatever is wrong with the source."""
    case = make_case(tmp_path, VARIANTS[variant])
    check_objects(encode(replace(case.encoding, order=EVERYTHING)), sources_of(case))


def test_objects_of_every_result_pass(case: Case) -> None:
    """Drawn, detected, classified, not found and not analysed."""
    box = place_in(case.encoding.volume.grid, (2, 4, 3), (4, 10, 8))
    encodings = (overlapping_lesions(case), no_lesions(case), classified(case), detections(case, [box]))
    for encoding in encodings:
        check_objects(encode(replace(encoding, order=EVERYTHING)), sources_of(case))
    source = case.encoding
    subject = NoteSubject(
        source.data_sets[0],
        [instance.identity for instance in case.series.instances],
        source.spec,
        Refusal("geometry.gap", "a slice is missing"),
        source.uids,
        PRODUCED_AT,
    )
    check_objects([refusal_note(subject)], sources_of(case))


def test_objects_of_a_multi_frame_source_pass(tmp_path: Path) -> None:
    """References to frames are references too."""
    encoding = enhanced(tmp_path)
    check_objects(encode(encoding), [UID(encoding.data_sets[0].SOPInstanceUID)])


def test_revised_objects_pass(sent: Sent, case: Case) -> None:
    """A predecessor may be anywhere; what is rejected must be known."""
    model, tracking = case.encoding.spec.reference, case.encoding.result.segments[0].volume.tracking_uid
    segs = {artifact.identity.sop_instance_uid for artifact in of_kind(sent.objects, ArtifactKind.SEG)}
    check_objects(revise(sent.objects, model, review()), sent.sources | segs)
    old = {artifact.identity.sop_instance_uid for artifact in sent.objects}
    for said in (excluding(tracking), review(Verdict.REJECT, reason="motion")):
        check_objects(revise(sent.objects, model, said), sent.sources | old)


def first_group(seg: Dataset) -> Dataset:
    """Give the functional groups of the first frame."""
    group: Dataset = seg.PerFrameFunctionalGroupsSequence[0]
    return group


def delete(keyword: str) -> Callable[[Dataset], None]:
    """Leave an attribute out."""
    return lambda data_set: data_set.__delattr__(keyword)


def put(keyword: str, value: object) -> Callable[[Dataset], None]:
    """Set an attribute."""
    return lambda data_set: setattr(data_set, keyword, value)


def refer_elsewhere(seg: Dataset) -> None:
    """Let the last frame refer to an image that is nowhere."""
    source = seg.PerFrameFunctionalGroupsSequence[-1].DerivationImageSequence[0].SourceImageSequence[0]
    source.ReferencedSOPInstanceUID = "1.2.3.4"


def last_segment(report: Dataset) -> Dataset:
    """Give the last reference to a segment."""
    reference: Dataset = items(report, "Referenced Segment")[-1].ReferencedSOPSequence[0]
    return reference


def verify_without_observer(report: Dataset) -> None:
    """Claim a verification by nobody."""
    report.VerificationFlag = "VERIFIED"


def turn(seg: Dataset) -> None:
    """Give directions that are not at right angles."""
    seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 1, 0, 0]


def flatten(seg: Dataset) -> None:
    """Give pixels without height."""
    seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [0, 1]


def lose_position(seg: Dataset) -> None:
    """Leave the first frame nowhere."""
    del first_group(seg).PlanePositionSequence


def drop_tracking(report: Dataset) -> None:
    """Let a finding be another one than its segment."""
    items(report, "Tracking Unique Identifier")[0].UID = "1.2.3"


def lose_tracking(report: Dataset) -> None:
    """Let the first finding have no identity."""
    group = items(report, "Measurement Group")[0]
    tracking = items(group, "Tracking Unique Identifier")[0]
    group.ContentSequence = [item for item in group.ContentSequence if item is not tracking]


def area_that_is_none(report: Dataset) -> None:
    """Draw to infinity."""
    items(report, "Image Region")[0].GraphicData = [1.0, float("inf"), 2.0, 2.0, 1.0, 1.0]


MUTATIONS: Mapping[str, tuple[ArtifactKind, Callable[[Dataset], None], str]] = {
    "type 1 missing": (ArtifactKind.SEG, delete("ContentLabel"), "ContentLabel: is missing"),
    "type 1 empty": (ArtifactKind.SEG, put("Manufacturer", ""), "Manufacturer: has no value"),
    "type 2 missing": (ArtifactKind.SR, delete("PatientBirthDate"), "PatientBirthDate: is missing"),
    "type 1C empty": (ArtifactKind.SR, put("CurrentRequestedProcedureEvidenceSequence", []), "has no value"),
    "type 1 in a sequence": (
        ArtifactKind.SEG,
        lambda seg: delete("SegmentLabel")(seg.SegmentSequence[0]),
        "SegmentLabel: is missing",
    ),
    "type 1 in a frame": (
        ArtifactKind.SEG,
        lambda seg: delete("ImagePositionPatient")(first_group(seg).PlanePositionSequence[0]),
        "ImagePositionPatient: is missing in a frame",
    ),
    "functional group missing": (ArtifactKind.SEG, lose_position, "PlanePositionSequence: is missing in a frame"),
    "frame of reference missing": (ArtifactKind.SEG, delete("FrameOfReferenceUID"), "FrameOfReferenceUID"),
    "pixels missing": (ArtifactKind.SEG, delete("PixelData"), "PixelData: is missing"),
    "pixels too short": (ArtifactKind.SEG, put("PixelData", b"\0\0"), "PixelData: has not the length"),
    "pixels of a picture missing": (ArtifactKind.SC, delete("PixelData"), "PixelData: is missing"),
    "frames miscounted": (ArtifactKind.SEG, put("NumberOfFrames", 2), "NumberOfFrames"),
    "other UID": (ArtifactKind.SR, put("SOPInstanceUID", "1.2.3"), "SOPInstanceUID: is not what"),
    "other study": (ArtifactKind.KOS, put("StudyInstanceUID", "1.2.3"), "StudyInstanceUID"),
    "other patient": (ArtifactKind.SR, put("PatientID", "SENTINEL"), "PatientID: differs"),
    "other accession number": (ArtifactKind.PDF, put("AccessionNumber", "SENTINEL"), "AccessionNumber: differs"),
    "broken UID": (ArtifactKind.SR, put("InstanceCreatorUID", "1.02.3"), "InstanceCreatorUID: is no UID"),
    "document missing": (ArtifactKind.PDF, delete("EncapsulatedDocument"), "EncapsulatedDocument: is missing"),
    "dangling in a frame": (ArtifactKind.SEG, refer_elsewhere, "ReferencedSOPInstanceUID: refers to an object"),
    "dangling in a report": (
        ArtifactKind.SR,
        lambda report: put("ReferencedSOPInstanceUID", "1.2.3.4")(last_segment(report)),
        "ReferencedSOPInstanceUID: refers to an object",
    ),
    "segment that is none": (
        ArtifactKind.SR,
        lambda report: put("ReferencedSegmentNumber", 9)(last_segment(report)),
        "ReferencedSegmentNumber: names a segment",
    ),
    "segment of another finding": (
        ArtifactKind.SR,
        lambda report: put("ReferencedSegmentNumber", 1)(last_segment(report)),
        "tracking identity",
    ),
    "finding without identity": (ArtifactKind.SR, drop_tracking, "tracking identity"),
    "group without identity": (ArtifactKind.SR, lose_tracking, "tracking identity"),
    "verified by nobody": (ArtifactKind.SR, verify_without_observer, "VerifyingObserverSequence: is missing"),
    "title missing": (ArtifactKind.SR, delete("ConceptNameCodeSequence"), "ConceptNameCodeSequence: is missing"),
    "value missing": (
        ArtifactKind.SR,
        lambda report: delete("TextValue")(items(report, "Comment")[0]),
        "TextValue: is missing in a content item of type TEXT",
    ),
    "relationship missing": (
        ArtifactKind.KOS,
        lambda document: delete("RelationshipType")(document.ContentSequence[0]),
        "RelationshipType: is missing",
    ),
    "value type that is none": (
        ArtifactKind.KOS,
        lambda document: put("ValueType", "WORD")(document.ContentSequence[0]),
        "ValueType: is missing or unknown",
    ),
    "directions": (ArtifactKind.SEG, turn, "ImageOrientationPatient: is no pair of directions"),
    "spacing": (ArtifactKind.SEG, flatten, "PixelSpacing: is not above zero"),
    "infinite outline": (ArtifactKind.SR, area_that_is_none, "GraphicData: is not finite"),
    "map without meaning": (
        ArtifactKind.PM,
        delete("SharedFunctionalGroupsSequence"),
        "SharedFunctionalGroupsSequence: is missing",
    ),
}
"""One thing is broken at a time."""


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_what_is_broken_is_named(sent: Sent, mutation: str) -> None:
    """Object, attribute and fault; never a value."""
    kind, edit, fault = MUTATIONS[mutation]
    with pytest.raises(EncodingError, match=rf"^not fit to be sent: .*{fault}") as caught:
        check_objects(spoil(sent, kind, edit), sent.sources)
    assert f"{kind.value} (object " in str(caught.value)
    assert "SENTINEL" not in str(caught.value)


def test_a_fractional_segmentation_states_its_scale(sent: Sent) -> None:
    """Type 1C, of a condition that the object itself tells."""
    (fractional, _) = (artifact for artifact in sent.objects if artifact.segmentation is Segmentation.FRACTIONAL)
    data_set = read(fractional)
    del data_set.MaximumFractionalValue
    with pytest.raises(EncodingError, match="MaximumFractionalValue: is missing"):
        check_objects([written(fractional, data_set)], sent.sources)


def test_a_number_that_is_none_is_stopped(sent: Sent) -> None:
    """In the bytes, where a decimal string may say anything."""
    (report, *_) = of_kind(sent.objects, ArtifactKind.SR)
    stated = items(read(report), "Area")[0].MeasuredValueSequence[0].get_item("NumericValue").value
    spoilt = replace(report, content=report.content.replace(stated, b"NaN".ljust(len(stated))))
    with pytest.raises(EncodingError, match=r"SR \(object 2\): NumericValue: is not finite"):
        check_objects([spoilt if artifact is report else artifact for artifact in sent.objects], sent.sources)


def test_file_meta_must_agree(sent: Sent) -> None:
    """What an archive is told on the association is the identity of the artifact."""
    (report, *_) = of_kind(sent.objects, ArtifactKind.SR)
    other = replace(report, identity=replace(report.identity, sop_class_uid=UID("1.2.840.10008.5.1.4.1.1.88.22")))
    with pytest.raises(EncodingError, match="MediaStorageSOPClassUID: is not what"):
        check_objects([other], sent.sources)
    with pytest.raises(EncodingError, match="TransferSyntaxUID: is not that in which"):
        check_objects([replace(report, transfer_syntax_uid=UID(JPEG2000Lossless))], sent.sources)


def test_a_class_without_a_table_is_stopped(sent: Sent) -> None:
    """Nobody could say what it needs."""
    image = an_image()
    unknown = replace(image, identity=replace(image.identity, sop_class_uid=UID("1.2.3")))
    with pytest.raises(EncodingError, match="SOPClassUID: is not one whose attributes are known"):
        check_objects([unknown], sent.sources)


def test_objects_must_be_told_apart(sent: Sent) -> None:
    """Different bytes under one UID: an archive would keep either. The same bytes twice are one object."""
    seg = sent.objects[0]
    check_objects([seg, seg], sent.sources)
    other = written(seg, read(seg))
    with pytest.raises(EncodingError, match="SOPInstanceUID: different objects have the same"):
        check_objects([seg, other], sent.sources)


def test_bytes_that_are_no_object_are_stopped(sent: Sent) -> None:
    """Named like any other fault, without quoting them."""
    with pytest.raises(EncodingError, match=r"SEG \(object 1\): cannot be read \(\w+\)$"):
        check_objects([replace(sent.objects[0], content=b"SENTINEL")], sent.sources)


def test_a_report_needs_its_source(sent: Sent) -> None:
    """An image of the library that is not in the archive."""
    with pytest.raises(EncodingError, match="refers to an object that is not there"):
        check_objects(sent.objects, sorted(sent.sources)[1:])


def test_of_many_faults_some_are_named(sent: Sent) -> None:
    """And the others counted."""

    def edit(seg: Dataset) -> None:
        for keyword in (
            "ContentLabel",
            "Modality",
            "Rows",
            "Manufacturer",
            "ImageType",
            "SeriesNumber",
            "BitsStored",
        ):
            delattr(seg, keyword)

    with pytest.raises(EncodingError, match=r"; and \d+ more$") as caught:
        check_objects(spoil(sent, ArtifactKind.SEG, edit), sent.sources)
    assert str(caught.value).count("; ") == MOST_FAULTS


def test_of_long_sequences_a_few_items_are_looked_at() -> None:
    """The first and the last among them."""
    assert sampled(range(LOOKED_AT)) == range(LOOKED_AT)
    chosen = sampled(range(1000))
    assert (len(chosen), chosen[0], chosen[-1]) == (SAMPLES, 0, 999)


def test_frames_are_counted_before_they_are_decoded(sent: Sent) -> None:
    """However many of them are kept; an object without frames has none."""
    seg, report = (read(of_kind(sent.objects, kind)[0]) for kind in (ArtifactKind.SEG, ArtifactKind.SR))
    assert thin_frames(seg) == int(seg.NumberOfFrames) == len(seg.PerFrameFunctionalGroupsSequence)
    assert thin_frames(report) is None
    decoded = read(of_kind(sent.objects, ArtifactKind.SEG)[0])
    assert len(decoded.PerFrameFunctionalGroupsSequence) == thin_frames(decoded)
    many = read(of_kind(sent.objects, ArtifactKind.SEG)[0])
    many.PerFrameFunctionalGroupsSequence = list(many.PerFrameFunctionalGroupsSequence) * 20
    again = read(written(sent.objects[0], many))
    expected = 20 * int(again.NumberOfFrames)
    assert (thin_frames(again), len(again.PerFrameFunctionalGroupsSequence)) == (expected, SAMPLES)


def test_frames_whose_length_is_not_stated_are_counted_too(sent: Sent) -> None:
    """Others may write sequences so; then they are decoded."""
    seg = read(sent.objects[0])
    for group in seg.PerFrameFunctionalGroupsSequence:
        group.is_undefined_length_sequence_item = True
    again = read(written(sent.objects[0], seg))
    assert thin_frames(again) == int(again.NumberOfFrames)


def test_directions_as_inexact_as_a_volume_may_have_pass(sent: Sent) -> None:
    """What the volume is built of may be a little oblique or long."""

    def tilt(seg: Dataset) -> None:
        plane = seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
        plane.ImageOrientationPatient = [1.009, 0, 0, 0.009, 1, 0]

    check_objects(spoil(sent, ArtifactKind.SEG, tilt), sent.sources)
