"""From the planes of single images to one lattice.

Order and spacing come from ImagePositionPatient along the slice normal (PS3.3 section C.7.6.2.1.1), never from
InstanceNumber, SliceLocation, SliceThickness or SpacingBetweenSlices, each of which is wrong in some real series.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.domain.geometry import Grid
from inference.domain.model_spec import SliceRule
from inference.domain.series_header import Flaw
from inference.errors import ReasonCode, UnsupportedGeometry

FloatArray = NDArray[np.float64]

SAME_POSITION_MM: Final = 0.01
"""Slices closer than this along the normal are at the same position."""

DIRECTION_TOLERANCE: Final = 1e-3
"""Largest difference of a direction cosine between slices of one volume (0.06 degrees)."""

DEFAULT_RULE: Final = SliceRule()
"""One slice may be missing, and distances may differ by 1 %."""


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


def plane_from(
    position: Sequence[float] | None, orientation: Sequence[float] | None, spacing: Sequence[float] | None
) -> SlicePlane | None:
    """Make a plane of what a header says; None where something is absent or makes no sense.

    Parameters
    ----------
    position, orientation, spacing
        Three, six and two values of ImagePositionPatient, ImageOrientationPatient and PixelSpacing.
    """
    if position is None or orientation is None or spacing is None or min(spacing) <= 0:
        return None
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = math.sqrt(along_row @ along_row), math.sqrt(along_column @ along_column)
    if max(abs(length - 1) for length in lengths) > 0.01 or abs(along_row @ along_column) > 0.01:
        return None
    row_mm, column_mm = spacing
    return SlicePlane(np.array(position), along_row / lengths[0], along_column / lengths[1], row_mm, column_mm)


@dataclass(frozen=True, eq=False)
class Arrangement:
    """How slices make a volume.

    Parameters
    ----------
    grid
        The lattice, slices in ascending order along the slice normal.
    sources
        For each slice of the lattice the index of its plane, None for one that is missing.
    error_mm
        How far the first pixel of a slice lies from its place on the lattice at most.
    """

    grid: Grid
    sources: tuple[int | None, ...]
    error_mm: float


def offsets_mm(planes: Sequence[SlicePlane]) -> FloatArray:
    """Give the position of each plane along the first one's normal, mm."""
    return np.array([plane.position_mm for plane in planes]) @ planes[0].normal


def arrange(planes: Sequence[SlicePlane], matrix: tuple[int, int], rule: SliceRule = DEFAULT_RULE) -> Arrangement:
    """Order the planes and fit the lattice.

    Slices may be missing inside as far as the rule accepts it (their place is None in ``sources``); anything else
    that is not a uniform lattice is refused by name. The slice step may be oblique to the normal: that is gantry
    tilt.

    Parameters
    ----------
    planes
        At least two, one at each position.
    matrix
        Rows and columns of every image.
    rule
        What is accepted.

    Raises
    ------
    UnsupportedGeometry
        MIXED_ORIENTATION, MIXED_MATRIX, REPEATED_POSITION, GAP or NON_UNIFORM.
    """
    flaw = parallel_flaw(planes)
    if flaw is not None:
        raise UnsupportedGeometry(flaw.reason, flaw.message)
    offsets = offsets_mm(planes)
    order = [int(index) for index in np.argsort(offsets, kind="stable")]
    absent = missing_slices(np.diff(offsets[order]), rule)
    sources: list[int | None] = [order[0]]
    for index, count in zip(order[1:], absent, strict=True):
        sources += [None] * count + [index]
    first, last = planes[order[0]], planes[order[-1]]
    step = (last.position_mm - first.position_mm) / (len(sources) - 1)
    steps = np.column_stack([step, first.along_column * first.row_mm, first.along_row * first.column_mm])
    grid = Grid((len(sources), *matrix), first.position_mm, steps)
    return Arrangement(grid, tuple(sources), _lattice_error_mm(planes, sources, grid, rule))


def spacing_tolerance_mm(step_mm: float, rule: SliceRule = DEFAULT_RULE) -> float:
    """Give how far a slice distance may be off, never less than the rounding of written positions."""
    return max(0.02, rule.spacing_deviation * step_mm)


def parallel_flaw(planes: Sequence[SlicePlane]) -> Flaw | None:
    """Tell what keeps planes from being slices of one volume: other directions, or other distances between pixels.

    Parameters
    ----------
    planes
        At least one.
    """
    first = planes[0]
    directions = np.array([(plane.along_row, plane.along_column) for plane in planes])
    if np.abs(directions - directions[0]).max() > DIRECTION_TOLERANCE:
        return Flaw(ReasonCode.MIXED_ORIENTATION, "the slices are not parallel to each other")
    spacing = np.array([(plane.row_mm, plane.column_mm) for plane in planes])
    if np.abs(spacing - spacing[0]).max() > 1e-3 * min(first.row_mm, first.column_mm):
        return Flaw(ReasonCode.MIXED_MATRIX, "the slices differ in pixel spacing")
    return None


def missing_slices(gaps_mm: Sequence[float] | FloatArray, rule: SliceRule) -> tuple[int, ...]:
    """Tell how many slices are missing in each gap between neighbours.

    Parameters
    ----------
    gaps_mm
        Distances between neighbouring slices, in order; at least one.
    rule
        What is accepted.

    Raises
    ------
    UnsupportedGeometry
        REPEATED_POSITION, GAP or NON_UNIFORM.
    """
    gaps = np.asarray(gaps_mm, dtype=np.float64)
    repeated = int((gaps < SAME_POSITION_MM).sum())
    if repeated:
        message = f"{repeated} slices lie at the position of another one (time points, echoes or doubled slices)"
        raise UnsupportedGeometry(ReasonCode.REPEATED_POSITION, message)
    step_mm = float(np.sort(gaps)[(len(gaps) - 1) // 2])
    multiples = np.maximum(np.rint(gaps / step_mm), 1)
    if np.abs(gaps - multiples * step_mm).max() > spacing_tolerance_mm(step_mm, rule) * multiples.max():
        message = f"the distances between slices range from {gaps.min():.2f} to {gaps.max():.2f} mm"
        raise UnsupportedGeometry(ReasonCode.NON_UNIFORM, message)
    absent = int((multiples - 1).sum())
    if absent > rule.missing_slices:
        message = f"slices are missing inside the volume: {absent}; the model wants at most {rule.missing_slices}"
        raise UnsupportedGeometry(ReasonCode.GAP, message)
    return tuple(int(multiple) - 1 for multiple in multiples)


def _lattice_error_mm(
    planes: Sequence[SlicePlane], sources: Sequence[int | None], grid: Grid, rule: SliceRule
) -> float:
    """Refuse slices that drift off the line from the first to the last; give how far they do."""
    held = [(index, planes[source].position_mm) for index, source in enumerate(sources) if source is not None]
    expected = grid.to_lps(np.array([(index, 0, 0) for index, _ in held], dtype=np.float64))
    off_mm = float(np.linalg.norm(expected - np.array([position for _, position in held]), axis=1).max())
    if off_mm > max(5 * spacing_tolerance_mm(grid.spacing_mm[0]), spacing_tolerance_mm(grid.spacing_mm[0], rule)):
        message = f"the slices are up to {off_mm:.2f} mm off a straight, even row"
        raise UnsupportedGeometry(ReasonCode.NON_UNIFORM, message)
    return off_mm
