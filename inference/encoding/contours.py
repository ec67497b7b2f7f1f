"""The outline of a structure on one slice, as SR coordinates.

OHIF blanks the viewport on a measurement group that has no image coordinates, so every finding gets the contour on
the slice where it is largest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

MAX_POINTS: Final = 8000
"""Points of one contour: Graphic Data is an FL, whose length field holds at most 65534 bytes (PS3.5 7.1.2)."""


@dataclass(frozen=True, eq=False)
class Contour:
    """A closed polyline.

    Parameters
    ----------
    points : (n, 2) float64 ndarray
        ``(column, row)`` pairs, the last equal to the first. The origin is the top left-hand corner of the top
        left-hand pixel, so that the centre of pixel (row r, column c) is at (c + 0.5, r + 0.5)
        (PS3.3 section C.18.6, Graphic Data).
    area_px
        Enclosed area in pixels; holes count as inside, as they do for whoever sees the line.
    """

    points: NDArray[np.float64]
    area_px: float


def outline(mask: NDArray[np.bool_]) -> Contour:
    """Draw around the largest connected part of a mask, half-way between its pixels and their neighbours.

    Parameters
    ----------
    mask : (rows, columns) bool ndarray
        The structure on one slice; at least one pixel.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    rows, columns = np.nonzero(mask)
    if rows.size == 0:
        raise ValueError("an empty mask has no outline")
    top, left = rows.min(), columns.min()
    cropped = np.pad(mask[top : rows.max() + 1, left : columns.max() + 1].astype(np.float64), 1)
    filled = contour_generator(z=cropped, fill_type=FillType.OuterOffset).filled(0.5, 2.0)
    polygons, offsets = cast("tuple[list[NDArray[np.float64]], list[NDArray[np.uint32]]]", filled)
    outer = [points[: offset[1]] for points, offset in zip(polygons, offsets, strict=True)]
    shift = np.array([left, top]) - 1 + 0.5
    largest = max(outer, key=_area)
    points = _thin(_without_collinear(largest + shift))
    return Contour(points, _area(points))


def _area(closed: NDArray[np.float64]) -> float:
    """Shoelace formula over a closed polyline, from its first point for the sake of precision."""
    x, y = (closed - closed[0]).T
    return float(abs(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1])) / 2)


def _without_collinear(closed: NDArray[np.float64]) -> NDArray[np.float64]:
    ring = closed[:-1]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    corner = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) > 1e-9
    corners = ring[corner]
    return np.concatenate([corners, corners[:1]])


def _thin(closed: NDArray[np.float64]) -> NDArray[np.float64]:
    step = -(-len(closed) // MAX_POINTS)
    kept = closed[:-1:step]
    return np.concatenate([kept, kept[:1]])
