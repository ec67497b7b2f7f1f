"""Secrets that an embedded node makes for itself, once."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from inference.errors import ConfigurationError


def keep_secret(path: Path, candidate: str) -> str:
    """Give the secret kept at ``path``, keeping ``candidate`` there first where there is none.

    Processes that start at once agree: the file is written aside and linked into place, which only one can do.

    Parameters
    ----------
    path
        The file; readable and writable by its owner only (0600), in a folder for the owner only (0700).
    candidate
        The value to keep.

    Raises
    ------
    ConfigurationError
        If the file can be neither read nor written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _link_new(path, candidate)
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the secret {path.name} cannot be kept ({type(error).__name__})") from error


def _link_new(path: Path, content: str) -> None:
    handle, scratch = tempfile.mkstemp(dir=path.parent)  # made with 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(scratch)
    except FileExistsError:
        pass  # another process was first; its secret is the one
    finally:
        Path(scratch).unlink()
