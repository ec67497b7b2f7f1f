"""Text of any script is drawn in typefaces that have its characters."""

from __future__ import annotations

import pytest

from inference.encoding.fonts import PLAIN, STRONG, cut_to, register_fonts, runs, text_width, wrap
from inference.encoding.typeface import covers

KOREAN, JAPANESE, CHINESE = "HYGothic-Medium", "HeiseiKakuGo-W5", "STSong-Light"


@pytest.fixture(autouse=True)
def fonts() -> None:
    """Make the typefaces known; twice, which changes nothing."""
    register_fonts()
    register_fonts()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Müller, Łukasz × 5 µL", [(PLAIN, "Müller, Łukasz × 5 µL")]),
        ("Hong 洪 吉洞", [(PLAIN, "Hong "), (KOREAN, "洪"), (PLAIN, " "), (KOREAN, "吉洞")]),
        ("홍길동", [(KOREAN, "홍길동")]),
        ("山田たろう", [(JAPANESE, "山田たろう")]),
        ("张伟", [(CHINESE, "张伟")]),
        ("Иван", [(KOREAN, "Иван")]),
        ("ﾔﾏﾀﾞ", [(JAPANESE, "ヤマダ")]),
        ("\u1112\u1169\u11bc", [(KOREAN, "홍")]),
        ("Nguyễn", [(PLAIN, "Nguyen")]),
        ("שלום", [(PLAIN, "????")]),
        ("", []),
    ],
    ids=["latin", "hanja", "hangul", "kana", "chinese", "cyrillic", "half-width", "jamo", "marks", "none", "empty"],
)
def test_every_character_has_a_typeface(text: str, expected: list[tuple[str, str]]) -> None:
    """What is together in one stays together."""
    assert list(runs(text)) == expected


def test_latin_text_can_be_strong() -> None:
    """The other typefaces have one weight."""
    assert list(runs("A 홍", STRONG)) == [(STRONG, "A "), (KOREAN, "홍")]


def test_a_width_is_that_of_all_parts() -> None:
    """East Asian characters are as wide as they are high."""
    assert text_width("홍길동", 10) == pytest.approx(30)
    assert text_width("A홍", 10) == pytest.approx(text_width("A", 10) + 10)
    assert text_width("A", 10, STRONG) > text_width("A", 10)


def test_what_is_too_wide_is_cut_and_says_so() -> None:
    """To the last character that has room."""
    cut = cut_to("A very long name", 50, 8)
    assert cut.endswith("...")
    assert text_width(cut, 8) <= 50
    assert cut_to("short", 50, 8) == "short"


def test_lines_are_broken_between_words() -> None:
    """Nothing is lost, but what is longer than a line."""
    text = "one two three four five six seven"
    lines = wrap(text, 60, 8)
    assert len(lines) > 2
    assert " ".join(lines) == text
    assert all(text_width(line, 8) <= 60 for line in lines)
    assert wrap("Donaudampfschifffahrtsgesellschaft", 60, 8)[0].endswith("...")
    assert wrap("", 60, 8) == []


def test_the_typeface_knows_what_it_has() -> None:
    """Pictures have no other."""
    assert covers("Größe 5 µL × 3")
    assert not covers("시상")
