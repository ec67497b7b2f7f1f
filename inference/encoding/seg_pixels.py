"""Pixel Data of a Segmentation, frame by frame (PS3.5 section 8.1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

CERTAIN: Final = 255
"""Maximum Fractional Value (PS3.3 section C.8.20.2.3): the value that stands for a probability of 1."""


def one_bit(frames: Iterable[NDArray[np.bool_]]) -> BytesIO:
    """Pack frames at one bit a pixel, lowest bit first, each right after the last without padding to bytes.

    Parameters
    ----------
    frames
        Of the same shape, (rows, columns) each.
    """
    packed = BytesIO()
    for block in _whole_bytes(frames):
        packed.write(np.packbits(block, bitorder="little").data)
    return _even(packed)


def eight_bits(frames: Iterable[NDArray[np.uint8]]) -> BytesIO:
    """Write frames one after the other at one byte a pixel.

    Parameters
    ----------
    frames
        (rows, columns) each.
    """
    written = BytesIO()
    for frame in frames:
        written.write(np.ascontiguousarray(frame).data)
    return _even(written)


def _whole_bytes(frames: Iterable[NDArray[np.bool_]]) -> Iterator[NDArray[np.bool_]]:
    """Yield as many frames together as end with a whole byte; what is left at the end may not."""
    block: list[NDArray[np.bool_]] = []
    for frame in frames:
        block.append(frame.ravel())
        if len(block) == 8 // gcd(8, frame.size):
            yield np.concatenate(block) if len(block) > 1 else block[0]
            block = []
    if block:
        yield np.concatenate(block)


def _even(values: BytesIO) -> BytesIO:
    """Pad to an even length (PS3.5 section 7.1.1) and go back to the beginning."""
    if values.tell() % 2:
        values.write(b"\0")
    values.seek(0)
    return values
