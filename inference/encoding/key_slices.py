"""Which slices show a result best: those where structures are largest, and those on which detections lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inference.domain.masks import Masks
from inference.domain.result import AnalysisResult, Finding, Place
from inference.domain.volume import Volume


def key_slices(volume: Volume, result: AnalysisResult, most: int) -> tuple[int, ...]:
    """Choose slices that a source image shows.

    Of more candidates than are wanted, each next one is that which adds most to how well all findings are seen: a
    structure is seen as well as its area on the slice is large beside its largest area.

    Parameters
    ----------
    volume
        The source volume.
    result
        What was found on it.
    most
        How many at most.

    Returns
    -------
    tuple of int
        In slice order; the middle slice alone where nothing was found that has a place.
    """
    framed = list(volume.framed)
    seen = _how_well_seen(volume, result, framed)
    if not len(seen):
        return (framed[len(framed) // 2],)
    candidates = sorted(set(seen.argmax(axis=1).tolist()))
    covered = np.zeros(len(seen))
    chosen: list[int] = []
    while candidates and len(chosen) < most:
        best = max(candidates, key=lambda at: float(np.maximum(covered, seen[:, at]).sum()))
        covered = np.maximum(covered, seen[:, best])
        candidates.remove(best)
        chosen.append(best)
    return tuple(sorted(framed[at] for at in chosen))


def slice_of(place: Place, volume: Volume) -> int:
    """Give the slice nearest to the middle of a detection among those that a source image shows."""
    at = float(volume.grid.to_index(place.centre_lps_mm)[0])
    return min(volume.framed, key=lambda index: abs(index - at))


def placed(findings: Sequence[Finding]) -> list[tuple[Finding, Place]]:
    """List the findings that are present and have a place."""
    return [(finding, finding.place) for finding in findings if finding.present and finding.place is not None]


def areas(masks: Masks, label_values: Sequence[int]) -> NDArray[np.int64]:
    """Count the voxels of labels on every slice.

    Returns
    -------
    (labels, slices) int64 ndarray
    """
    if masks.ndim == 4:
        wanted = [np.count_nonzero(masks[value - 1], axis=(1, 2)) for value in label_values]
        return np.array(wanted, dtype=np.int64).reshape(len(label_values), masks.shape[1])
    counts = np.array([np.bincount(plane.ravel(), minlength=256) for plane in masks], dtype=np.int64)
    found: NDArray[np.int64] = counts.T[list(label_values)]
    return found


def _how_well_seen(volume: Volume, result: AnalysisResult, framed: Sequence[int]) -> NDArray[np.float64]:
    """Give for each finding (row) and framed slice (column) how well it is seen there, 0..1."""
    rows = []
    if result.labels is not None:
        counts = areas(result.labels, [segment.label.value for segment in result.segments])[:, framed]
        rows += [count / count.max() for count in counts if count.any()]
    for _, place in placed(result.findings):
        row = np.zeros(len(framed))
        row[framed.index(slice_of(place, volume))] = 1.0
        rows.append(row)
    return np.array(rows)
