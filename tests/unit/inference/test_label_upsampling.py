"""Labels on the source grid are exactly those of interpolated logits, however the grids lie."""

from __future__ import annotations

import numpy as np
import pytest

import inference.label_upsampling
from inference.domain.geometry import Grid
from inference.label_upsampling import upsample_labels
from tests.support.synthetic_series import axial_grid

NETWORK = Grid((9, 8, 10), np.array([-8.0, 7.0, 9.0]), np.array([[2.0, 0, 0], [0, 0, -2.0], [0, -2.0, 0]]))


def smooth_logits(seed: int = 0) -> np.ndarray:
    """Make logits with regions of one class and borders between them."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 10, (5, 3))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in NETWORK.shape], indexing="ij"), axis=-1)
    distance = np.linalg.norm(index[None] - centres[:, None, None, None], axis=-1)
    return (-distance + rng.normal(0, 0.3, distance.shape)).astype(np.float32)


def brute_force(logits: np.ndarray, source: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate every class at every voxel in float64; also tell how clear each decision was."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in source.shape], indexing="ij"), axis=-1)
    at = NETWORK.to_index(source.to_lps(index))
    size = np.array(NETWORK.shape)
    inside = ((at >= -0.5) & (at <= size - 0.5)).all(axis=-1)
    clamped = np.clip(at, 0, size - 1)
    low = np.minimum(np.floor(clamped).astype(int), size - 2)
    part = clamped - low
    total = np.zeros((*source.shape, len(logits)))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=-1)
        d, h, w = np.moveaxis(low + corner, -1, 0)
        total += weight[..., None] * np.moveaxis(logits, 0, -1)[d, h, w]
    two_best = np.sort(total, axis=-1)[..., -2:]
    return np.where(inside, total.argmax(axis=-1), 0), two_best[..., 1] - two_best[..., 0]


@pytest.mark.parametrize("shear", [0.0, 0.5])
@pytest.mark.parametrize("chunk", [50, 2**18])
def test_labels_are_those_of_full_interpolation(shear: float, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deciding cells whose corners agree without interpolation changes nothing, in chunks or not."""
    monkeypatch.setattr(inference.label_upsampling, "CHUNK_POINTS", chunk)
    steps = np.array([[0.1, 0, 0.9], [shear, 0.8, 0.1], [1.1, 0.05, 0]])
    source = Grid((22, 24, 23), -steps @ np.array([11.03, 12.01, 11.02]), steps)
    logits = smooth_logits()
    labels = upsample_labels(logits, NETWORK, source)
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
    np.testing.assert_array_equal(upsample_labels(logits, NETWORK, NETWORK), logits.argmax(axis=0))


def test_outside_the_field_of_view_is_background() -> None:
    """The network says nothing about what it did not see, beyond half a voxel around."""
    logits = np.zeros((5, *NETWORK.shape), dtype=np.float32)
    logits[3] = 1
    labels = upsample_labels(logits, NETWORK, axial_grid((60, 60, 60), (1.0, 1.0, 1.0)))
    assert set(np.unique(labels)) == {0, 3}
    voxels = int((labels == 3).sum())
    assert voxels == pytest.approx(np.prod(NETWORK.shape) * 8, rel=0.01)


def test_far_away_is_all_background() -> None:
    """A source that the field of view does not touch has no labels."""
    far = Grid((3, 3, 3), np.array([900.0, 0, 0]), np.eye(3))
    assert not upsample_labels(smooth_logits(), NETWORK, far).any()


def test_half_precision_decides_as_single_precision_does() -> None:
    """The numbers are fewer, what is done with them is the same."""
    source = axial_grid((22, 24, 23), (0.9, 0.8, 1.1))
    half = smooth_logits(2).astype(np.float16)
    np.testing.assert_array_equal(
        upsample_labels(half, NETWORK, source), upsample_labels(half.astype(np.float32), NETWORK, source)
    )


def test_as_many_classes_as_a_byte_has_values() -> None:
    """The mark of a border is also the number of the last class."""
    logits = np.zeros((256, 6, 6, 6), dtype=np.float32)
    logits[255, :3] = logits[254, 3:] = 1
    grid = axial_grid((6, 6, 6), (2.0, 2.0, 2.0))
    labels = upsample_labels(logits, grid, axial_grid((24, 12, 12), (0.5, 1.0, 1.0)))
    assert set(np.unique(labels)) == {254, 255}
    assert (labels[:12] == 255).all()


def test_the_logits_are_left_alone() -> None:
    """They may be large, and somebody else may read them."""
    logits = smooth_logits(3)
    logits.setflags(write=False)
    upsample_labels(logits, NETWORK, NETWORK)
