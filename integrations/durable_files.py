"""Writing files that survive a power cut: the one place that knows the order of fsync and rename."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_durably(path: Path, *chunks: bytes, scratch: Path | None = None) -> None:
    """Write a file so that it is either there in full, also after a crash, or not there at all.

    The bytes go to a temporary file, which is fsynced and renamed into place; then the folder, and every folder that
    had to be made, is fsynced, because a rename is durable only with its folder (POSIX ``rename``, ``fsync``).

    Parameters
    ----------
    path
        Where the file shall be; an existing file is replaced.
    chunks
        The content, in order.
    scratch
        Folder for the temporary file, on the same file system; by default the file's own folder.

    Raises
    ------
    OSError
        If there is no room, or the file system refuses; no temporary file is left.
    """
    make_folder_durably(path.parent)
    handle, name = tempfile.mkstemp(suffix=".part", dir=scratch or path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def make_folder_durably(folder: Path) -> None:
    """Make a folder and its missing parents, and fsync each folder that got a new entry.

    Parameters
    ----------
    folder
        The folder; nothing happens where it exists.
    """
    if folder.is_dir():
        return
    make_folder_durably(folder.parent)
    folder.mkdir(exist_ok=True)
    fsync_folder(folder.parent)


def fsync_folder(folder: Path) -> None:
    """Make the entries of a folder durable.

    Parameters
    ----------
    folder
        An existing folder.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
