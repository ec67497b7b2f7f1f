"""What an import would change: decided without a database, so that it can be shown before it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from integrations.masterdata.entries import Entry, values_of
from integrations.masterdata.files import ACTIVE, FileRow
from integrations.masterdata.kinds import EntryInvalid, Kind

MOST_REJECTIONS: Final = 500
"""Named in a report; more are counted."""

_TRUTH: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "1", "yes", "y"), True),
    **dict.fromkeys(("false", "0", "no", "n"), False),
}


@dataclass(frozen=True, slots=True)
class Known:
    """What is there already under a code."""

    entry: Entry
    active: bool


@dataclass(frozen=True, slots=True)
class Rejection:
    """An entry of the file that is not taken: where it begins, and why."""

    line: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, or would have done.

    Parameters
    ----------
    applied
        Whether anything was written: not so where all or nothing was wanted and an entry is rejected.
    created, updated, unchanged, rejected
        Entries of the file.
    rejections
        The first of those that were rejected.
    """

    applied: bool
    created: int
    updated: int
    unchanged: int
    rejected: int
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The entries that are to be made and changed, with whether each is active, and what is left as it is."""

    created: tuple[Known, ...]
    updated: tuple[Known, ...]
    unchanged: int
    rejections: tuple[Rejection, ...]

    def report(self, *, applied: bool) -> ImportReport:
        """Sum up."""
        rejected = len(self.rejections)
        named = self.rejections[:MOST_REJECTIONS]
        return ImportReport(applied, len(self.created), len(self.updated), self.unchanged, rejected, named)


def plan(kind: Kind, rows: Sequence[FileRow], known: Mapping[str, Known], *, only_new: bool = False) -> Plan:
    """Compare a file with what is there.

    What the file does not name stays as it is. The same file again changes nothing.

    Parameters
    ----------
    kind
        What the file holds.
    rows
        Its entries.
    known
        What is there, by code.
    only_new
        Whether what is there stays, whatever the file says.
    """
    made: list[Known] = []
    changed: list[Known] = []
    rejections: list[Rejection] = []
    lines: dict[str, int] = {}
    for row in rows:
        try:
            wanted = _wanted(kind, row, known, lines)
        except EntryInvalid as error:
            rejections.append(Rejection(row.line, _reasons(error)))
            continue
        present = known.get(wanted.entry.code)
        if present is None:
            made.append(wanted)
        elif present != wanted and not only_new:
            changed.append(wanted)
    unchanged = len(rows) - len(made) - len(changed) - len(rejections)
    return Plan(tuple(made), tuple(changed), unchanged, tuple(rejections))


def _wanted(kind: Kind, row: FileRow, known: Mapping[str, Known], lines: dict[str, int]) -> Known:
    if row.faults:
        raise EntryInvalid({"": list(row.faults)})
    present = known.get(kind.normal_code(row.values.get("code", "")))
    given = dict(row.values)
    active = _truth(given.pop(ACTIVE, present.active if present else True))
    entry = kind.parse(given if present is None else values_of(present.entry) | given)
    first = lines.setdefault(entry.code, row.line)
    if first != row.line:
        raise EntryInvalid({"code": [f"the same code is on line {first}"]})
    return Known(entry, active)


def _truth(value: Any) -> bool:
    truth = value if isinstance(value, bool) else _TRUTH.get(str(value).strip().lower())
    if truth is None:
        raise EntryInvalid({ACTIVE: ["write true or false"]})
    return truth


def _reasons(error: EntryInvalid) -> tuple[str, ...]:
    return tuple(f"{name}: {text}" if name else text for name, texts in error.faults.items() for text in texts)
