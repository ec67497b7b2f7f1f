"""Headers may hold anything; what cannot be understood counts as absent."""

from __future__ import annotations

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from inference.attributes import integer, number, numbers, text, texts, values


def raw(keyword_tag: int, vr: str, content: bytes) -> Dataset:
    """Make a data set that holds one element as it came from a file."""
    data_set = Dataset()
    tag = Tag(keyword_tag)
    data_set._dict[tag] = RawDataElement(tag, vr, len(content), content, 0, False, True)
    return data_set


def test_absent_and_empty_are_the_same() -> None:
    """No value is no value, whatever the reason."""
    data_set = Dataset()
    data_set.SeriesDescription = ""
    data_set.ImageType = None
    assert text(data_set, "SeriesDescription") == text(data_set, "ProtocolName") == ""
    assert texts(data_set, "ImageType") == ()
    assert number(data_set, "EchoTime") is integer(data_set, "Rows") is None
    assert numbers(data_set, "PixelSpacing", 2) is None


def test_broken_values_count_as_absent() -> None:
    """A decimal string that is no number does not end in a foreign error."""
    broken = raw(0x00180081, "DS", b"two.five")
    assert number(broken, "EchoTime") is None
    assert numbers(broken, "EchoTime", 1) is None
    assert integer(raw(0x00280010, "US", b"\x01"), "Rows") is None
    assert values(raw(0x00280010, "US", b"\x01\x02\x03"), "Rows") == ()


@pytest.mark.parametrize("content", [b"nan", b"inf", b"-inf"])
def test_numbers_are_finite(content: bytes) -> None:
    """Infinity and NaN, which decimal strings can spell, are no numbers here."""
    data_set = raw(0x00180081, "DS", content)
    assert number(data_set, "EchoTime") is None
    assert numbers(data_set, "EchoTime", 1) is None


def test_text_that_is_a_number_is_none() -> None:
    """A value of a text attribute is not read as a number."""
    data_set = Dataset()
    data_set.SeriesDescription = "axial"
    assert number(data_set, "SeriesDescription") is None
    assert numbers(data_set, "SeriesDescription", 1) is None


def test_values_are_converted() -> None:
    """Numbers, whole numbers, code strings and text come back clean."""
    data_set = Dataset()
    data_set.PixelSpacing = ["0.5", "0.75"]
    data_set.Rows = 12
    data_set.EchoTime = "2.5"
    data_set.ImageType = ["original", " PRIMARY ", "", "M"]
    data_set.SeriesDescription = " T1 axial "
    assert numbers(data_set, "PixelSpacing", 2) == (0.5, 0.75)
    assert numbers(data_set, "PixelSpacing", 3) is None
    assert number(data_set, "PixelSpacing") == 0.5
    assert integer(data_set, "Rows") == 12
    assert integer(data_set, "EchoTime") is None
    assert texts(data_set, "ImageType") == ("ORIGINAL", "PRIMARY", "M")
    assert text(data_set, "ImageType").startswith("original\\")
    assert text(data_set, "SeriesDescription") == "T1 axial"


def test_items_of_a_sequence_are_values() -> None:
    """A sequence gives its items."""
    item = Dataset()
    data_set = Dataset()
    data_set.SharedFunctionalGroupsSequence = Sequence([item])
    assert values(data_set, "SharedFunctionalGroupsSequence") == (item,)
