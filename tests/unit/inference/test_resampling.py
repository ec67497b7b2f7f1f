"""Sampling between lattices keeps things where they are in the patient."""

from __future__ import annotations

import numpy as np
import pytest

import inference.resampling
from inference.domain.geometry import Grid
from inference.resampling import axis_directions, covering_grid, interpolate, nearest, sample
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


def test_a_grid_that_covers_is_not_larger_for_rounding() -> None:
    """A volume of the wanted spacing and directions is covered by its own voxels, although no binary is 0.3."""
    source = axial_grid((30, 70, 90), (0.3, 0.7, 0.9))
    assert covering_grid(source, "SPL", (0.3, 0.7, 0.9)).same_as(source)


def test_axes_may_have_spacings_of_their_own() -> None:
    """Each letter with its spacing."""
    grid = covering_grid(axial_grid((30, 20, 10)), "LIA", (1.0, 2.0, 5.0))
    assert grid.shape == (10, 15, 4)
    np.testing.assert_allclose(grid.spacing_mm, (1.0, 2.0, 5.0))


def test_thick_slices_stay_apart() -> None:
    """Where target and source have the same thick slices, each keeps its values, however fine its rows are."""
    grid = axial_grid((6, 20, 20), (4.0, 1.0, 1.0))
    values = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
    np.testing.assert_allclose(sample(values, grid, grid), values, atol=1e-5)


def test_slab_by_slab_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large target is sampled in pieces, without a seam."""
    source = oblique((40, 50, 60), (1.0, 0.8, 0.9), shear=0.2)
    values = np.random.default_rng(0).normal(size=source.shape).astype(np.float32)
    target = axial_grid((21, 10, 12), (2.0, 2.0, 2.0))
    at_once = sample(values, source, target)
    monkeypatch.setattr(inference.resampling, "SLAB_SAMPLES", 10 * 12 * 8 * 4)
    np.testing.assert_allclose(sample(values, source, target), at_once, atol=1e-5)


def test_nearest_and_interpolated_agree_on_where_the_grid_ends() -> None:
    """Half a voxel around is inside, where the edge voxels stand for it; beyond there is nothing."""
    source = axial_grid((4, 5, 6), (2.0, 2.0, 2.0))
    ones = np.ones(source.shape, dtype=np.uint8)
    target = oblique((30, 30, 30), (0.9, 0.8, 0.7))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in target.shape], indexing="ij"), axis=-1)
    at = source.to_index(target.to_lps(index))
    inside = ((at >= -0.5) & (at <= np.array(source.shape) - 0.5)).all(axis=-1)
    np.testing.assert_array_equal(nearest(ones, source, target), inside)
    np.testing.assert_allclose(interpolate(ones.astype(np.float32), source, target), inside)


def test_interpolation_between_voxels_is_linear() -> None:
    """A field that is linear in the patient stays what it is, turned and sheared."""
    source = oblique((20, 20, 20), (2.0, 1.5, 1.7), shear=0.3)
    target = axial_grid((5, 6, 7), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(interpolate(linear_field(source), source, target), linear_field(target), atol=1e-3)
