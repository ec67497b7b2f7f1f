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
from inference.domain.model_spec import ModelSpec
from inference.errors import ModelContractViolated

MIXED: Final = 255
"""Marks a cell whose eight corners do not agree."""

CHUNK_POINTS: Final = 2**18
"""Border voxels interpolated at a time: a few tens of MB."""

Labels = NDArray[np.uint8]
Logits = NDArray[np.float32]


def postprocess(logits: Logits, network_grid: Grid, source_grid: Grid, spec: ModelSpec) -> Labels:
    """Label every voxel of the source grid.

    Parameters
    ----------
    logits : (1, classes, D, H, W) float32 ndarray
        The graph's output; class 0 is background.
    network_grid
        Where the logits lie.
    source_grid
        Where labels are wanted; may be oblique or sheared.
    spec
        The model.

    Returns
    -------
    (slices, rows, columns) uint8 ndarray
        Label values; 0 outside the network's field of view.

    Raises
    ------
    ModelContractViolated
        If the logits do not have the shape that the model promises.
    """
    expected = (1, len(spec.labels) + 1, *network_grid.shape)
    if logits.shape != expected:
        raise ModelContractViolated(f"the output is {logits.shape}, the manifest promises {expected}")
    classes_last = np.ascontiguousarray(np.moveaxis(logits[0], 0, -1))
    return _Upsampler(classes_last, source_grid.index_map_to(network_grid)).labels(source_grid.shape)


class _Upsampler:
    """Interpolates logits at the voxels of another grid.

    Parameters
    ----------
    logits : (D, H, W, classes) float32 ndarray
        Edge voxels are repeated once around, so that the outer half voxel has a cell as well.
    index_map
        Matrix and offset from the wanted grid's indices to those of the logits.
    """

    def __init__(self, logits: Logits, index_map: tuple[FloatArray, FloatArray]) -> None:
        self._logits = np.pad(logits, ((1, 1), (1, 1), (1, 1), (0, 0)), mode="edge")
        self._matrix, offset = index_map
        self._offset = offset + 1
        self._cells = _agreeing_cells(self._logits.argmax(axis=-1).astype(np.uint8))

    def labels(self, shape: tuple[int, int, int]) -> Labels:
        """Label a grid slice by slice."""
        result = np.zeros(shape, dtype=np.uint8)
        rows, columns = np.meshgrid(np.arange(shape[1]), np.arange(shape[2]), indexing="ij")
        within_slice = np.stack([rows, columns], axis=-1).reshape(-1, 2) @ self._matrix[:, 1:].T + self._offset
        axis_by_axis = np.ascontiguousarray(within_slice.T)  # all that follows is per axis
        for index in range(shape[0]):
            points = axis_by_axis + (self._matrix[:, 0] * index)[:, np.newaxis]
            result[index] = self._label(points).reshape(shape[1:])
        return result

    def _label(self, points: FloatArray) -> Labels:
        """Label points, a (3, n) array of fractional indices of the padded logits."""
        size = np.array(self._cells.shape)[:, np.newaxis]
        inside = np.flatnonzero(((points >= 0.5) & (points <= size - 0.5)).all(axis=0))
        labels = np.zeros(points.shape[1], dtype=np.uint8)
        cells = np.minimum(points[:, inside].astype(np.intp), size - 1)
        found = self._cells[tuple(cells)]
        mixed = np.flatnonzero(found == MIXED)
        for start in range(0, len(mixed), CHUNK_POINTS):
            chosen = mixed[start : start + CHUNK_POINTS]
            found[chosen] = self._interpolated(points[:, inside[chosen]], cells[:, chosen])
        labels[inside] = found
        return labels

    def _interpolated(self, points: FloatArray, cells: NDArray[np.intp]) -> Labels:
        """Interpolate all classes at points and give the largest."""
        _, height, width, classes = self._logits.shape
        flat = self._logits.reshape(-1, classes)
        base = (cells[0] * height + cells[1]) * width + cells[2]
        high = (points - cells).astype(np.float32)
        sides = (1 - high, high)
        total = np.zeros((points.shape[1], classes), dtype=np.float32)
        for corner in np.ndindex(2, 2, 2):
            weights = sides[corner[0]][0] * sides[corner[1]][1] * sides[corner[2]][2]
            shift = (corner[0] * height + corner[1]) * width + corner[2]
            total += flat[base + shift] * weights[:, np.newaxis]
        labels: Labels = total.argmax(axis=1).astype(np.uint8)
        return labels


def _agreeing_cells(largest: Labels) -> Labels:
    """Give each cell between eight voxels their common class, or MIXED."""
    depth, height, width = largest.shape
    corners = [largest[d : depth - 1 + d, h : height - 1 + h, w : width - 1 + w] for d, h, w in np.ndindex(2, 2, 2)]
    agree = np.logical_and.reduce([corner == corners[0] for corner in corners[1:]])
    return np.where(agree, corners[0], np.uint8(MIXED))
