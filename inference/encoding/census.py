"""Counting what was drawn once, slice by slice, for the contours and for the check before delivery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.domain.masks import Masks, labelled_voxels


@dataclass(frozen=True, eq=False)
class Census:
    """Where the voxels of each label are.

    Parameters
    ----------
    counts : (slices, 256) int64 ndarray
        Voxels of each label value on each slice.
    index_sums : (slices, 256, 2) float64 ndarray
        Sums of their row and column indices.
    """

    counts: NDArray[np.int64]
    index_sums: NDArray[np.float64]

    def total(self, label: int, slices: NDArray[np.intp]) -> tuple[int, NDArray[np.float64]]:
        """Give the voxel count of a label on some slices and the sum of its (slice, row, column) indices."""
        counts = self.counts[slices, label]
        rows, columns = self.index_sums[slices, label].sum(axis=0)
        return int(counts.sum()), np.array([(counts * slices).sum(), rows, columns], dtype=np.float64)


def take_census(masks: Masks, slices: int) -> Census:
    """Count label map or masks.

    Parameters
    ----------
    masks
        What was drawn.
    slices
        Number of slices.
    """
    counts = np.zeros((slices, 256), dtype=np.int64)
    sums = np.zeros((slices, 256, 2))
    for index in range(slices):
        values, *where = labelled_voxels(masks, index)
        counts[index] = np.bincount(values, minlength=256)
        for axis in (0, 1):
            sums[index, :, axis] = np.bincount(values, weights=where[axis], minlength=256)
    return Census(counts, sums)
