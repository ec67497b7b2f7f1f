"""A series becomes one volume in patient space, or a named reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

import inference.volume_builder
from inference.domain.geometry import Grid
from inference.domain.identifiers import UID
from inference.domain.model_spec import SliceRule
from inference.domain.study import SeriesRevision
from inference.domain.volume import Volume
from inference.errors import ReasonCode, StudyError
from inference.headers import read_headers
from inference.volume_builder import build_volume, lay_out
from tests.support.enhanced_series import EnhancedOptions, frames_on, write_enhanced
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

GRID = axial_grid((6, 5, 7), (2.0, 1.0, 0.5))
ARRAY = np.random.default_rng(0).integers(0, 1000, GRID.shape)


def series(folder: Path, options: SeriesOptions | None = None, grid: Grid = GRID) -> SeriesRevision:
    return revision_of(write_series(folder, ARRAY[: grid.shape[0]], grid, options or SeriesOptions()))


def built(revision: SeriesRevision) -> Volume:
    return build_volume(read_headers(revision.instances))


def reason(revision: SeriesRevision) -> str:
    with pytest.raises(StudyError) as caught:
        built(revision)
    return caught.value.code


def test_slices_stack_in_space(tmp_path: Path) -> None:
    """Files in any order give the array and the grid that were written, each slice with its source."""
    volume = built(series(tmp_path, SeriesOptions(order=[3, 0, 5, 1, 4, 2])))
    np.testing.assert_array_equal(volume.array, ARRAY)
    assert volume.array.dtype == np.float32
    assert volume.grid.same_as(GRID)
    assert volume.warnings == ()
    assert volume.frame_of_reference_uid is not None
    headers = read_headers(series(tmp_path / "again").instances)
    upwards = sorted((header.data_set for header in headers), key=lambda header: header.ImagePositionPatient[2])
    assert [frame and frame.sop_instance_uid for frame in volume.frames] == [h.SOPInstanceUID for h in upwards]


def test_slices_that_were_acquired_downwards_come_out_upwards(tmp_path: Path) -> None:
    """Slices ascend along the normal: a lattice that runs against it is turned round."""
    down = Grid(GRID.shape, GRID.to_lps((5, 0, 0)), GRID.steps_mm * [-1, 1, 1])
    volume = built(series(tmp_path, grid=down))
    np.testing.assert_array_equal(volume.array, ARRAY[::-1])
    assert volume.grid.same_as(GRID)


def test_one_missing_slice_is_interpolated_and_said(tmp_path: Path) -> None:
    """The gap is the mean of its neighbours, has no source, and a reader is warned."""
    volume = built(series(tmp_path, SeriesOptions(omit=frozenset({2}))))
    assert volume.grid.same_as(GRID)
    assert [index for index, frame in enumerate(volume.frames) if frame is None] == [2]
    np.testing.assert_allclose(volume.array[2], (ARRAY[1] + ARRAY[3]) / 2)
    np.testing.assert_array_equal(volume.array[3], ARRAY[3])
    assert len(volume.warnings) == 1
    assert "missing" in volume.warnings[0]


def test_each_slice_has_its_own_rescale(tmp_path: Path) -> None:
    """Slope and intercept may differ from slice to slice, as in PET."""

    def rescale(data_set: Dataset, index: int) -> None:
        data_set.RescaleSlope, data_set.RescaleIntercept = str(index + 1), "0"

    volume = built(series(tmp_path, SeriesOptions(edit=rescale)))
    np.testing.assert_array_equal(volume.array, ARRAY * np.arange(1, 7)[:, None, None])


def edit_one(**changes: object) -> SeriesOptions:
    def edit(data_set: Dataset, index: int) -> None:
        for keyword, value in changes.items():
            if index == 1:
                setattr(data_set, keyword, value)

    return SeriesOptions(edit=edit)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (edit_one(ImagePositionPatient=None), ReasonCode.GEOMETRY_MISSING),
        (edit_one(PixelSpacing=None), ReasonCode.GEOMETRY_MISSING),
        (edit_one(ImageOrientationPatient=[1, 0, 0, 0, 0, 1]), ReasonCode.MIXED_ORIENTATION),
        (edit_one(PixelSpacing=[1, 0.75]), ReasonCode.MIXED_MATRIX),
        (edit_one(Rows=4, PixelData=bytes(4 * 7 * 2)), ReasonCode.MIXED_MATRIX),
        (edit_one(NumberOfFrames=2), ReasonCode.MULTI_FRAME),
        (edit_one(PhotometricInterpretation="RGB"), ReasonCode.PIXEL_FORMAT),
        (edit_one(PixelData=b""), ReasonCode.PIXEL_MISSING),
        (edit_one(RescaleSlope="1e300"), ReasonCode.PIXEL_FORMAT),
        (SeriesOptions(omit=frozenset({2, 3})), ReasonCode.GAP),
        (SeriesOptions(omit=frozenset({1, 2, 3, 4, 5})), ReasonCode.TOO_FEW_SLICES),
    ],
)
def test_one_wrong_slice_names_the_reason(tmp_path: Path, options: SeriesOptions, code: ReasonCode) -> None:
    """A single slice that does not fit decides about the series."""
    assert reason(series(tmp_path, options)) == code


def test_repeated_positions_are_not_slices(tmp_path: Path) -> None:
    """Two time points in one series are refused, not interleaved."""
    first = write_series(tmp_path / "a", ARRAY, GRID)
    second = write_series(tmp_path / "b", ARRAY, GRID, SeriesOptions(seed=1))
    assert reason(revision_of(first + second)) == ReasonCode.REPEATED_POSITION


def test_gantry_tilt_stays_in_the_grid(tmp_path: Path) -> None:
    """A sheared lattice is kept, so that every voxel stays where it is in the patient."""
    steps = GRID.steps_mm.copy()
    steps[1, 0] = -0.6
    tilted = Grid(GRID.shape, GRID.origin_mm, steps)
    assert built(series(tmp_path, grid=tilted)).grid.same_as(tilted)


def test_unknown_encodings_are_refused_before_reading(tmp_path: Path) -> None:
    """Nothing is decoded when one instance cannot be."""
    revision = series(tmp_path)
    retired = replace(revision.instances[0], transfer_syntax_uid=UID("1.2.840.10008.1.2.4.53"))
    mixed = replace(revision, instances=(retired, *revision.instances[1:]))
    assert reason(mixed) == ReasonCode.TRANSFER_SYNTAX


def test_a_volume_too_large_is_refused_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size is known from the headers."""
    monkeypatch.setattr(inference.volume_builder, "MAX_VOXELS", 6 * 5 * 7 - 1)
    assert reason(series(tmp_path)) == ReasonCode.PIXEL_TOO_LARGE


def test_several_frames_of_reference_are_said(tmp_path: Path) -> None:
    """The positions decide, the first frame of reference is named, and a reader is warned."""
    volume = built(series(tmp_path, edit_one(FrameOfReferenceUID="1.2.3.4")))
    assert volume.frame_of_reference_uid is not None
    assert "frames of reference" in volume.warnings[0]


@pytest.mark.parametrize("value", [None, "not a uid"])
def test_no_frame_of_reference_is_none(tmp_path: Path, value: str | None) -> None:
    """An absent or malformed one is not invented here."""

    def edit(data_set: Dataset, _: int) -> None:
        data_set.FrameOfReferenceUID = value

    assert built(series(tmp_path, SeriesOptions(edit=edit))).frame_of_reference_uid is None


def test_several_missing_slices_are_interpolated_where_the_model_accepts_it(tmp_path: Path) -> None:
    """In equal steps from one neighbour to the other, and a reader is told how many."""
    headers = read_headers(series(tmp_path, SeriesOptions(omit=frozenset({2, 3}))).instances)
    volume = build_volume(headers, SliceRule(missing_slices=2))
    assert [index for index, frame in enumerate(volume.frames) if frame is None] == [2, 3]
    np.testing.assert_allclose(volume.array[2], (2 * ARRAY[1] + ARRAY[4]) / 3, rtol=1e-5)
    np.testing.assert_allclose(volume.array[3], (ARRAY[1] + 2 * ARRAY[4]) / 3, rtol=1e-5)
    assert volume.warnings[0].startswith("2 slices are missing")


@pytest.mark.parametrize("transfer_syntax", [ExplicitVRLittleEndian, RLELossless])
def test_frames_of_an_enhanced_image_make_a_volume(tmp_path: Path, transfer_syntax: str) -> None:
    """In any order, with a rescale of their own, each with its number; compressed or not."""
    order = [3, 0, 5, 1, 4, 2]
    frames = [
        replace(frame, slope=1.0 + number, intercept=-number)
        for number, frame in enumerate(frames_on(ARRAY, GRID, order))
    ]
    options = EnhancedOptions(SeriesOptions(transfer_syntax_uid=transfer_syntax))
    volume = built(revision_of(write_enhanced(tmp_path, frames, options)))
    assert volume.grid.same_as(GRID)
    for index, frame in enumerate(volume.frames):
        assert frame is not None
        assert frame.frame_number == order.index(index) + 1
        number = order.index(index)
        np.testing.assert_array_equal(volume.array[index], ARRAY[index] * (1.0 + number) - number)


def test_a_concatenation_is_one_volume(tmp_path: Path) -> None:
    """Frames of several instances lie between each other (PS3.3 section C.7.6.16.2.2.4)."""
    options = EnhancedOptions(instances=3)
    volume = built(revision_of(write_enhanced(tmp_path, frames_on(ARRAY, GRID, [0, 2, 4, 1, 3, 5]), options)))
    np.testing.assert_array_equal(volume.array, ARRAY)
    assert len({frame.sop_instance_uid for frame in volume.frames if frame}) == 3


def test_one_of_several_stacks_is_taken_and_said(tmp_path: Path) -> None:
    """The largest, unless one is named."""
    small = axial_grid((3, 5, 7), (4.0, 1.0, 0.5))
    frames = frames_on(ARRAY[:3] + 1, small, stack="small") + frames_on(ARRAY, GRID, stack="large")
    headers = read_headers(revision_of(write_enhanced(tmp_path, frames)).instances)
    largest, named = build_volume(headers), build_volume(headers, stack="small")
    np.testing.assert_array_equal(largest.array, ARRAY)
    np.testing.assert_array_equal(named.array, ARRAY[:3] + 1)
    assert named.grid.same_as(small)
    assert "2 stacks" in named.warnings[0]


@pytest.mark.parametrize(
    ("echo", "time_point", "expected"), [(1, 1, 0), (2, 1, 1), (1, 2, 2), (-1, -1, 3), (2, -2, 1)]
)
def test_the_echo_and_the_time_point_that_are_asked_for_are_taken(
    tmp_path: Path, echo: int, time_point: int, expected: int
) -> None:
    """Of two echoes at two time points, stored in any order."""
    frames = [
        frame
        for time in (2, 1)
        for echo_ms in (30.0, 2.5)
        for frame in frames_on(ARRAY + 2 * (time - 1) + (echo_ms > 10), GRID, time_point=time, echo_time_ms=echo_ms)
    ]
    headers = read_headers(revision_of(write_enhanced(tmp_path, frames)).instances)
    volume = build_volume(headers, SliceRule(echo=echo, time_point=time_point))
    np.testing.assert_array_equal(volume.array, ARRAY + expected)


def test_frames_without_groups_of_their_own_are_refused(tmp_path: Path) -> None:
    """A multi-frame image that does not say where its frames lie, or not of all, is no volume."""

    def drop(data_set: Dataset) -> None:
        del data_set.PerFrameFunctionalGroupsSequence

    def promise(data_set: Dataset) -> None:
        data_set.NumberOfFrames = 7

    for edit, code in ((drop, ReasonCode.MULTI_FRAME), (promise, ReasonCode.GEOMETRY_MISSING)):
        paths = write_enhanced(tmp_path / edit.__name__, frames_on(ARRAY, GRID), EnhancedOptions(edit=edit))
        assert reason(revision_of(paths)) == code


def test_what_is_wrong_is_known_before_a_pixel_is_read(tmp_path: Path) -> None:
    """The layout needs headers only: files whose pixels are gone have one too."""
    revision = series(tmp_path)
    headers = read_headers(revision.instances)
    for instance in revision.instances:
        instance.path.unlink()
    layout = lay_out(headers)
    assert layout.arrangement.grid.same_as(GRID)
    assert len(layout.frames) == 6
