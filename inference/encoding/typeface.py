"""The typeface of pictures and pages: Bitstream Vera, which comes with reportlab and covers Latin-1 and more."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final

from PIL import ImageFont
from reportlab.pdfbase.ttfonts import TTFontFile

REGULAR: Final = "Vera.ttf"
BOLD: Final = "VeraBd.ttf"


def image_font(size_px: int, name: str = REGULAR) -> ImageFont.FreeTypeFont:
    """Give the typeface for pictures.

    Parameters
    ----------
    size_px
        Height, in pixels.
    name
        ``REGULAR`` or ``BOLD``.
    """
    return ImageFont.truetype(BytesIO(_content(name)), size_px, layout_engine=ImageFont.Layout.BASIC)


def font_file(name: str) -> BytesIO:
    """Open the file of the typeface."""
    return BytesIO(_content(name))


def covers(text: str) -> bool:
    """Tell whether the typeface has every character of a text."""
    return all(ord(character) in _characters() for character in text)


@cache
def _content(name: str) -> bytes:
    return (files("reportlab") / "fonts" / name).read_bytes()


@cache
def _characters() -> frozenset[int]:
    return frozenset(TTFontFile(font_file(REGULAR)).charToGlyph)
