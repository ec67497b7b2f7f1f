"""The check before anything leaves: read the encoded segmentation again, without the library that wrote it.

A flipped axis, a shifted frame or a lost segment is a wrong result that looks right, so the bytes that will be sent
are unpacked by hand and measured against the result in patient coordinates.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.geometry import Grid
from inference.domain.result import AnalysisResult, Segment
from inference.domain.volume import Volume
from inference.encoding.census import Census
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

    Slices that were interpolated have no frame, so their voxels are not expected.

    Parameters
    ----------
    content
        The encoded Segmentation, a Part 10 file.
    volume, result, census
        What it should say.

    Raises
    ------
    EncodingError
        If it says something else.
    """
    seg = dcmread(BytesIO(content))
    limit_mm = TOLERANCE * min(volume.grid.spacing_mm) + volume.lattice_error_mm
    _check_planes(seg, volume.grid, limit_mm)
    found = _measure(seg)
    if set(found) != {segment.number for segment in result.segments}:
        raise EncodingError("the encoded segmentation does not hold the segments of the result")
    voxel_ml = _voxel_ml(seg, volume.grid)
    for segment in result.segments:
        count, centroid = found[segment.number]
        expected_count, expected_centroid = _expect(segment, volume, census)
        if count != expected_count:
            raise EncodingError(
                f"segment {segment.number} was encoded with {count} voxels instead of {expected_count}"
            )
        distance = float(np.linalg.norm(centroid - expected_centroid))
        if not distance <= limit_mm:
            raise EncodingError(f"segment {segment.number} was encoded {distance:.2f} mm away from where it is")
        expected_ml = segment.volume.value * expected_count / segment.voxel_count
        if abs(count * voxel_ml - expected_ml) > VOLUME_TOLERANCE * expected_ml:
            raise EncodingError(
                f"segment {segment.number} was encoded as {count * voxel_ml:.3f} mL instead of {expected_ml:.3f}"
            )


def _expect(segment: Segment, volume: Volume, census: Census) -> tuple[int, NDArray[np.float64]]:
    """Take from the result what lies on slices without a frame."""
    unframed = np.array([i for i, frame in enumerate(volume.frames) if frame is None], dtype=np.intp)
    lost, index_sum = census.total(segment.label.value, unframed)
    centroid = np.array(segment.centroid_lps_mm)
    kept = segment.voxel_count - lost
    if lost == 0 or kept <= 0:
        return kept, centroid
    lost_centroid = volume.grid.to_lps(index_sum / lost)
    return kept, (centroid * segment.voxel_count - lost_centroid * lost) / kept


def _check_planes(seg: Dataset, grid: Grid, limit_mm: float) -> None:
    """Compare the first and the last pixel of every frame with those of the slice that is nearest to it."""
    positions = [
        group.PlanePositionSequence[0].ImagePositionPatient for group in seg.PerFrameFunctionalGroupsSequence
    ]
    first = np.array(positions, dtype=np.float64)
    slices = np.rint(grid.to_index(first)[:, :1])
    last_index = np.array(grid.shape[1:], dtype=np.float64) - 1
    across = last_index @ _in_plane_steps(seg)
    off_mm = np.linalg.norm(first - grid.to_lps(np.hstack([slices, np.zeros((len(slices), 2))])), axis=1).max()
    opposite = grid.to_lps(np.hstack([slices, np.tile(last_index, (len(slices), 1))]))
    turned_mm = np.linalg.norm(first + across - opposite, axis=1).max()
    if off_mm > limit_mm or turned_mm > limit_mm + TURNED * float(np.linalg.norm(across)):
        raise EncodingError(f"a frame was encoded {max(off_mm, turned_mm):.2f} mm off every slice of the source")


def _in_plane_steps(seg: Dataset) -> NDArray[np.float64]:
    """Give the steps from row to row and from column to column, LPS mm (PS3.3 section C.7.6.2.1.1)."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    row_mm, column_mm = (float(value) for value in shared.PixelMeasuresSequence[0].PixelSpacing)
    return np.stack([cosines[1] * row_mm, cosines[0] * column_mm])


def _voxel_ml(seg: Dataset, grid: Grid) -> float:
    """Give a voxel's volume as the object says it; the distance of tilted slices is in their positions alone."""
    area = np.cross(*_in_plane_steps(seg))
    stated = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].get("SpacingBetweenSlices")
    if stated is None:
        return abs(float(area @ grid.steps_mm[:, 0])) / 1000.0
    return float(np.linalg.norm(area)) * float(stated) / 1000.0


def _measure(seg: Dataset) -> dict[int, tuple[int, NDArray[np.float64]]]:
    """Give voxel count and LPS centroid of each segment that has frames, from the object alone (PS3.3 C.7.6.2)."""
    shared, steps = seg.SharedFunctionalGroupsSequence[0], _in_plane_steps(seg)
    counts: dict[int, int] = {}
    sums: dict[int, NDArray[np.float64]] = {}
    for index, group in enumerate(seg.PerFrameFunctionalGroupsSequence):
        identification = group.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence
        number = int(identification[0].ReferencedSegmentNumber)
        rows, columns = np.divmod(np.flatnonzero(_frame(seg, index)), int(seg.Columns))
        count, index_sum = rows.size, np.array([rows.sum(), columns.sum()], dtype=np.float64)
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=np.float64)
        counts[number] = counts.get(number, 0) + count
        sums[number] = sums.get(number, np.zeros(3)) + count * origin + index_sum @ steps
    return {number: (count, sums[number] / count) for number, count in counts.items() if count}


def _frame(seg: Dataset, index: int) -> NDArray[np.bool_]:
    """Unpack a frame's 1-bit pixels, row by row: lowest bit first, frames not padded to bytes (PS3.5 8.1.1)."""
    pixels = int(seg.Rows) * int(seg.Columns)
    start, end = index * pixels, (index + 1) * pixels
    packed = np.frombuffer(seg.PixelData, dtype=np.uint8, count=-(-end // 8) - start // 8, offset=start // 8)
    return np.unpackbits(packed, bitorder="little")[start % 8 : start % 8 + pixels].view(np.bool_)
