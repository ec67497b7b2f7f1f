"""The convex hull of points in a plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def convex_hull(points: Points, least_turn: float = 0.0) -> Points:
    """Give the corners of the convex hull in order around it (Andrew's monotone chain).

    Parameters
    ----------
    points : (n, 2) float64 ndarray
        In any order; equal ones count once.
    least_turn
        A corner that encloses no more than this area with its neighbours, doubled, is none.
    """
    ordered = np.unique(points, axis=0).tolist()
    sides = _chain(ordered, least_turn)[:-1] + _chain(ordered[::-1], least_turn)[:-1]
    return np.array(sides).reshape(-1, 2)


def _chain(ordered: list[list[float]], least_turn: float) -> list[list[float]]:
    """Go along one side of the hull: every corner turns the same way."""
    corners: list[list[float]] = []
    for x, y in ordered:
        while len(corners) > 1:
            (x0, y0), (x1, y1) = corners[-2:]
            if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > least_turn:
                break
            corners.pop()
        corners.append([x, y])
    return corners
