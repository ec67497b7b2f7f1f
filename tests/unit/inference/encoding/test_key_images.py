"""Key images name the source slices on which the findings are seen best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind
from inference.domain.result import AnalysisResult, Finding
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.key_images import build_key_images
from inference.encoding.part10 import to_artifact
from tests.support.findings import (
    Case,
    classified,
    detections,
    items,
    make_case,
    overlapping_lesions,
    place_in,
)
from tests.support.reviews import images_of, imprint_of
from tests.support.sources import HANGUL_NAME, VARIANTS
from tests.support.synthetic_series import SeriesOptions
from tests.unit.inference.encoding.test_source_images import ORDER, enhanced


def staircase() -> NDArray[np.uint8]:
    """Draw three structures that are largest on slices 1, 3 and 3."""
    labels = np.zeros((6, 20, 16), dtype=np.uint8)
    labels[0:3, 2:4, 2:6] = 1
    labels[1, 2:6, 2:8] = 1
    labels[3, 8:12, 2:8] = 2
    labels[4, 8:10, 2:8] = 2
    labels[3, 14:18, 2:8] = 3
    return labels


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give a source with structures on different slices."""
    return make_case(tmp_path_factory.mktemp("source"), labels=staircase())


def key_images(encoding: EncodingInput) -> Dataset:
    """Build the document."""
    document = build_key_images(images_of(encoding), encoding, imprint_of(encoding))
    assert document is not None
    return document


def referenced(document: Dataset) -> list[tuple[str, object]]:
    """Give instance and frame numbers of every image that is named."""
    references = [item.ReferencedSOPSequence[0] for item in document.ContentSequence if item.ValueType == "IMAGE"]
    return [(ref.ReferencedSOPInstanceUID, ref.get("ReferencedFrameNumber")) for ref in references]


def described(document: Dataset) -> str:
    """Give the description."""
    (item,) = items(document, "Key Object Description")
    text: str = item.TextValue
    return text


def uid_of(encoding: EncodingInput, index: int) -> str:
    """Give the instance of a slice."""
    frame = encoding.volume.frames[index]
    assert frame is not None
    return frame.sop_instance_uid


def test_each_structure_is_shown_where_it_is_largest(case: Case) -> None:
    """Each slice is named once, in the order of the slices."""
    document = key_images(case.encoding)
    assert referenced(document) == [(uid_of(case.encoding, 1), None), (uid_of(case.encoding, 3), None)]
    assert described(document).startswith("Image 2: Thalamus. Image 4: Hippocampus, Brain Stem. Research use only.")


def test_what_is_named_is_the_evidence_and_nothing_else(case: Case) -> None:
    """PS3.3 section C.17.6.2.2: every instance that is referred to is listed, with its series."""
    document = key_images(case.encoding)
    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == case.series.series_instance_uid
    listed = [reference.ReferencedSOPInstanceUID for reference in series.ReferencedSOPSequence]
    assert listed == [uid for uid, _ in referenced(document)]


def test_it_is_a_selection_of_interest_by_a_device(case: Case) -> None:
    """Title, observer, and the identifiers of the result."""
    document = key_images(case.encoding)
    title = document.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113000", "DCM")
    assert items(document, "Observer Type")[0].ConceptCodeSequence[0].CodeMeaning == "Device"
    uids = case.encoding.uids
    assert (document.SeriesInstanceUID, document.SOPInstanceUID) == (uids.series("KOS"), uids.instance("KOS"))
    assert document.SeriesNumber == case.encoding.spec.publication.series_number + 6
    assert document.SeriesDescription == "AI Brain structures key images (research only)"
    assert document.StudyDescription == "Brain"


def test_frames_of_a_multi_frame_source_are_named_by_number(tmp_path: Path) -> None:
    """Frames are not stored in spatial order by rule."""
    encoding = enhanced(tmp_path)
    document = key_images(encoding)
    ((uid, frame),) = referenced(document)
    assert uid == encoding.data_sets[0].SOPInstanceUID
    assert frame == ORDER.index(1) + 1
    assert described(document).startswith(f"Frame {frame}: ")


def detected(encoding: EncodingInput, slices: Sequence[int]) -> EncodingInput:
    """Find something on some slices of a source, and draw nothing."""
    (label, *_), grid = encoding.spec.labels, encoding.volume.grid
    findings = tuple(
        Finding(label, True, 0.9, encoding.uids.tracking(1, z), f"Point {z}", place_in(grid, (z, 4, 3), (z, 10, 8)))
        for z in slices
    )
    return replace(encoding, result=AnalysisResult(None, (), (), (), findings))


def test_several_frames_of_one_instance_are_one_reference(tmp_path: Path) -> None:
    """In ascending order."""
    ((_, frames),) = referenced(key_images(detected(enhanced(tmp_path), (0, 4))))
    assert list(frames) == sorted(ORDER.index(z) + 1 for z in (0, 4))


def test_a_detection_is_shown_on_the_slice_nearest_to_it(case: Case) -> None:
    """And on none that was interpolated."""
    document = key_images(detected(case.encoding, (4,)))
    assert referenced(document) == [(uid_of(case.encoding, 4), None)]
    assert described(document).startswith("Image 5: Point 4. ")
    frames = tuple(None if index == 4 else frame for index, frame in enumerate(case.encoding.volume.frames))
    gap = replace(case.encoding, volume=replace(case.encoding.volume, frames=frames))
    assert referenced(key_images(detected(gap, (4,))))[0][0] in {uid_of(gap, 3), uid_of(gap, 5)}


def test_a_structure_is_shown_on_a_slice_that_the_source_has(tmp_path: Path) -> None:
    """Its largest slice was interpolated."""
    gap = make_case(tmp_path, SeriesOptions(omit=frozenset({3})), labels=staircase()).encoding
    assert uid_of(gap, 4) in [uid for uid, _ in referenced(key_images(gap))]


def test_overlapping_structures_are_shown_too(case: Case) -> None:
    """The tumour within its edema."""
    document = key_images(overlapping_lesions(case))
    assert "Tumour" in described(document)
    assert "Edema" in described(document)


def test_without_a_place_there_is_nothing_to_show(case: Case) -> None:
    """A classification, and a detection of nothing."""
    for encoding in (classified(case), detections(case, [])):
        assert build_key_images(images_of(encoding), encoding, imprint_of(encoding)) is None


def test_a_slice_without_instance_number_is_named_by_its_place(case: Case) -> None:
    """Type 2: it may be empty."""
    headers = [Dataset() for _ in case.encoding.data_sets]
    for header, source in zip(headers, case.encoding.data_sets, strict=True):
        header.update(source)
        del header.InstanceNumber
    assert described(key_images(replace(case.encoding, data_sets=headers))).startswith("Slice 2: Thalamus.")


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the order of the headers; a Korean name is kept."""
    encoding = make_case(tmp_path, VARIANTS["korean"]).encoding
    turned = replace(encoding, data_sets=tuple(reversed(encoding.data_sets)))
    documents = [key_images(each) for each in (encoding, turned)]
    assert str(documents[0].PatientName) == HANGUL_NAME
    assert len({to_artifact(ArtifactKind.KOS, document).sha256 for document in documents}) == 1
