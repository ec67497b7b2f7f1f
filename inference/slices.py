"""From the planes of single images to one lattice.

Order and spacing come from ImagePositionPatient along the slice normal (PS3.3 section C.7.6.2.1.1), never from
InstanceNumber, SliceLocation, SliceThickness or SpacingBetweenSlices, each of which is wrong in some real series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.attributes import numbers
from inference.domain.geometry import Grid
from inference.errors import ReasonCode, UnsupportedGeometry

FloatArray = NDArray[np.float64]

SAME_POSITION_MM: Final = 0.01
"""Slices closer than this along the normal are at the same position."""

DIRECTION_TOLERANCE: Final = 1e-3
"""Largest difference of a direction cosine between slices of one volume (0.06 degrees)."""


@dataclass(frozen=True, eq=False)
class SlicePlane:
    """Where one image lies in the patient.

    Parameters
    ----------
    position_mm : (3,) ndarray
        LPS position of the centre of the first pixel.
    along_row, along_column : (3,) ndarray
        Unit directions in which the column index and the row index grow.
    row_mm, column_mm
        Distance between rows and between columns (PixelSpacing).
    """

    position_mm: FloatArray
    along_row: FloatArray
    along_column: FloatArray
    row_mm: float
    column_mm: float

    @property
    def normal(self) -> FloatArray:
        """Unit normal: row direction × column direction."""
        return np.cross(self.along_row, self.along_column)


def plane_of(data_set: Dataset) -> SlicePlane | None:
    """Read the plane of a single-frame image; None where it is absent or makes no sense."""
    position = numbers(data_set, "ImagePositionPatient", 3)
    orientation = numbers(data_set, "ImageOrientationPatient", 6)
    spacing = numbers(data_set, "PixelSpacing", 2)
    if position is None or orientation is None or spacing is None or min(spacing) <= 0:
        return None
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(along_row), np.linalg.norm(along_column)
    if max(abs(length - 1) for length in lengths) > 0.01 or abs(along_row @ along_column) > 0.01:
        return None
    return SlicePlane(np.array(position), along_row / lengths[0], along_column / lengths[1], *spacing)


@dataclass(frozen=True, eq=False)
class Arrangement:
    """How slices make a volume.

    Parameters
    ----------
    grid
        The lattice, slices in ascending order along the slice normal.
    sources
        For each slice of the lattice the index of its plane, None for the one slice that is missing.
    """

    grid: Grid
    sources: tuple[int | None, ...]


def offsets_mm(planes: Sequence[SlicePlane]) -> FloatArray:
    """Give the position of each plane along the first one's normal, mm."""
    return np.array([plane.position_mm for plane in planes]) @ planes[0].normal


def arrange(planes: Sequence[SlicePlane], matrix: tuple[int, int]) -> Arrangement:
    """Order the planes and fit the lattice.

    One missing slice inside is tolerated (its place is None in ``sources``); anything else that is not a uniform
    lattice is refused by name. The slice step may be oblique to the normal: that is gantry tilt.

    Parameters
    ----------
    planes
        At least two.
    matrix
        Rows and columns of every image.

    Raises
    ------
    UnsupportedGeometry
        MIXED_ORIENTATION, REPEATED_POSITION, GAP or NON_UNIFORM.
    """
    _check_parallel(planes)
    offsets = offsets_mm(planes)
    order = [int(index) for index in np.argsort(offsets, kind="stable")]
    missing = _missing_slice(np.diff(offsets[order]))
    sources: list[int | None] = list(order)
    if missing is not None:
        sources.insert(missing, None)
    first, last = planes[order[0]], planes[order[-1]]
    step = (last.position_mm - first.position_mm) / (len(sources) - 1)
    steps = np.column_stack([step, first.along_column * first.row_mm, first.along_row * first.column_mm])
    grid = Grid((len(sources), *matrix), first.position_mm, steps)
    _check_on_lattice(planes, sources, grid)
    return Arrangement(grid, tuple(sources))


def spacing_tolerance_mm(step_mm: float) -> float:
    """Give how far a slice distance may be off: 1 % of it, and never less than the rounding of written positions."""
    return max(0.02, 0.01 * step_mm)


def _check_parallel(planes: Sequence[SlicePlane]) -> None:
    first = planes[0]
    for plane in planes:
        turned = np.abs([plane.along_row - first.along_row, plane.along_column - first.along_column]).max()
        if turned > DIRECTION_TOLERANCE:
            raise UnsupportedGeometry(ReasonCode.MIXED_ORIENTATION, "the slices are not parallel to each other")
        stretched = max(abs(plane.row_mm - first.row_mm), abs(plane.column_mm - first.column_mm))
        if stretched > 1e-3 * min(first.row_mm, first.column_mm):
            raise UnsupportedGeometry(ReasonCode.MIXED_MATRIX, "the slices differ in pixel spacing")


def _missing_slice(gaps_mm: FloatArray) -> int | None:
    """Tell where the one missing slice belongs; None where none is missing."""
    repeated = int((gaps_mm < SAME_POSITION_MM).sum())
    if repeated:
        message = f"{repeated} slices lie at the position of another one (time points, echoes or doubled slices)"
        raise UnsupportedGeometry(ReasonCode.REPEATED_POSITION, message)
    step_mm = float(np.median(gaps_mm))
    multiples = np.rint(gaps_mm / step_mm).astype(int)
    tolerance_mm = spacing_tolerance_mm(step_mm)
    if multiples.min() < 1 or np.abs(gaps_mm - multiples * step_mm).max() > tolerance_mm * multiples.max():
        message = f"the distances between slices range from {gaps_mm.min():.2f} to {gaps_mm.max():.2f} mm"
        raise UnsupportedGeometry(ReasonCode.NON_UNIFORM, message)
    absent = int((multiples - 1).sum())
    if absent > 1:
        raise UnsupportedGeometry(ReasonCode.GAP, f"{absent} slices are missing inside the volume")
    return int(np.argmax(multiples)) + 1 if absent else None


def _check_on_lattice(planes: Sequence[SlicePlane], sources: Sequence[int | None], grid: Grid) -> None:
    """Refuse slices that drift off the line from the first to the last."""
    held = [(index, planes[source].position_mm) for index, source in enumerate(sources) if source is not None]
    expected = grid.to_lps(np.array([(index, 0, 0) for index, _ in held], dtype=np.float64))
    off_mm = np.linalg.norm(expected - np.array([position for _, position in held]), axis=1).max()
    if off_mm > 5 * spacing_tolerance_mm(grid.spacing_mm[0]):
        message = f"the slices are up to {off_mm:.2f} mm off a straight, even row"
        raise UnsupportedGeometry(ReasonCode.NON_UNIFORM, message)
