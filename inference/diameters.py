"""How long and how broad a structure is on the slice where it is largest, as a reader would measure it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.domain.masks import Masks, plane
from inference.domain.volume import Volume
from inference.hull import convex_hull
from inference.parts import largest_part

Points = NDArray[np.float64]


def long_and_short_axis(masks: Masks, label_value: int, volume: Volume) -> tuple[float, float]:
    """Measure the largest connected part on the slice where a structure has most voxels.

    Of slices that a source image shows, if any shows it: a report draws the outline there.

    Parameters
    ----------
    masks
        What was drawn.
    label_value
        Which structure; it has at least one voxel.
    volume
        Where the voxels lie.

    Returns
    -------
    tuple of float
        The greatest distance of two points of its outline, and its greatest extent perpendicular to that, mm. The
        outline runs half-way between its pixels and their neighbours.
    """
    largest = plane(masks, _largest_slice(masks, label_value, volume), label_value)
    outline = _outermost(largest_part(largest[np.newaxis])[0]) * np.array(volume.grid.spacing_mm[1:])
    corners = convex_hull(outline)
    between = corners[:, np.newaxis] - corners
    lengths = np.hypot(between[..., 0], between[..., 1])
    first, second = np.unravel_index(int(lengths.argmax()), lengths.shape)
    long_mm = float(lengths[first, second])
    row, column = between[first, second] / long_mm
    across = corners @ np.array([-column, row])
    return long_mm, float(np.ptp(across))


def _largest_slice(masks: Masks, label_value: int, volume: Volume) -> int:
    """Give the first slice with most voxels; what no source image shows counts only where there is nothing else."""

    def size(index: int) -> tuple[bool, int]:
        voxels = int(np.count_nonzero(plane(masks, index, label_value)))
        return voxels > 0 and volume.frames[index] is not None, voxels

    return max(range(volume.grid.shape[0]), key=size)


def _outermost(mask: NDArray[np.bool_]) -> Points:
    """Give the ends of every row and column of a mask, as (row, column) half a pixel outside the last centres."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    across, down = mask[rows], mask[:, columns]
    left, right = across.argmax(axis=1), mask.shape[1] - 1 - across[:, ::-1].argmax(axis=1)
    top, bottom = down.argmax(axis=0), mask.shape[0] - 1 - down[::-1].argmax(axis=0)
    ends = [(rows, left - 0.5), (rows, right + 0.5), (top - 0.5, columns), (bottom + 0.5, columns)]
    return np.concatenate([np.stack(pair, axis=-1) for pair in ends])
