"""What is searched, and for what: folded by us, because databases disagree on case, width and accents."""

from __future__ import annotations

import unicodedata
from typing import Final

MOST_WORDS: Final = 8
"""Each word is a condition of its own; nobody types more."""


def fold(text: str) -> str:
    """Give a text in which case, width and composition do not matter (Unicode NFKC and case folding)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def search_text(name_en: str, name_ko: str) -> str:
    """Give what a search in the names of an entry looks at."""
    return fold(f"{name_en} {name_ko}".strip())


def words(query: str) -> list[str]:
    """Give the words of a search, folded; every one must be found."""
    return fold(query).split()[:MOST_WORDS]
