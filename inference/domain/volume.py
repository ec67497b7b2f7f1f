"""A series as one array in patient space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.domain.geometry import Grid
from inference.domain.identifiers import UID


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """The frame of a source instance from which one slice of a volume was taken.

    Parameters
    ----------
    sop_instance_uid, sop_class_uid
        The source instance.
    frame_number
        1-based frame of a multi-frame instance; None for a single-frame one.
    """

    sop_instance_uid: UID
    sop_class_uid: UID
    frame_number: int | None


@dataclass(frozen=True, eq=False)
class Volume:
    """Modality values on the source grid.

    Parameters
    ----------
    array : (slices, rows, columns) float32 ndarray
        Values after the modality LUT (PS3.3 section C.11.1), e.g. HU for CT.
    grid
        The lattice; ``grid.shape`` equals ``array.shape``.
    frames
        Source of each slice, in slice order. None marks a slice that the source lacks and that was interpolated
        between its neighbours (as many as the model accepts, with a warning): it counts in volumes, but nothing that
        refers to source instances may claim a frame there.
    frame_of_reference_uid
        The frame of reference of the source, None where the source names none.
    warnings
        Findings a reader should know, e.g. one missing slice.
    lattice_error_mm
        How far a slice of the source lies from its place on the grid at most.

    Raises
    ------
    ValueError
        If the shapes do not agree.
    """

    array: NDArray[np.float32]
    grid: Grid
    frames: tuple[SourceFrame | None, ...]
    frame_of_reference_uid: UID | None = None
    warnings: tuple[str, ...] = ()
    lattice_error_mm: float = 0.0

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape or len(self.frames) != self.grid.shape[0]:
            raise ValueError("array, grid and frames must agree")

    @property
    def framed(self) -> dict[int, SourceFrame]:
        """The slices that a source image shows, in slice order, and its frame; the others were interpolated."""
        return {index: frame for index, frame in enumerate(self.frames) if frame is not None}
