"""The check before anything leaves: read the encoded segmentation again, without the library that wrote it.

A flipped axis, a shifted frame or a lost segment is a wrong result that looks right, so the bytes that will be sent
are unpacked by hand and measured against the result in patient coordinates.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.domain.artifact import Segmentation
from inference.domain.geometry import Grid
from inference.domain.result import AnalysisResult, Segment
from inference.domain.volume import Volume
from inference.encoding.census import Census
from inference.encoding.seg_reading import SegReading, Weight, read_seg, weigh
from inference.errors import EncodingError

TOLERANCE: Final = 0.25
"""Accepted distance of a place from where it should be, in voxels of the smallest spacing, for positions in the
source are rounded. How far a slice lies off the lattice comes on top, for slightly uneven steps are treated as even.
"""

TURNED: Final = 2e-3
"""How far the last pixel of a frame may be off besides, as a part of the diagonal: directions are rounded too."""

VOLUME_TOLERANCE: Final = 0.01
"""Accepted difference of volumes, as a part of the volume: as far as distances between slices may differ."""


def check_seg(content: bytes, volume: Volume, result: AnalysisResult, census: Census) -> None:
    """Compare where frames lie with the source's slices, and every segment with the result: voxels, centroid, volume.

    Of a segment with probabilities, the sum of these and their centre of gravity. Slices that were interpolated have
    no frame, so their voxels are not expected.

    Parameters
    ----------
    content
        The encoded Segmentation of any kind, a Part 10 file.
    volume, result, census
        What it should say.

    Raises
    ------
    EncodingError
        If it says something else.
    """
    seg = read_seg(content)
    if set(seg.segments) != {segment.number for segment in result.segments}:
        raise EncodingError("the encoded segmentation does not hold the segments of the result")
    limit_mm = TOLERANCE * min(volume.grid.spacing_mm) + volume.lattice_error_mm
    _check_planes(seg, volume.grid, limit_mm)
    for segment in result.segments:
        found = seg.segments[segment.number]
        if seg.kind is Segmentation.FRACTIONAL:
            expected = _expect_probabilities(segment, volume, result)
            _compare(segment.number, found, expected, limit_mm)
        else:
            expected = _expect(segment, volume, census)
            _compare(segment.number, found, expected, limit_mm)
            _check_volume(segment, _voxel_ml(seg, volume.grid) * found.total, found.total / segment.voxel_count)


def _compare(number: int, found: Weight, expected: Weight, limit_mm: float) -> None:
    if found.total != expected.total:
        raise EncodingError(
            f"segment {number} was encoded with {found.total} voxels, or their values, instead of {expected.total}"
        )
    if found.frames != expected.frames:
        raise EncodingError(f"segment {number} was encoded on {found.frames} frames instead of {expected.frames}")
    distance = float(np.linalg.norm(found.centroid - expected.centroid))
    if not distance <= limit_mm:
        raise EncodingError(f"segment {number} was encoded {distance:.2f} mm away from where it is")


def _check_volume(segment: Segment, millilitres: float, part: float) -> None:
    """Compare the volume that an object says itself with the result's, or with that part of it which has frames."""
    expected = segment.volume.value * part
    if abs(millilitres - expected) > VOLUME_TOLERANCE * expected:
        raise EncodingError(f"segment {segment.number} was encoded as {millilitres:.3f} mL instead of {expected:.3f}")


def _expect(segment: Segment, volume: Volume, census: Census) -> Weight:
    """Take from the result what lies on slices without a frame."""
    label, framed = segment.label.value, list(volume.framed)
    frames = int(np.count_nonzero(census.counts[framed, label]))
    interpolated = np.setdiff1d(np.arange(len(volume.frames)), framed)
    lost, index_sum = census.total(label, interpolated)
    centroid = np.array(segment.centroid_lps_mm)
    kept = segment.voxel_count - lost
    if lost == 0 or kept <= 0:
        return Weight(frames, kept, centroid)
    lost_centroid = volume.grid.to_lps(index_sum / lost)
    return Weight(frames, kept, (centroid * segment.voxel_count - lost_centroid * lost) / kept)


def _expect_probabilities(segment: Segment, volume: Volume, result: AnalysisResult) -> Weight:
    """Sum the probabilities of a label on slices with a frame."""
    if result.probabilities is None:
        raise EncodingError("probabilities were encoded that the result does not have")
    frames, total, sums = 0, 0, np.zeros(3)
    for index in volume.framed:
        here, index_sum = weigh(result.probabilities[segment.label.value - 1, index])
        frames += here > 0
        total += here
        sums += [here * index, *index_sum]
    centroid: NDArray[np.float64] = volume.grid.to_lps(sums / max(total, 1))
    return Weight(frames, total, centroid)


def _check_planes(seg: SegReading, grid: Grid, limit_mm: float) -> None:
    """Compare the first and the last pixel of every frame with those of the slice that is nearest to it."""
    first = seg.positions
    slices = np.rint(grid.to_index(first)[:, :1])
    last_index = np.array(grid.shape[1:], dtype=np.float64) - 1
    across = last_index @ seg.steps
    off_mm = np.linalg.norm(first - grid.to_lps(np.hstack([slices, np.zeros((len(slices), 2))])), axis=1).max()
    opposite = grid.to_lps(np.hstack([slices, np.tile(last_index, (len(slices), 1))]))
    turned_mm = np.linalg.norm(first + across - opposite, axis=1).max()
    if off_mm > limit_mm or turned_mm > limit_mm + TURNED * float(np.linalg.norm(across)):
        raise EncodingError(f"a frame was encoded {max(off_mm, turned_mm):.2f} mm off every slice of the source")


def _voxel_ml(seg: SegReading, grid: Grid) -> float:
    """Give a voxel's volume as the object says it; the distance of tilted slices is in their positions alone."""
    area = np.cross(*seg.steps)
    if seg.slice_spacing_mm is None:
        return abs(float(area @ grid.steps_mm[:, 0])) / 1000.0
    return float(np.linalg.norm(area)) * seg.slice_spacing_mm / 1000.0
