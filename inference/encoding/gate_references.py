"""References between objects: to instances, to segments, and the identity that a finding has in each."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

_REFERENCE: Final = re.compile(rb"\x08\x00\x55\x11UI(..)", re.DOTALL)
"""Referenced SOP Instance UID (0008,1155) in Explicit VR Little Endian, and the length of its value."""

_BULK: Final = ("EncapsulatedDocument", "FloatPixelData", "DoubleFloatPixelData", "PixelData")


def dangling(content: bytes, data_set: Dataset, known: Collection[str]) -> frozenset[str]:
    """Give the SOP Instance UIDs that an object refers to at any depth and that nobody knows.

    They are found in the encoded bytes: a segmentation refers to its source in each of thousands of frames, which it
    would take seconds to decode.

    Parameters
    ----------
    content
        The object as a file, in Explicit VR Little Endian.
    data_set
        The same, read.
    known
        What may be referred to; the object's predecessor may be, too.
    """
    return referenced(content, data_set).difference(known, _predecessors(data_set))


def referenced(content: bytes, data_set: Dataset) -> frozenset[str]:
    """Give every SOP Instance UID that an object refers to, at any depth.

    Parameters
    ----------
    content, data_set
        The object, as for ``dangling``.
    """
    return frozenset(
        content[match.end() : match.end() + int.from_bytes(match[1], "little")]
        .rstrip(b"\0 ")
        .decode("ascii", "replace")
        for start, end in _without_bulk(content, data_set)
        for match in _REFERENCE.finditer(content, start, end)
    )


def segment_faults(data_set: Dataset, segmentations: Sequence[Dataset]) -> Iterator[str]:
    """Yield attribute and fault of measurement groups that name no segment, or another finding's.

    Parameters
    ----------
    data_set
        Any object; only Structured Reports have such groups.
    segmentations
        Those that are sent with it; a reference to another is not judged.
    """
    segments = {str(seg.SOPInstanceUID): _tracking_by_number(seg) for seg in segmentations}
    for group in _groups(data_set):
        tracking = _tracking(group)
        for item in group.get("ContentSequence") or ():
            for reference in item.get("ReferencedSOPSequence") or ():
                present = segments.get(str(reference.ReferencedSOPInstanceUID))
                if present is None or "ReferencedSegmentNumber" not in reference:
                    continue
                number = int(reference.ReferencedSegmentNumber)
                if number not in present:
                    yield "ReferencedSegmentNumber: names a segment that is not there"
                elif present[number] != tracking:
                    yield "UID: the tracking identity of a finding is not that of its segment"


def _without_bulk(content: bytes, data_set: Dataset) -> Iterator[tuple[int, int]]:
    """Give the ranges of bytes before, between and after pixels and documents, which may look like anything."""
    start = 0
    for element in (data_set.get_item(keyword) for keyword in _BULK if keyword in data_set):
        yield start, element.value_tell
        start = element.value_tell + element.length
    yield start, len(content)


def _predecessors(data_set: Dataset) -> Iterator[str]:
    for study in data_set.get("PredecessorDocumentsSequence") or ():
        for series in study.ReferencedSeriesSequence:
            for reference in series.ReferencedSOPSequence:
                yield str(reference.ReferencedSOPInstanceUID)


def _tracking_by_number(seg: Dataset) -> dict[int, str]:
    return {int(item.SegmentNumber): str(item.get("TrackingUID", "")) for item in seg.SegmentSequence}


def _groups(data_set: Dataset) -> Iterator[Dataset]:
    for container in data_set.get("ContentSequence") or ():
        if _named(container, codes.DCM.ImagingMeasurements.value):
            yield from container.get("ContentSequence") or ()


def _tracking(group: Dataset) -> str:
    for item in group.get("ContentSequence") or ():
        if _named(item, codes.DCM.TrackingUniqueIdentifier.value):
            return str(item.get("UID", ""))
    return ""


def _named(item: Dataset, value: str) -> bool:
    return any(name.get("CodeValue") == value for name in item.get("ConceptNameCodeSequence") or ())
