"""What is encoded is read again before it leaves, and stopped where it says anything else than the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.geometry import Grid
from inference.domain.result import Segment
from inference.encoding.census import take_census
from inference.encoding.objects import encode
from inference.encoding.readback import check_seg
from inference.errors import EncodingError
from tests.support.findings import Case, make_case
from tests.support.synthetic_series import SeriesOptions, axial_grid

SHAPE = (6, 20, 16)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


def tilted(folder: Path) -> Case:
    """Give a source whose gantry was tilted."""
    steps = axial_grid(SHAPE, (2.5, 1.1, 0.9)).steps_mm.copy()
    steps[1, 0] = 2.5 * np.tan(np.radians(20))
    return make_case(folder, grid=Grid(SHAPE, np.zeros(3), steps))


def check_result(case: Case, change: Callable[[Segment], Segment]) -> None:
    """Encode a result whose first segment says something else than its voxels."""
    first, *others = case.encoding.result.segments
    wrong = replace(case.encoding.result, segments=(change(first), *others))
    encode(replace(case.encoding, result=wrong))


def check_object(case: Case, change: Callable[[Dataset], None]) -> None:
    """Change an object after it was encoded, and check that."""
    source = case.encoding
    seg = dcmread(BytesIO(encode(source)[0].content))
    change(seg)
    buffer = BytesIO()
    seg.save_as(buffer)
    assert source.result.labels is not None
    check_seg(buffer.getvalue(), source.volume, source.result, take_census(source.result.labels, SHAPE[0]))


def test_what_was_encoded_passes(case: Case, tmp_path: Path) -> None:
    """Upright and tilted; a check that always fails would stop everything."""
    for any_case in (case, tilted(tmp_path)):
        check_object(any_case, lambda _: None)


def test_another_count_is_stopped(case: Case) -> None:
    """A voxel count that disagrees means that somebody counted something else."""
    with pytest.raises(EncodingError, match="voxels"):
        check_result(case, lambda segment: replace(segment, voxel_count=segment.voxel_count + 1))


def test_another_place_is_stopped(case: Case) -> None:
    """A mirrored or shifted result looks right and is not."""

    def mirrored(segment: Segment) -> Segment:
        x, y, z = segment.centroid_lps_mm
        return replace(segment, centroid_lps_mm=(-x - 1, y, z))

    with pytest.raises(EncodingError, match="mm away"):
        check_result(case, mirrored)


def test_another_volume_is_stopped(case: Case) -> None:
    """What the report says in millilitres is what the object's own spacing makes of its voxels."""

    def larger(segment: Segment) -> Segment:
        return replace(segment, volume=replace(segment.volume, value=segment.volume.value * 1.02))

    with pytest.raises(EncodingError, match="mL"):
        check_result(case, larger)


def test_another_spacing_of_slices_is_stopped(case: Case) -> None:
    """A viewer takes the volume from it."""

    def stretched(seg: Dataset) -> None:
        seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = 5.0

    with pytest.raises(EncodingError, match="mL"):
        check_object(case, stretched)


@pytest.mark.parametrize("make", [make_case, tilted], ids=["upright", "tilted"])
def test_a_frame_that_lies_on_no_slice_is_stopped(make: Callable[[Path], Case], tmp_path: Path) -> None:
    """Also where one is too high and another too low, so that count, centroid and volume stay what they are."""

    def pulled_apart(seg: Dataset) -> None:
        for frame, by_mm in zip(seg.PerFrameFunctionalGroupsSequence, (1.0, -1.0), strict=False):
            frame.PlanePositionSequence[0].ImagePositionPatient[2] += by_mm

    with pytest.raises(EncodingError, match="off every slice"):
        check_object(make(tmp_path), pulled_apart)


def test_mirrored_rows_are_stopped(case: Case) -> None:
    """Whatever they do to the centroid."""

    def mirrored(seg: Dataset) -> None:
        (plane,) = seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
        plane.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]

    with pytest.raises(EncodingError, match="off every slice"):
        check_object(case, mirrored)


def test_a_segment_that_is_not_drawn_is_stopped(case: Case) -> None:
    """Every finding must be seen."""
    assert case.encoding.result.labels is not None
    labels = case.encoding.result.labels.copy()
    labels[labels == 1] = 0
    wrong = replace(case.encoding.result, labels=labels)
    with pytest.raises(EncodingError, match="does not hold the segments"):
        encode(replace(case.encoding, result=wrong))


def test_a_finding_on_an_interpolated_slice_alone_is_stopped(tmp_path: Path) -> None:
    """It has no image to be drawn on."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[3, 4:9, 4:9] = 1
    labels[2, 12:15, 4:9] = 2
    case = make_case(tmp_path, SeriesOptions(omit=frozenset({2})), labels=labels)
    with pytest.raises(EncodingError, match="does not hold the segments"):
        encode(case.encoding)
