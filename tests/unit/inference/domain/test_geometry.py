"""A grid puts every voxel at one place in the patient, whatever its orientation and shear."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.domain.geometry import Grid

SKEW = np.array([[0.3, 0.1, 0.9], [0.2, 1.1, -0.1], [2.5, -0.2, 0.1]])
TILTED = Grid((4, 5, 6), np.array([-10.0, 20.0, 30.0]), SKEW)
"""A sheared, oblique lattice: no step is at right angles to another."""

numbers = st.floats(-2.0, 2.0)
matrices = st.lists(numbers, min_size=9, max_size=9).map(lambda values: np.reshape(values, (3, 3)))


def upright(shape: tuple[int, int, int] = (4, 5, 6), spacing: tuple[float, float, float] = (2.0, 1.5, 0.5)) -> Grid:
    """Give an axial lattice at the patient's origin: slices along z, rows along y, columns along x."""
    steps = np.zeros((3, 3))
    steps[2, 0], steps[1, 1], steps[0, 2] = spacing
    return Grid(shape, np.zeros(3), steps)


def test_indices_are_slice_row_column_and_positions_x_y_z() -> None:
    """The one place where the two orders meet."""
    np.testing.assert_allclose(upright().to_lps((1, 2, 3)), (1.5, 3.0, 2.0))
    np.testing.assert_allclose(TILTED.to_lps((0, 0, 0)), TILTED.origin_mm)
    for axis in range(3):
        step = TILTED.to_lps(np.eye(3)[axis]) - TILTED.origin_mm
        np.testing.assert_allclose(step, SKEW[:, axis])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(matrix=matrices, origin=st.tuples(*[st.floats(-500, 500)] * 3), index=st.tuples(*[st.floats(-50, 600)] * 3))
def test_there_and_back(
    matrix: np.ndarray, origin: tuple[float, float, float], index: tuple[float, float, float]
) -> None:
    """A lattice that is not flat gives back the index it was given, sheared ones too."""
    steps = matrix + 8 * np.eye(3)
    grid = Grid((4, 5, 6), np.array(origin), steps)
    np.testing.assert_allclose(grid.to_index(grid.to_lps(index)), index, atol=1e-7)


def test_many_points_at_once() -> None:
    """The last axis holds the coordinates; all others are kept."""
    indices = np.random.default_rng(0).uniform(0, 5, (2, 7, 3))
    positions = TILTED.to_lps(indices)
    assert positions.shape == (2, 7, 3)
    np.testing.assert_allclose(positions[1, 4], TILTED.to_lps(indices[1, 4]))
    np.testing.assert_allclose(TILTED.to_index(positions), indices, atol=1e-9)


def test_spacing_is_the_length_of_a_step() -> None:
    """Along slices it is the way to the neighbour, not the distance of the planes."""
    assert upright().spacing_mm == (2.0, 1.5, 0.5)
    assert TILTED.spacing_mm == pytest.approx(np.sqrt((SKEW**2).sum(axis=0)))


def test_shear_changes_no_volume() -> None:
    """A tilted gantry moves slices along themselves; their contents stay as large as they are."""
    straight = upright()
    steps = straight.steps_mm.copy()
    steps[1, 0] = 1.7
    sheared = Grid(straight.shape, straight.origin_mm, steps)
    assert straight.voxel_volume_ml == pytest.approx(0.0015)
    assert sheared.voxel_volume_ml == pytest.approx(straight.voxel_volume_ml)
    assert sheared.spacing_mm[0] > straight.spacing_mm[0]


def test_a_mirrored_lattice_has_a_positive_volume() -> None:
    """Left-handed axes are ordinary."""
    assert Grid((2, 2, 2), np.zeros(3), np.diag([1.0, 2.0, -3.0])).voxel_volume_ml == pytest.approx(0.006)


def test_the_map_to_another_grid_goes_through_the_patient() -> None:
    """Index here → position → index there, in one affine map."""
    other = upright()
    matrix, offset = TILTED.index_map_to(other)
    for index in ((0, 0, 0), (3, 4, 5), (1.5, 0.25, 2)):
        np.testing.assert_allclose(matrix @ index + offset, other.to_index(TILTED.to_lps(index)), atol=1e-12)
    matrix, offset = TILTED.index_map_to(TILTED)
    np.testing.assert_allclose(matrix, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(offset, 0, atol=1e-12)


def test_grids_are_the_same_when_their_corners_are() -> None:
    """A step that is off by little is off by much at the far end."""
    one = upright((100, 100, 100))
    moved = Grid(one.shape, one.origin_mm + 0.0009, one.steps_mm)
    stretched = Grid(one.shape, one.origin_mm, one.steps_mm * 1.0001)
    assert one.same_as(one)
    assert one.same_as(moved)
    assert not one.same_as(Grid(one.shape, one.origin_mm + 0.0011, one.steps_mm))
    assert not one.same_as(stretched)
    assert one.same_as(stretched, tolerance_mm=0.02)
    assert not one.same_as(upright((100, 100, 99)))


def test_a_grid_keeps_its_own_numbers() -> None:
    """Nobody changes a grid through the arrays it was made of, nor through those it gives."""
    origin, steps = np.zeros(3), np.eye(3)
    grid = Grid((2, 2, 2), origin, steps)
    origin[0] = steps[0, 0] = 99.0
    np.testing.assert_array_equal(grid.to_lps((1, 0, 0)), (1, 0, 0))
    for kept in (grid.origin_mm, grid.steps_mm):
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = 5.0


@pytest.mark.parametrize(
    ("shape", "origin", "steps"),
    [
        ((0, 2, 2), np.zeros(3), np.eye(3)),
        ((2, 2), np.zeros(3), np.eye(3)),
        ((2, 2, 2, 2), np.zeros(3), np.eye(3)),
        ((2, 2, 2), np.zeros(2), np.eye(3)),
        ((2, 2, 2), np.zeros(3), np.eye(4)),
        ((2, 2, 2), np.array([0, np.nan, 0]), np.eye(3)),
        ((2, 2, 2), np.zeros(3), np.diag([1, 1, np.inf])),
        ((2, 2, 2), np.zeros(3), np.diag([1.0, 1.0, 0.0])),
        ((2, 2, 2), np.zeros(3), np.ones((3, 3))),
    ],
    ids=["empty", "2-D", "4-D", "origin", "steps", "NaN", "infinite", "flat", "parallel"],
)
def test_what_is_no_lattice_is_refused(shape: tuple[int, int, int], origin: np.ndarray, steps: np.ndarray) -> None:
    """Better no grid than one on which every position is nonsense."""
    with pytest.raises(ValueError, match="a grid"):
        Grid(shape, origin, steps)
