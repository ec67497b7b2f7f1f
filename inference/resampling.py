"""Sampling a volume on any other lattice: one affine map between indices, so oblique and sheared grids are alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from inference.domain.geometry import Grid

Array = NDArray[np.float32]

_MARGIN: Final = 2
"""Source voxels kept around what the target covers."""

MOST_SAMPLES: Final = 2
"""Samples per target voxel and axis; more cost time and changed no result that was measured."""

SLAB_SAMPLES: Final = 2**25
"""Samples taken at a time: 128 MiB, so that a large target costs little more than itself."""

_ROUNDED_HEADER: Final = 1e-3
"""How far the ratio of two spacings may be off because headers round them."""

_ROUNDING: Final = 1e-6
"""Part of a voxel that a volume may reach beyond a grid that covers it."""

_AXIS_OF_LETTER: Final = {"R": (0, -1), "L": (0, 1), "A": (1, -1), "P": (1, 1), "I": (2, -1), "S": (2, 1)}
"""Patient axis and sign of each direction in LPS (PS3.3 section C.7.6.2.1.1)."""


def axis_directions(orientation: str) -> NDArray[np.float64]:
    """Give the unit steps of array axes from their letters.

    Parameters
    ----------
    orientation
        One letter per array axis: the patient direction in which the index grows, e.g. ``LIA``.

    Returns
    -------
    (3, 3) ndarray
        Column ``a`` is the LPS direction of array axis ``a``.
    """
    directions = np.zeros((3, 3))
    for axis, letter in enumerate(orientation):
        patient_axis, sign = _AXIS_OF_LETTER[letter]
        directions[patient_axis, axis] = sign
    return directions


def covering_grid(source: Grid, orientation: str, spacing_mm: float | tuple[float, float, float]) -> Grid:
    """Give an upright grid that covers all of another grid; of its own spacing and directions, the same voxels.

    Parameters
    ----------
    source
        What is to be covered.
    orientation
        Three letters as for ``axis_directions``.
    spacing_mm
        Voxel size, along each array axis where three are given.
    """
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in source.shape])).reshape(3, -1).T
    directions = axis_directions(orientation)
    along = source.to_lps(corners) @ directions
    lowest, highest = along.min(axis=0), along.max(axis=0)
    spacing = np.broadcast_to(spacing_mm, 3)
    slices, rows, columns = (max(1, int(n)) for n in np.ceil((highest - lowest) / spacing - _ROUNDING))
    origin = directions @ (lowest + spacing / 2)
    return Grid((slices, rows, columns), origin, directions * spacing)


def sample(array: Array, source: Grid, target: Grid) -> Array:
    """Sample a volume on another grid, trilinearly; outside the volume the value is its lowest.

    Where the target is coarser than the source, several samples are taken in each target voxel and averaged, which
    keeps what lies between them from aliasing.

    Parameters
    ----------
    array : (slices, rows, columns) float32 ndarray
        Values on ``source``.
    source, target
        Where they lie and where they are wanted.

    Returns
    -------
    float32 ndarray of ``target.shape``
    """
    outside = float(array.min())
    result = np.empty(target.shape, dtype=np.float32)
    for start, slab in _slabs(target):
        fine, per_axis = _supersampled(slab, source)
        block, region = _crop(array, source, fine)
        values = _sample_points(block, region, fine, (sitk.sitkLinear, outside))
        slices, rows, columns = slab.shape
        blocks = values.reshape(slices, per_axis[0], rows, per_axis[1], columns, per_axis[2])
        blocks.mean(axis=(1, 3, 5), dtype=np.float32, out=result[start : start + slices])
    return result


def nearest(array: NDArray[np.uint8], source: Grid, target: Grid) -> NDArray[np.uint8]:
    """Give each voxel of another grid the value of the voxel it lies in; outside the volume 0.

    Parameters
    ----------
    array : (slices, rows, columns) uint8 ndarray
        Values on ``source``.
    source, target
        Where they lie and where they are wanted.

    Returns
    -------
    uint8 ndarray of ``target.shape``
    """
    result: NDArray[np.uint8] = _sample_points(array, source, target, (sitk.sitkNearestNeighbor, 0.0))
    return result


def interpolate(array: Array, source: Grid, target: Grid) -> Array:
    """Interpolate trilinearly at the voxel centres of another grid; more than half a voxel outside it is 0.

    Parameters
    ----------
    array : (slices, rows, columns) float32 ndarray
        Values on ``source``, its edge voxels stand for the half voxel around.
    source, target
        Where they lie and where they are wanted.

    Returns
    -------
    float32 ndarray of ``target.shape``
    """
    result: Array = _sample_points(array, source, target, (sitk.sitkLinear, 0.0))
    return result


def _slabs(target: Grid) -> Iterator[tuple[int, Grid]]:
    """Cut a grid into stacks of slices of at most ``SLAB_SAMPLES`` samples; yield first slice and grid."""
    slices, rows, columns = target.shape
    thickness = max(1, SLAB_SAMPLES // (rows * columns * MOST_SAMPLES**3))
    for start in range(0, slices, thickness):
        shape = (min(thickness, slices - start), rows, columns)
        yield start, Grid(shape, target.to_lps((start, 0, 0)), target.steps_mm)


def _supersampled(target: Grid, source: Grid) -> tuple[Grid, tuple[int, int, int]]:
    """Refine a grid until it is about as fine as the source, by a whole number along each axis."""
    matrix, _ = target.index_map_to(source)
    source_voxels_per_step = np.linalg.norm(matrix, axis=0)
    factors = [int(n) for n in np.clip(np.rint(source_voxels_per_step + _ROUNDED_HEADER), 1, MOST_SAMPLES)]
    steps = target.steps_mm / factors
    inward = (np.array(factors) - 1) / 2
    slices, rows, columns = (n * factor for n, factor in zip(target.shape, factors, strict=True))
    fine = Grid((slices, rows, columns), target.origin_mm - steps @ inward, steps)
    return fine, (factors[0], factors[1], factors[2])


def _crop(array: Array, source: Grid, target: Grid) -> tuple[Array, Grid]:
    """Cut out the part of the source that the target touches; at least one voxel."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in target.shape])).reshape(3, -1).T
    touched = source.to_index(target.to_lps(corners))
    size = np.array(source.shape)
    low = np.clip(np.floor(touched.min(axis=0)).astype(int) - _MARGIN, 0, size - 1)
    high = np.clip(np.ceil(touched.max(axis=0)).astype(int) + _MARGIN + 1, low + 1, size)
    block = array[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    slices, rows, columns = block.shape
    return block, Grid((slices, rows, columns), source.to_lps(low.astype(np.float64)), source.steps_mm)


def _sample_points(array: Any, source: Grid, target: Grid, how: tuple[int, float]) -> Any:
    """Let ITK sample in index space, which knows no directions and so takes a shear as well as a turn.

    ``how`` names the interpolator and the value outside.
    """
    matrix, offset = target.index_map_to(source)
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(n) for n in target.shape[::-1]])
    resampler.SetTransform(sitk.AffineTransform(matrix[::-1, ::-1].ravel().tolist(), offset[::-1].tolist()))
    interpolator, outside = how
    resampler.SetInterpolator(interpolator)
    resampler.SetDefaultPixelValue(outside)
    return sitk.GetArrayFromImage(resampler.Execute(sitk.GetImageFromArray(array)))
