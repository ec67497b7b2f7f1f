"""Planes become one lattice, or a named reason; order and spacing come from positions alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from inference.errors import ReasonCode, UnsupportedGeometry
from inference.slices import SlicePlane, arrange, plane_of

MATRIX = (4, 5)


def planes_at(offsets_mm: Sequence[float], shear_mm: float = 0.0) -> list[SlicePlane]:
    """Make axial planes at heights; each millimetre upwards shifts them back by ``shear_mm``."""
    return [
        SlicePlane(np.array([0.0, shear_mm * z, z]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 0.5, 0.75)
        for z in offsets_mm
    ]


def refusal(planes: Sequence[SlicePlane]) -> str:
    with pytest.raises(UnsupportedGeometry) as caught:
        arrange(planes, MATRIX)
    return caught.value.code


def test_order_comes_from_positions() -> None:
    """Slices are sorted along the normal, whatever order they came in."""
    arrangement = arrange(planes_at([4, 0, 6, 2]), MATRIX)
    assert arrangement.sources == (1, 3, 0, 2)
    assert arrangement.grid.shape == (4, *MATRIX)
    assert arrangement.grid.spacing_mm == pytest.approx((2.0, 0.5, 0.75))
    np.testing.assert_allclose(arrangement.grid.origin_mm, [0, 0, 0])
    np.testing.assert_allclose(arrangement.grid.to_lps((3, 2, 4)), [4 * 0.75, 2 * 0.5, 6])


def test_gantry_tilt_is_a_sheared_lattice() -> None:
    """The step from slice to slice keeps its in-plane part, and the voxel volume is right."""
    grid = arrange(planes_at([0, 2, 4], shear_mm=0.3), MATRIX).grid
    np.testing.assert_allclose(grid.steps_mm[:, 0], [0, 0.6, 2])
    assert grid.voxel_volume_ml == pytest.approx(2 * 0.5 * 0.75 / 1000)


@pytest.mark.parametrize("missing", [1, 3, 5])
def test_one_missing_slice_has_its_place(missing: int) -> None:
    """The lattice stays uniform; the slice that is not there has no source."""
    heights = [float(z) for z in range(7) if z != missing]
    arrangement = arrange(planes_at(heights), MATRIX)
    assert arrangement.grid.shape[0] == 7
    assert [index for index, source in enumerate(arrangement.sources) if source is None] == [missing]
    assert arrangement.grid.spacing_mm[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("heights", "code"),
    [
        ([0, 1, 2, 4, 5, 7, 8, 9], ReasonCode.GAP),
        ([0, 1, 2, 5, 6, 7], ReasonCode.GAP),
        ([0, 0, 1, 1, 2, 2], ReasonCode.REPEATED_POSITION),
        ([0, 1, 1.001, 2, 3], ReasonCode.REPEATED_POSITION),
        ([0, 1, 2.4, 3.4, 4.4], ReasonCode.NON_UNIFORM),
        ([0, 4, 8, 12, 19, 26, 33], ReasonCode.NON_UNIFORM),
        ([0, 1, 2, 2.4, 3.4, 4.4], ReasonCode.NON_UNIFORM),
    ],
)
def test_what_is_no_lattice_is_named(heights: list[float], code: ReasonCode) -> None:
    """More missing slices, repeated and uneven positions each have their own reason."""
    assert refusal(planes_at(heights)) == code


def test_rounded_positions_are_no_gap() -> None:
    """Positions written with two decimals are still a uniform lattice."""
    heights = [round(index * 0.896, 2) for index in range(100)]
    assert None not in arrange(planes_at(heights), MATRIX).sources


def test_drift_is_not_uniform() -> None:
    """Steps that each pass but add up to a bent row are refused."""
    planes = planes_at(range(50))
    bent = [
        replace(plane, position_mm=plane.position_mm + np.array([0.002 * i**2, 0, 0]))
        for i, plane in enumerate(planes)
    ]
    assert refusal(bent) == ReasonCode.NON_UNIFORM


def test_turned_and_stretched_slices_are_named() -> None:
    """All slices must be parallel and of one pixel spacing."""
    planes = planes_at([0, 1, 2])
    turned = replace(planes[1], along_row=np.array([0.999, 0.0447, 0]), along_column=np.array([-0.0447, 0.999, 0]))
    assert refusal([planes[0], turned, planes[2]]) == ReasonCode.MIXED_ORIENTATION
    assert refusal([planes[0], replace(planes[1], row_mm=0.6), planes[2]]) == ReasonCode.MIXED_MATRIX


def image(**changes: object) -> Dataset:
    data_set = Dataset()
    data_set.ImagePositionPatient = [1, 2, 3]
    data_set.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data_set.PixelSpacing = [0.5, 0.75]
    for keyword, value in changes.items():
        setattr(data_set, keyword, value)
    return data_set


def test_a_plane_is_read() -> None:
    """Row direction comes first in ImageOrientationPatient, row spacing first in PixelSpacing."""
    plane = plane_of(image())
    assert plane is not None
    assert (plane.row_mm, plane.column_mm) == (0.5, 0.75)
    np.testing.assert_array_equal(plane.along_row, [1, 0, 0])
    np.testing.assert_array_equal(plane.normal, [0, 0, 1])


@pytest.mark.parametrize(
    "changes",
    [
        {"ImagePositionPatient": None},
        {"ImageOrientationPatient": [1, 0, 0]},
        {"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]},
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
        {"PixelSpacing": [0, 1]},
        {"PixelSpacing": [-1, 1]},
        {"PixelSpacing": None},
    ],
)
def test_a_plane_that_makes_no_sense_is_none(changes: dict[str, object]) -> None:
    """Absent, too short, degenerate or impossible geometry is no geometry."""
    assert plane_of(image(**changes)) is None
