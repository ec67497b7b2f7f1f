"""The field of view is put on the brain, whatever way the volume lies, and a thing that is no head is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import inference.placement
from inference.domain.geometry import Grid
from inference.domain.model_spec import Layout, ModelSpec, OutputKind, Placement
from inference.domain.volume import Volume
from inference.errors import ImplausibleResult, ReasonCode, UnsupportedPixelData
from inference.placement import find_brain_centre, place
from inference.resampling import axis_directions
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


def spec_with(output: OutputKind = OutputKind.LABEL_MAP_LOGITS, **changes: Any) -> ModelSpec:
    spec = make_spec(shape=(16, 24, 20))
    return replace(spec, output=output, preprocess=replace(spec.preprocess, **changes))


def slice_spec(output: OutputKind, context: int, **changes: Any) -> ModelSpec:
    spec = spec_with(output, shape=(1, 24, 20), **changes)
    return replace(spec, graph=replace(spec.graph, layout=Layout.SLICE, context_slices=context))


def corners(grid: Grid) -> np.ndarray:
    """List the outermost corners of the corner voxels."""
    return grid.to_lps(np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in grid.shape])).reshape(3, -1).T)


def test_a_head_model_looks_at_the_head() -> None:
    """The field of view is centred on what was found."""
    grid = place(ellipsoid(UPRIGHT), spec_with(placement=Placement.HEAD))
    np.testing.assert_allclose(grid.to_lps((7.5, 11.5, 9.5)), find_brain_centre(ellipsoid(UPRIGHT)))


def test_a_fixed_field_of_view_is_centred_and_has_the_models_axes() -> None:
    """Orientation, spacing and shape are the manifest's, whatever the volume's."""
    grid = place(ellipsoid(turned(UPRIGHT)), spec_with())
    assert grid.shape == (16, 24, 20)
    np.testing.assert_allclose(grid.steps_mm, axis_directions("LIA") * 2.0)
    np.testing.assert_allclose(grid.to_lps((7.5, 11.5, 9.5)), [0, 0, 0], atol=1e-9)


@pytest.mark.parametrize("source", [UPRIGHT, turned(UPRIGHT)], ids=["upright", "turned"])
def test_a_sliding_window_sees_all_of_the_volume(source: Grid) -> None:
    """Also where it lies obliquely, and with voxels of three sizes."""
    grid = place(ellipsoid(source), spec_with(placement=Placement.SLIDING, spacing_mm=(3.0, 2.0, 1.5)))
    index = grid.to_index(corners(source))
    assert (index >= -0.5 - 1e-6).all()
    assert (index <= np.array(grid.shape) - 0.5 + 1e-6).all()
    np.testing.assert_allclose(grid.steps_mm, axis_directions("LIA") * [3.0, 2.0, 1.5])


def test_a_volume_that_lies_as_the_model_wants_is_seen_voxel_by_voxel() -> None:
    """Nothing is gained by sampling between voxels: the grid is the volume's own, turned to the model's axes."""
    source = axial_grid((10, 12, 14), (0.9, 1.1, 0.7))
    grid = place(
        ellipsoid(source), spec_with(placement=Placement.SLIDING, orientation="SPL", spacing_mm=(0.9, 1.1, 0.7))
    )
    assert grid.same_as(source)


def test_slices_that_are_drawn_in_are_all_seen() -> None:
    """A 2-D network draws in every slice of the volume; the field of view is fixed in its plane only."""
    volume = ellipsoid(axial_grid((90, 60, 50), (2.5, 4.0, 4.5)))
    spec = slice_spec(OutputKind.SIGMOID, 3, placement=Placement.HEAD, orientation="SPL", spacing_mm=(2.5, 2.0, 2.0))
    grid = place(volume, spec)
    assert grid.shape == (90, 24, 20)
    centre = grid.to_lps((44.5, 11.5, 9.5))
    np.testing.assert_allclose(centre[:2], find_brain_centre(volume)[:2])
    assert centre[2] == pytest.approx(0)


def test_of_slices_that_are_looked_at_once_there_are_as_many_as_the_network_takes() -> None:
    """A 2.5-D classifier is given the slice at the centre and its true neighbours."""
    grid = place(ellipsoid(UPRIGHT), slice_spec(OutputKind.CLASSIFICATION, 5))
    assert grid.shape == (5, 24, 20)
    np.testing.assert_allclose(grid.to_lps((2, 11.5, 9.5)), [0, 0, 0], atol=1e-9)


@pytest.mark.parametrize(
    "spec",
    [
        spec_with(placement=Placement.SLIDING),
        slice_spec(OutputKind.LABEL_MAP, 1),
        spec_with(placement=Placement.SLIDING, spacing_mm=(0.1, 4.0, 4.0)),
    ],
    ids=["volume", "slices", "one fine axis"],
)
def test_a_field_of_view_that_would_fill_the_memory_is_refused(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sampled, with the reason that also refuses a volume of too many voxels."""
    monkeypatch.setattr(inference.placement, "MOST_VALUES", 2 * 20 * 24 * 64)
    with pytest.raises(UnsupportedPixelData) as caught:
        place(ellipsoid(UPRIGHT), spec)
    assert caught.value.code == ReasonCode.PIXEL_TOO_LARGE
