"""Connected parts of a mask, which hang together by faces: the largest, and those too small to be believed."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def largest_part(mask: Mask) -> Mask:
    """Give the voxels of the largest part; none where there is none.

    Parameters
    ----------
    mask : (slices, rows, columns) bool ndarray
    """
    result = np.zeros_like(mask)
    box = _box(mask)
    if box is not None:
        by_size = sitk.RelabelComponent(_components(mask[box]), sortByObjectSize=True)
        result[box] = sitk.GetArrayFromImage(by_size) == 1
    return result


def small_parts(mask: Mask, fewest_voxels: float) -> Mask:
    """Give the voxels of parts that are smaller than a number of voxels.

    Parameters
    ----------
    mask : (slices, rows, columns) bool ndarray
        A segment.
    fewest_voxels
        A part of at least this many stays.

    Returns
    -------
    (slices, rows, columns) bool ndarray
    """
    result = np.zeros_like(mask)
    box = _box(mask)
    if box is None:
        return result
    parts = sitk.GetArrayFromImage(_components(mask[box]))
    too_small = np.bincount(parts.ravel()) < fewest_voxels
    too_small[0] = False
    result[box] = too_small[parts]
    return result


def _box(mask: Mask) -> tuple[slice, ...] | None:
    """Give the bounds outside of which nothing needs to be searched; None where the mask is empty."""
    occupied = [np.flatnonzero(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    if not len(occupied[0]):
        return None
    return tuple(slice(int(where[0]), int(where[-1]) + 1) for where in occupied)


def _components(mask: Mask) -> sitk.Image:
    numbered: sitk.Image = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)))
    return numbered
