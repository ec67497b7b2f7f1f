"""Sampling between lattices keeps things where they are in the patient."""

from __future__ import annotations

import numpy as np
import pytest

from inference.domain.geometry import Grid
from inference.resampling import axis_directions, covering_grid, sample
from tests.support.synthetic_series import axial_grid


def linear_field(grid: Grid) -> np.ndarray:
    """Give a value at every voxel that is linear in patient space, which trilinear sampling must keep exactly."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    return (grid.to_lps(index) @ [1.0, 2.0, -3.0] + 100).astype(np.float32)


def oblique(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], shear: float = 0.0) -> Grid:
    """Give a lattice turned about all three axes, around the patient origin."""
    turn, _ = np.linalg.qr(np.array([[1.0, 0.3, -0.2], [0.25, 1.0, 0.1], [0.1, -0.3, 1.0]]))
    steps = turn * spacing_mm
    steps[:, 0] += shear * steps[:, 1]
    return Grid(shape, -steps @ ((np.array(shape) - 1) / 2), steps)


@pytest.mark.parametrize("shear", [0.0, 0.4])
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (2.0, 0.7, 0.9), (0.5, 0.5, 0.5)])
def test_a_linear_field_stays_what_it_is(spacing_mm: tuple[float, float, float], shear: float) -> None:
    """Whatever turn, spacing or shear, each target voxel gets the value of its place."""
    source = oblique((40, 50, 60), spacing_mm, shear)
    target = axial_grid((4, 5, 6), (2.0, 2.0, 2.0))
    values = sample(linear_field(source), source, target)
    np.testing.assert_allclose(values, linear_field(target), atol=1e-3)


def test_outside_is_the_lowest_value() -> None:
    """Where the volume does not reach, there is background; also where it does not reach at all."""
    source = axial_grid((8, 8, 8))
    array = np.full(source.shape, 7, dtype=np.float32)
    array[0, 0, 0] = -5
    values = sample(array, source, axial_grid((20, 20, 20)))
    assert values[0, 0, 0] == values[-1, -1, -1] == -5
    assert values[10, 10, 10] == 7
    far = Grid((4, 4, 4), np.array([500.0, 500, 500]), np.eye(3))
    np.testing.assert_array_equal(sample(array, source, far), -5)


def test_coarser_sampling_averages() -> None:
    """A pattern finer than the target does not alias into it."""
    source = axial_grid((32, 32, 32), (1.0, 1.0, 1.0))
    checks = (np.indices(source.shape).sum(axis=0) % 2 * 100).astype(np.float32)
    inner = axial_grid((6, 6, 6), (2.0, 2.0, 2.0))
    np.testing.assert_allclose(sample(checks, source, inner), 50, atol=1e-3)


@pytest.mark.parametrize("orientation", ["LIA", "RAS", "PSL", "AIR"])
def test_a_covering_grid_covers(orientation: str) -> None:
    """Every voxel of the source lies inside, and the axes run as the letters say."""
    source = oblique((10, 20, 30), (3.0, 1.0, 0.5), shear=0.3)
    grid = covering_grid(source, orientation, 4.0)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in source.shape])).reshape(3, -1).T
    index = grid.to_index(source.to_lps(corners))
    assert (index > -0.5).all()
    assert (index < np.array(grid.shape) - 0.5).all()
    np.testing.assert_allclose(grid.steps_mm, axis_directions(orientation) * 4.0)


def test_letters_are_directions_in_lps() -> None:
    """L, P and S are the positive axes."""
    np.testing.assert_array_equal(axis_directions("LPS"), np.eye(3))
    np.testing.assert_array_equal(axis_directions("LIA"), [[1, 0, 0], [0, 0, -1], [0, -1, 0]])
