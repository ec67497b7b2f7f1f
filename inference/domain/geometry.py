"""Where a volume lies in the patient: one affine map, in millimetres, in the DICOM patient system (LPS)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular, possibly oblique or sheared, lattice of voxel centres.

    Indices are always ``(slice, row, column)``; positions are always ``(x, y, z)`` in patient LPS millimetres
    (PS3.3 section C.7.6.2.1.1). A gantry-tilted CT is a sheared lattice: its slice step is not parallel to the
    slice normal.

    Parameters
    ----------
    shape
        Number of slices, rows, columns.
    origin_mm : (3,) ndarray
        LPS position of the centre of voxel (0, 0, 0).
    steps_mm : (3, 3) ndarray
        Column ``a`` is the LPS displacement of one step along array axis ``a`` (0 slice, 1 row index, 2 column
        index).

    Raises
    ------
    ValueError
        If an array has the wrong shape, is not finite, or the lattice is degenerate.
    """

    shape: tuple[int, int, int]
    origin_mm: FloatArray
    steps_mm: FloatArray

    def __post_init__(self) -> None:
        origin = np.array(self.origin_mm, dtype=np.float64)
        steps = np.array(self.steps_mm, dtype=np.float64)
        if origin.shape != (3,) or steps.shape != (3, 3) or np.shape(self.shape) != (3,) or min(self.shape) < 1:
            raise ValueError("a grid needs a 3-D shape, a (3,) origin and (3, 3) steps")
        if not (np.isfinite(origin).all() and np.isfinite(steps).all()) or abs(np.linalg.det(steps)) < 1e-9:
            raise ValueError("a grid must be finite and not degenerate")
        origin.setflags(write=False)
        steps.setflags(write=False)
        object.__setattr__(self, "origin_mm", origin)
        object.__setattr__(self, "steps_mm", steps)

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbours along (slice, row index, column index), in mm."""
        slice_mm, row_mm, column_mm = np.linalg.norm(self.steps_mm, axis=0)
        return float(slice_mm), float(row_mm), float(column_mm)

    @cached_property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres; right for sheared lattices too."""
        return abs(float(np.linalg.det(self.steps_mm))) / 1000.0

    def to_lps(self, index: NDArray[np.floating] | tuple[float, float, float]) -> FloatArray:
        """Map indices to patient positions.

        Parameters
        ----------
        index : (..., 3) array
            Fractional ``(slice, row, column)`` indices.

        Returns
        -------
        (..., 3) ndarray
            LPS positions in mm.
        """
        result: FloatArray = np.asarray(index, dtype=np.float64) @ self.steps_mm.T + self.origin_mm
        return result

    def to_index(self, lps_mm: NDArray[np.floating] | tuple[float, float, float]) -> FloatArray:
        """Map patient positions to fractional indices.

        Parameters
        ----------
        lps_mm : (..., 3) array
            LPS positions in mm.

        Returns
        -------
        (..., 3) ndarray
            Fractional ``(slice, row, column)`` indices.
        """
        shifted = np.asarray(lps_mm, dtype=np.float64) - self.origin_mm
        result: FloatArray = shifted @ np.linalg.inv(self.steps_mm).T
        return result

    def index_map_to(self, other: Grid) -> tuple[FloatArray, FloatArray]:
        """Give the affine map from this grid's indices to another grid's indices.

        Returns
        -------
        matrix : (3, 3) ndarray
        offset : (3,) ndarray
            ``other_index = matrix @ index + offset``.
        """
        inverse = np.linalg.inv(other.steps_mm)
        return inverse @ self.steps_mm, inverse @ (self.origin_mm - other.origin_mm)

    def same_as(self, other: Grid, tolerance_mm: float = 1e-3) -> bool:
        """Tell whether every voxel of both grids lies within ``tolerance_mm`` of its twin."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        return bool(np.abs(self.to_lps(corners) - other.to_lps(corners)).max() <= tolerance_mm)
