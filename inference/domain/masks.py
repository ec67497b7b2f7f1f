"""The two forms in which structures are drawn, a label map or masks that may overlap; nothing else asks which."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Masks: TypeAlias = NDArray[np.uint8] | NDArray[np.bool_]
"""(slices, rows, columns) uint8 label map, 0 background, or (labels, slices, rows, columns) bool masks in order of
label value, which then counts up from 1."""


def plane(masks: Masks, slice_index: int, label_value: int) -> NDArray[np.bool_]:
    """Give where a label is on one slice.

    Returns
    -------
    (rows, columns) bool ndarray
    """
    if masks.ndim == 4:
        overlapping: NDArray[np.bool_] = masks[label_value - 1, slice_index]
        return overlapping
    exclusive: NDArray[np.bool_] = masks[slice_index] == label_value
    return exclusive


def labelled_voxels(masks: Masks, slice_index: int) -> tuple[NDArray[np.integer], NDArray[np.intp], NDArray[np.intp]]:
    """List the labelled voxels of one slice; one with several labels is there once for each.

    Returns
    -------
    values, rows, columns : (n,) ndarrays
        Label value and indices of each.
    """
    if masks.ndim == 4:
        numbers, rows, columns = np.nonzero(masks[:, slice_index])
        return numbers + 1, rows, columns
    rows, columns = np.nonzero(masks[slice_index])
    return masks[slice_index][rows, columns], rows, columns


def foreground(masks: Masks) -> NDArray[np.bool_]:
    """Give where any label is.

    Returns
    -------
    (slices, rows, columns) bool ndarray
    """
    drawn = masks.astype(np.bool_, copy=False)
    union: NDArray[np.bool_] = np.logical_or.reduce(drawn, axis=0) if drawn.ndim == 4 else drawn
    return union


def without(masks: Masks, label_values: Collection[int]) -> Masks:
    """Give a copy in which some labels are nowhere."""
    left = masks.copy()
    if masks.ndim == 4:
        left[[value - 1 for value in label_values]] = False
    else:
        left[np.isin(masks, list(label_values))] = 0
    return left


def overlap(masks: Masks) -> bool:
    """Tell whether any voxel has several labels."""
    return masks.ndim == 4 and any(
        np.count_nonzero(here) > np.count_nonzero(here.any(axis=0)) for here in masks.swapaxes(0, 1)
    )
