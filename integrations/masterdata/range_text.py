r"""Reference ranges in one cell of a table: ``male 18-: 13.5..17.5; female 18-: 12..16``.

::

    ranges = range *(";" range)
    range  = sex [age] ":" [low] ".." [high]
    sex    = "any" / "male" / "female"
    age    = [years] "-" [years]
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

_NUMBER: Final = r"[-+]?\d+(?:\.\d+)?"
_RANGE: Final = re.compile(
    rf"(?P<sex>any|male|female)(?:\s+(?P<age_from>\d+)?-(?P<age_to>\d+)?)?\s*:\s*"
    rf"(?P<low>{_NUMBER})?\s*\.\.\s*(?P<high>{_NUMBER})?"
)


def read_ranges(text: str) -> list[dict[str, Any]]:
    """Read the ranges of a cell; an empty one holds none.

    Raises
    ------
    ValueError
        If it is something else.
    """
    parts = [part.strip() for part in text.split(";") if part.strip()]
    found = [_RANGE.fullmatch(part) for part in parts]
    if not all(found):
        raise ValueError("write ranges as in: male 18-: 13.5..17.5; female 18-: 12..16")
    return [{name: value for name, value in one.groupdict().items() if value} for one in found if one]


def write_ranges(ranges: Sequence[Mapping[str, Any]]) -> str:
    """Write ranges into a cell."""
    return "; ".join(_written(one) for one in ranges)


def _written(one: Mapping[str, Any]) -> str:
    age_from, age_to = _number(one["age_from"]), _number(one["age_to"])
    age = f" {age_from}-{age_to}" if age_from or age_to else ""
    return f"{one['sex']}{age}: {_number(one['low'])}..{_number(one['high'])}"


def _number(value: float | None) -> str:
    """Write a number so that it is read back as it is, never with an exponent."""
    if value is None:
        return ""
    return f"{Decimal(str(value)):f}".removesuffix(".0")
