"""The field of view is put on the brain, whatever way the volume lies, and a thing that is no head is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from inference.domain.geometry import Grid
from inference.domain.model_spec import ModelSpec, Normalisation, Placement
from inference.domain.volume import Volume
from inference.errors import ImplausibleResult, ReasonCode
from inference.preprocess import find_brain_centre, preprocess
from tests.support.model_packages import make_spec
from tests.support.synthetic_series import axial_grid

CENTRE_MM = np.array([6.0, -9.0, 20.0])
SEMI_AXES_MM = np.array([75.0, 95.0, 90.0])


def volume_of(array: np.ndarray, grid: Grid) -> Volume:
    return Volume(array.astype(np.float32), grid, (None,) * grid.shape[0])


def ellipsoid(grid: Grid, semi_axes_mm: Any = SEMI_AXES_MM, brightness: float = 100) -> Volume:
    """Draw a head: an ellipsoid with a neck below, in air with a little noise."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    offset = grid.to_lps(index) - CENTRE_MM
    inside = ((offset / semi_axes_mm) ** 2).sum(axis=-1) <= 1
    neck = (np.hypot(offset[..., 0], offset[..., 1] - 20) < 0.5 * semi_axes_mm[0]) & (offset[..., 2] < 0)
    noise = np.random.default_rng(0).normal(0, 2, grid.shape)
    return volume_of((inside | neck) * brightness + noise, grid)


def turned(grid: Grid) -> Grid:
    """Turn a lattice in place: sagittal slices from left to right, slightly oblique."""
    turn, _ = np.linalg.qr(np.array([[0.05, 1.0, 0.1], [0.1, -0.05, 1.0], [1.0, 0.05, -0.1]]))
    steps = turn @ np.diag([1, -1, 1]) @ grid.steps_mm
    return Grid(grid.shape, -steps @ ((np.array(grid.shape) - 1) / 2), steps)


UPRIGHT = axial_grid((60, 64, 64), (4.0, 4.0, 4.0))


@pytest.mark.parametrize("grid", [UPRIGHT, turned(UPRIGHT), axial_grid((90, 60, 50), (2.5, 4.0, 4.5))])
def test_the_brain_centre_is_found_in_patient_space(grid: Grid) -> None:
    """78 mm below the top, in the middle of the upper head; the neck does not pull it down."""
    centre = find_brain_centre(ellipsoid(grid))
    expected = CENTRE_MM + np.array([0, 0, SEMI_AXES_MM[2] - 78])
    assert np.abs(centre - expected)[:2].max() <= 5
    assert abs(centre[2] - expected[2]) <= 8


def test_the_scale_of_values_does_not_matter() -> None:
    """Brightness and offset, as of CT, change nothing."""
    volume = ellipsoid(UPRIGHT)
    shifted = volume_of(volume.array * 20 - 1000, UPRIGHT)
    np.testing.assert_allclose(find_brain_centre(shifted), find_brain_centre(volume))


def slab() -> np.ndarray:
    array = np.zeros(UPRIGHT.shape)
    array[5:50, 5:60, 30:38] = 100
    return array


def thin_pole() -> np.ndarray:
    """Draw a pole too thin to have a top; it has the volume of a head only because it is long."""
    array = np.zeros((400, 12, 12))
    array[:, 4:8, 4:8] = 100
    return array


@pytest.mark.parametrize(
    "volume",
    [
        volume_of(np.zeros(UPRIGHT.shape), UPRIGHT),
        volume_of(np.full(UPRIGHT.shape, 100), UPRIGHT),
        ellipsoid(UPRIGHT, (40, 40, 40)),
        volume_of(slab(), UPRIGHT),
        volume_of(thin_pole(), axial_grid((400, 12, 12), (4.0, 4.0, 4.0))),
        ellipsoid(axial_grid((60, 64, 64), (4.0, 40.0, 4.0))),
    ],
    ids=["nothing", "everything", "too small", "a slab", "a pole", "a field of view of two metres and more"],
)
def test_what_is_no_head_is_refused(volume: Volume) -> None:
    """Not a number, but the reason that there is no head."""
    with pytest.raises(ImplausibleResult) as caught:
        find_brain_centre(volume)
    assert caught.value.code == ReasonCode.HEAD_NOT_FOUND


def spec_with(**changes: Any) -> ModelSpec:
    spec = make_spec(shape=(16, 24, 20))
    return replace(spec, preprocess=replace(spec.preprocess, **changes))


def test_the_grid_is_the_undo() -> None:
    """The tensor's voxels lie where the grid says: a field that is linear in space comes out as such."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in UPRIGHT.shape], indexing="ij"), axis=-1)
    field = UPRIGHT.to_lps(index) @ [1.0, 10.0, 100.0]
    network = preprocess(volume_of(field, UPRIGHT), spec_with())
    assert network.tensor.shape == (1, 1, 16, 24, 20)
    assert network.tensor.dtype == np.float32
    at = network.grid.to_lps((3, 5, 7)) @ [1.0, 10.0, 100.0]
    assert network.tensor[0, 0, 3, 5, 7] == pytest.approx(at, abs=0.1)
    np.testing.assert_allclose(network.grid.to_lps((7.5, 11.5, 9.5)), [0, 0, 0], atol=1e-9)


def test_a_head_model_looks_at_the_head() -> None:
    """The field of view is centred on what was found."""
    network = preprocess(ellipsoid(UPRIGHT), spec_with(placement=Placement.HEAD))
    np.testing.assert_allclose(network.grid.to_lps((7.5, 11.5, 9.5)), find_brain_centre(ellipsoid(UPRIGHT)))


def test_zscore_has_mean_zero_and_deviation_one() -> None:
    """Over the field of view."""
    tensor = preprocess(ellipsoid(UPRIGHT), spec_with(shape=(80, 80, 96), normalisation=Normalisation.ZSCORE)).tensor
    assert tensor.mean() == pytest.approx(0, abs=1e-4)
    assert tensor.std() == pytest.approx(1, abs=1e-4)


def test_minmax_runs_from_zero_to_one() -> None:
    """Over the field of view, after clipping."""
    wanted = {"shape": (80, 80, 96), "normalisation": Normalisation.MINMAX}
    tensor = preprocess(ellipsoid(UPRIGHT), spec_with(**wanted)).tensor
    assert (tensor.min(), tensor.max()) == (0, 1)


def test_the_bright_end_is_clipped() -> None:
    """A few very bright voxels, e.g. of a vessel, do not set the scale."""
    volume = ellipsoid(UPRIGHT)
    volume.array[30, 32, 32] = 1e6
    tensor = preprocess(volume, spec_with(shape=(80, 80, 96), clip_percentile=99.9)).tensor
    assert tensor.max() < 1e4


@pytest.mark.parametrize("normalisation", list(Normalisation))
def test_a_constant_field_of_view_is_finite(normalisation: Normalisation) -> None:
    """Nothing is divided by zero."""
    volume = volume_of(np.full(UPRIGHT.shape, 5), UPRIGHT)
    assert np.isfinite(preprocess(volume, spec_with(normalisation=normalisation)).tensor).all()
