"""Searching by attributes (QIDO-RS, PS3.18 section 10.6), as far as viewers and our own API need it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydicom.datadict import dictionary_VR
from pydicom.tag import Tag

from integrations.local_archive.entries import Attributes
from integrations.local_archive.index import Series, Studies

MOST_RESULTS: Final = 1000
_NOT_ATTRIBUTES: Final = frozenset({"limit", "offset", "fuzzymatching", "includefield"})
_DATES: Final = frozenset({"DA", "TM", "DT"})


@dataclass(frozen=True, slots=True)
class Query:
    """A search.

    Parameters
    ----------
    wanted
        Value to match by eight hexadecimal digits.
    limit, offset
        Which part of the results.
    """

    wanted: Mapping[str, str]
    limit: int = MOST_RESULTS
    offset: int = 0


def parse(parameters: Iterable[tuple[str, str]]) -> Query:
    """Read the parameters of a search.

    Raises
    ------
    ValueError
        If an attribute is unknown, or a number is none.
    """
    pairs = [(name, value) for name, value in parameters if value]
    numbers = {name: max(int(value), 0) for name, value in pairs if name in {"limit", "offset"}}
    wanted = {_tag(name): value for name, value in pairs if name not in _NOT_ATTRIBUTES}
    limit = min(numbers.get("limit", MOST_RESULTS), MOST_RESULTS)
    return Query(wanted, limit, numbers.get("offset", 0))


def _tag(name: str) -> str:
    if re.fullmatch(r"[0-9A-Fa-f]{8}", name):
        return name.upper()
    return f"{Tag(name):08X}"


def studies(found: Studies, query: Query) -> list[Attributes]:
    """Search on the level of studies, the newest first."""
    rows = sorted((_study(series) for series in found.values()), key=_age, reverse=True)
    return _page(rows, query)


def series(found: Iterable[Series], query: Query) -> list[Attributes]:
    """Search on the level of series."""
    rows = sorted((_series(one) for one in found), key=lambda row: (_number(row, "00200011"), _uid(row, "0020000E")))
    return _page(rows, query)


def instances(found: Iterable[Series], query: Query) -> list[Attributes]:
    """Search on the level of instances."""
    rows = [{**entry.study, **entry.series, **entry.instance} for one in found for entry in one.entries.values()]
    rows.sort(key=lambda row: (_uid(row, "0020000E"), _number(row, "00200013"), _uid(row, "00080018")))
    return _page(rows, query)


def _study(found: Mapping[str, Series]) -> Attributes:
    modalities = sorted({str(value) for one in found.values() for value in _values(one.first.series, "00080060")})
    return {
        **next(iter(found.values())).first.study,
        "00080061": {"vr": "CS", "Value": modalities},
        "00201206": {"vr": "IS", "Value": [len(found)]},
        "00201208": {"vr": "IS", "Value": [sum(len(one.entries) for one in found.values())]},
    }


def _series(one: Series) -> Attributes:
    count = {"00201209": {"vr": "IS", "Value": [len(one.entries)]}}
    return {**one.first.study, **one.first.series, **count}


def _page(rows: Sequence[Attributes], query: Query) -> list[Attributes]:
    matching = [row for row in rows if all(_matches(row, tag, value) for tag, value in query.wanted.items())]
    return matching[query.offset : query.offset + query.limit]


def _matches(row: Attributes, tag: str, wanted: str) -> bool:
    """Match one attribute: list of UIDs, range of dates, or wildcards in any case (PS3.4 section C.2.2.2)."""
    values = [_text(value) for value in _values(row, tag)]
    vr = str(row.get(tag, {}).get("vr", "")) or _vr(tag)
    if vr == "UI":
        return bool({*values} & {*re.split(r"[,\\]", wanted)})
    if vr in _DATES and "-" in wanted:
        first, _, last = wanted.partition("-")
        return any(first <= value and (not last or value[: len(last)] <= last) for value in values)
    pattern = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in wanted)
    return any(re.fullmatch(pattern, value, re.IGNORECASE | re.DOTALL) for value in values or [""])


def _vr(tag: str) -> str:
    try:
        return str(dictionary_VR(int(tag, 16)))
    except KeyError:
        return ""


def _values(row: Attributes, tag: str) -> Sequence[Any]:
    values: Sequence[Any] = row.get(tag, {}).get("Value", ())
    return values


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("Alphabetic", ""))
    return str(value)


def _age(row: Attributes) -> tuple[str, str]:
    return next(iter([*_texts(row, "00080020"), ""])), next(iter([*_texts(row, "00080030"), ""]))


def _texts(row: Attributes, tag: str) -> Iterator[str]:
    return (_text(value) for value in _values(row, tag))


def _number(row: Attributes, tag: str) -> int:
    return next((value for value in _values(row, tag) if isinstance(value, int)), 0)


def _uid(row: Attributes, tag: str) -> str:
    return next(_texts(row, tag), "")
