"""A Segmentation as its bytes say it, for the check before it leaves; read without the library that wrote it."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import Segmentation
from inference.errors import EncodingError

_PIXEL_DATA: Final = b"\xe0\x7f\x10\x00OB\0\0"
"""How the element begins in Explicit VR Little Endian (PS3.5 section 7.1.2); its length follows, 32 bits."""


@dataclass(frozen=True, eq=False)
class Weight:
    """What is drawn of a segment, on one frame or on all.

    Parameters
    ----------
    frames
        On how many frames it is seen.
    total
        Its voxels; of probabilities, the sum of their values.
    centroid
        Centre of gravity, weighted by the values.
    """

    frames: int
    total: int
    centroid: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SegReading:
    """What an encoded Segmentation says.

    Parameters
    ----------
    kind
        How it is encoded.
    positions : (frames, 3) float64 ndarray
        Image Position (Patient) of each frame, LPS mm.
    steps : (2, 3) float64 ndarray
        From row to row and from column to column, LPS mm (PS3.3 section C.7.6.2.1.1).
    slice_spacing_mm
        Spacing Between Slices; None where the object does not say, as for tilted slices.
    segments
        By segment number, those that are seen, centroids in LPS mm.
    """

    kind: Segmentation
    positions: NDArray[np.float64]
    steps: NDArray[np.float64]
    slice_spacing_mm: float | None
    segments: Mapping[int, Weight]


def read_seg(content: bytes) -> SegReading:
    """Read an encoded Segmentation or Label Map Segmentation.

    Parameters
    ----------
    content
        A Part 10 file, Explicit VR Little Endian.

    Raises
    ------
    EncodingError
        If its pixels are not where its header says, or exceed their maximum.
    """
    file = BytesIO(content)
    seg = dcmread(file, stop_before_pixels=True)
    pixels = _pixel_data(content, file.tell())
    groups = seg.PerFrameFunctionalGroupsSequence
    positions = np.array([group.PlanePositionSequence[0].ImagePositionPatient for group in groups], dtype=np.float64)
    shared = seg.SharedFunctionalGroupsSequence[0]
    spacing = shared.PixelMeasuresSequence[0].get("SpacingBetweenSlices")
    steps = _in_plane_steps(shared)
    return SegReading(
        kind=Segmentation[str(seg.SegmentationType)],
        positions=positions.reshape(-1, 3),
        steps=steps,
        slice_spacing_mm=None if spacing is None else float(spacing),
        segments=_segments(_weights(seg, pixels), positions, steps),
    )


def weigh(values: NDArray[np.uint8]) -> tuple[int, NDArray[np.float64]]:
    """Sum values and their (row, column) indices.

    Parameters
    ----------
    values : (rows, columns) uint8 ndarray
        On one slice.
    """
    by_row, by_column = values.sum(axis=1, dtype=np.int64), values.sum(axis=0, dtype=np.int64)
    sums = [by_row @ np.arange(by_row.size), by_column @ np.arange(by_column.size)]
    return int(by_row.sum()), np.array(sums, dtype=np.float64)


def _pixel_data(content: bytes, start: int) -> NDArray[np.uint8]:
    begin = start + len(_PIXEL_DATA) + 4
    if content[start : start + len(_PIXEL_DATA)] != _PIXEL_DATA:
        raise EncodingError("the encoded segmentation has no pixels")
    (length,) = struct.unpack("<L", content[begin - 4 : begin])
    if begin + length > len(content):
        raise EncodingError("the pixels of the encoded segmentation are cut off")
    return np.frombuffer(content, dtype=np.uint8, count=length, offset=begin)


def _in_plane_steps(shared: Dataset) -> NDArray[np.float64]:
    cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    row_mm, column_mm = (float(value) for value in shared.PixelMeasuresSequence[0].PixelSpacing)
    return np.stack([cosines[1] * row_mm, cosines[0] * column_mm])


_FrameWeight = tuple[int, int, int, NDArray[np.float64]]
"""Frame, segment number, total, and the sums of (row, column) indices."""


def _weights(seg: Dataset, pixels: NDArray[np.uint8]) -> Iterator[_FrameWeight]:
    """Weigh what is on each frame, from the object alone (PS3.3 section C.7.6.2)."""
    shared, size = seg.SharedFunctionalGroupsSequence[0], int(seg.Rows) * int(seg.Columns)
    kind = str(seg.SegmentationType)
    for index, group in enumerate(seg.PerFrameFunctionalGroupsSequence):
        frame = pixels[index * size : (index + 1) * size].reshape(int(seg.Rows), -1) if kind != "BINARY" else pixels
        if kind == "LABELMAP":
            yield from ((index, *one) for one in _numbered(frame))
            continue
        identification = group.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence
        number = int(identification[0].ReferencedSegmentNumber)
        if kind == "BINARY":
            rows, columns = np.divmod(_set_bits(pixels, index * size, size), int(seg.Columns))
            yield index, number, rows.size, np.array([rows.sum(), columns.sum()], dtype=np.float64)
        else:
            if frame.max() > seg.MaximumFractionalValue:
                raise EncodingError(f"segment {number} was encoded with a probability above its maximum")
            yield index, number, *weigh(frame)


def _set_bits(packed: NDArray[np.uint8], start: int, size: int) -> NDArray[np.intp]:
    """List the pixels of a frame that are set: lowest bit first, frames not padded to bytes (PS3.5 section 8.1.1)."""
    first = start // 8
    here = packed[first : -(-(start + size) // 8)]
    used = np.flatnonzero(here != 0)
    bits = np.flatnonzero(np.unpackbits(here[used], bitorder="little").view(np.bool_))
    pixels = (first + used[bits // 8]) * 8 + bits % 8 - start
    inside: NDArray[np.intp] = pixels[(pixels >= 0) & (pixels < size)]
    return inside


def _numbered(frame: NDArray[np.uint8]) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Weigh each segment of a label map."""
    rows, columns = np.nonzero(frame)
    numbers = frame[rows, columns]
    counts = np.bincount(numbers)
    sums = np.stack([np.bincount(numbers, weights=where) for where in (rows, columns)], axis=-1)
    for number in np.flatnonzero(counts).tolist():
        yield number, int(counts[number]), sums[number]


def _segments(
    weights: Iterator[_FrameWeight], positions: NDArray[np.float64], steps: NDArray[np.float64]
) -> dict[int, Weight]:
    """Put together what the frames say of each segment; one that is nowhere seen is not there."""
    frames: dict[int, int] = {}
    totals: dict[int, int] = {}
    sums: dict[int, NDArray[np.float64]] = {}
    for index, number, total, index_sum in weights:
        frames[number] = frames.get(number, 0) + 1
        totals[number] = totals.get(number, 0) + total
        sums[number] = sums.get(number, np.zeros(3)) + total * positions[index] + index_sum @ steps
    return {n: Weight(frames[n], total, sums[n] / total) for n, total in totals.items() if total}
