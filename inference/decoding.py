"""From the stored bytes of one image to modality values.

Everything that can be known from the header is checked before a decoder sees a byte: decoders are foreign code and
pixel data come from outside.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.processing import apply_modality_lut

from inference.attributes import integer, number, text, values
from inference.domain.study import StoredInstance
from inference.domain.transfer_syntaxes import DECODABLE_TRANSFER_SYNTAXES, ENCAPSULATED_TRANSFER_SYNTAXES
from inference.errors import ReasonCode, UnsupportedPixelData

MAX_SIDE: Final = 4096
"""Most rows or columns of one image."""

_GREYSCALE: Final = frozenset({"MONOCHROME1", "MONOCHROME2"})
_ALLOCATED_BITS: Final = frozenset({8, 16, 32})
_RLE: Final = "1.2.840.10008.1.2.5"
_JPEG_EXTENDED: Final = "1.2.840.10008.1.2.4.51"
_START_OF_FRAME: Final = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Second bytes of the JPEG and JPEG-LS markers that carry the image size (ITU-T T.81 table B.1, T.87)."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How the pixels of an image are stored.

    Parameters
    ----------
    rows, columns
        Size of the image.
    bits_stored
        Significant bits.
    signed
        Whether stored values are two's complement.
    inverted
        Whether low values are bright (MONOCHROME1).
    """

    rows: int
    columns: int
    bits_stored: int
    signed: bool
    inverted: bool


def pixel_format(data_set: Dataset) -> PixelFormat:
    """Read and check how an image is stored (PS3.3 section C.7.6.3).

    Raises
    ------
    UnsupportedPixelData
        PIXEL_FORMAT when it is no greyscale image of whole numbers, PIXEL_TOO_LARGE above ``MAX_SIDE``.
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
    representation = integer(data_set, "PixelRepresentation")
    if allocated not in _ALLOCATED_BITS or stored is None or not 1 <= stored <= allocated:
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "the number of bits of a pixel is not supported")
    if representation not in {0, 1}:
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "it is not said whether pixels are signed")
    return PixelFormat(rows, columns, stored, representation == 1, photometric == "MONOCHROME1")


def check_transfer_syntax(instance: StoredInstance) -> None:
    """Return only if this node has a decoder for the instance's encoding.

    Raises
    ------
    UnsupportedPixelData
        TRANSFER_SYNTAX.
    """
    if instance.transfer_syntax_uid not in DECODABLE_TRANSFER_SYNTAXES:
        message = f"no decoder for transfer syntax {instance.transfer_syntax_uid}"
        raise UnsupportedPixelData(ReasonCode.TRANSFER_SYNTAX, message)


def decode(instance: StoredInstance, expected: PixelFormat) -> NDArray[np.float32]:
    """Decode a single-frame image and apply its modality transformation.

    Pixel padding takes the lowest value that is no padding, MONOCHROME1 is turned so that high values are bright,
    and the Modality LUT or rescale slope and intercept are applied (PS3.3 sections C.7.5.1.1.2, C.11.1).

    Parameters
    ----------
    instance
        Which image.
    expected
        What its header promised.

    Returns
    -------
    (rows, columns) float32 ndarray
        Modality values.

    Raises
    ------
    UnsupportedPixelData
        TRANSFER_SYNTAX, PIXEL_MISSING, PIXEL_FORMAT, PIXEL_TOO_LARGE or PIXEL_CORRUPT.
    """
    check_transfer_syntax(instance)
    data_set = _read(instance)
    if instance.transfer_syntax_uid in ENCAPSULATED_TRANSFER_SYNTAXES:
        _check_codestream(data_set, expected)
    try:
        stored = _stored_values(data_set, instance)
    except Exception as error:  # decoders raise many types, all of which mean damaged pixel data
        message = f"the pixel data of an image cannot be decoded ({type(error).__name__})"
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, message) from error
    if stored.shape != (expected.rows, expected.columns):
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, "an image is not of the size that its header says")
    return _modality_values(_without_padding(stored, data_set), data_set, expected)


def _stored_values(data_set: Dataset, instance: StoredInstance) -> NDArray[np.generic]:
    """Decode by pydicom, except 12-bit JPEG Extended, for which it has no permissive decoder and GDCM itself does."""
    if instance.transfer_syntax_uid != _JPEG_EXTENDED or data_set.BitsAllocated != 16:
        return np.asarray(data_set.pixel_array)
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(instance.path))
    if not reader.Read():
        raise ValueError("GDCM cannot read the image")
    content = reader.GetImage().GetBuffer().encode("utf-8", errors="surrogateescape")
    stored = np.frombuffer(content, dtype=np.int16 if data_set.PixelRepresentation else np.uint16)
    return stored.reshape(int(data_set.Rows), int(data_set.Columns))


def _read(instance: StoredInstance) -> Dataset:
    try:
        data_set = dcmread(instance.path, force=True)
        present = "PixelData" in data_set and bool(data_set["PixelData"].value)
        cut = not present and _pixel_data_begin(instance)
    except Exception as error:  # a damaged file raises many types
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, "an image file cannot be read to its end") from error
    if cut:
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, "an image file ends within its pixel data")
    if not present:
        raise UnsupportedPixelData(ReasonCode.PIXEL_MISSING, "an image has no pixel data")
    data_set.file_meta.TransferSyntaxUID = instance.transfer_syntax_uid
    return data_set


def _pixel_data_begin(instance: StoredInstance) -> bool:
    """Tell whether compressed pixel data begin: where the file is cut in them, pydicom leaves them out silently."""
    if instance.transfer_syntax_uid not in ENCAPSULATED_TRANSFER_SYNTAXES:
        return False
    with instance.path.open("rb") as file:
        dcmread(file, stop_before_pixels=True, force=True)
        return file.read(8) == b"\xe0\x7f\x10\x00OB\0\0"


def _check_codestream(data_set: Dataset, expected: PixelFormat) -> None:
    """Refuse a compressed image whose own header promises another size: decoders allocate by that one."""
    try:
        codestream = next(generate_frames(data_set.PixelData, number_of_frames=1))
    except Exception as error:  # damaged encapsulation raises many types
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, "the fragments of an image are damaged") from error
    size = codestream_size(codestream)
    if size != (expected.rows, expected.columns) and text(data_set.file_meta, "TransferSyntaxUID") != _RLE:
        message = "a compressed image is not of the size that its header says"
        raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, message)


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


def _without_padding(stored: NDArray[np.generic], data_set: Dataset) -> NDArray[np.float64]:
    pixels = stored.astype(np.float64)
    value = number(data_set, "PixelPaddingValue")
    if value is None:
        return pixels
    limit = number(data_set, "PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    padding = (pixels >= low) & (pixels <= high)
    if padding.any() and not padding.all():
        pixels[padding] = pixels[~padding].min()
    return pixels


def _modality_values(pixels: NDArray[np.float64], data_set: Dataset, expected: PixelFormat) -> NDArray[np.float32]:
    if expected.inverted:
        pixels = (-1.0 if expected.signed else 2.0**expected.bits_stored - 1) - pixels
    if values(data_set, "ModalityLUTSequence"):
        return _through_lut(pixels, data_set)
    slope, intercept = number(data_set, "RescaleSlope"), number(data_set, "RescaleIntercept")
    if slope == 0:
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "the rescale slope of an image is zero")
    with np.errstate(over="ignore"):  # what is not finite then is refused by whoever stacks the slices
        return (pixels * (1.0 if slope is None else slope) + (intercept or 0.0)).astype(np.float32)


def _through_lut(pixels: NDArray[np.float64], data_set: Dataset) -> NDArray[np.float32]:
    try:
        return np.asarray(apply_modality_lut(pixels.astype(np.int64), data_set), dtype=np.float32)
    except Exception as error:  # a damaged table raises many types
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "the modality LUT of an image is damaged") from error
