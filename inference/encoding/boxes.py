"""The outline of a box on one slice, as SR coordinates; the box may lie obliquely to the slices."""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

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
        outline = _hull(rows_columns[:, ::-1])
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


def _hull(points: Points) -> Points:
    """Give the corners of the convex hull in order (Andrew's monotone chain)."""
    ordered = sorted(set(map(tuple, points.round(8).tolist())))
    return np.array(_chain(ordered)[:-1] + _chain(ordered[::-1])[:-1]).reshape(-1, 2)


def _chain(ordered: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    chain: list[tuple[float, ...]] = []
    for x, y in ordered:
        while len(chain) > 1 and _turn(chain[-2], chain[-1], (x, y)) <= MIN_AREA_PX:
            chain.pop()
        chain.append((x, y))
    return chain


def _turn(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _area(polygon: Points) -> float:
    """Shoelace formula over an open polygon."""
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
