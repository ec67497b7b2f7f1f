"""Comparing label maps, and changing heads in ways that must not change the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.domain.geometry import Grid
from inference.domain.volume import Volume
from inference.resampling import covering_grid, sample

STRUCTURES: Final = 17

Labels = NDArray[np.uint8]
Array = NDArray[np.float32]


def dice(ours: Labels, theirs: Labels) -> NDArray[np.float64]:
    """Give the overlap of each structure, twice the common voxels over the sum of both; 1 where neither has any.

    Parameters
    ----------
    ours, theirs : uint8 ndarrays of one shape
        Label values 0..17.

    Returns
    -------
    (17,) float64 ndarray
    """
    count = STRUCTURES + 1
    joint = np.bincount(ours.ravel().astype(np.int64) * count + theirs.ravel(), minlength=count**2)
    table = joint.reshape(count, count)
    sizes = table.sum(axis=0) + table.sum(axis=1)
    both = 2.0 * np.diagonal(table)
    result: NDArray[np.float64] = np.divide(both, sizes, out=np.ones(count), where=sizes > 0)[1:]
    return result


def volumes_ml(labels: Labels, voxel_ml: float) -> NDArray[np.float64]:
    """Give the volume of each structure."""
    result: NDArray[np.float64] = np.bincount(labels.ravel(), minlength=STRUCTURES + 1)[1:] * voxel_ml
    return result


def volume_of(array: Array, grid: Grid) -> Volume:
    """Make a volume that has no source instances."""
    return Volume(array, grid, (None,) * grid.shape[0])


def changed(volume: Volume) -> Mapping[str, Volume]:
    """Give the same head as it might have been measured on another day.

    Rotated by 10 degrees about an oblique axis, resampled to 1.2 mm, at half brightness, and with Rician noise of 3 %
    of the bright end (Gudbjartsson & Patz 1995).
    """
    finer = covering_grid(volume.grid, "SPL", 1.2)
    return MappingProxyType(
        {
            "rotated by 10°": replace(volume, grid=_rotated(volume.grid, 10.0)),
            "resampled to 1.2 mm": volume_of(sample(volume.array, volume.grid, finer), finer),
            "half brightness": replace(volume, array=volume.array * np.float32(0.5)),
            "3 % noise": replace(volume, array=_noisy(volume.array, 0.03)),
        }
    )


def mirrored(volume: Volume) -> tuple[Volume, int]:
    """Give the head with left and right exchanged, and the array axis along which it was turned."""
    axis = int(np.argmax(np.abs(volume.grid.steps_mm[0]) / np.linalg.norm(volume.grid.steps_mm, axis=0)))
    return replace(volume, array=np.ascontiguousarray(np.flip(volume.array, axis))), axis


def _rotated(grid: Grid, degrees: float) -> Grid:
    """Turn the head in the scanner about the volume's centre (Rodrigues' formula)."""
    x, y, z = np.array([1.0, 1.0, 1.0]) / np.sqrt(3)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(degrees)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    centre = grid.to_lps((np.array(grid.shape) - 1) / 2)
    return Grid(grid.shape, centre + turn @ (grid.origin_mm - centre), turn @ grid.steps_mm)


def _noisy(array: Array, part: float) -> Array:
    rng = np.random.default_rng(0)
    spread = part * float(np.percentile(array, 99))
    real, imaginary = (rng.normal(0, spread, array.shape).astype(np.float32) for _ in range(2))
    result: Array = np.hypot(array + real, imaginary)
    return result
