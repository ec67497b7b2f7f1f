"""The answer to ``Task.TUMOR_DETECTION``, from what a model drew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from inference.domain.answer import Certainty
from inference.domain.geometry import Grid
from inference.domain.result import Segment, TumorDetection
from inference.errors import ModelContractViolated
from inference.parts import largest_part


def detect_tumor(
    lesion: NDArray[np.bool_], grid: Grid, segments: Iterable[Segment], certainty: Mapping[int, Certainty]
) -> TumorDetection:
    """Say whether a tumour was found, how sure that is, where, and how large.

    Parameters
    ----------
    lesion : (slices, rows, columns) bool ndarray
        Where any label is; parts that are too small have been left out.
    grid
        Where the voxels lie.
    segments
        The labels that were found.
    certainty
        How sure the model is of each label, by label value.

    Raises
    ------
    ModelContractViolated
        If the model gives no probabilities.
    """
    if not certainty:
        raise ModelContractViolated("a tumour's confidence needs a model that gives probabilities")
    voxels = int(np.count_nonzero(lesion))
    if voxels == 0:
        return TumorDetection(False, max(each.highest for each in certainty.values()), None, 0.0)
    x, y, z = grid.to_lps(np.argwhere(largest_part(lesion)).mean(axis=0))
    location = (float(x), float(y), float(z))
    return TumorDetection(True, _mean_certainty(segments, certainty), location, voxels * grid.voxel_volume_ml)


def _mean_certainty(segments: Iterable[Segment], certainty: Mapping[int, Certainty]) -> float:
    """Average over the found voxels: each label weighs as many as it has."""
    weighed = [
        (segment.voxel_count, inside)
        for segment in segments
        if (inside := certainty[segment.label.value].inside) is not None
    ]
    return float(sum(count * inside for count, inside in weighed) / sum(count for count, _ in weighed))
