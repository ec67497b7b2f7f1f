"""Compressed pixel data by encoders that nobody here wrote, behind imagecodecs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

Frame = NDArray[Any]


def _j2k(reversible: bool) -> Callable[[Frame, int], bytes]:
    def encode(frame: Frame, bits: int) -> bytes:
        level = 0 if reversible else 60
        return bytes(
            imagecodecs.jpeg2k_encode(
                frame, level=level, codecformat="J2K", bitspersample=bits, reversible=reversible, resolutions=1
            )
        )

    return encode


def _htj2k(reversible: bool) -> Callable[[Frame, int], bytes]:
    def encode(frame: Frame, _bits: int) -> bytes:
        return bytes(imagecodecs.htj2k_encode(frame, reversible=reversible))

    return encode


def _jpeg_ls(near: int) -> Callable[[Frame, int], bytes]:
    def encode(frame: Frame, _bits: int) -> bytes:
        return bytes(imagecodecs.jpegls_encode(frame, level=near))

    return encode


def _jpeg(frame: Frame, bits: int) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(frame, level=98, bitspersample=bits))


def _jpeg_first_order(frame: Frame, bits: int) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(frame, lossless=True, predictor=1, bitspersample=bits))


def _jpeg_lossless(frame: Frame, bits: int) -> bytes:
    return bytes(imagecodecs.ljpeg_encode(frame, bitspersample=bits))


LOSSLESS: Final[Mapping[str, Callable[[Frame, int], bytes]]] = {
    "1.2.840.10008.1.2.4.57": _jpeg_lossless,
    "1.2.840.10008.1.2.4.70": _jpeg_first_order,
    "1.2.840.10008.1.2.4.80": _jpeg_ls(0),
    "1.2.840.10008.1.2.4.90": _j2k(True),
    "1.2.840.10008.1.2.4.201": _htj2k(True),
    "1.2.840.10008.1.2.4.202": _htj2k(True),
}
"""Encoders by transfer syntax; each takes (rows, columns) unsigned integers and how many bits of them count."""

LOSSY: Final[Mapping[str, Callable[[Frame, int], bytes]]] = {
    "1.2.840.10008.1.2.4.50": _jpeg,
    "1.2.840.10008.1.2.4.51": _jpeg,
    "1.2.840.10008.1.2.4.81": _jpeg_ls(2),
    "1.2.840.10008.1.2.4.91": _j2k(False),
    "1.2.840.10008.1.2.4.203": _htj2k(False),
}
"""The same for encodings that change values."""


def compress(data_set: Dataset, transfer_syntax_uid: str) -> None:
    """Compress the unsigned pixels of a single- or multi-frame data set, in place."""
    if transfer_syntax_uid == RLELossless:  # by pydicom itself: GDCM's encoder ends the process on some small frames
        data_set.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
        return
    kind = np.dtype(f"<u{data_set.BitsAllocated // 8}")
    frames = np.frombuffer(data_set.PixelData, dtype=kind).reshape(-1, data_set.Rows, data_set.Columns)
    encoder = {**LOSSLESS, **LOSSY}[transfer_syntax_uid]
    streams = [encoder(np.ascontiguousarray(frame), data_set.BitsStored) for frame in frames]
    data_set.PixelData = encapsulate(streams)
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    data_set.file_meta.TransferSyntaxUID = transfer_syntax_uid
