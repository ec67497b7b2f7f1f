"""From the source volume straight to the network's grid: one resampling, no intermediate volume, no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from inference.domain.geometry import FloatArray, Grid
from inference.domain.model_spec import IntensitySpec, ModelSpec, Normalisation, Placement, PreprocessSpec
from inference.domain.volume import Volume
from inference.errors import ImplausibleResult, ReasonCode
from inference.resampling import axis_directions, covering_grid, sample

COARSE_MM: Final = 4.0
"""Voxel size at which the head is sought."""

HEAD_BRIGHTNESS: Final = 0.15
"""Tissue is above this part of the volume's 99th percentile."""

TOP_AREA_MM2: Final = 1000.0
"""The top of the head is the first horizontal slice with this much of it; less is noise or a fold of the ear."""

BRAIN_CENTRE_BELOW_TOP_MM: Final = 78.0
UPPER_HEAD_MM: Final = 110.0
"""Landmarks of the brain in an adult head, measured from its top."""

SMALLEST_HEAD_ML: Final = 800.0
UPPER_HEAD_EXTENT_MM: Final = (90.0, 280.0)
"""Left-right and front-back extent that the upper part of a head can have."""

LARGEST_FIELD_MM: Final = 2200.0
"""A larger field of view is a damaged header, and would cost memory without end."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """What the network is given, and where it lies.

    Parameters
    ----------
    tensor : (1, 1, D, H, W) float32 ndarray
        Normalised intensities.
    grid
        The network grid; its array axes (slice, row, column) are D, H, W. It is the undo of the resampling.
    """

    tensor: NDArray[np.float32]
    grid: Grid


def preprocess(volume: Volume, spec: ModelSpec) -> NetworkInput:
    """Place the network's field of view in the volume, sample it and bring it to the network's scale.

    Parameters
    ----------
    volume
        Modality values on the source grid.
    spec
        The model, whose ``preprocess`` says how.

    Returns
    -------
    NetworkInput

    Raises
    ------
    ImplausibleResult
        HEAD_NOT_FOUND when the model wants a head and there is none.
    """
    wanted = spec.preprocess
    centre_mm = find_brain_centre(volume) if wanted.placement is Placement.HEAD else _centre(volume.grid)
    grid = _network_grid(wanted, centre_mm)
    values = sample(volume.array, volume.grid, grid)
    return NetworkInput(_normalise(values, spec.channels[0].intensity)[np.newaxis, np.newaxis], grid)


def find_brain_centre(volume: Volume) -> FloatArray:
    """Estimate the centre of the brain from the outline of the head.

    The head is the largest bright component on a 4 mm grid. The centre is at its median left-right, 78 mm below
    its top, and at the median front-back of its upper 110 mm; with a field of view of 160 mm and more it need not be
    exact.

    Parameters
    ----------
    volume
        A volume of any orientation.

    Returns
    -------
    (3,) ndarray
        LPS position, mm.

    Raises
    ------
    ImplausibleResult
        HEAD_NOT_FOUND.
    """
    grid = covering_grid(volume.grid, "LIA", COARSE_MM)
    if max(grid.shape) * COARSE_MM > LARGEST_FIELD_MM:
        raise ImplausibleResult("the field of view is larger than any scanner's", ReasonCode.HEAD_NOT_FOUND)
    head = _largest_bright_part(sample(volume.array, volume.grid, grid))
    if head.sum() * grid.voxel_volume_ml < SMALLEST_HEAD_ML:
        raise ImplausibleResult("nothing as large as a head was found", ReasonCode.HEAD_NOT_FOUND)
    areas_mm2 = head.sum(axis=(0, 2)) * COARSE_MM**2
    top = int(np.argmax(areas_mm2 >= TOP_AREA_MM2))
    upper = head[:, top : top + round(UPPER_HEAD_MM / COARSE_MM)]
    _check_extent(upper)
    left_right, _, _ = np.nonzero(head)
    _, _, front_back = np.nonzero(upper)
    height = top - 0.5 + BRAIN_CENTRE_BELOW_TOP_MM / COARSE_MM
    return grid.to_lps((float(np.median(left_right)), height, float(np.median(front_back))))


def _largest_bright_part(values: NDArray[np.float32]) -> Mask:
    """Threshold against the bright end of the volume and keep the largest connected component."""
    low, bright = float(values.min()), float(np.percentile(values, 99))
    mask = values > low + HEAD_BRIGHTNESS * (bright - low)
    components = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)))
    labels = sitk.GetArrayFromImage(sitk.RelabelComponent(components))
    result: Mask = labels == 1
    return result


def _check_extent(upper: Mask) -> None:
    low_mm, high_mm = UPPER_HEAD_EXTENT_MM
    for other_axes in ((1, 2), (0, 1)):
        occupied = np.flatnonzero(upper.any(axis=other_axes))
        extent_mm = (np.ptp(occupied) + 1) * COARSE_MM if len(occupied) else 0.0
        if not low_mm <= extent_mm <= high_mm:
            message = f"what was found is {extent_mm:.0f} mm wide, which no head is"
            raise ImplausibleResult(message, ReasonCode.HEAD_NOT_FOUND)


def _centre(grid: Grid) -> FloatArray:
    return grid.to_lps((np.array(grid.shape) - 1) / 2)


def _network_grid(wanted: PreprocessSpec, centre_mm: FloatArray) -> Grid:
    steps = axis_directions(wanted.orientation) * wanted.spacing_mm
    middle = (np.array(wanted.shape) - 1) / 2
    return Grid(wanted.shape, centre_mm - steps @ middle, steps)


def _normalise(values: NDArray[np.float32], wanted: IntensitySpec) -> NDArray[np.float32]:
    """Clip the bright end and scale; a constant field of view becomes zeros."""
    clipped = np.minimum(values, np.percentile(values, wanted.clip_percentiles[1]))
    if wanted.normalisation is Normalisation.NONE:
        shift, scale = 0.0, 1.0
    elif wanted.normalisation is Normalisation.MINMAX:
        shift, scale = float(clipped.min()), float(np.ptp(clipped))
    else:
        shift, scale = float(clipped.mean()), float(clipped.std())
    return ((clipped - shift) / (scale or 1.0)).astype(np.float32)
