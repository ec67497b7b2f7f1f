"""Opening archives that may be made to exhaust whoever opens them: before a file is copied, sizes are looked at."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

LARGEST_HEADER: Final = 1 << 20
"""Bytes of one header of a tar archive: names, not content."""

LARGEST_DIRECTORY: Final = 4 << 20
"""Bytes of the list of files of a zip archive; what is read of it is all held in memory."""

_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_LONGEST_COMMENT: Final = 1 << 16
_LOCATOR: Final = b"PK\x06\x07"
_LOCATOR_BYTES: Final = 20
_END_64_BYTES: Final = 56

_COMPRESSED: Final[Mapping[bytes, Callable[[Path], Any]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""How a compressed file begins, and what reads it."""


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose list of files has a size that can be held.

    Parameters
    ----------
    path
        The archive.

    Raises
    ------
    zipfile.BadZipFile
        If it is none, or lists too much.
    """
    if _directory_bytes(path) > LARGEST_DIRECTORY:
        raise zipfile.BadZipFile("too many files")
    with zipfile.ZipFile(path) as archive:
        yield archive


@contextmanager
def opened_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar archive, compressed or not, to be read once from front to back.

    Parameters
    ----------
    path
        The archive.

    Raises
    ------
    tarfile.TarError
        If it is none; later, when it holds a header that is too large, or a sparse file.
    """
    with (
        _uncompressed(path) as stream,
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_WaryEntry) as archive,
    ):
        yield archive


class _WaryEntry(tarfile.TarInfo):
    """A header that is looked at before what belongs to it is read into memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        """Refuse long names and attributes of any length: the library holds them in memory."""
        if not (self.isreg() or self.isdir()) and self.size > LARGEST_HEADER:
            raise tarfile.ReadError("a header is too large")
        return super()._proc_member(archive)  # type: ignore[misc]  # a hook of the library that its stubs leave out

    def _proc_gnusparse_10(self, *_: object) -> None:
        """Refuse: the map of a sparse file may have any length, and models have none."""
        raise tarfile.ReadError("a file is sparse")


def _uncompressed(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        beginning = file.read(6)
    opener = next((opener for sign, opener in _COMPRESSED.items() if beginning.startswith(sign)), None)
    stream: IO[bytes] = path.open("rb") if opener is None else opener(path)
    return stream


def _directory_bytes(path: Path) -> int:
    """Give the size of the list of files, as the end of the archive states it (APPNOTE 4.3.14 to 4.3.16)."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_BYTES - _LONGEST_COMMENT - _LOCATOR_BYTES - _END_64_BYTES))
        tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) < end + _END_BYTES:
        return 0
    (stated,) = struct.unpack_from("<L", tail, end + 12)
    locator = end - _LOCATOR_BYTES
    if locator >= _END_64_BYTES and tail[locator : locator + 4] == _LOCATOR:
        stated = max(stated, *struct.unpack_from("<Q", tail, locator - _END_64_BYTES + 40))
    return int(stated)
