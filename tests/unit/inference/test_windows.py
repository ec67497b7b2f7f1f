"""A window stands everywhere, with the wanted overlap, and its middle counts most."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.windows import LEAST_WEIGHT, importance, stand


def starts_along(size: int, side: int, overlap: float) -> list[int]:
    return [window.seen[0].start for window in stand((size, 4, 4), (side, 4, 4), overlap)]


@pytest.mark.parametrize(
    ("size", "side", "overlap", "expected"),
    [
        (64, 64, 0.5, [0]),
        (65, 64, 0.5, [0, 1]),
        (128, 64, 0.5, [0, 32, 64]),
        (110, 64, 0.5, [0, 23, 46]),
        (128, 64, 0.0, [0, 64]),
        (129, 64, 0.0, [0, 32, 65]),
        (5, 1, 0.5, [0, 1, 2, 3, 4]),
        (10, 8, 0.9, [0, 1, 2]),
    ],
)
def test_windows_are_as_few_as_keep_the_overlap(size: int, side: int, overlap: float, expected: list[int]) -> None:
    """And as even as whole voxels allow, as nnU-Net places them."""
    assert starts_along(size, side, overlap) == expected


sides = st.integers(1, 9)


@settings(deadline=None, derandomize=True)
@given(data=st.data(), window=st.tuples(sides, sides, sides), overlap=st.floats(0, 0.94))
def test_every_voxel_belongs_to_the_window_with_the_nearest_centre(
    data: st.DataObject, window: tuple[int, int, int], overlap: float
) -> None:
    """Exactly one; the window sees it; and no other window's centre is nearer."""
    shape = tuple(data.draw(st.integers(side, side + 12)) for side in window)
    owner = np.full(shape, -1)
    windows = stand((shape[0], shape[1], shape[2]), window, overlap)
    for number, one in enumerate(windows):
        assert (owner[one.nearest] == -1).all()
        owner[one.nearest] = number
        for seen, nearest, side in zip(one.seen, one.nearest, window, strict=True):
            assert seen.start <= nearest.start < nearest.stop <= seen.stop == seen.start + side
    assert (owner >= 0).all()
    centres = np.array([[(axis.start + axis.stop - 1) / 2 for axis in one.seen] for one in windows])
    voxels = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.abs(voxels[:, None] - centres[None]).sum(axis=-1)
    np.testing.assert_allclose(distance[np.arange(len(voxels)), owner.ravel()], distance.min(axis=1))


@settings(deadline=None, derandomize=True)
@given(size=st.integers(1, 60), side=st.integers(1, 30), overlap=st.floats(0, 0.94))
def test_neighbours_share_at_least_what_is_wanted(size: int, side: int, overlap: float) -> None:
    """Steps are at most what the overlap leaves, and one voxel at least."""
    starts = starts_along(size + side, side, overlap)
    assert np.diff(starts).max() <= max(1, side * (1 - overlap))
    assert np.diff(starts).min() >= 1


@pytest.mark.parametrize("window", [(8, 16, 5), (1, 64, 64)])
def test_the_middle_counts_most_and_the_corners_a_little(window: tuple[int, int, int]) -> None:
    """A Gaussian of an eighth of each side, clamped so that nothing is divided by almost nothing."""
    weights = importance(window)
    assert weights.dtype == np.float32
    index = np.stack(np.meshgrid(*[np.arange(n) for n in window], indexing="ij"), axis=-1)
    offset = (index - (np.array(window) - 1) / 2) / (np.array(window) / 8)
    expected = np.maximum(np.exp(-(offset**2).sum(axis=-1) / 2), LEAST_WEIGHT)
    np.testing.assert_allclose(weights, expected, rtol=1e-5)
    np.testing.assert_array_equal(weights, weights[::-1, ::-1, ::-1])
