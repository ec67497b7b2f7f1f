"""Retrieving (WADO-RS, PS3.18 section 10.4): files, metadata, frames and bulk data, one file open at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from inference.attributes import integer
from inference.domain.identifiers import UID
from inference.domain.study import InstanceIdentity, StoredInstance
from inference.errors import ReasonCode, UnsupportedPixelData
from inference.headers import InstanceHeader, read_headers
from inference.pixel_data import encoded_frames, is_encapsulated
from inference.pixel_format import PixelFormat
from integrations.local_archive.entries import Entry

CHUNK_BYTES: Final = 1 << 16
INLINE_BYTES: Final = 1024
"""Larger values of an instance are retrieved by an address of their own."""
_BULKY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_PIXEL_DATA: Final = "7FE00010"
_EXPLICIT: Final = "1.2.840.10008.1.2.1"

MEDIA_TYPES: Final = {
    **dict.fromkeys(("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"), "image/jp2"),
    **dict.fromkeys(("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"), "image/jls"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70)), "image/jpeg"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{number}" for number in (201, 202, 203)), "image/jphc"),
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
"""How compressed frames are called (PS3.18 table 8.7.3-4)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart answer.

    Parameters
    ----------
    content_type
        Its media type with the transfer syntax.
    chunks
        Its content.
    """

    content_type: str
    chunks: Iterable[bytes]


def file_part(entry: Entry) -> Part:
    """Give a whole instance as it lies in its file."""
    return Part(f"application/dicom; transfer-syntax={entry.transfer_syntax_uid}", _file(entry))


def _file(entry: Entry) -> Iterator[bytes]:
    with entry.path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def metadata(entries: Sequence[Entry], charset: str, base: str) -> Iterator[bytes]:
    """Give the headers of instances in the DICOM JSON model, one after the other.

    Parameters
    ----------
    entries
        Which.
    charset
        Specific Character Set to assume where one names none.
    base
        Public address of the archive, for the addresses of bulk data.
    """
    yield b"["
    for number, entry in enumerate(entries):
        yield b"," * (number > 0) + json.dumps(_finite(_header(entry, charset, base)), allow_nan=False).encode()
    yield b"]"


def _header(entry: Entry, charset: str, base: str) -> dict[str, Any]:
    header = _read(entry, charset)
    address = f"{base}/studies/{entry.study_uid}/series/{entry.series_uid}/instances/{entry.instance_uid}/bulk"
    elements = {f"{element.tag:08X}": _element(element, address) for element in header.data_set}
    elements["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    if "Rows" in header.data_set:
        elements[_PIXEL_DATA] = {"vr": "OW", "BulkDataURI": f"{address}/{_PIXEL_DATA}"}
    return elements


def _element(element: DataElement, address: str) -> dict[str, Any]:
    if element.VR in _BULKY and len(element.value or b"") > INLINE_BYTES:
        return {"vr": str(element.VR), "BulkDataURI": f"{address}/{element.tag:08X}"}
    written: dict[str, Any] = element.to_json_dict(None, 1 << 30)
    return written


def _finite(value: Any) -> Any:
    """Leave out what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list) else value


def frame_parts(entry: Entry, numbers: Sequence[int], charset: str) -> Iterator[Part]:
    """Give frames, numbered from 1, in ascending order; native ones in little endian.

    Raises
    ------
    UnsupportedPixelData
        If the pixels are absent, damaged or no whole bytes, or there are not as many.
    """
    header = _read(entry, charset)
    for _, frame in encoded_frames(header, _format(header.data_set), sorted(set(numbers))):
        yield Part(_frame_type(header), [_little_endian(frame, header)])


def _frame_type(header: InstanceHeader) -> str:
    syntax = str(header.instance.transfer_syntax_uid)
    if is_encapsulated(header):
        return f"{MEDIA_TYPES[syntax]}; transfer-syntax={syntax}"
    return f"application/octet-stream; transfer-syntax={_EXPLICIT}"


def _format(data_set: Dataset) -> PixelFormat:
    """Give the sizes of a frame, which is all that is needed of its format to cut it out."""
    rows, columns = integer(data_set, "Rows") or 1, integer(data_set, "Columns") or 1
    bits = integer(data_set, "BitsAllocated") or 8
    samples = integer(data_set, "SamplesPerPixel") or 1
    if rows * columns * samples * bits % 8:
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "a frame does not end on a byte; retrieve the instance")
    return PixelFormat(rows, columns * samples, bits, bits, bits - 1, False, False, False)


def _little_endian(frame: bytes, header: InstanceHeader) -> bytes:
    if header.data_set.original_encoding[1] or integer(header.data_set, "BitsAllocated") != 16:
        return frame
    swapped = bytearray(len(frame))
    swapped[::2], swapped[1::2] = frame[1::2], frame[::2]
    return bytes(swapped)


def bulk_data(entry: Entry, tag: BaseTag, charset: str) -> bytes | None:
    """Give the value of an element; None where it is not there or is no bulk data.

    Of pixels, the frames one after the other as they are stored.
    """
    header = _read(entry, charset)
    if f"{tag:08X}" == _PIXEL_DATA:
        count = integer(header.data_set, "NumberOfFrames") or 1
        parts = frame_parts(entry, range(1, count + 1), charset)
        return b"".join(chunk for part in parts for chunk in part.chunks)
    element = header.data_set.get(tag)
    return bytes(element.value or b"") if element is not None and element.VR in _BULKY else None


def _read(entry: Entry, charset: str) -> InstanceHeader:
    identity = InstanceIdentity(
        UID(entry.study_uid),
        UID(entry.series_uid),
        UID(entry.instance_uid),
        UID(str(entry.instance["00080016"]["Value"][0])),
    )
    stored = StoredInstance(identity, UID(entry.transfer_syntax_uid), entry.path, "", 0)
    return read_headers([stored], charset)[0]
