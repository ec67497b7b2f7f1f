"""From an encoded frame to the numbers that are stored in it.

Compressed frames are decoded by foreign code: call ``decode_codestream`` in a child process only
(``inference.decoder_pool``).
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder

from inference.errors import ReasonCode, UnsupportedPixelData
from inference.pixel_format import PixelFormat

_RLE: Final = "1.2.840.10008.1.2.5"
_JPEG_EXTENDED: Final = "1.2.840.10008.1.2.4.51"
_START_OF_FRAME: Final = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Second bytes of the JPEG and JPEG-LS markers that carry the image size (ITU-T T.81 table B.1, T.87)."""

Stored = NDArray[np.integer]
"""(rows, columns) integers."""


def stored_values(frame: bytes, form: PixelFormat, *, little_endian: bool) -> Stored:
    """Read the pixel values of an uncompressed frame (PS3.5 section 8.1.1).

    Parameters
    ----------
    frame
        Its bytes, one pixel cell after the other, as many as ``form`` says.
    form
        How pixels are stored.
    little_endian
        Order of the bytes of a cell.

    Returns
    -------
    (rows, columns) integer ndarray
        May be read-only.

    Raises
    ------
    UnsupportedPixelData
        PIXEL_CORRUPT when cells hold more than the header says.
    """
    kind = np.dtype(f"{'<' if little_endian else '>'}{'i' if form.signed else 'u'}{form.bits_allocated // 8}")
    cells = np.frombuffer(frame, dtype=kind).reshape(form.rows, form.columns)
    if form.bits_stored == form.bits_allocated or (form.high_bit == form.bits_stored - 1 and _in_range(cells, form)):
        return cells
    return _values_in(cells, form)


def _in_range(cells: Stored, form: PixelFormat) -> bool:
    """Tell whether all cells are numbers of Bits Stored bits as they are."""
    low, high = (
        (-1 << (form.bits_stored - 1), (1 << (form.bits_stored - 1)) - 1)
        if form.signed
        else (0, (1 << form.bits_stored) - 1)
    )
    return low <= int(cells.min()) and int(cells.max()) <= high


def _values_in(cells: Stored, form: PixelFormat) -> Stored:
    """Take the values out of cells that hold something else besides, or whose unused bits do not repeat the sign."""
    above = cells >> (form.high_bit + 1) if form.high_bit + 1 < form.bits_allocated else np.zeros_like(cells)
    strange = (above != 0) & (above != -1) if form.signed else above != 0
    if strange.any() and not form.embedded_overlay:
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, "pixels need more bits than the header says")
    at_the_top = cells.astype(np.int64) << (63 - form.high_bit)
    if form.signed:
        return at_the_top >> (64 - form.bits_stored)
    return (at_the_top.view(np.uint64) >> np.uint64(64 - form.bits_stored)).astype(np.int64)


def codestream_size(codestream: bytes) -> tuple[int, int] | None:
    """Read rows and columns from a JPEG, JPEG-LS or JPEG 2000 codestream; None for any other.

    Parameters
    ----------
    codestream
        One compressed frame.
    """
    if codestream[:4] == b"\xff\x4f\xff\x51" and len(codestream) >= 24:  # SOC, SIZ: ITU-T T.800 section A.5.1
        width, height, left, top = struct.unpack(">4I", codestream[8:24])
        return height - top, width - left
    if codestream[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(codestream) and codestream[at] == 0xFF:
        if codestream[at + 1] in _START_OF_FRAME:
            rows, columns = struct.unpack(">2H", codestream[at + 5 : at + 9])
            return rows, columns
        at += 2 + int.from_bytes(codestream[at + 2 : at + 4], "big")
    return None


def decode_codestream(codestream: bytes, transfer_syntax_uid: str, form: PixelFormat) -> Stored:
    """Decode a compressed frame.

    Parameters
    ----------
    codestream
        One frame.
    transfer_syntax_uid
        Its encoding, one that ``pixel_format.check_transfer_syntax`` accepts.
    form
        What the header of the instance promises.

    Returns
    -------
    (rows, columns) integer ndarray

    Raises
    ------
    UnsupportedPixelData
        PIXEL_CORRUPT when its own header promises another size (decoders allocate by that one, or break down), when
        no decoder takes it, or another size comes out.
    """
    if transfer_syntax_uid != _RLE and codestream_size(codestream) != (form.rows, form.columns):
        message = "a compressed image is not of the size that its header says"
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, message)
    try:
        if transfer_syntax_uid == _JPEG_EXTENDED and form.bits_allocated == 16:
            stored = _decode_extended_jpeg(codestream, form)
        else:
            stored = _decode(codestream, transfer_syntax_uid, form)
    except Exception as error:  # decoders raise many types, MemoryError among them
        message = f"the pixel data of an image cannot be decoded ({type(error).__name__})"
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, message) from error
    if stored.shape != (form.rows, form.columns):
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, "an image is not of the size that its header says")
    return stored


def _decode(codestream: bytes, transfer_syntax_uid: str, form: PixelFormat) -> Stored:
    stored, _ = get_decoder(transfer_syntax_uid).as_array(
        encapsulate([codestream]),
        raw=True,
        index=0,
        rows=form.rows,
        columns=form.columns,
        number_of_frames=1,
        samples_per_pixel=1,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=form.bits_allocated,
        bits_stored=form.bits_stored,
        pixel_representation=int(form.signed),
        pixel_keyword="PixelData",
    )
    return np.asarray(stored)


def _decode_extended_jpeg(codestream: bytes, form: PixelFormat) -> Stored:
    """Decode 12-bit JPEG by GDCM itself: pydicom has no permissive decoder for it, and does not let GDCM's try."""
    import gdcm

    fragment, fragments = gdcm.Fragment(), gdcm.SequenceOfFragments.New()
    fragment.SetByteStringValue(codestream)
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((form.columns, form.rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    image.SetPixelFormat(
        gdcm.PixelFormat(1, form.bits_allocated, form.bits_stored, form.bits_stored - 1, int(form.signed))
    )
    content = image.GetBuffer().encode("utf-8", errors="surrogateescape")
    return np.frombuffer(content, dtype=np.int16 if form.signed else np.uint16).reshape(form.rows, form.columns)
