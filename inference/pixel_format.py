"""How the pixels of an instance are stored, as its header says.

All that can be known from the header is checked before a decoder sees a byte: decoders are foreign code, and pixel
data come from outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from inference.attributes import integer, text
from inference.domain.transfer_syntaxes import DECODABLE_TRANSFER_SYNTAXES
from inference.errors import ReasonCode, UnsupportedPixelData

MAX_SIDE: Final = 4096
"""Most rows or columns of one image."""

_GREYSCALE: Final = frozenset({"MONOCHROME1", "MONOCHROME2"})
_ALLOCATED_BITS: Final = frozenset({8, 16, 32})
_OVERLAYS: Final = range(0x6000, 0x6020, 2)
FORMAT_TAGS: Final = (
    *map(Tag, ("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored")),
    *map(Tag, ("HighBit", "PixelRepresentation")),
    *(Tag(group, 0x0010) for group in _OVERLAYS),
)
"""All attributes on which a format depends."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How the pixels of an image are stored (PS3.3 section C.7.6.3).

    Parameters
    ----------
    rows, columns
        Size of the image.
    bits_allocated, bits_stored, high_bit
        Bits of a pixel cell, those of them that are its value, and the highest of these.
    signed
        Whether stored values are two's complement.
    inverted
        Whether low values are bright (MONOCHROME1).
    embedded_overlay
        Whether the bits that are not the value's may hold an overlay (retired, PS3.5 section 8.1.2).
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    inverted: bool
    embedded_overlay: bool

    @property
    def frame_bytes(self) -> int:
        """Bytes of one uncompressed frame."""
        return self.rows * self.columns * self.bits_allocated // 8


def pixel_format(data_set: Dataset) -> PixelFormat:
    """Read and check how an image is stored.

    Parameters
    ----------
    data_set
        Its header.

    Raises
    ------
    UnsupportedPixelData
        PIXEL_MISSING without rows and columns, PIXEL_FORMAT when it is no greyscale image of whole numbers,
        PIXEL_TOO_LARGE above ``MAX_SIDE``.
    """
    rows, columns = integer(data_set, "Rows") or 0, integer(data_set, "Columns") or 0
    if rows < 1 or columns < 1:
        raise UnsupportedPixelData(ReasonCode.PIXEL_MISSING, "an image has no rows or no columns")
    if max(rows, columns) > MAX_SIDE:
        message = f"an image is larger than {MAX_SIDE} × {MAX_SIDE}"
        raise UnsupportedPixelData(ReasonCode.PIXEL_TOO_LARGE, message)
    photometric = text(data_set, "PhotometricInterpretation").upper()
    if photometric not in _GREYSCALE or (integer(data_set, "SamplesPerPixel") or 1) != 1:
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "an image is not greyscale")
    allocated, stored = integer(data_set, "BitsAllocated"), integer(data_set, "BitsStored")
    if allocated not in _ALLOCATED_BITS or stored is None or not 1 <= stored <= allocated:
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "the number of bits of a pixel is not supported")
    high_bit = integer(data_set, "HighBit")
    high_bit = stored - 1 if high_bit is None else high_bit
    if not stored - 1 <= high_bit < allocated:
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "the bits of a pixel value do not lie within its cell")
    representation = integer(data_set, "PixelRepresentation")
    if representation not in {0, 1}:
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "it is not said whether pixels are signed")
    return PixelFormat(
        rows,
        columns,
        allocated,
        stored,
        high_bit,
        signed=representation == 1,
        inverted=photometric == "MONOCHROME1",
        embedded_overlay=stored < allocated and _has_embedded_overlay(data_set),
    )


def check_transfer_syntax(transfer_syntax_uid: str) -> None:
    """Return only if this node has a decoder for an encoding.

    Raises
    ------
    UnsupportedPixelData
        TRANSFER_SYNTAX.
    """
    if transfer_syntax_uid not in DECODABLE_TRANSFER_SYNTAXES:
        message = f"no decoder for transfer syntax {transfer_syntax_uid}"
        raise UnsupportedPixelData(ReasonCode.TRANSFER_SYNTAX, message)


def _has_embedded_overlay(data_set: Dataset) -> bool:
    """Tell whether an overlay group has no data of its own."""
    return any((group, 0x0010) in data_set and (group, 0x3000) not in data_set for group in _OVERLAYS)
