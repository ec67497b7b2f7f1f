"""Where the network's field of view lies in the patient."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.domain.geometry import FloatArray, Grid
from inference.domain.model_spec import GraphSpec, Layout, ModelSpec, Placement, PreprocessSpec
from inference.domain.volume import Volume
from inference.errors import ImplausibleResult, ReasonCode, UnsupportedPixelData
from inference.parts import largest_part
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

MOST_VALUES: Final = 2**30
"""Most numbers of a network's whole input or answer: 4 GiB as float32."""

Mask = NDArray[np.bool_]


def place(volume: Volume, spec: ModelSpec) -> Grid:
    """Give the grid on which a model looks at a volume.

    A field of view of fixed shape is put on the brain or the middle of the volume. A model that slides a window sees
    all of the volume. One that takes slices and draws in them is given every slice of the volume, each with the field
    of view in its plane; one that takes slices and says something of the whole is given one and its neighbours.

    Parameters
    ----------
    volume
        The reference channel.
    spec
        The model, whose ``preprocess`` says how.

    Returns
    -------
    Grid
        Upright; its array axes are the network's.

    Raises
    ------
    ImplausibleResult
        HEAD_NOT_FOUND when the model wants a head and there is none.
    UnsupportedPixelData
        PIXEL_TOO_LARGE when the grid would have more voxels than a node should hold.
    """
    wanted, graph = spec.preprocess, spec.graph
    if wanted.placement is Placement.SLIDING:
        return _of_bounded_size(covering_grid(volume.grid, wanted.orientation, wanted.spacing_mm), spec)
    centre_mm = find_brain_centre(volume) if wanted.placement is Placement.HEAD else _centre(volume.grid)
    if graph.layout is Layout.SLICE and spec.output.segments:
        return _of_bounded_size(_every_slice(volume.grid, wanted, centre_mm), spec)
    return _around(centre_mm, _shape(wanted, graph), wanted)


def _of_bounded_size(grid: Grid, spec: ModelSpec) -> Grid:
    """Refuse a grid that would fill the memory, e.g. of a damaged header."""
    together = max(len(spec.channels), len(spec.labels) + 1) * float(np.prod(grid.shape, dtype=np.float64))
    if together > MOST_VALUES:
        message = f"at the model's resolution this field of view has {np.prod(grid.shape, dtype=float):.1e} voxels"
        raise UnsupportedPixelData(ReasonCode.PIXEL_TOO_LARGE, message)
    return grid


def _shape(wanted: PreprocessSpec, graph: GraphSpec) -> tuple[int, int, int]:
    if graph.layout is Layout.VOLUME:
        return wanted.shape
    return (graph.context_slices, *wanted.shape[1:])


def _around(centre_mm: FloatArray, shape: tuple[int, int, int], wanted: PreprocessSpec) -> Grid:
    steps = axis_directions(wanted.orientation) * wanted.spacing_mm
    return Grid(shape, centre_mm - steps @ ((np.array(shape) - 1) / 2), steps)


def _every_slice(source: Grid, wanted: PreprocessSpec, centre_mm: FloatArray) -> Grid:
    """Give the field of view in its plane around a point, and along the slices the extent of the volume."""
    covering = covering_grid(source, wanted.orientation, wanted.spacing_mm)
    shape = (covering.shape[0], *wanted.shape[1:])
    middle = covering.to_index(centre_mm)
    middle[0] = (covering.shape[0] - 1) / 2
    return _around(covering.to_lps(middle), shape, wanted)


def _centre(grid: Grid) -> FloatArray:
    return grid.to_lps((np.array(grid.shape) - 1) / 2)


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
    return largest_part(values > low + HEAD_BRIGHTNESS * (bright - low))


def _check_extent(upper: Mask) -> None:
    low_mm, high_mm = UPPER_HEAD_EXTENT_MM
    for other_axes in ((1, 2), (0, 1)):
        occupied = np.flatnonzero(upper.any(axis=other_axes))
        extent_mm = (np.ptp(occupied) + 1) * COARSE_MM if len(occupied) else 0.0
        if not low_mm <= extent_mm <= high_mm:
            message = f"what was found is {extent_mm:.0f} mm wide, which no head is"
            raise ImplausibleResult(message, ReasonCode.HEAD_NOT_FOUND)
