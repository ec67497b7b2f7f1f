"""Every kind of result is said: overlapping segments, detections with a place, and what has none."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind
from inference.domain.codes import LEFT, RIGHT
from inference.domain.result import Place
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.objects import encode
from inference.errors import EncodingError
from tests.support.findings import (
    Case,
    classified,
    detections,
    items,
    make_case,
    make_spec,
    mask_of,
    no_lesions,
    overlapping_lesions,
    place_in,
)
from tests.support.segmentation_reader import read_segments
from tests.support.sources import VARIANTS


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source."""
    return make_case(tmp_path_factory.mktemp("source"))


def objects(encoding: EncodingInput) -> dict[ArtifactKind, Dataset]:
    """Encode a result and read it back; the same input must give the same bytes."""
    artifacts = encode(encoding)
    assert [a.sha256 for a in encode(encoding)] == [a.sha256 for a in artifacts]
    return {artifact.kind: dcmread(BytesIO(artifact.content)) for artifact in artifacts}


def report_of(encoding: EncodingInput) -> Dataset:
    """Give the SR of a result that draws nothing."""
    made = objects(encoding)
    assert set(made) <= {ArtifactKind.SR, ArtifactKind.KOS}
    return made[ArtifactKind.SR]


def value_of(item: Dataset) -> str:
    """Give the meaning of a coded item's value."""
    meaning: str = item.ConceptCodeSequence[0].CodeMeaning
    return meaning


def numbers(item: Dataset) -> dict[str, tuple[float, str]]:
    """Give the numbers below a content item by name, with their units."""
    return {
        child.ConceptNameCodeSequence[0].CodeMeaning: (
            float(child.MeasuredValueSequence[0].NumericValue),
            child.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue,
        )
        for child in item.get("ContentSequence", [])
        if child.ValueType == "NUM"
    }


def evaluated(report: Dataset) -> dict[str, tuple[str, dict[str, tuple[float, str]]]]:
    """Give the qualitative evaluations by name: their value and their numbers."""
    containers = [item for item in report.ContentSequence if item.ValueType == "CONTAINER"]
    (container,) = (c for c in containers if c.ConceptNameCodeSequence[0].CodeMeaning == "Qualitative Evaluations")
    name = container.ConceptNameCodeSequence[0]
    assert (name.CodeValue, name.CodingSchemeDesignator) == ("C0034375", "UMLS")
    return {
        item.ConceptNameCodeSequence[0].CodeMeaning: (value_of(item), numbers(item))
        for item in container.ContentSequence
        if item.ValueType == "CODE"
    }


def tree(item: Dataset, depth: int = 0) -> list[str]:
    """Write a content tree as lines: relationship, value type, name and value; UIDs and coordinates are left out."""
    name = item.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in item else ""
    value = ""
    if item.ValueType == "CODE":
        value = f" = {value_of(item)}"
    elif item.ValueType == "NUM":
        measured = item.MeasuredValueSequence[0]
        value = f" = {float(measured.NumericValue):g} {measured.MeasurementUnitsCodeSequence[0].CodeValue}"
    elif item.ValueType == "SCOORD":
        value = f" = {item.GraphicType}"
    line = f"{'  ' * depth}{item.get('RelationshipType', 'root')} {item.ValueType} {name}{value}"
    children = item.get("ContentSequence", [])
    return [line, *(inner for child in children for inner in tree(child, depth + 1))]


def words(report: Dataset) -> str:
    """Give the comment of the evaluations."""
    text: str = items(report, "Comment")[0].TextValue
    return text


def test_overlapping_segments_are_all_in_the_segmentation(case: Case) -> None:
    """Read back by pydicom alone, each mask is there voxel for voxel, also where it lies under another."""
    encoding = overlapping_lesions(case)
    made = objects(encoding)
    seg, grid = made[ArtifactKind.SEG], encoding.volume.grid
    assert seg.SegmentsOverlap == "YES"
    assert encoding.result.labels is not None
    for segment in encoding.result.segments:
        found = read_segments(seg)[segment.label.name]
        indices = grid.to_index(found.points_lps_mm).round().astype(int)
        mask = np.zeros(grid.shape, dtype=np.bool_)
        mask[tuple(indices.T)] = True
        np.testing.assert_array_equal(mask, mask_of(encoding.result.labels, segment.label.value))


def test_overlapping_segments_have_their_contours(case: Case) -> None:
    """Two groups for each, and the area is that of its own mask."""
    encoding = overlapping_lesions(case)
    report = objects(encoding)[ArtifactKind.SR]
    groups = items(report, "Measurement Group")
    assert report.ConceptNameCodeSequence[0].CodeValue == "126000"
    assert len(groups) == 4
    _, row_mm, column_mm = encoding.volume.grid.spacing_mm
    areas = [numbers(group)["Area"][0] / (row_mm * column_mm) for group in groups[1::2]]
    assert areas == pytest.approx([4 * 3 - 0.5, 11 * 9 - 0.5])


def test_a_tumor_job_says_in_its_report_what_it_answers(case: Case) -> None:
    """Present, how likely and how large; the edema that was drawn is in its group and not said twice."""
    encoding = overlapping_lesions(case)
    report = objects(encoding)[ArtifactKind.SR]
    task = encoding.result.task
    assert task is not None
    said = evaluated(report)
    assert list(said) == ["Neoplasm"]
    present, known = said["Neoplasm"]
    assert present == "Present"
    assert known == {"Probability": (87.5, "%"), "Volume": (pytest.approx(task.volume_ml, abs=1e-3), "mL")}


def test_a_tumor_that_is_not_there_is_said_to_be_absent(case: Case) -> None:
    """With its probability, once, and without a segmentation; the title is not one that OHIF would try to draw."""
    report = report_of(no_lesions(case))
    assert evaluated(report) == {"Neoplasm": ("Absent", {"Probability": (12.0, "%")}), "Edema": ("Absent", {})}
    assert words(report).startswith("Tumour: absent, probability 12 %. Edema: absent. Research use only.")
    assert report.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Findings Report"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert items(report, "Imaging Measurements") == []
    assert report.SeriesDescription == "AI Tumour finder findings (research only)"


def test_what_has_no_place_is_said_of_a_site_and_a_side(case: Case) -> None:
    """Of a lesion its site is coded with the side, of a structure that was not found the side alone."""
    encoding = no_lesions(case)
    tumour, edema = encoding.result.absent
    left = replace(edema, laterality=LEFT)
    structure = replace(make_spec().labels[1], laterality=RIGHT)
    result = replace(encoding.result, absent=(tumour, left, structure))
    report = report_of(replace(encoding, result=result))
    of_edema, of_structure = items(report, "Edema") + items(report, "Hippocampus")
    (site,) = items(of_edema, "Finding Site")
    assert site.ConceptCodeSequence[0].CodeMeaning == "Brain"
    assert [side.ConceptCodeSequence[0].CodeMeaning for side in items(site, "Laterality")] == ["Left"]
    assert items(of_structure, "Finding Site") == []
    assert [side.ConceptCodeSequence[0].CodeMeaning for side in items(of_structure, "Laterality")] == ["Right"]
    assert "Left Edema: absent. Right Hippocampus: absent." in words(report)


def test_a_report_without_segments_still_lists_its_sources(case: Case) -> None:
    """And no segmentation that does not exist."""
    report = report_of(no_lesions(case))
    evidence = {
        instance.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert evidence == {header.SOPInstanceUID for header in case.encoding.data_sets}
    assert items(report, "Image Library") == []
    assert {
        report.ContinuityOfContent,
        *(i.ContinuityOfContent for i in items(report, "Qualitative Evaluations")),
    } == {"SEPARATE"}


def test_a_classification_is_said_with_probability_and_identity(case: Case) -> None:
    """What is there and what is not, each under the tracking UID that FHIR has."""
    encoding = classified(case)
    report = report_of(encoding)
    assert evaluated(report) == {
        "Neoplasm": ("Present", {"Probability": (93.0, "%")}),
        "Edema": ("Absent", {"Probability": (3.1, "%")}),
    }
    uids = [item.UID for item in items(report, "Tracking Unique Identifier")]
    assert uids == [finding.tracking_uid for finding in encoding.result.findings]
    assert "Tumour: present, probability 93 %. Edema: absent, probability 3.1 %." in words(report)


CLASSIFIED = """\
root CONTAINER Imaging Findings Report
  HAS CONCEPT MOD CODE Language of Content Item and Descendants = English
  HAS OBS CONTEXT CODE Observer Type = Device
  HAS OBS CONTEXT UIDREF Device Observer UID
  HAS OBS CONTEXT TEXT Device Observer Name
  HAS OBS CONTEXT TEXT Device Observer Manufacturer
  HAS OBS CONTEXT TEXT Device Observer Model Name
  HAS OBS CONTEXT TEXT Device Observer Serial Number
  HAS CONCEPT MOD CODE Procedure reported = Brain MRI
  CONTAINS CONTAINER Qualitative Evaluations
    CONTAINS CODE Neoplasm = Present
      HAS CONCEPT MOD CODE Finding Site = Brain
      HAS PROPERTIES NUM Probability = 93 %
      HAS OBS CONTEXT TEXT Tracking Identifier
      HAS OBS CONTEXT UIDREF Tracking Unique Identifier
    CONTAINS CODE Edema = Absent
      HAS CONCEPT MOD CODE Finding Site = Brain
      HAS PROPERTIES NUM Probability = 3.1 %
      HAS OBS CONTEXT TEXT Tracking Identifier
      HAS OBS CONTEXT UIDREF Tracking Unique Identifier
    CONTAINS TEXT Comment"""

DETECTED = """\
CONTAINS CONTAINER Imaging Measurements
  CONTAINS CONTAINER Measurement Group
    HAS OBS CONTEXT TEXT Tracking Identifier
    HAS OBS CONTEXT UIDREF Tracking Unique Identifier
    CONTAINS CODE Finding category = Morphologically Abnormal Structure
    CONTAINS CODE Finding = Neoplasm
    HAS CONCEPT MOD CODE Finding Site = Brain
    HAS CONCEPT MOD TEXT Algorithm Name
    HAS CONCEPT MOD TEXT Algorithm Version
    HAS CONCEPT MOD TEXT Algorithm Manufacturer
    HAS CONCEPT MOD TEXT Algorithm Parameters
    HAS CONCEPT MOD TEXT Algorithm Parameters
    HAS CONCEPT MOD CODE Algorithm Family = Artificial Intelligence
    CONTAINS NUM Probability = 90 %
    CONTAINS CODE Presence of property = Present
    CONTAINS SCOORD Image Region = POLYLINE
      SELECTED FROM IMAGE Source"""


def test_the_trees_are_those_of_the_templates(case: Case) -> None:
    """Relationships and value types as TID 1500 and TID 1410 have them."""
    assert tree(report_of(classified(case))) == CLASSIFIED.splitlines()
    box = place_in(case.encoding.volume.grid, (2, 4, 3), (4, 10, 8))
    (measurements,) = items(report_of(detections(case, [box])), "Imaging Measurements")
    assert tree(measurements) == DETECTED.splitlines()


def region(group: Dataset) -> tuple[str, np.ndarray[Any, Any], str]:
    """Give graphic type, points and source instance of a group's region."""
    (item,) = items(group, "Image Region")
    source = item.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    return item.GraphicType, np.array(item.GraphicData).reshape(-1, 2), source


def test_a_detected_box_is_drawn_on_its_middle_slice(case: Case) -> None:
    """In image coordinates, without which OHIF blanks the viewport."""
    volume = case.encoding.volume
    encoding = detections(case, [place_in(volume.grid, (2, 4, 3), (4, 10, 8))])
    report = report_of(encoding)
    (group,) = items(report, "Measurement Group")
    kind, points, source = region(group)
    middle = volume.frames[3]
    assert middle is not None
    assert (kind, source) == ("POLYLINE", middle.sop_instance_uid)
    assert points.min(axis=0).tolist() == pytest.approx([3.5, 4.5])
    assert points.max(axis=0).tolist() == pytest.approx([8.5, 10.5])
    assert numbers(group) == {"Probability": (90.0, "%")}
    (presence,) = items(group, "Presence of property")
    assert value_of(presence) == "Present"
    assert encoding.result.findings[0].tracking_uid == items(group, "Tracking Unique Identifier")[0].UID
    assert [value_of(site) for site in items(group, "Finding Site")] == ["Brain"]
    assert report.ConceptNameCodeSequence[0].CodeValue == "126000"


def test_what_a_detector_did_not_find_is_said_beside_what_it_found(case: Case) -> None:
    """Without a probability, since it gives none."""
    report = report_of(detections(case, [place_in(case.encoding.volume.grid, (2, 4, 3), (4, 10, 8))]))
    assert evaluated(report) == {"Edema": ("Absent", {})}


def test_a_detected_point_is_a_point(case: Case) -> None:
    """In the middle of its pixel; one beside the image is drawn on its edge."""
    volume = case.encoding.volume
    places = [Place(tuple(map(float, volume.grid.to_lps(index)))) for index in ((4.2, 6, 3), (99, -7, 50))]  # type: ignore[arg-type]
    groups = items(report_of(detections(case, places)), "Measurement Group")
    expected = [((3.5, 6.5), volume.frames[4]), ((16.0, 0.0), volume.frames[5])]
    for group, (point, frame) in zip(groups, expected, strict=True):
        kind, points, source = region(group)
        assert frame is not None
        assert (kind, source) == ("POINT", frame.sop_instance_uid)
        np.testing.assert_allclose(points, [point], atol=1e-4)


def test_a_detection_on_an_interpolated_slice_is_drawn_beside_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What no source shows, no result claims to show there."""
    case = make_case(tmp_path_factory.mktemp("gap"), VARIANTS["one slice missing"])
    volume = case.encoding.volume
    assert volume.frames[2] is None
    (group,) = items(report_of(detections(case, [place_in(volume.grid, (1, 4, 3), (3, 10, 8))])), "Measurement Group")
    _, _, source = region(group)
    assert source in {frame.sop_instance_uid for frame in (volume.frames[1], volume.frames[3]) if frame}


def test_a_mask_that_does_not_fit_its_measurements_is_stopped(case: Case) -> None:
    """Overlapping or not, what is sent is what was measured."""
    encoding = overlapping_lesions(case)
    assert encoding.result.labels is not None
    masks = encoding.result.labels.copy()
    masks[0, 2, 6, 5] = False
    with pytest.raises(EncodingError, match="voxels"):
        encode(replace(encoding, result=replace(encoding.result, labels=masks)))
