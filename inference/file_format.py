"""Part 10 files as they are found (PS3.10): with and without preamble, File Meta Information, or the truth in it.

pydicom reads all of these too, but inflates a deflated data set whole before it looks at it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

import pydicom.uid
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator, read_dataset
from pydicom.tag import BaseTag
from pydicom.valuerep import VR

from inference.deflate import InflatedStream
from inference.domain.transfer_syntaxes import BIG_ENDIAN, DEFLATED, IMPLICIT

ALWAYS_READS: Final = 2**20
MOST_READS: Final = 2**22
BYTES_A_READ: Final = 32
"""A frame of an enhanced image takes about 120 reads and has kilobytes of pixels; a gigabyte of empty elements would
take hundreds of millions. So as many are allowed as a file of its size can need, within limits."""

_PREAMBLE_BYTES: Final = 128
_PREFIX: Final = b"DICM"
_META: Final = 0x0002
_META_GROUP: Final = b"\x02\x00"
_TRANSFER_SYNTAX: Final = 0x00020010
_PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Float Pixel Data, Double Float Pixel Data, Pixel Data."""
_VRS: Final = frozenset(vr.value.encode() for vr in VR)
_LARGEST_GROUP_READ_BACKWARDS: Final = 0x0400
"""Group 0008 of a big endian file reads as 0800: no data set begins with a group as high as this."""


@dataclass(frozen=True, eq=False, slots=True)
class OpenFile:
    """A file whose data set is about to be read.

    Parameters
    ----------
    stream
        At the first element of the data set; positions count in the file, or in what a deflated data set stands for.
    transfer_syntax_uid
        As File Meta names it; empty where it does not.
    begins_at
        Where the data set begins in the file.
    size_bytes
        Of the file.
    """

    stream: BinaryIO
    transfer_syntax_uid: str
    begins_at: int
    size_bytes: int

    @property
    def encoding(self) -> tuple[bool, bool]:
        """Whether the data set is implicit VR, and whether it is little endian; looked at where nothing says so."""
        if self.transfer_syntax_uid:
            syntax = self.transfer_syntax_uid
            private = pydicom.uid.UID(syntax)
            if private in pydicom.uid.PrivateTransferSyntaxes:
                return private.is_implicit_VR, private.is_little_endian
            return syntax == IMPLICIT, syntax != BIG_ENDIAN
        start = self.stream.tell()
        first = self.stream.read(6)
        self.stream.seek(start)
        if first[4:] not in _VRS:
            return True, True
        return False, int.from_bytes(first[:2], "little") < _LARGEST_GROUP_READ_BACKWARDS

    def read(self, wanted: Sequence[BaseTag] | None = None) -> Dataset:
        """Read the data set up to its pixels, where the stream is left.

        Parameters
        ----------
        wanted
            Which elements to keep; all where None.
        """
        implicit, little = self.encoding
        tags = None if wanted is None else list(wanted)
        stream = counted(self.stream, self.size_bytes)
        return read_dataset(stream, implicit, little, stop_when=_at_pixels, specific_tags=tags)


def open_file(file: BinaryIO) -> OpenFile:
    """Read past preamble and File Meta Information.

    Parameters
    ----------
    file
        Any file, open at its beginning.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = _PREAMBLE_BYTES + len(_PREFIX) if file.read(_PREAMBLE_BYTES + len(_PREFIX))[-4:] == _PREFIX else 0
    file.seek(start)
    syntax = ""
    has_meta = file.read(2) == _META_GROUP
    file.seek(start)
    if has_meta:
        for element in data_element_generator(counted(file, size), False, True, stop_when=_after_meta):
            if element.tag == _TRANSFER_SYNTAX and isinstance(element.value, bytes):
                syntax = element.value.decode("ascii", "replace").strip("\0 ")
    begins_at = file.tell()
    stream = cast("BinaryIO", InflatedStream(file)) if syntax == DEFLATED else file
    return OpenFile(stream, syntax, begins_at, size)


class _CountedReads:
    """A stream that is read in no more pieces than the largest header has."""

    def __init__(self, stream: BinaryIO, most_reads: int) -> None:
        self.tell, self.seek = stream.tell, stream.seek
        self._read = stream.read
        self._left = most_reads

    def read(self, size: int = -1) -> bytes:
        """Read on, as long as it is not too often.

        Raises
        ------
        OverflowError
            Beyond the limit.
        """
        self._left -= 1
        if self._left < 0:
            raise OverflowError("a data set has more elements than any object has")
        return self._read(size)


def counted(stream: BinaryIO, size_bytes: int) -> BinaryIO:
    """Bound the work of parsing a stream: every element costs a read or two, however small it is.

    Parameters
    ----------
    stream
        Where a data set is parsed.
    size_bytes
        How much was stored or sent for it, deflated if it is.
    """
    most_reads = min(MOST_READS, max(ALWAYS_READS, size_bytes // BYTES_A_READ))
    return cast("BinaryIO", _CountedReads(stream, most_reads))


def _after_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag.group) != _META


def _at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag in _PIXELS
