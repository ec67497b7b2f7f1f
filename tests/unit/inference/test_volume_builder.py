"""A series becomes one volume in patient space, or a named reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

import inference.volume_builder
from inference.domain.geometry import Grid
from inference.domain.identifiers import UID
from inference.domain.study import SeriesRevision
from inference.domain.volume import Volume
from inference.errors import ReasonCode, StudyError
from inference.reading import read_headers
from inference.volume_builder import build_volume
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

GRID = axial_grid((6, 5, 7), (2.0, 1.0, 0.5))
ARRAY = np.random.default_rng(0).integers(0, 1000, GRID.shape)


def series(folder: Path, options: SeriesOptions | None = None, grid: Grid = GRID) -> SeriesRevision:
    return revision_of(write_series(folder, ARRAY[: grid.shape[0]], grid, options or SeriesOptions()))


def built(revision: SeriesRevision) -> Volume:
    return build_volume(revision, read_headers(revision.instances))


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
    upwards = sorted(headers, key=lambda header: header.ImagePositionPatient[2])
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


def test_headers_must_match_the_instances(tmp_path: Path) -> None:
    """A caller's mistake is not a fault of the study."""
    revision = series(tmp_path)
    with pytest.raises(ValueError, match="one header per instance"):
        build_volume(revision, read_headers(revision.instances)[1:])
