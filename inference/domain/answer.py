"""What a network said, on the source grid, before anything is measured or named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Certainty:
    """How sure a segmentation is of one label.

    Parameters
    ----------
    inside
        Mean probability over the label's voxels; None where it has none.
    highest
        Highest probability anywhere.
    """

    inside: float | None
    highest: float


@dataclass(frozen=True, eq=False)
class Segmented:
    """A voxel-wise answer.

    Parameters
    ----------
    masks
        (slices, rows, columns) uint8 ndarray of label values, 0 background, where labels exclude each other;
        (labels, slices, rows, columns) bool ndarray, in order of label value, where they may overlap.
    certainty
        By label value; empty where the graph gives no probabilities.
    probabilities
        (labels, slices, rows, columns) uint8 ndarray in order of label value, 255 for certainty; None unless they
        were asked for and the graph gives them.
    """

    masks: NDArray[np.uint8] | NDArray[np.bool_]
    certainty: dict[int, Certainty]
    probabilities: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Classified:
    """Probabilities of findings, in order of label value.

    Parameters
    ----------
    probabilities : (labels,) float64 ndarray
    """

    probabilities: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Detection:
    """One box or point.

    Parameters
    ----------
    label_value
        What was found.
    score
        Probability, 0..1.
    centre_lps_mm
        Its middle in patient coordinates.
    corners_lps_mm
        The eight corners of its box; empty for a point.
    """

    label_value: int
    score: float
    centre_lps_mm: tuple[float, float, float]
    corners_lps_mm: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Detected:
    """Boxes or points at or above their label's threshold, surest first."""

    detections: tuple[Detection, ...]


Answer: TypeAlias = Segmented | Classified | Detected
