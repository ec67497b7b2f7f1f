"""Labels on the source grid are exactly those of interpolated logits, however the grids lie."""

from __future__ import annotations

import numpy as np
import pytest

import inference.postprocess
from inference.domain.geometry import Grid
from inference.errors import ModelContractViolated
from inference.postprocess import postprocess
from tests.support.model_packages import make_spec
from tests.support.synthetic_series import axial_grid

NETWORK = Grid((9, 8, 10), np.array([-8.0, 7.0, 9.0]), np.array([[2.0, 0, 0], [0, 0, -2.0], [0, -2.0, 0]]))
SPEC = make_spec(labels=4, shape=NETWORK.shape)


def smooth_logits(seed: int = 0) -> np.ndarray:
    """Make logits with regions of one class and borders between them."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 10, (5, 3))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in NETWORK.shape], indexing="ij"), axis=-1)
    distance = np.linalg.norm(index[None] - centres[:, None, None, None], axis=-1)
    return (-distance + rng.normal(0, 0.3, distance.shape))[np.newaxis].astype(np.float32)


def brute_force(logits: np.ndarray, source: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate every class at every voxel in float64; also tell how clear each decision was."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in source.shape], indexing="ij"), axis=-1)
    at = NETWORK.to_index(source.to_lps(index))
    size = np.array(NETWORK.shape)
    inside = ((at >= -0.5) & (at <= size - 0.5)).all(axis=-1)
    clamped = np.clip(at, 0, size - 1)
    low = np.minimum(np.floor(clamped).astype(int), size - 2)
    part = clamped - low
    total = np.zeros((*source.shape, logits.shape[1]))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=-1)
        d, h, w = np.moveaxis(low + corner, -1, 0)
        total += weight[..., None] * np.moveaxis(logits[0], 0, -1)[d, h, w]
    two_best = np.sort(total, axis=-1)[..., -2:]
    return np.where(inside, total.argmax(axis=-1), 0), two_best[..., 1] - two_best[..., 0]


@pytest.mark.parametrize("shear", [0.0, 0.5])
@pytest.mark.parametrize("chunk", [50, 2**18])
def test_labels_are_those_of_full_interpolation(shear: float, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deciding cells whose corners agree without interpolation changes nothing, in chunks or not."""
    monkeypatch.setattr(inference.postprocess, "CHUNK_POINTS", chunk)
    steps = np.array([[0.1, 0, 0.9], [shear, 0.8, 0.1], [1.1, 0.05, 0]])
    source = Grid((22, 24, 23), -steps @ np.array([11.03, 12.01, 11.02]), steps)
    logits = smooth_logits()
    labels = postprocess(logits, NETWORK, source, SPEC)
    expected, clearness = brute_force(logits, source)
    clear = clearness > 1e-4
    assert labels.dtype == np.uint8
    assert labels.shape == source.shape
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(labels[clear], expected[clear])
    assert len(np.unique(labels)) == 5


def test_the_same_grid_gives_the_argmax() -> None:
    """Without resampling the labels are the network's own."""
    logits = smooth_logits(1)
    np.testing.assert_array_equal(postprocess(logits, NETWORK, NETWORK, SPEC), logits[0].argmax(axis=0))


def test_outside_the_field_of_view_is_background() -> None:
    """The network says nothing about what it did not see, beyond half a voxel around."""
    logits = np.zeros((1, 5, *NETWORK.shape), dtype=np.float32)
    logits[:, 3] = 1
    labels = postprocess(logits, NETWORK, axial_grid((60, 60, 60), (1.0, 1.0, 1.0)), SPEC)
    assert set(np.unique(labels)) == {0, 3}
    voxels = int((labels == 3).sum())
    assert voxels == pytest.approx(np.prod(NETWORK.shape) * 8, rel=0.01)


def test_far_away_is_all_background() -> None:
    """A source that the field of view does not touch has no labels."""
    far = Grid((3, 3, 3), np.array([900.0, 0, 0]), np.eye(3))
    assert not postprocess(smooth_logits(), NETWORK, far, SPEC).any()


def test_logits_of_another_shape_are_refused() -> None:
    """A graph that says more or fewer classes than the manifest is not interpreted."""
    with pytest.raises(ModelContractViolated):
        postprocess(smooth_logits()[:, :4], NETWORK, NETWORK, SPEC)
