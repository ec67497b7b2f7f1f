"""From the network's logits to labels on the source grid, exactly and in bounded memory.

The label of a source voxel is the class with the largest trilinearly interpolated logit. Logits of all classes on the
source grid would need gigabytes, and are not needed: where the eight network voxels around a point agree on the
largest class, every weighted mean of them does too, so only the cells on borders between classes are interpolated.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.domain.geometry import FloatArray, Grid
from inference.ports import Tensor
from inference.resampling import nearest

MIXED: Final = 255
"""Marks a cell whose eight corners do not agree."""

CHUNK_POINTS: Final = 2**14
"""Border voxels interpolated at a time: with a score of classes they stay in a processor's cache."""

Labels = NDArray[np.uint8]
Points = NDArray[np.float64]


def upsample_labels(logits: Tensor, network_grid: Grid, source_grid: Grid) -> Labels:
    """Label every voxel of the source grid.

    Parameters
    ----------
    logits : (classes, D, H, W) float32 or float16 ndarray
        At most 256 classes; class 0 is background. It is only read, and copied only near borders between classes.
    network_grid
        Where the logits lie.
    source_grid
        Where labels are wanted; may be oblique or sheared.

    Returns
    -------
    (slices, rows, columns) uint8 ndarray
        Class numbers; 0 farther than half a voxel outside the logits' grid.
    """
    cells = _agreeing_cells(_largest_class(logits))
    labels = nearest(_with_open_rim(cells), _cell_grid(network_grid), source_grid)
    border = _Border(logits, cells, source_grid.index_map_to(network_grid))
    for index, plane in enumerate(labels):
        rows, columns = np.nonzero(plane == MIXED)
        for start in range(0, len(rows), CHUNK_POINTS):
            chunk = slice(start, start + CHUNK_POINTS)
            plane[rows[chunk], columns[chunk]] = border.labels(index, rows[chunk], columns[chunk])
    return labels


def _largest_class(logits: Tensor) -> Labels:
    """Give the first class with the largest logit, plane by plane, which a cache holds."""
    result = np.zeros(logits.shape[1:], dtype=np.uint8)
    for index, labels in enumerate(result):
        best = logits[0, index].astype(np.float32)
        for value in range(1, len(logits)):
            candidate = logits[value, index].astype(np.float32, copy=False)
            labels[candidate > best] = value
            np.maximum(best, candidate, out=best)
    return result


def _agreeing_cells(largest: Labels) -> Labels:
    """Give each cell between eight voxels their common class, or MIXED.

    Edge voxels are repeated once around, so that the outer half voxel has a cell as well: cell (0, 0, 0) lies before
    voxel (0, 0, 0).
    """
    padded = np.pad(largest, 1, mode="edge")
    depth, height, width = padded.shape
    corners = [padded[d : depth - 1 + d, h : height - 1 + h, w : width - 1 + w] for d, h, w in np.ndindex(2, 2, 2)]
    cells = corners[0].copy()
    for corner in corners[1:]:
        cells[corner != corners[0]] = MIXED
    return cells


def _with_open_rim(cells: Labels) -> Labels:
    """Leave the outermost cells undecided: half of each lies outside the grid."""
    opened = np.full_like(cells, MIXED)
    opened[1:-1, 1:-1, 1:-1] = cells[1:-1, 1:-1, 1:-1]
    return opened


def _cell_grid(network_grid: Grid) -> Grid:
    """Give the grid of the cells' centres, half a voxel before the voxels'."""
    slices, rows, columns = network_grid.shape
    return Grid((slices + 1, rows + 1, columns + 1), network_grid.to_lps((-0.5, -0.5, -0.5)), network_grid.steps_mm)


class _Border:
    """Decides the voxels that lie in mixed cells, or on the rim of the grid.

    Parameters
    ----------
    logits : (classes, D, H, W) ndarray
        Those at corners of mixed cells are copied, so that a voxel's classes lie side by side.
    cells : (D + 1, H + 1, W + 1) uint8 ndarray
        As of ``_agreeing_cells``.
    index_map
        Matrix and offset from the source grid's indices to those of the logits.
    """

    def __init__(self, logits: Tensor, cells: Labels, index_map: tuple[FloatArray, FloatArray]) -> None:
        self._cells = cells
        self._matrix, offset = index_map
        self._offset = offset + 1  # counted in cells
        self._shape = np.array(logits.shape[1:])[:, np.newaxis]
        voxels = np.flatnonzero(_touches_mixed(cells))
        self._row_of_voxel = np.zeros(int(self._shape.prod()), dtype=np.int32)
        self._row_of_voxel[voxels] = np.arange(len(voxels), dtype=np.int32)
        self._rows = np.empty((len(voxels), len(logits)), dtype=np.float32)
        flat = logits.reshape(len(logits), -1)
        for start in range(0, len(voxels), CHUNK_POINTS):
            chunk = slice(start, start + CHUNK_POINTS)
            self._rows[chunk] = flat[:, voxels[chunk]].T

    def labels(self, index: int, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Labels:
        """Label voxels of one source slice."""
        along = self._matrix[:, :, np.newaxis]
        points = (
            along[:, 1] * rows + along[:, 2] * columns + (self._offset + self._matrix[:, 0] * index)[:, np.newaxis]
        )
        inside = np.flatnonzero(((points >= 0.5) & (points <= self._shape + 0.5)).all(axis=0))
        cells = np.minimum(points[:, inside].astype(np.intp), self._shape)
        found = self._cells[tuple(cells)]
        mixed = np.flatnonzero(found == MIXED)
        found[mixed] = self._interpolated(points[:, inside[mixed]], cells[:, mixed])
        labels = np.zeros(points.shape[1], dtype=np.uint8)
        labels[inside] = found
        return labels

    def _interpolated(self, points: Points, cells: NDArray[np.intp]) -> Labels:
        """Interpolate all classes at points and give the largest."""
        high = (points - cells).astype(np.float32)
        sides = (1 - high, high)
        corners = [np.clip(cells - 1 + step, 0, self._shape - 1) for step in (0, 1)]
        _, height, width = self._shape[:, 0]
        total = np.zeros((points.shape[1], self._rows.shape[1]), dtype=np.float32)
        for d, h, w in np.ndindex(2, 2, 2):
            weights = sides[d][0] * sides[h][1] * sides[w][2]
            voxels = (corners[d][0] * height + corners[h][1]) * width + corners[w][2]
            total += self._rows[self._row_of_voxel[voxels]] * weights[:, np.newaxis]
        labels: Labels = total.argmax(axis=1).astype(np.uint8)
        return labels


def _touches_mixed(cells: Labels) -> NDArray[np.bool_]:
    """Tell which voxels are corners of a mixed cell."""
    mixed = cells == MIXED
    depth, height, width = mixed.shape
    result = np.zeros((depth - 1, height - 1, width - 1), dtype=np.bool_)
    for d, h, w in np.ndindex(2, 2, 2):
        result |= mixed[d : depth - 1 + d, h : height - 1 + h, w : width - 1 + w]
    return result
