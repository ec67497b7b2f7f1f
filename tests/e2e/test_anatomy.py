"""The segmentation is right: read back from the archive, never from memory, by a reader that is not ours."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from dicom_node.demo.phantom import load_labels, true_volumes_ml
from tests.e2e.conftest import Answered
from tests.support.hospital import Hospital
from tests.support.segmentation_reader import SegmentPoints, read_segments

pytestmark = pytest.mark.e2e

STRUCTURES = 17
LATERAL, ANTERIOR_POSTERIOR, HEAD = 0, 1, 2


@pytest.fixture
def segments(answered: Answered, hospital: Hospital) -> dict[str, SegmentPoints]:
    """Give the segments of the SEG in the archive, by label."""
    (seg,) = hospital.archived(answered.study_uid, "SEG")
    return read_segments(seg)


def test_every_structure_is_there_and_the_whole_is_a_brain(segments: dict[str, SegmentPoints]) -> None:
    """All 17 structures are non-empty, and parenchyma and ventricles together have 1.2 to 1.7 L."""
    assert len(segments) == STRUCTURES
    assert all(segment.volume_ml > 0 for segment in segments.values())
    assert 1200 <= sum(segment.volume_ml for segment in segments.values()) <= 1700


def test_volumes_in_the_archive_are_those_of_the_api(segments: dict[str, SegmentPoints], answered: Answered) -> None:
    """What the API says of a structure is what the SEG's voxels say."""
    told = {m["label"]: m["value"] for m in answered.job["measurements"]}
    assert {label: told[label] for label in segments} == pytest.approx(
        {label: segment.volume_ml for label, segment in segments.items()}, rel=2e-3, abs=2e-3
    )


def test_head_and_foot_are_not_exchanged(segments: dict[str, SegmentPoints]) -> None:
    """The cerebellum and the brain stem lie below the thalamus, the thalamus below the top of the cortex."""
    thalamus = segments["Thalamus"].centroid[HEAD]
    assert segments["Cerebellar cortex"].centroid[HEAD] < thalamus - 15
    assert segments["Brain stem"].centroid[HEAD] < thalamus - 15
    assert segments["Cerebral cortex"].points_lps_mm[:, HEAD].max() > thalamus + 40


def test_front_and_back_are_not_exchanged(segments: dict[str, SegmentPoints]) -> None:
    """The caudate nucleus lies before the thalamus, the cerebellum behind it (LPS: posterior is positive)."""
    thalamus = segments["Thalamus"].centroid[ANTERIOR_POSTERIOR]
    assert segments["Caudate nucleus"].centroid[ANTERIOR_POSTERIOR] < thalamus
    assert segments["Cerebellar cortex"].centroid[ANTERIOR_POSTERIOR] > thalamus + 15


def test_ventricles_lie_inside_white_matter(segments: dict[str, SegmentPoints]) -> None:
    """Nearly every lateral-ventricle voxel lies in the box of the white matter, and midway between left and right."""
    white = segments["Cerebral white matter"].points_lps_mm
    ventricles = segments["Lateral ventricle"].points_lps_mm
    inside = ((ventricles > white.min(axis=0)) & (ventricles < white.max(axis=0))).all(axis=1)
    middle = (white[:, LATERAL].min() + white[:, LATERAL].max()) / 2
    assert inside.mean() > 0.99
    assert abs(segments["Lateral ventricle"].centroid[LATERAL] - middle) < 8


def test_left_and_right_are_not_exchanged(segments: dict[str, SegmentPoints], answered: Answered) -> None:
    """White matter is brighter than cortex under the segments, and by less once they are mirrored in the image.

    A brain is nearly symmetric, so a flip shows in no centroid: it shows in how well the segments fit the picture.
    """
    images = {}
    for path in answered.paths:
        data_set = dcmread(path)
        images[str(data_set.SOPInstanceUID)] = data_set.pixel_array.astype(float)
    assert _contrast(segments, images, mirrored=False) > 1.25 * _contrast(segments, images, mirrored=True)


def test_phantom_volumes_are_near_the_truth(phantom: Answered, hospital: Hospital) -> None:
    """On the phantom, whose truth is known, structures over 5 mL are within 15 % and the whole within 3 %."""
    (seg,) = hospital.archived(phantom.study_uid, "SEG")
    measured = [segment.volume_ml for segment in read_segments(seg).values()]
    truth = true_volumes_ml(load_labels())
    assert sum(measured) == pytest.approx(sum(truth.values()), rel=0.03)
    large = [(m, t) for m, t in zip(measured, truth.values(), strict=True) if t > 5]
    assert all(m == pytest.approx(t, rel=0.15) for m, t in large)


def _contrast(segments: dict[str, SegmentPoints], images: dict[str, NDArray[np.float64]], *, mirrored: bool) -> float:
    def mean(label: str) -> float:
        values = []
        for uid, indices in segments[label].sources:
            image = images[uid]
            columns = image.shape[1] - 1 - indices[:, 1] if mirrored else indices[:, 1]
            values.append(image[indices[:, 0], columns])
        return float(np.concatenate(values).mean())

    return mean("Cerebral white matter") - mean("Cerebral cortex")
