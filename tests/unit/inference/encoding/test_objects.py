"""A result becomes a SEG and an SR that say exactly what the result says."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from datetime import UTC
from importlib.metadata import PackageNotFoundError
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact, Segmentation
from inference.domain.codes import Code
from inference.domain.delivery import RESULT_KINDS, Order
from inference.domain.implementation import IMPLEMENTATION_CLASS_UID
from inference.encoding import equipment
from inference.encoding.objects import encode
from inference.encoding.sr import build_sr
from inference.errors import EncodingError
from tests.support.findings import PRODUCED_AT, Case, items, make_case, make_spec
from tests.support.sources import HANGUL_NAME, VARIANTS
from tests.support.synthetic_series import SeriesOptions


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def artifacts(case: Case) -> tuple[DicomArtifact, ...]:
    """Give the objects of the ordinary result."""
    return encode(case.encoding)


@pytest.fixture(scope="module")
def seg(artifacts: tuple[DicomArtifact, ...]) -> Dataset:
    """Give the SEG, read back."""
    return dcmread(BytesIO(artifacts[0].content))


@pytest.fixture(scope="module")
def sr(artifacts: tuple[DicomArtifact, ...]) -> Dataset:
    """Give the SR, read back."""
    return dcmread(BytesIO(artifacts[1].content))


def test_the_seg_comes_first_and_both_know_who_they_are(case: Case, artifacts: tuple[DicomArtifact, ...]) -> None:
    """Identifiers are derived, and the artefact's are the object's."""
    assert [artifact.kind for artifact in artifacts] == [ArtifactKind.SEG, ArtifactKind.SR, ArtifactKind.KOS]
    uids = case.encoding.uids
    for artifact, kind in zip(artifacts, ("SEG", "SR", "KOS"), strict=True):
        assert artifact.identity.series_instance_uid == uids.series(kind)
        assert artifact.identity.sop_instance_uid == uids.instance(kind)
        read = dcmread(BytesIO(artifact.content))
        assert read.SOPInstanceUID == artifact.identity.sop_instance_uid
        assert read.file_meta.TransferSyntaxUID == artifact.transfer_syntax_uid
        assert read.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID


def test_the_same_input_gives_the_same_bytes(case: Case, artifacts: tuple[DicomArtifact, ...]) -> None:
    """An archive that has the object already has these very bytes."""
    assert [a.sha256 for a in encode(case.encoding)] == [a.sha256 for a in artifacts]


def test_only_reports_say_that_nobody_has_reviewed_them(artifacts: tuple[DicomArtifact, ...]) -> None:
    """A reader who accepts a result makes new reports; what stays as it is must stay true."""
    unreviewed = [artifact.kind for artifact in artifacts if b"Not reviewed" in artifact.content]
    assert unreviewed == [ArtifactKind.SR]
    assert all(b"Research use only. Not for diagnosis." in artifact.content for artifact in artifacts)


def test_the_order_of_headers_does_not_matter(case: Case, artifacts: tuple[DicomArtifact, ...]) -> None:
    """The volume says which frame is where."""
    turned = replace(case.encoding, data_sets=tuple(reversed(case.encoding.data_sets)))
    assert [a.sha256 for a in encode(turned)] == [a.sha256 for a in artifacts]


def test_patient_study_and_frame_of_reference_are_the_sources(case: Case, seg: Dataset, sr: Dataset) -> None:
    """A viewer must file the results with the source."""
    source = case.encoding.data_sets[0]
    for result in (seg, sr):
        for keyword in ("PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "AccessionNumber"):
            assert result[keyword].value == source[keyword].value
        assert result.SpecificCharacterSet == "ISO_IR 192"
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID


def test_identifiers_that_are_too_long_for_an_object_are_left_empty(tmp_path: Path) -> None:
    """A shortened one would be somebody else's; the Study Instance UID says which study it is."""
    case = make_case(tmp_path, VARIANTS["over-long identifiers"])
    for artifact in encode(case.encoding):
        result = dcmread(BytesIO(artifact.content))
        assert (result.AccessionNumber, result.StudyID) == ("", "")
        assert result.StudyInstanceUID == case.encoding.data_sets[0].StudyInstanceUID


def test_the_seg_says_what_its_segments_are(case: Case, seg: Dataset) -> None:
    """Codes, names, algorithm, colour and the tracking identity."""
    assert seg.SegmentationType == "BINARY"
    for item, segment in zip(seg.SegmentSequence, case.encoding.result.segments, strict=True):
        assert item.SegmentNumber == segment.number
        assert item.SegmentLabel == segment.label.name
        assert item.SegmentedPropertyTypeCodeSequence[0].CodeValue == segment.label.type.value
        assert item.TrackingUID == segment.volume.tracking_uid
        assert item.TrackingID == segment.volume.tracking_id
        assert item.SegmentAlgorithmType == "AUTOMATIC"
        algorithm = item.SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("brain-structures", "1.2.0")
        assert len(item.RecommendedDisplayCIELabValue) == 3


def test_every_seg_frame_lies_where_its_source_lies(case: Case, seg: Dataset) -> None:
    """Position is the source's own, and the frame names its source instance."""
    positions = {h.SOPInstanceUID: list(h.ImagePositionPatient) for h in case.encoding.data_sets}
    assert len(seg.PerFrameFunctionalGroupsSequence) > 3
    for frame in seg.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        expected = positions[source.ReferencedSOPInstanceUID]
        assert list(frame.PlanePositionSequence[0].ImagePositionPatient) == expected


def test_results_say_that_they_are_for_research(seg: Dataset, sr: Dataset) -> None:
    """In the list of series of any viewer."""
    assert seg.SeriesDescription == "AI Brain structures (research only)"
    assert sr.SeriesDescription == "AI Brain structures measurements (research only)"


def test_long_titles_are_cut_and_the_warning_stays(case: Case) -> None:
    """Series Description has 64 characters."""
    encoding = replace(case.encoding, spec=replace(case.encoding.spec, title="t" * 60))
    for artifact in encode(encoding):
        description = dcmread(BytesIO(artifact.content)).SeriesDescription
        assert len(description) <= 64
        assert description.endswith("(research only)")


def test_equipment_is_ours_and_contributions_are_named(seg: Dataset, sr: Dataset) -> None:
    """The node, the model, the library and the scanner can be told apart."""
    for result in (seg, sr):
        assert result.Manufacturer == "NeuroNova"
        assert result.SoftwareVersions[1] == "brain-structures 1.2.0"
        makers = [item.Manufacturer for item in result.ContributingEquipmentSequence]
        assert makers == ["Synthetic", "NeuroNova", "Highdicom open-source contributors"]
    assert (seg.SeriesNumber, sr.SeriesNumber) == (9000, 9001)


def test_times_are_those_of_the_analysis(seg: Dataset, sr: Dataset) -> None:
    """Without a zone in the source, UTC."""
    for result in (seg, sr):
        assert result.ContentDate == result.SeriesDate == result.InstanceCreationDate == "20260102"
        assert result.ContentTime == result.SeriesTime == "123015.250000"
        assert "TimezoneOffsetFromUTC" not in result


def test_times_are_in_the_sources_zone(tmp_path: Path) -> None:
    """One zone holds for all times of an object, copied ones too."""
    artifact, *_ = encode(make_case(tmp_path, VARIANTS["time zone"]).encoding)
    result = dcmread(BytesIO(artifact.content))
    assert (result.TimezoneOffsetFromUTC, result.ContentTime) == ("+0900", "213015.250000")
    assert PRODUCED_AT.tzinfo is UTC


def test_the_sr_is_complete_preliminary_and_unverified(sr: Dataset) -> None:
    """No person has seen it."""
    assert (sr.CompletionFlag, sr.PreliminaryFlag, sr.VerificationFlag) == (
        "COMPLETE",
        "PRELIMINARY",
        "UNVERIFIED",
    )
    assert sr.ConceptNameCodeSequence[0].CodeValue == "126000"
    assert sr.ContentTemplateSequence[0].TemplateIdentifier == "1500"


def test_each_finding_has_a_volume_group_and_a_contour_group(case: Case, sr: Dataset) -> None:
    """Both under the tracking UID of the segment."""
    templates = [
        (
            group.ContentTemplateSequence[0].TemplateIdentifier,
            items(group, "Tracking Unique Identifier")[0].UID,
        )
        for group in items(sr, "Measurement Group")
    ]
    expected = [
        (template, segment.volume.tracking_uid)
        for segment in case.encoding.result.segments
        for template in ("1411", "1410")
    ]
    assert templates == expected


def test_the_sr_gives_the_volume_and_its_segment(case: Case, sr: Dataset) -> None:
    """The number is the result's, in its unit."""
    groups = items(sr, "Measurement Group")[::2]
    for group, segment in zip(groups, case.encoding.result.segments, strict=True):
        measured = items(group, "Volume")[0].MeasuredValueSequence[0]
        assert float(measured.NumericValue) == pytest.approx(segment.volume.value)
        assert measured.MeasurementUnitsCodeSequence[0].CodeValue == "mL"
        reference = items(group, "Referenced Segment")[0].ReferencedSOPSequence[0]
        assert reference.ReferencedSegmentNumber == segment.number
        assert reference.ReferencedSOPInstanceUID == case.encoding.uids.instance("SEG")


def test_each_group_names_its_structure_as_the_finding_site(case: Case, sr: Dataset) -> None:
    """OHIF writes the finding site beside the contour and no other name, so it must tell the structures apart."""
    for index, group in enumerate(items(sr, "Measurement Group")):
        label = case.encoding.result.segments[index // 2].label
        sites = [item.ConceptCodeSequence[0].CodeValue for item in items(group, "Finding Site")]
        assert sites == [label.type.value]


def test_what_is_no_anatomical_structure_is_found_in_the_region(case: Case) -> None:
    """A lesion is no site: the region of the examination is."""
    lesion = Code("49755003", "SCT", "Morphologically Altered Structure")
    result = case.encoding.result
    segments = tuple(replace(segment, label=replace(segment.label, category=lesion)) for segment in result.segments)
    _, report, _ = encode(replace(case.encoding, result=replace(result, segments=segments)))
    for group in items(dcmread(BytesIO(report.content)), "Measurement Group"):
        sites = [item.ConceptCodeSequence[0].CodeValue for item in items(group, "Finding Site")]
        assert sites == [case.encoding.spec.publication.region.value]


def test_the_contour_encloses_the_structure_where_it_is_largest(case: Case, sr: Dataset) -> None:
    """Its area is the mask's, up to the cut corners, in mm² of that grid."""
    volume, result = case.encoding.volume, case.encoding.result
    _, row_mm, column_mm = volume.grid.spacing_mm
    for group, segment in zip(items(sr, "Measurement Group")[1::2], result.segments, strict=True):
        region = items(group, "Image Region")[0]
        reference = region.ContentSequence[0].ReferencedSOPSequence[0]
        index = [f.sop_instance_uid if f else None for f in volume.frames].index(reference.ReferencedSOPInstanceUID)
        mask = result.labels[index] == segment.label.value
        assert mask.sum() == (result.labels == segment.label.value).sum(axis=(1, 2)).max()
        rows, columns = np.nonzero(mask)
        points = np.array(region.GraphicData).reshape(-1, 2)
        assert region.GraphicType == "POLYLINE"
        assert points.min(axis=0).tolist() == [columns.min(), rows.min()]
        assert points.max(axis=0).tolist() == [columns.max() + 1, rows.max() + 1]
        area = float(items(group, "Area")[0].MeasuredValueSequence[0].NumericValue)
        assert area == pytest.approx((mask.sum() - 0.5) * row_mm * column_mm)


def test_the_sr_lists_its_sources(case: Case, sr: Dataset) -> None:
    """Every source image is in the library and in the evidence, the SEG in the evidence."""
    wanted = {header.SOPInstanceUID for header in case.encoding.data_sets}
    library = items(sr, "Image Library")[0]
    assert {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in items(library, "Source")} == wanted
    evidence = {
        instance.ReferencedSOPInstanceUID
        for study in sr.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert evidence == wanted | {case.encoding.uids.instance("SEG")}


def test_a_korean_patient_keeps_their_name(tmp_path: Path) -> None:
    """In both objects, in UTF-8."""
    for artifact in encode(make_case(tmp_path, VARIANTS["korean"]).encoding):
        assert str(dcmread(BytesIO(artifact.content)).PatientName) == HANGUL_NAME


def test_the_default_charset_is_used(tmp_path: Path) -> None:
    """For a source that names none."""
    case = make_case(tmp_path, VARIANTS["no character set, EUC-KR"], charset="ISO 2022 IR 149")
    for artifact in encode(case.encoding):
        assert str(dcmread(BytesIO(artifact.content)).PatientName) == "홍^길동"


def test_two_results_of_a_source_without_frame_of_reference_share_one(tmp_path: Path) -> None:
    """It belongs to the series, not to the result."""
    case = make_case(tmp_path, VARIANTS["no frame of reference"])
    spec = make_spec(model_id="another")
    other = replace(case.encoding, spec=spec)
    first, second = (dcmread(BytesIO(encode(e)[0].content)) for e in (case.encoding, other))
    assert first.FrameOfReferenceUID == second.FrameOfReferenceUID


def test_an_interpolated_slice_has_no_frame(tmp_path: Path) -> None:
    """What no source shows, no result claims to show there."""
    case = make_case(tmp_path, VARIANTS["one slice missing"])
    seg = dcmread(BytesIO(encode(case.encoding)[0].content))
    gap = case.encoding.volume.grid.to_lps((2, 0, 0))[2]
    heights = {
        round(float(f.PlanePositionSequence[0].ImagePositionPatient[2]), 3)
        for f in seg.PerFrameFunctionalGroupsSequence
    }
    assert round(float(gap), 3) not in heights
    assert len(heights) == 3


def test_nothing_found_makes_a_report_that_says_so_and_no_segmentation(case: Case) -> None:
    """An empty SEG is not allowed (PS3.3 section C.8.20.2)."""
    empty = replace(case.encoding.result, segments=(), absent=case.encoding.spec.labels)
    (report,) = encode(replace(case.encoding, result=empty))
    assert report.kind is ArtifactKind.SR
    (container,) = items(dcmread(BytesIO(report.content)), "Qualitative Evaluations")
    said = [
        (i.ConceptNameCodeSequence[0].CodeMeaning, i.ConceptCodeSequence[0].CodeMeaning)
        for i in container.ContentSequence
        if i.ValueType == "CODE"
    ]
    assert said == [(label.type.meaning, "Absent") for label in case.encoding.spec.labels]


def test_a_segmentation_alone_of_nothing_is_nothing(case: Case) -> None:
    """A model that publishes no report has nothing to send."""
    empty = replace(case.encoding.result, segments=(), absent=case.encoding.spec.labels)
    publication = replace(case.encoding.spec.publication, sr=False)
    spec = replace(case.encoding.spec, publication=publication)
    assert encode(replace(case.encoding, result=empty, spec=spec)) == ()


@pytest.mark.parametrize(
    ("seg", "sr", "kinds"), [(True, False, ["SEG"]), (False, False, []), (False, True, ["SEG", "SR"])]
)
def test_the_model_says_what_is_published(case: Case, seg: bool, sr: bool, kinds: list[str]) -> None:
    """An SR refers to its SEG, so that comes along."""
    publication = replace(case.encoding.spec.publication, seg=seg, sr=sr, key_images=False)
    encoding = replace(case.encoding, spec=replace(case.encoding.spec, publication=publication))
    assert [artifact.kind.value for artifact in encode(encoding)] == kinds


def test_what_the_library_raises_is_an_encoding_error(case: Case) -> None:
    """The message names the kind of fault and no value."""
    publication = replace(case.encoding.spec.publication, series_number=-1)
    encoding = replace(case.encoding, spec=replace(case.encoding.spec, publication=publication))
    with pytest.raises(EncodingError, match="could not be built \\(ValueError\\)") as caught:
        encode(encoding)
    assert caught.value.__cause__ is not None


def test_a_frame_without_its_header_is_an_encoding_error(case: Case) -> None:
    """Nothing is guessed about a source that is not there."""
    with pytest.raises(EncodingError, match="not at hand"):
        encode(replace(case.encoding, data_sets=case.encoding.data_sets[1:]))


def test_a_frame_without_position_is_an_encoding_error(tmp_path: Path) -> None:
    """Its place in the patient is not known."""
    case = make_case(tmp_path)
    del case.encoding.data_sets[2].ImagePositionPatient
    with pytest.raises(EncodingError, match="Image Position"):
        encode(case.encoding)


def test_nothing_of_the_patient_is_logged_or_warned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """The libraries quote odd names and values; none of it may reach a log."""
    options = SeriesOptions(header={"PatientName": "SENTINEL", "StudyID": "SENTINEL-7"})
    case = make_case(tmp_path, options)
    level = logging.getLogger("highdicom").level
    with caplog.at_level(logging.DEBUG):
        encode(case.encoding)
    assert "SENTINEL" not in caplog.text
    assert not [w for w in recwarn if "SENTINEL" in str(w.message)]
    assert logging.getLogger("highdicom").level == level


def test_the_issuer_of_an_accession_number_is_copied_when_it_is_whole(tmp_path: Path) -> None:
    """Codes without a meaning are a defect that would become ours."""
    issuer, good, bad = Dataset(), Dataset(), Dataset()
    issuer.LocalNamespaceEntityID = "HOSPITAL"
    good.CodeValue, good.CodingSchemeDesignator, good.CodeMeaning = "24590-2", "LN", "Brain MRI"
    bad.CodeValue = "24590-2"

    def with_codes(data_set: Dataset, _index: int) -> None:
        data_set.IssuerOfAccessionNumberSequence = [issuer]
        data_set.ProcedureCodeSequence = [good, bad]

    seg = dcmread(BytesIO(encode(make_case(tmp_path, SeriesOptions(edit=with_codes)).encoding)[0].content))
    assert seg.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "HOSPITAL"
    assert "ProcedureCodeSequence" not in seg


def test_a_slice_spacing_in_the_source_is_not_believed(tmp_path: Path) -> None:
    """Vendors write the gap, the distance or a negative number; the positions say what it is."""
    options = SeriesOptions(header={"SpacingBetweenSlices": "-7"})
    seg = dcmread(BytesIO(encode(make_case(tmp_path, options).encoding)[0].content))
    measures = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SpacingBetweenSlices) == pytest.approx(2.5)


def test_a_slice_thickness_of_nothing_is_the_distance_of_the_slices(tmp_path: Path) -> None:
    """The attribute is mandatory and must mean something."""

    def without(data_set: Dataset, _index: int) -> None:
        del data_set.SliceThickness

    seg = dcmread(BytesIO(encode(make_case(tmp_path, SeriesOptions(edit=without)).encoding)[0].content))
    measures = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SliceThickness) == pytest.approx(2.5)


def test_a_node_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A type 1 attribute is never empty, also when run from a bare checkout."""

    def not_found(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(equipment, "version", not_found)
    assert equipment.software_version() == "unknown"


ALL = Order(RESULT_KINDS, tuple(Segmentation))


def test_what_is_ordered_is_made_once_for_each_encoding(case: Case) -> None:
    """Of what refers to a segmentation one for each; of the rest one for all."""
    artifacts = encode(replace(case.encoding, order=ALL))

    made = Counter((artifact.kind, artifact.segmentation) for artifact in artifacts)
    assert made.pop((ArtifactKind.SC, None)) >= 1
    assert made == {
        **{(kind, how): 1 for kind in (ArtifactKind.SEG, ArtifactKind.SR) for how in Segmentation},
        (ArtifactKind.PDF, None): 1,
        (ArtifactKind.KOS, None): 1,
    }
    by_key = {(artifact.kind, artifact.segmentation): artifact for artifact in artifacts}
    label_map = by_key[ArtifactKind.SEG, Segmentation.LABELMAP]
    report = dcmread(BytesIO(by_key[ArtifactKind.SR, Segmentation.LABELMAP].content))
    assert label_map.identity.sop_instance_uid in str(report)


@pytest.mark.parametrize("kind", ["sc", "pdf", "key_images"])
def test_a_model_switches_each_kind_off(case: Case, kind: str) -> None:
    """Whatever destinations take."""
    off = replace(case.encoding.spec, publication=replace(case.encoding.spec.publication, **{kind: False}))
    made = {artifact.kind for artifact in encode(replace(case.encoding, spec=off, order=ALL))}
    switched = {"sc": ArtifactKind.SC, "pdf": ArtifactKind.PDF, "key_images": ArtifactKind.KOS}
    assert made == RESULT_KINDS - {ArtifactKind.PM, switched[kind]}


def test_what_nobody_takes_is_not_made(case: Case) -> None:
    """An old archive alone: pictures and page, and no time spent on the rest."""
    order = Order(frozenset({ArtifactKind.SC, ArtifactKind.PDF}))
    made = {artifact.kind for artifact in encode(replace(case.encoding, order=order))}
    assert made == {ArtifactKind.SC, ArtifactKind.PDF}


def test_an_object_that_does_not_conform_is_not_kept(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate is passed by all together, before anything leaves."""

    def spoilt(*given: Any) -> Dataset:
        """Build a report that names nobody."""
        report = build_sr(*given)
        del report.PatientID
        return report

    monkeypatch.setattr("inference.encoding.objects.build_sr", spoilt)
    with pytest.raises(EncodingError, match="PatientID"):
        encode(case.encoding)
