"""The model card of a package, its pictures with it, as people are shown them; packages come from strangers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from models.inspection import MODEL_CARD

LONGEST_CARD: Final = 1 << 20
"""Bytes of a card that are shown."""
LARGEST_PICTURE: Final = 8 << 20
"""Bytes of a picture that is shown."""

PICTURES: Final = "card"
_PICTURE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.png")
_PNG: Final = b"\x89PNG\r\n\x1a\n"


def card_text(folder: Path) -> str:
    """Give the card as it was written (Markdown), empty where there is none; show it as text or make it harmless.

    Parameters
    ----------
    folder
        The package.
    """
    try:
        with (folder / MODEL_CARD).open("rb") as file:
            return file.read(LONGEST_CARD).decode("utf-8", errors="replace")
    except OSError:
        return ""


def picture_names(folder: Path) -> tuple[str, ...]:
    """List the pictures that belong to the card: PNG files in ``card/``, in order of name.

    Parameters
    ----------
    folder
        The package.
    """
    try:
        names = sorted(path.name for path in (folder / PICTURES).iterdir())
    except OSError:
        return ()
    return tuple(name for name in names if find_picture(folder, name) is not None)


def find_picture(folder: Path, name: str) -> Path | None:
    """Give the file of a picture, None where there is none of that name.

    Parameters
    ----------
    folder
        The package.
    name
        As ``picture_names`` lists it; whatever leads elsewhere is no name.
    """
    path = folder / PICTURES / name
    if not _PICTURE.fullmatch(name) or path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as file:
        begins_right = file.read(len(_PNG)) == _PNG
    return path if begins_right and path.stat().st_size <= LARGEST_PICTURE else None
