"""Text on a page in any script: each part of it in a typeface that has its characters.

Latin text is in Vera, whose used part is embedded. Hangul, Hanja, Kana, Cyrillic and Greek are in Adobe's fonts of
predefined character collections (ISO 32000-1 section 9.7.5.2), which are not embedded: a reader of PDF has them or
takes its system's instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final
from unicodedata import normalize

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

from inference.encoding.typeface import BOLD, REGULAR, covers, font_file

PLAIN: Final = "Vera"
STRONG: Final = "Vera-Bold"

_KOREAN: Final = ("HYGothic-Medium", "cp949")
_JAPANESE: Final = ("HeiseiKakuGo-W5", "cp932")
_SIMPLIFIED: Final = ("STSong-Light", "gb18030")
_KANA: Final = range(0x3040, 0x3100)
_FILES: Final = {PLAIN: REGULAR, STRONG: BOLD}


def register_fonts() -> None:
    """Make the typefaces known to reportlab, which keeps one list of them for the process; again changes nothing."""
    known = pdfmetrics.getRegisteredFontNames()
    for name, file in _FILES.items():
        if name not in known:
            pdfmetrics.registerFont(TTFont(name, font_file(file)))
    for name, _ in (_KOREAN, _JAPANESE, _SIMPLIFIED):
        if name not in known:
            pdfmetrics.registerFont(UnicodeCIDFont(name))


def runs(text: str, latin: str = PLAIN) -> Iterator[tuple[str, str]]:
    """Divide a text into parts of one typeface each.

    Parameters
    ----------
    text
        In any script; what no typeface has loses its marks, or becomes a question mark.
    latin
        The typeface of Latin text, ``PLAIN`` or ``STRONG``.

    Yields
    ------
    str
        Name of the typeface.
    str
        The part.
    """
    if not covers(text):
        text = normalize("NFKC", text)  # half-width Kana and Hangul in single letters are in no typeface
    is_japanese = any(ord(character) in _KANA for character in text)
    chosen = (_choose(character, latin, japanese=is_japanese) for character in text)
    for font, part in groupby(chosen, key=lambda item: item[0]):
        yield font, "".join(character for _, character in part)


def text_width(text: str, size: float, latin: str = PLAIN) -> float:
    """Give the width of a text, in points."""
    return float(sum(pdfmetrics.stringWidth(part, font, size) for font, part in runs(text, latin)))


def cut_to(text: str, width: float, size: float, latin: str = PLAIN) -> str:
    """Shorten a text to a width in points; three dots say that it was longer."""
    if text_width(text, size, latin) <= width:
        return text
    while text and text_width(text + "...", size, latin) > width:
        text = text[:-1]
    return text + "..."


def wrap(text: str, width: float, size: float) -> list[str]:
    """Divide a text into lines of a width in points, between words; a word that is longer is cut."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(cut_to(word, width, size))
    return [line for line in lines if line]


def _choose(character: str, latin: str, *, japanese: bool) -> tuple[str, str]:
    """Give a typeface and the character in it: where none has it, the letter without its marks."""
    if covers(character):
        return latin, character
    for name, charset in (_JAPANESE, _KOREAN, _SIMPLIFIED) if japanese else (_KOREAN, _JAPANESE, _SIMPLIFIED):
        if _in_charset(character, charset):
            return name, character
    bare = normalize("NFKD", character)[0]
    return latin, bare if covers(bare) else "?"


def _in_charset(character: str, charset: str) -> bool:
    try:
        encoded = character.encode(charset)
    except UnicodeEncodeError:
        return False
    return len(encoded) == 2
