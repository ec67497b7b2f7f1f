"""Small objects that ask for a great deal, made when they are needed and never kept."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from tests.support.synthetic_series import SeriesOptions, axial_grid, make_instance


def _slice() -> Dataset:
    return make_instance(np.zeros((64, 64)), axial_grid((3, 64, 64)), 0, SeriesOptions())


def _part_10(data_set: Dataset) -> bytes:
    buffer = BytesIO()
    data_set.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def deflated() -> bytes:
    """Give two gigabytes of zeros behind an image, in two megabytes."""
    data_set = _slice()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    plain = _part_10(data_set)
    start = 144 + int.from_bytes(plain[140:144], "little")
    data_set.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    meta = _part_10(data_set)
    meta = meta[: 144 + int.from_bytes(meta[140:144], "little")]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(plain[start:])
    body += b"".join(packer.compress(bytes(1 << 24)) for _ in range(128)) + packer.flush()
    return meta + body


def _compressed(codestream: bytes, syntax: str, **header: object) -> bytes:
    data_set = _slice()
    for keyword, value in header.items():
        setattr(data_set, keyword, value)
    data_set.PixelData = encapsulate([codestream])
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    data_set.file_meta.TransferSyntaxUID = syntax
    return _part_10(data_set)


def run_length() -> bytes:
    """Give a few bytes of RLE in an image of the largest size that a header can name."""
    segments = struct.pack("<16I", 2, 64, 66, *([0] * 13)) + b"\x81\x00\x81\x00"
    return _compressed(segments, RLELossless, Rows=65535, Columns=65535)


def jpeg_2000() -> bytes:
    """Give a codestream that promises sixty thousand rows and columns, in an image that says 64."""
    size = struct.pack(">HH8IH", 41, 0, 60000, 60000, 0, 0, 60000, 60000, 0, 0, 1) + b"\x0f\x01\x01"
    return _compressed(b"\xff\x4f\xff\x51" + size + b"\xff\xd9", JPEG2000Lossless)


def jpeg() -> bytes:
    """Give the same as JPEG, which says so too in the header."""
    frame = b"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00\xff\xd9"
    return _compressed(frame, JPEGBaseline8Bit, Rows=65535, Columns=65535, BitsAllocated=8, BitsStored=8, HighBit=7)


def jpeg_ls() -> bytes:
    """Give the same as JPEG-LS, whose header says what the codestream says and has no pixels."""
    size = b"\xff\xf7\x00\x0b\x10\x10\x00\x10\x00\x01\x01\x11\x00"
    frame = b"\xff\xd8" + size + b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00\xff\xd9"
    return _compressed(frame, JPEGLSLossless, Rows=4096, Columns=4096)


def frames() -> bytes:
    """Promise two thousand million frames, of which there is one."""
    data_set = _slice()
    data_set.NumberOfFrames = 2**31 - 1
    data_set.PerFrameFunctionalGroupsSequence = DicomSequence([Dataset()])
    return _part_10(data_set)


def nesting() -> bytes:
    """Put twenty thousand sequences within each other."""
    opening = b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00" + b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    return _part_10(_slice()) + opening * 20_000 + closing * 20_000


def length() -> bytes:
    """Give an element that says it is four gigabytes long."""
    return _part_10(_slice())[:-8204] + b"\xe0\x7f\x10\x00OW\x00\x00\xfe\xff\xff\xff"


def multiplicity() -> bytes:
    """Give a position with a quarter of a million values."""
    data_set = _slice()
    data_set.add_new(0x00200032, "DS", "1\\" * 250_000 + "1")
    return _part_10(data_set)


BOMBS: Final[Mapping[str, Callable[[], bytes]]] = {
    made.__name__: made
    for made in (deflated, run_length, jpeg_2000, jpeg, jpeg_ls, frames, nesting, length, multiplicity)
}


def write_bombs(folder: Path) -> list[Path]:
    """Write all of them."""
    paths = []
    for name, made in BOMBS.items():
        paths.append(folder / name)
        paths[-1].write_bytes(made())
    return paths
