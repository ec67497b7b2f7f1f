"""The pixels of instances before they are decoded: whether they can be, and the frames as they lie in the file.

Files are read frame by frame, so that a large multi-frame instance costs no more memory than one of its frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

from pydicom.encaps import generate_frames

from inference.attributes import encoded, integer
from inference.domain.transfer_syntaxes import DEFLATED, ENCAPSULATED_TRANSFER_SYNTAXES
from inference.errors import ReasonCode, UnsupportedPixelData
from inference.file_format import open_file
from inference.headers import InstanceHeader
from inference.pixel_format import FORMAT_TAGS, PixelFormat, check_transfer_syntax, pixel_format

_PIXEL_DATA: Final = 0x7FE00010
_UNDEFINED_LENGTH: Final = 0xFFFFFFFF
_ITEM: Final = b"\xfe\xff\x00\xe0"
_SEQUENCE_END: Final = b"\xfe\xff\xdd\xe0\0\0\0\0"
_LONG_VRS: Final = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN"})
"""Value representations whose length takes four bytes, after two that are reserved (PS3.5 section 7.1.2)."""


def pixel_formats(headers: Iterable[InstanceHeader]) -> tuple[PixelFormat, ...]:
    """Read and check how the pixels of several instances are stored; headers that say the same are read once.

    Parameters
    ----------
    headers
        Of the instances.

    Raises
    ------
    UnsupportedPixelData
        Of the first that cannot be decoded: TRANSFER_SYNTAX, or as ``pixel_format`` does.
    """
    known: dict[object, PixelFormat] = {}
    return tuple(_pixel_format(header, known) for header in headers)


def _pixel_format(header: InstanceHeader, known: dict[object, PixelFormat]) -> PixelFormat:
    check_transfer_syntax(header.instance.transfer_syntax_uid)
    said = encoded(header.data_set, FORMAT_TAGS)
    if said not in known:
        known[said] = pixel_format(header.data_set)
    return known[said]


def is_encapsulated(header: InstanceHeader) -> bool:
    """Tell whether the pixels of an instance are compressed."""
    return header.instance.transfer_syntax_uid in ENCAPSULATED_TRANSFER_SYNTAXES


def encoded_frames(header: InstanceHeader, form: PixelFormat, wanted: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Read frames of an instance.

    Parameters
    ----------
    header
        Of the instance.
    form
        How its pixels are stored.
    wanted
        Frame numbers from 1, ascending.

    Yields
    ------
    number : int
        The frame's.
    frame : bytes
        A codestream where the pixels are encapsulated, else as many bytes as the header promises.

    Raises
    ------
    UnsupportedPixelData
        PIXEL_MISSING without pixels, PIXEL_FORMAT for other than whole numbers, PIXEL_CORRUPT where there are not as
        many bytes or frames as promised.
    """
    try:
        with header.instance.path.open("rb") as file:
            stream = open_file(file).stream if header.instance.transfer_syntax_uid == DEFLATED else file
            element = _enter_pixel_data(stream, header)
            if is_encapsulated(header):
                yield from _codestreams(stream, header, element, wanted)
            else:
                yield from _native(stream, header, element, form, wanted)
    except UnsupportedPixelData:
        raise
    except Exception as error:  # a damaged file or encapsulation raises many types
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, "the pixel data of an image are damaged") from error


@dataclass(frozen=True, slots=True)
class _Element:
    """The element Pixel Data: its value representation (empty where that is implicit) and the length of its value."""

    vr: bytes
    length: int


def frame_count(header: InstanceHeader) -> int:
    """Give Number of Frames; 1 where it is absent or makes no sense."""
    return max(1, integer(header.data_set, "NumberOfFrames") or 1)


def _enter_pixel_data(stream: BinaryIO, header: InstanceHeader) -> _Element:
    """Go to the value of Pixel Data (PS3.5 section 7.1)."""
    stream.seek(header.pixels_at)
    implicit, little = header.data_set.original_encoding
    order: Literal["little", "big"] = "little" if little else "big"
    start = stream.read(8)
    if len(start) < 8:
        raise UnsupportedPixelData(ReasonCode.PIXEL_MISSING, "an image has no pixel data")
    group, number = int.from_bytes(start[:2], order), int.from_bytes(start[2:4], order)
    if group << 16 | number != _PIXEL_DATA:
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "the pixels of an image are not whole numbers")
    if implicit:
        element = _Element(b"", int.from_bytes(start[4:], order))
    elif start[4:6] in _LONG_VRS:
        element = _Element(start[4:6], int.from_bytes(stream.read(4), order))
    else:
        element = _Element(start[4:6], int.from_bytes(start[6:], order))
    if element.length == 0:
        raise UnsupportedPixelData(ReasonCode.PIXEL_MISSING, "the pixel data of an image are empty")
    return element


def _native(
    stream: BinaryIO, header: InstanceHeader, element: _Element, form: PixelFormat, wanted: Sequence[int]
) -> Iterator[tuple[int, bytes]]:
    """Give frames that lie one after the other; what follows the last may be padding, but no further row."""
    start, size = stream.tell(), form.frame_bytes
    surplus = element.length - size * frame_count(header)
    if element.length == _UNDEFINED_LENGTH or not 0 <= surplus < max(2, size // form.rows):
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, "an image is not of the size that its header says")
    bytes_are_swapped = element.vr == b"OW" and form.bits_allocated == 8 and not header.data_set.original_encoding[1]
    for number in wanted:
        stream.seek(start + (number - 1) * size)
        frame = stream.read(size)
        if len(frame) < size:
            raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, "an image file ends within its pixel data")
        yield number, _swapped(frame) if bytes_are_swapped else frame


def _swapped(frame: bytes) -> bytes:
    """Undo the order of 8-bit pixels in 16-bit words of big endian (PS3.5 section 8.1.1)."""
    if len(frame) % 2:
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "an odd number of 8-bit pixels in big endian words")
    swapped = bytearray(len(frame))
    swapped[::2], swapped[1::2] = frame[1::2], frame[::2]
    return bytes(swapped)


def _codestreams(
    stream: BinaryIO, header: InstanceHeader, element: _Element, wanted: Sequence[int]
) -> Iterator[tuple[int, bytes]]:
    if element.length != _UNDEFINED_LENGTH:
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, "compressed pixel data are not encapsulated")
    _check_end(stream)
    left = set(wanted)
    tables = header.data_set.get("ExtendedOffsetTable"), header.data_set.get("ExtendedOffsetTableLengths")
    offsets = tables if all(tables) else None
    frames = generate_frames(stream, number_of_frames=frame_count(header), extended_offsets=offsets)
    for number, frame in enumerate(frames, start=1):
        if number in left:
            left.remove(number)
            yield number, frame
        if not left:
            return
    raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, "an image has fewer frames than its header says")


def _check_end(stream: BinaryIO) -> None:
    """Refuse fragments that do not end as they must (PS3.5 section A.4): the file was cut within them."""
    start = stream.tell()
    while (item := stream.read(8))[:4] == _ITEM:
        length = int.from_bytes(item[4:], "little")
        stream.seek(length, 1)
    if item != _SEQUENCE_END:
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, "an image file ends within its pixel data")
    stream.seek(start)
