"""From the volumes of the channels to one tensor on the network's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from inference.domain.geometry import Grid
from inference.domain.model_spec import ChannelSpec, IntensitySpec, Layout, ModelSpec, Normalisation, Placement
from inference.domain.volume import Volume
from inference.preprocess import preprocess
from tests.support.model_packages import make_spec
from tests.support.synthetic_series import axial_grid

GRID = axial_grid((20, 24, 28), (2.0, 2.0, 2.0))
WEIGHTS = np.array([1.0, 10.0, 100.0])


def volume_of(array: np.ndarray, grid: Grid) -> Volume:
    return Volume(array.astype(np.float32), grid, (None,) * grid.shape[0])


def linear_field(grid: Grid, factor: float = 1.0) -> Volume:
    """Make a volume that is linear in patient space."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    return volume_of(factor * grid.to_lps(index) @ WEIGHTS, grid)


def sliding(shape: tuple[int, int, int], *scaling: Normalisation, layout: Layout = Layout.VOLUME) -> ModelSpec:
    """Make a model with a sliding window and a channel for each scaling."""
    spec = make_spec(shape=shape)
    first = spec.channels[0]
    channels = tuple(ChannelSpec(str(n), first.selection, IntensitySpec(one)) for n, one in enumerate(scaling))
    wanted = replace(spec.preprocess, orientation="SPL", placement=Placement.SLIDING)
    return replace(spec, channels=channels, preprocess=wanted, graph=replace(spec.graph, layout=layout))


def test_the_grid_is_the_undo() -> None:
    """The tensor's voxels lie where the grid says: a field that is linear in space comes out as such."""
    network = preprocess([linear_field(GRID)], make_spec(shape=(8, 10, 9)))
    assert network.tensor.shape == (1, 1, 8, 10, 9)
    assert network.tensor.dtype == np.float32
    at = network.grid.to_lps((3, 5, 7)) @ WEIGHTS
    assert network.tensor[0, 0, 3, 5, 7] == pytest.approx(at, abs=0.1)


def test_each_channel_is_sampled_from_its_own_grid_and_scaled_by_its_own_numbers() -> None:
    """A second series of other voxels, turned, is laid on the first by patient coordinates."""
    turn, _ = np.linalg.qr(np.array([[1.0, 0.3, -0.2], [0.25, 1.0, 0.1], [0.1, -0.3, 1.0]]))
    steps = turn @ np.diag([1.5, 1.2, 3.0])
    other = Grid((60, 80, 40), -steps @ np.array([29.5, 39.5, 19.5]), steps)
    spec = sliding((8, 8, 8), Normalisation.NONE, Normalisation.MINMAX, Normalisation.NONE)
    network = preprocess([linear_field(GRID), linear_field(GRID), linear_field(other, -2)], spec)
    first, second, third = network.tensor[0]
    np.testing.assert_array_equal(first, linear_field(GRID).array)
    np.testing.assert_allclose(second, (first - first.min()) / np.ptp(first), atol=1e-5)
    np.testing.assert_allclose(third, -2 * first, atol=0.5)


def test_a_missing_channel_is_zero_after_scaling() -> None:
    """Not the scaled value of zero, for there is nothing to scale."""
    spec = sliding((8, 8, 8), Normalisation.NONE, Normalisation.FIXED)
    tensor = preprocess([linear_field(GRID), None], spec).tensor
    assert tensor[0, 0].any()
    assert not tensor[0, 1].any()


def test_a_volume_smaller_than_the_window_is_surrounded_by_zeros() -> None:
    """As MONAI and nnU-Net do it: after scaling, half of them before it, and they do not count in the scale."""
    volume = linear_field(GRID)
    network = preprocess([volume], sliding((32, 24, 31), Normalisation.ZSCORE))
    assert network.grid.shape == (32, 24, 31)
    inner = network.tensor[0, 0, 6:26, :, 1:29]
    np.testing.assert_allclose(inner, (volume.array - volume.array.mean()) / volume.array.std(), atol=1e-4)
    assert np.count_nonzero(network.tensor) == np.count_nonzero(inner)
    np.testing.assert_allclose(network.grid.to_lps((6, 0, 1)), GRID.origin_mm)


def test_slices_are_padded_in_their_plane_only() -> None:
    """A window of one slice has no need of more slices than there are."""
    network = preprocess([linear_field(GRID)], sliding((1, 32, 16), Normalisation.NONE, layout=Layout.SLICE))
    assert network.grid.shape == (20, 32, 28)


@pytest.mark.parametrize("volumes", [[], [None], [linear_field(GRID)] * 2])
def test_there_is_one_volume_per_channel_and_a_reference(volumes: Sequence[Volume | None]) -> None:
    """Anything else is a defect of the caller."""
    with pytest.raises(ValueError, match="one volume per channel"):
        preprocess(volumes, make_spec())
