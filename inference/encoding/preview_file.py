"""A volume and what was found in it as one file that is looked at slice by slice, without the images it came from.

::

    magic, length of the header (32 bits, little endian), header (JSON), compressed slices

Whoever shows it needs no decoder, for it was written by who had the pixels: 12 bits a voxel as far as its values need
no more, label values or masks beside them, each slice for itself so that one is read without the others.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from inference.errors import EncodingError

MAGIC: Final = b"NNPREV1\n"
LEVELS: Final = 4095
"""Highest stored value: the values of a CT, and of nearly every MR, fit as they are."""

LARGEST_SIDE: Final = 1024
"""Of a slice, in voxels; of a larger one every second, third, ... is kept, for no picture shows more."""

_FAST: Final = 1
"""Level of compression: higher ones take five times as long for a tenth of the size."""

_WRITERS: Final = 4


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure that was found.

    Parameters
    ----------
    number
        By which the slices know it.
    label, code, laterality
        Its name, its SNOMED CT code and that of its side.
    colour_rgb
        Recommended display colour, 0..255 each.
    volume_ml
        Its volume.
    tracking_uid
        Under which SEG, SR and FHIR know it.
    """

    number: int
    label: str
    code: str
    laterality: str | None
    colour_rgb: tuple[int, int, int]
    volume_ml: float
    tracking_uid: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is in the file, counted from the end of the header; no length where there is nothing."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Masks:
    """What is drawn on a slice.

    Parameters
    ----------
    place
        Where it is.
    numbers
        Of structures that may overlap those on this slice, a mask each; none for a plane of numbers.
    """

    place: Place
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    """What a preview says of itself.

    Parameters
    ----------
    shape
        Slices, rows and columns as they are kept.
    spacing_mm
        Between slices, rows and columns.
    modality
        Of the source.
    low, step
        Value of a stored 0, and of each step from there.
    high
        Highest value.
    window
        The values that are black and white where nobody says otherwise.
    inverted
        Whether it is the other way round.
    sides
        Which side of the patient is at the left, right, upper and lower edge.
    interpolated
        Slices (counted from 0) that the source lacks.
    structures
        What was found, in order of number.
    slices, masks
        Where each slice and what is drawn on it are.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    modality: str
    low: float
    step: float
    high: float
    window: tuple[float, float]
    inverted: bool
    sides: tuple[str, str, str, str]
    interpolated: tuple[int, ...]
    structures: tuple[Structure, ...]
    slices: tuple[Place, ...] = ()
    masks: tuple[Masks, ...] = ()


def compress(planes: Sequence[bytes]) -> list[bytes]:
    """Compress slices, several at once; an empty one stays empty."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        return list(pool.map(lambda plane: zlib.compress(plane, _FAST) if plane else b"", planes))


def header_bytes(header: Header) -> bytes:
    """Write what comes before the slices."""
    content = TypeAdapter(Header).dump_json(header)
    return MAGIC + struct.pack("<L", len(content)) + content


class PreviewFile:
    """A preview on disk, as it was when it was opened: one that replaces it meanwhile is another file.

    ``header`` is what it says of itself, ``edition`` another text for every other content.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    EncodingError
        If it is no preview.
    OSError
        If it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            written_ns = os.fstat(file.fileno()).st_mtime_ns
            content = _mapped(file)
        start = len(MAGIC) + 4
        if len(content) < start or content[: len(MAGIC)] != MAGIC:
            raise EncodingError("the kept preview is none")
        (length,) = struct.unpack("<L", content[len(MAGIC) : start])
        self._content, self._begin = content, start + length
        try:
            self.header = TypeAdapter(Header).validate_json(content[start : self._begin])
        except ValidationError as error:
            raise EncodingError("the kept preview is damaged") from error
        self.edition = f"{written_ns} {self._begin} {len(content)}"

    def values(self, index: int) -> NDArray[np.float32]:
        """Give the modality values of a slice.

        Parameters
        ----------
        index
            Which, counted from 0.

        Returns
        -------
        (rows, columns) float32 ndarray
        """
        header = self.header
        levels = np.frombuffer(self._read(header.slices[index]), dtype="<u2").reshape(header.shape[1:])
        return levels.astype(np.float32) * np.float32(header.step) + np.float32(header.low)

    def drawn(self, index: int) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Give what is drawn on a slice, by number.

        Parameters
        ----------
        index
            Which, counted from 0.

        Returns
        -------
        iterator of (int, (rows, columns) bool ndarray)
            Only what is there.
        """
        masks = self.header.masks[index]
        if not masks.place.length:
            return
        planes = np.frombuffer(self._read(masks.place), dtype=np.uint8).reshape(-1, *self.header.shape[1:])
        if masks.numbers:
            yield from zip(masks.numbers, planes.astype(np.bool_), strict=True)
            return
        for number in np.unique(planes[0][planes[0] > 0]).tolist():
            yield number, planes[0] == number

    def _read(self, place: Place) -> bytes:
        begin = self._begin + place.offset
        try:
            return zlib.decompress(self._content[begin : begin + place.length])
        except zlib.error as error:
            raise EncodingError("the kept preview is damaged") from error


def _mapped(file: BinaryIO) -> mmap.mmap | bytes:
    """Map a file, of which only the slices that are looked at are read; an empty one cannot be mapped."""
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:
        return b""
