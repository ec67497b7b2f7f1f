"""Reading text in the character set that it is written in, also where a header says nothing or not quite the truth.

pydicom decodes an element when it is asked for it, in the encodings that were noted when the data set was read. So
it is enough to set them straight once, before anything is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydicom.charset import python_encoding
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

_KOREAN: Final = "ISO 2022 IR 149"
_ASCII: Final = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})
_SPECIFIC_CHARACTER_SET: Final = Tag("SpecificCharacterSet")


def is_known(term: str) -> bool:
    """Tell whether a Defined Term of Specific Character Set is one that can be decoded.

    Parameters
    ----------
    term
        E.g. ``ISO_IR 100``, ``ISO 2022 IR 149``, ``GB18030`` (PS3.3 section C.12.1.1.2).
    """
    return bool(term) and term in python_encoding


def settle(data_set: Dataset, default: str) -> None:
    """Make a data set decode its text rightly, before any of it is read.

    Where it names no character set, or none that exists, ``default`` is noted in it as if the source had said so.
    Where it names the default repertoire with Korean as code extension, text that lacks the escape sequence is read
    as Korean too: the default repertoire has no such bytes, and many Korean devices leave the sequence out.

    Parameters
    ----------
    data_set
        As it was read, nothing of it asked for yet; changed in place.
    default
        Defined Term to assume.
    """
    named = _named(data_set)
    if not any(map(is_known, named)):
        data_set.SpecificCharacterSet = default
        _decode_as(data_set, [python_encoding[default]])
    elif len(named) == 2 and named[0] in _ASCII and named[1] == _KOREAN:
        _decode_as(data_set, [python_encoding[_KOREAN]] * 2)


def _named(data_set: Dataset) -> tuple[str, ...]:
    """Give the Defined Terms that a data set names, an empty first one among them."""
    if _SPECIFIC_CHARACTER_SET not in data_set:
        return ()
    value = data_set.get("SpecificCharacterSet")
    terms = [value] if isinstance(value, str) else list(value or ())
    return tuple(str(term).strip() for term in terms)


def _decode_as(data_set: Dataset, encodings: Sequence[str]) -> None:
    """Note encodings in a data set, and in the items of those sequences that were parsed with it."""
    implicit, little = data_set.original_encoding
    data_set.set_original_encoding(implicit, little, list(encodings))
    for tag in list(data_set.keys()):
        element = data_set.get_item(tag)
        if isinstance(element, DataElement) and element.VR == "SQ":
            for item in element.value:
                if _SPECIFIC_CHARACTER_SET not in item:
                    _decode_as(item, encodings)
