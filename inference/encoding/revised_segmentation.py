"""A Segmentation without the segments that a reader excludes, of every kind of encoding (PS3.3 section C.8.20)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import DicomArtifact
from inference.domain.identifiers import UID
from inference.domain.review import Review
from inference.encoding.part10 import to_artifact
from inference.encoding.reviewer import derived, renew
from inference.encoding.seg_groups import is_stack
from inference.errors import EncodingError

Place: TypeAlias = tuple[str, tuple[float, ...]]
"""Tracking UID, and Image Position (Patient) of a frame."""

_REFERENCED_SEGMENT_NUMBER: Final = 0x0062000B
_SET_BITS: Final = np.unpackbits(np.arange(256, dtype=np.uint8)[:, np.newaxis], axis=1).sum(axis=1)


@dataclass(frozen=True, eq=False)
class Remainder:
    """What is left of a Segmentation.

    Parameters
    ----------
    replaced
        SOP Instance UID of the old object.
    artifact
        The new one; None where no segment is left.
    numbers
        New Segment Number by the old one.
    """

    replaced: UID
    artifact: DicomArtifact | None
    numbers: Mapping[int, int]


def tracked(artifact: DicomArtifact) -> frozenset[str]:
    """Give the Tracking UIDs of a Segmentation's segments."""
    seg = dcmread(BytesIO(artifact.content), stop_before_pixels=True)
    return frozenset(str(item.TrackingUID) for item in seg.SegmentSequence if "TrackingUID" in item)


def leave_out(artifact: DicomArtifact, review: Review, description: str) -> Remainder:
    """Make a Segmentation without the excluded segments; the others keep voxels, places and identity.

    Segment Numbers count up from 1 without a gap, as the standard wants it (PS3.3 section C.8.20.4). The new object
    is read again, and compared with the old one frame by frame, before it leaves.

    Parameters
    ----------
    artifact
        The Segmentation as it was stored; uncompressed.
    review
        What is excluded, and when that was decided.
    description
        New Series Description.

    Raises
    ------
    EncodingError
        If what was encoded is not what was left.
    ValueError, LookupError, AttributeError
        As pydicom does, if the stored bytes are no such object.
    """
    seg = dcmread(BytesIO(artifact.content))
    numbers = _renumbered(seg, review.excluded)
    if not any(numbers.values()):
        return Remainder(artifact.identity.sop_instance_uid, None, {})
    expected = {place: count for place, count in _census(seg).items() if place[0] not in review.excluded}
    dimensions = derived("dimension organization", str(seg.SOPInstanceUID), review)
    _keep_segments(seg, numbers)
    for item in (*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimensions
    renew(seg, review, description)
    made = replace(to_artifact(artifact.kind, seg), segmentation=artifact.segmentation)
    if _census(dcmread(BytesIO(made.content))) != expected:
        raise EncodingError("the segmentation without excluded segments does not hold the others as they were")
    return Remainder(artifact.identity.sop_instance_uid, made, numbers)


def _renumbered(seg: Dataset, excluded: Collection[str]) -> Mapping[int, int]:
    """Give new numbers by old ones; 0 is the background, which a label map may describe."""
    kept = [int(item.SegmentNumber) for item in seg.SegmentSequence if item.get("TrackingUID") not in excluded]
    return {old: new for new, old in enumerate(sorted({0, *kept}))}


def _keep_segments(seg: Dataset, numbers: Mapping[int, int]) -> None:
    """Drop segments and frames from an object, in place."""
    frames = _frames(seg)
    groups = seg.PerFrameFunctionalGroupsSequence
    if _is_label_map(seg):
        lookup = np.zeros(int(frames.max(initial=0)) + 1, dtype=frames.dtype)
        for old, new in numbers.items():
            lookup[old : old + 1] = new
        frames = lookup[frames]
        kept = np.flatnonzero(frames.any(axis=1))
    else:
        kept = np.array([i for i, number in enumerate(_frame_numbers(seg)) if number in numbers], dtype=np.intp)
    seg.PerFrameFunctionalGroupsSequence = [groups[i] for i in kept.tolist()]
    seg.SegmentSequence = [item for item in seg.SegmentSequence if int(item.SegmentNumber) in numbers]
    for item in seg.SegmentSequence:
        item.SegmentNumber = numbers[int(item.SegmentNumber)]
    for group in (*seg.SharedFunctionalGroupsSequence, *seg.PerFrameFunctionalGroupsSequence):
        for item in group.get("SegmentIdentificationSequence") or ():
            item.ReferencedSegmentNumber = numbers[int(item.ReferencedSegmentNumber)]
    _renumber_dimensions(seg, numbers)
    if "DimensionOrganizationType" in seg and not _is_stack(seg):
        del seg.DimensionOrganizationType
    seg.NumberOfFrames = len(kept)
    seg.PixelData = _packed(seg, frames[kept])


def _is_stack(seg: Dataset) -> bool:
    """Tell whether the frames that are left still lie one after another."""
    groups = seg.PerFrameFunctionalGroupsSequence
    positions = [group.PlanePositionSequence[0].ImagePositionPatient for group in groups]
    orientation = seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    return is_stack(np.array(positions, dtype=np.float64), orientation)


def _renumber_dimensions(seg: Dataset, numbers: Mapping[int, int]) -> None:
    """Let the values of each dimension count up from 1 without a gap again (PS3.3 section C.7.6.17)."""
    contents = [group.FrameContentSequence[0] for group in seg.PerFrameFunctionalGroupsSequence]
    values = np.array([np.atleast_1d(content.DimensionIndexValues) for content in contents], dtype=np.int64)
    for column, dimension in enumerate(seg.DimensionIndexSequence):
        if dimension.DimensionIndexPointer == _REFERENCED_SEGMENT_NUMBER:
            values[:, column] = [numbers[value] for value in values[:, column].tolist()]
        else:
            values[:, column] = np.unique(values[:, column], return_inverse=True)[1] + 1
    for content, row in zip(contents, values.tolist(), strict=True):
        content.DimensionIndexValues = row


def _census(seg: Dataset) -> Mapping[Place, int]:
    """Count what is drawn of each segment in each frame; of probabilities, their sum."""
    tracking = {int(item.SegmentNumber): str(item.get("TrackingUID", "")) for item in seg.SegmentSequence}
    found: Counter[Place] = Counter()
    groups = seg.PerFrameFunctionalGroupsSequence
    for frame, group, number in zip(_frames(seg), groups, _frame_numbers(seg), strict=True):
        position = tuple(float(value) for value in group.PlanePositionSequence[0].ImagePositionPatient)
        for which, count in _drawn(seg, frame, number):
            found[tracking[which], position] += count
    return found


def _drawn(seg: Dataset, frame: NDArray[np.uint8], number: int) -> Sequence[tuple[int, int]]:
    """Give segment numbers of a frame, and how much is drawn of each."""
    if _is_label_map(seg):
        counts = np.bincount(frame)
        return [(int(value), int(counts[value])) for value in np.flatnonzero(counts) if value]
    if seg.SegmentationType == "BINARY":
        return [(number, int(_SET_BITS[frame].sum()))]
    return [(number, int(frame.sum(dtype=np.int64)))]


def _frame_numbers(seg: Dataset) -> Sequence[int]:
    """Give the segment that each frame shows; 0 in a label map, whose frames show all."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    stated = [
        group.get("SegmentIdentificationSequence") or shared.get("SegmentIdentificationSequence")
        for group in seg.PerFrameFunctionalGroupsSequence
    ]
    return [int(items[0].ReferencedSegmentNumber) if items else 0 for items in stated]


def _is_label_map(seg: Dataset) -> bool:
    return bool(seg.SegmentationType == "LABELMAP")


def _frames(seg: Dataset) -> NDArray[np.uint8]:
    """Give the pixels, a row a frame: of BINARY bytes of eight pixels where frames begin with a byte, else bits.

    No segmentation of this node has more than 255 segments, so that label maps have 8 bits as probabilities do.
    Frames of 1-bit pixels follow each other without padding (PS3.5 section 8.1.1).
    """
    frames, pixels = int(seg.NumberOfFrames), int(seg.Rows) * int(seg.Columns)
    content = np.frombuffer(seg.PixelData, dtype=np.uint8)
    if int(seg.BitsAllocated) == 1 and pixels % 8:
        return np.unpackbits(content, count=frames * pixels, bitorder="little").reshape(frames, pixels)
    width = pixels * int(seg.BitsAllocated) // 8
    return content[: frames * width].reshape(frames, width)


def _packed(seg: Dataset, frames: NDArray[np.uint8]) -> bytes:
    """Undo ``_frames``; the length is even (PS3.5 section 8.2)."""
    is_bits = int(seg.BitsAllocated) == 1 and int(seg.Rows) * int(seg.Columns) % 8
    content = np.packbits(frames.ravel(), bitorder="little").tobytes() if is_bits else frames.tobytes()
    return content + b"\0" * (len(content) % 2)
