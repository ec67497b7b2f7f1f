"""The outline of a box on one slice, as SR coordinates; the box may lie obliquely to the slices."""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.hull import convex_hull

MIN_AREA_PX: Final = 1e-3
"""Anything smaller is no area: a box beside the image, one that is flat, a corner that is none."""

Points = NDArray[np.float64]


def box_outline(corners: Points, slice_index: int, shape: tuple[int, int]) -> Points | None:
    """Cut a box with a slice, or look at it from above where it lies between two slices.

    Parameters
    ----------
    corners : (8, 3) float64 ndarray
        Fractional (slice, row, column) indices, in any order; of a point, or of nothing, none.
    slice_index
        The slice.
    shape
        Rows and columns of the image; what lies outside is drawn on its edge.

    Returns
    -------
    (n, 2) float64 ndarray or None
        Closed polyline of ``(column, row)`` as in ``Contour``; None where nothing of the box can be seen.
    """
    if len(corners) == 0:
        return None
    for points in (_section(corners, slice_index), corners[:, 1:]):
        rows_columns = np.clip(points + 0.5, 0, shape)
        outline = convex_hull(rows_columns[:, ::-1].round(8), MIN_AREA_PX)
        if _area(outline) > MIN_AREA_PX:
            return np.concatenate([outline, outline[:1]])
    return None


def _section(corners: Points, slice_index: int) -> Points:
    """Give points (row, column) on the slice whose hull is the cut: every line between corners that crosses it."""
    height = corners[:, 0] - slice_index
    crossing = [
        corners[a] + (corners[b] - corners[a]) * (height[a] / (height[a] - height[b]))
        for a, b in combinations(range(len(corners)), 2)
        if height[a] * height[b] < 0
    ]
    return np.array([*crossing, *corners[height == 0]]).reshape(-1, 3)[:, 1:]


def _area(polygon: Points) -> float:
    """Shoelace formula over an open polygon."""
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
