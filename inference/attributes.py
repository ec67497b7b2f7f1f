"""Reading single attributes of headers that may hold anything.

pydicom converts a value when it is asked for it, and what a broken value raises then depends on its VR. A header that
arrived from outside is therefore read through these functions only: what cannot be understood counts as absent.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, MutableSequence
from functools import cache
from typing import Any, Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import BaseTag, Tag

BROKEN: Final = (
    InvalidDicomError,
    BytesLengthException,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    RecursionError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What pydicom was seen to raise on a damaged header, a depth of nesting without end among it. A sequence is parsed
when it is asked for, so a value can raise all that a file can."""


def encoded(data_set: Dataset, tags: Iterable[BaseTag]) -> tuple[object, ...]:
    """Give attributes as they are encoded, to tell at little cost whether two headers say the same.

    The headers of a series repeat each other in most of what they say, and converting values is most of the cost of
    reading them.

    Parameters
    ----------
    data_set
        The header.
    tags
        The attributes.

    Returns
    -------
    tuple
        For each a value that can be compared and hashed; None where it is absent.
    """
    items = (data_set.get_item(tag) if tag in data_set else None for tag in tags)
    return tuple(item.value if isinstance(item, RawDataElement) else item and str(item.value) for item in items)


def values(data_set: Dataset, keyword: str) -> tuple[Any, ...]:
    """Give the values of an attribute; none where it is absent, empty or broken.

    Parameters
    ----------
    data_set
        The header.
    keyword
        DICOM keyword of the attribute.
    """
    tag = _tag(keyword)
    try:
        value = data_set[tag].value if tag in data_set else None
    except BROKEN:
        return ()
    if value is None or value == "":
        return ()
    return tuple(value) if isinstance(value, MutableSequence) else (value,)


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def texts(data_set: Dataset, keyword: str) -> tuple[str, ...]:
    """Give the values of a code string in upper case, without outer spaces and without empty ones."""
    stripped = (str(value).strip().upper() for value in values(data_set, keyword))
    return tuple(text for text in stripped if text)


def text(data_set: Dataset, keyword: str) -> str:
    """Give an attribute as text as it was written; empty where it is absent."""
    return "\\".join(str(value) for value in values(data_set, keyword)).strip()


def numbers(data_set: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Give exactly ``count`` finite numbers, or None."""
    found = values(data_set, keyword)
    try:
        converted = tuple(float(value) for value in found)
    except BROKEN:
        return None
    if len(converted) != count or not all(math.isfinite(value) for value in converted):
        return None
    return converted


def number(data_set: Dataset, keyword: str) -> float | None:
    """Give the first value as a finite number, or None."""
    for value in values(data_set, keyword)[:1]:
        try:
            converted = float(value)
        except BROKEN:
            return None
        return converted if math.isfinite(converted) else None
    return None


def integer(data_set: Dataset, keyword: str) -> int | None:
    """Give the first value as a whole number, or None."""
    converted = number(data_set, keyword)
    return None if converted is None or converted != int(converted) else int(converted)
