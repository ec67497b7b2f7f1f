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

from inference.domain.artifact import Segmentation
from inference.domain.geometry import Grid
from inference.domain.result import Segment
from inference.encoding.census import take_census
from inference.encoding.objects import encode
from inference.encoding.readback import check_seg
from inference.encoding.seg_reading import read_seg
from inference.errors import EncodingError
from tests.support.findings import Case, make_case
from tests.support.segmentations import encode_seg, with_probabilities
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


OTHER_KINDS = [Segmentation.LABELMAP, Segmentation.FRACTIONAL]


def check_kind(case: Case, kind: Segmentation, change: Callable[[Dataset], None]) -> None:
    """Change a segmentation with probabilities of a kind after it was encoded, and check that."""
    source = with_probabilities(case.encoding)
    seg = dcmread(BytesIO(encode_seg(source, kind, check=False).content))
    change(seg)
    buffer = BytesIO()
    seg.save_as(buffer, enforce_file_format=True)
    assert source.result.labels is not None
    check_seg(buffer.getvalue(), source.volume, source.result, take_census(source.result.labels, SHAPE[0]))


def pixels(seg: Dataset) -> np.ndarray:
    """Give the frames of 8 bits, which can be changed."""
    return np.frombuffer(seg.PixelData, dtype=np.uint8).copy().reshape(-1, seg.Rows, seg.Columns)


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_other_kinds_pass_when_they_are_right(case: Case, kind: Segmentation) -> None:
    """As they were encoded."""
    check_kind(case, kind, lambda _: None)


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_flipped_frames_are_stopped(case: Case, kind: Segmentation) -> None:
    """Sums and counts stay what they are."""

    def flipped(seg: Dataset) -> None:
        seg.PixelData = pixels(seg)[:, ::-1].tobytes()

    with pytest.raises(EncodingError, match="mm away"):
        check_kind(case, kind, flipped)


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_changed_pixel_is_stopped(case: Case, kind: Segmentation) -> None:
    """One voxel less, or a probability that is a little lower."""

    def lowered(seg: Dataset) -> None:
        frames = pixels(seg)
        highest = np.unravel_index(frames.argmax(), frames.shape)
        frames[highest] -= frames[highest] if kind is Segmentation.LABELMAP else 1
        seg.PixelData = frames.tobytes()

    with pytest.raises(EncodingError, match="segment 3 was encoded with"):
        check_kind(case, kind, lowered)


@pytest.mark.parametrize("kind", Segmentation)
def test_a_frame_of_nothing_is_stopped(case: Case, kind: Segmentation) -> None:
    """A segment that is said to be on a frame and is not there, or is on one of another segment."""

    def renumbered(seg: Dataset) -> None:
        if kind is Segmentation.LABELMAP:
            frames = pixels(seg)
            frames[frames == 2] = 1
            seg.PixelData = frames.tobytes()
        else:
            for groups in seg.PerFrameFunctionalGroupsSequence:
                groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 1

    with pytest.raises(EncodingError, match="does not hold the segments"):
        check_kind(case, kind, renumbered)


def test_a_frame_more_is_stopped(case: Case) -> None:
    """It shows nothing, and a reader may take it for something."""

    def one_more(seg: Dataset) -> None:
        seg.PixelData = np.concatenate([np.zeros_like(pixels(seg)[:1]), pixels(seg)]).tobytes()
        seg.PerFrameFunctionalGroupsSequence.insert(0, seg.PerFrameFunctionalGroupsSequence[0])
        seg.NumberOfFrames += 1

    with pytest.raises(EncodingError, match="frames instead of"):
        check_kind(case, Segmentation.FRACTIONAL, one_more)


def test_a_probability_above_its_maximum_is_stopped(case: Case) -> None:
    """More than certainty means that somebody took another scale."""

    def on_another_scale(seg: Dataset) -> None:
        seg.MaximumFractionalValue = 100

    with pytest.raises(EncodingError, match="above its maximum"):
        check_kind(case, Segmentation.FRACTIONAL, on_another_scale)


def test_probabilities_that_the_result_does_not_have_are_stopped(case: Case) -> None:
    """Nobody knows where they come from."""
    content = encode_seg(with_probabilities(case.encoding), Segmentation.FRACTIONAL).content
    source = case.encoding
    assert source.result.labels is not None
    with pytest.raises(EncodingError, match="does not have"):
        check_seg(content, source.volume, source.result, take_census(source.result.labels, SHAPE[0]))


def test_pixels_that_are_cut_off_or_missing_are_stopped(case: Case) -> None:
    """What is left looks like a file."""
    content = encode_seg(case.encoding, Segmentation.BINARY).content
    with pytest.raises(EncodingError, match="cut off"):
        read_seg(content[:-2])
    without = dcmread(BytesIO(content))
    del without.PixelData
    buffer = BytesIO()
    without.save_as(buffer)
    with pytest.raises(EncodingError, match="no pixels"):
        read_seg(buffer.getvalue())
