"""Planes become one lattice, or a named reason; order and spacing come from positions alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from inference.domain.model_spec import SliceRule
from inference.errors import ReasonCode, UnsupportedGeometry
from inference.slices import SlicePlane, arrange, plane_from

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


def test_as_many_slices_may_be_missing_as_the_rule_accepts() -> None:
    """Each has its place, wherever the gaps are; one more is refused, and the reason counts them."""
    heights = [0.0, 1, 2, 5, 6, 8, 9]
    arrangement = arrange(planes_at(heights), MATRIX, SliceRule(missing_slices=3))
    assert arrangement.sources == (0, 1, 2, None, None, 3, 4, None, 5, 6)
    assert arrangement.grid.shape[0] == 10
    with pytest.raises(
        UnsupportedGeometry, match=r"missing inside the volume: 3; the model wants at most 2"
    ) as caught:
        arrange(planes_at(heights), MATRIX, SliceRule(missing_slices=2))
    assert caught.value.code == ReasonCode.GAP


def test_uneven_slices_are_taken_as_far_as_the_rule_accepts_and_their_error_is_told() -> None:
    """The lattice is even, and it is known how far a slice lies from its place on it."""
    heights = [0.0, 2, 4.2, 6.2, 8.2]
    assert refusal(planes_at(heights)) == ReasonCode.NON_UNIFORM
    arrangement = arrange(planes_at(heights), MATRIX, SliceRule(spacing_deviation=0.15))
    assert arrangement.grid.spacing_mm[0] == pytest.approx(2.05)
    assert arrangement.error_mm == pytest.approx(0.1)
    assert arrange(planes_at([0, 2, 4]), MATRIX).error_mm == pytest.approx(0.0, abs=1e-9)


def test_distances_that_alternate_are_no_gaps() -> None:
    """With as many long steps as short ones, the short ones decide what is missing."""
    with pytest.raises(UnsupportedGeometry, match="missing inside the volume: 2") as caught:
        arrange(planes_at([0, 1, 3, 4, 6]), MATRIX)
    assert caught.value.code == ReasonCode.GAP


ORIENTATION = (1.0, 0, 0, 0, 1.0, 0)


def test_a_plane_is_read() -> None:
    """Row direction comes first in ImageOrientationPatient, row spacing first in PixelSpacing."""
    plane = plane_from((1, 2, 3), ORIENTATION, (0.5, 0.75))
    assert plane is not None
    assert (plane.row_mm, plane.column_mm) == (0.5, 0.75)
    np.testing.assert_array_equal(plane.along_row, [1, 0, 0])
    np.testing.assert_array_equal(plane.normal, [0, 0, 1])


@pytest.mark.parametrize(
    ("position", "orientation", "spacing"),
    [
        (None, ORIENTATION, (1, 1)),
        ((0, 0, 0), None, (1, 1)),
        ((0, 0, 0), ORIENTATION, None),
        ((0, 0, 0), (0, 0, 0, 0, 0, 0), (1, 1)),
        ((0, 0, 0), (1, 0, 0, 1, 0, 0), (1, 1)),
        ((0, 0, 0), (2, 0, 0, 0, 1, 0), (1, 1)),
        ((0, 0, 0), ORIENTATION, (0, 1)),
        ((0, 0, 0), ORIENTATION, (-1, 1)),
    ],
)
def test_a_plane_that_makes_no_sense_is_none(
    position: Sequence[float] | None, orientation: Sequence[float] | None, spacing: Sequence[float] | None
) -> None:
    """Absent, degenerate or impossible geometry is no geometry."""
    assert plane_from(position, orientation, spacing) is None
