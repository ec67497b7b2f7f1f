"""The files of a model package, read from a folder or an archive that nobody vouches for."""

from __future__ import annotations

import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Final

from inference.errors import ModelContractViolated
from models.wary_archives import opened_tar, opened_zip

LARGEST_BYTES: Final = 8 << 30
"""Of all files together, unpacked."""
MOST_FILES: Final = 2000
_CHUNK_BYTES: Final = 1 << 20
_TOO_LARGE: Final = "the package is larger than a package may be"
_UNREADABLE: Final = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
"""What damaged, encrypted or exotic archives make the standard library raise."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of a package.

    Parameters
    ----------
    name
        Its path inside the package, as the source spells it.
    size
        What the source says of its size, bytes; reading past a file costs as much as reading it.
    open
        Gives its content.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]


@dataclass(frozen=True, slots=True)
class PackageLimits:
    """How much a package may hold: an archive of a few kilobytes can unpack to any size.

    Parameters
    ----------
    files, size_bytes
        Of files, and of all of them together.
    """

    files: int = MOST_FILES
    size_bytes: int = LARGEST_BYTES


LIMITS: Final = PackageLimits()


def copy_package(source: Path, into: Path, limits: PackageLimits = LIMITS) -> Path:
    """Copy a package, file by file, into a new folder; what is copied is only what lies inside it.

    Parameters
    ----------
    source
        A folder, or a zip or tar archive, of the package itself or of one folder that is the package.
    into
        An empty folder.
    limits
        When to stop.

    Returns
    -------
    Path
        The package's folder: ``into``, or the one folder in it.

    Raises
    ------
    ModelContractViolated
        If it is no package, or holds a link, a device, a path that leads elsewhere, or too much.
    OSError
        If it cannot be read or written.
    """
    room, seen = limits.size_bytes, set[PurePosixPath]()
    with _opened(source) as files:
        for file in files:
            place = _place(file.name)
            if place is None:
                room -= _passed_over(file, room)
                continue
            if place in seen or len(seen) == limits.files:
                raise ModelContractViolated(f"the package holds a file twice, or more than {limits.files} files")
            seen.add(place)
            room -= _copy(file, into / place, room)
    return _package_in(into)


@contextmanager
def _opened(source: Path) -> Iterator[Iterator[PackageFile]]:
    try:
        if source.is_dir():
            yield _in_folder(source)
        elif zipfile.is_zipfile(source):
            with opened_zip(source) as archive:
                yield _in_zip(archive)
        else:
            with _opened_tar(source) as tar:
                yield _in_tar(tar)
    except _UNREADABLE as error:
        raise ModelContractViolated(f"the archive cannot be read ({type(error).__name__})") from error


@contextmanager
def _opened_tar(source: Path) -> Iterator[tarfile.TarFile]:
    """Open what is no folder and no zip archive; a file that cannot be opened as a tar archive is none."""
    with ExitStack() as stack:
        try:
            tar = stack.enter_context(opened_tar(source))
        except _UNREADABLE as error:
            raise ModelContractViolated(f"{source.name} is neither a folder nor a zip or tar archive") from error
        yield tar


def _in_folder(folder: Path) -> Iterator[PackageFile]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise _not_plain(name)
        for name in files:
            path = Path(parent, name)
            name_inside = path.relative_to(folder).as_posix()
            yield PackageFile(name_inside, path.lstat().st_size, partial(_read, path))


def _read(path: Path) -> IO[bytes]:
    return path.open("rb")


def _in_zip(archive: zipfile.ZipFile) -> Iterator[PackageFile]:
    for entry in archive.infolist():
        if stat.S_IFMT(entry.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise _not_plain(entry.filename)
        if not entry.is_dir():
            yield PackageFile(entry.filename, 0, partial(archive.open, entry))


def _in_tar(archive: tarfile.TarFile) -> Iterator[PackageFile]:
    for entry in archive:
        if entry.isreg():
            yield PackageFile(entry.name, entry.size, partial(_extract, archive, entry))
        elif not entry.isdir():
            raise _not_plain(entry.name)


def _extract(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(entry)
    assert content is not None  # noqa: S101 - it is a regular file
    return content


def _not_plain(name: str) -> ModelContractViolated:
    return ModelContractViolated(f"{_shown(name)} is a link or a device: a package holds plain files")


def _place(name: str) -> PurePosixPath | None:
    """Give where a file lies in the package; None for what a Mac adds to archives."""
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or not place.parts or any(char in name for char in "\\:\0"):
        raise ModelContractViolated(f"{_shown(name)} is no path inside the package")
    return None if "__MACOSX" in place.parts or place.name == ".DS_Store" else place


def _passed_over(file: PackageFile, room: int) -> int:
    """Count a file that is left out: a compressed stream has to be read through all the same."""
    if file.size > room:
        raise ModelContractViolated(_TOO_LARGE)
    return file.size


def _copy(file: PackageFile, target: Path, room: int) -> int:
    """Copy what there is, whatever the archive says of its size."""
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with file.open() as content, target.open("xb") as copy:
        while chunk := content.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > room:
                raise ModelContractViolated(_TOO_LARGE)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    return size


def _package_in(folder: Path) -> Path:
    entries = list(folder.iterdir())
    inner = entries[0] if len(entries) == 1 and entries[0].is_dir() else folder
    if not (inner / "manifest.toml").is_file():
        raise ModelContractViolated("no manifest.toml at its top: this is no model package")
    return inner


def _shown(name: str) -> str:
    return ascii(name[-80:])
