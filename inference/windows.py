"""Where a sliding window stands, and how much each of its voxels counts."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

SIGMA_OF_SIDE: Final = 0.125
"""Width of the Gaussian, as a part of the window's side (MONAI ``compute_importance_map``, nnU-Net
``compute_gaussian``)."""

LEAST_WEIGHT: Final = 1e-3
"""Corners count at least this much, so that what only they cover is not divided by almost nothing (MONAI)."""

Shape = tuple[int, int, int]
Region = tuple[slice, slice, slice]


class Window(NamedTuple):
    """One standing of the window.

    Parameters
    ----------
    seen
        What it covers.
    nearest
        The part of it whose voxels are nearer to its centre than to that of any other window.
    """

    seen: Region
    nearest: Region


def stand(shape: Shape, window: Shape, overlap: float) -> list[Window]:
    """Stand a window everywhere in a grid, with even steps and at least the wanted overlap.

    Parameters
    ----------
    shape
        Voxels of the grid, at least those of the window.
    window
        Voxels of the window.
    overlap
        Part of its side that the next one shares, 0 to below 1.

    Returns
    -------
    list of Window
        In array order; together the ``nearest`` parts are the grid, each voxel once.
    """
    axes = []
    for size, side in zip(shape, window, strict=True):
        starts = _starts(size, side, overlap)
        borders = [0, *((one + next_ + side) // 2 for one, next_ in pairwise(starts)), size]
        seen = [slice(start, start + side) for start in starts]
        nearest = [slice(low, high) for low, high in pairwise(borders)]
        axes.append(list(zip(seen, nearest, strict=True)))
    return [Window((d[0], h[0], w[0]), (d[1], h[1], w[1])) for d, h, w in product(*axes)]


def _starts(size: int, side: int, overlap: float) -> list[int]:
    """Spread starts evenly, as few as keep the overlap (nnU-Net ``compute_steps_for_sliding_window``)."""
    longest = max(1, int(side * (1 - overlap)))
    steps = -(-(size - side) // longest)
    return [round(number * (size - side) / steps) for number in range(steps + 1)] if steps else [0]


def importance(window: Shape) -> NDArray[np.float32]:
    """Weigh a window's voxels by a Gaussian about its centre, 1 there, so that windows blend without a seam.

    Parameters
    ----------
    window
        Voxels of the window.

    Returns
    -------
    float32 ndarray of that shape
    """
    slices, rows, columns = (_bell(side) for side in window)
    weights = slices[:, None, None] * rows[:, None] * columns
    return np.maximum(weights, LEAST_WEIGHT).astype(np.float32)


def _bell(side: int) -> NDArray[np.float64]:
    from_centre = np.arange(side) - (side - 1) / 2
    bell: NDArray[np.float64] = np.exp(-0.5 * (from_centre / (SIGMA_OF_SIDE * side)) ** 2)
    return bell
