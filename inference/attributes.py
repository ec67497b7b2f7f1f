"""Reading single attributes of headers that may hold anything.

pydicom converts a value when it is asked for it, and what a broken value raises then depends on its VR. A header that
arrived from outside is therefore read through these functions only: what cannot be understood counts as absent.
"""

from __future__ import annotations

import math
import struct
from collections.abc import MutableSequence
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException

_BROKEN: Final = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    BytesLengthException,
    struct.error,
)


def values(data_set: Dataset, keyword: str) -> tuple[Any, ...]:
    """Give the values of an attribute; none where it is absent, empty or broken.

    Parameters
    ----------
    data_set
        The header.
    keyword
        DICOM keyword of the attribute.
    """
    try:
        value = data_set.get(keyword)
    except _BROKEN:
        return ()
    if value is None or value == "":
        return ()
    return tuple(value) if isinstance(value, MutableSequence) else (value,)


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
    except _BROKEN:
        return None
    if len(converted) != count or not all(math.isfinite(value) for value in converted):
        return None
    return converted


def number(data_set: Dataset, keyword: str) -> float | None:
    """Give the first value as a finite number, or None."""
    for value in values(data_set, keyword)[:1]:
        try:
            converted = float(value)
        except _BROKEN:
            return None
        return converted if math.isfinite(converted) else None
    return None


def integer(data_set: Dataset, keyword: str) -> int | None:
    """Give the first value as a whole number, or None."""
    converted = number(data_set, keyword)
    return None if converted is None or converted != int(converted) else int(converted)
