"""Connected parts of a segment: what is too small to be believed is left out."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def small_parts(mask: Mask, fewest_voxels: float) -> Mask:
    """Give the voxels of parts that are smaller than a number of voxels.

    Parameters
    ----------
    mask : (slices, rows, columns) bool ndarray
        A segment; parts hang together by faces.
    fewest_voxels
        A part of at least this many stays.

    Returns
    -------
    (slices, rows, columns) bool ndarray
    """
    result = np.zeros_like(mask)
    occupied = [np.flatnonzero(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    if not len(occupied[0]):
        return result
    box = tuple(slice(int(where[0]), int(where[-1]) + 1) for where in occupied)
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask[box].astype(np.uint8))))
    too_small = np.bincount(parts.ravel()) < fewest_voxels
    too_small[0] = False
    result[box] = too_small[parts]
    return result
