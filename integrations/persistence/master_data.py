"""Medications, diagnoses and laboratory tests in SQL; entries are deactivated, never deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Row, Table, insert, or_, select, update

from inference.errors import EntryChanged, EntryExists, EntryNotFound
from inference.ports import Clock
from integrations.masterdata.entries import LONGEST_CODE, Entry, dotted, values_of
from integrations.masterdata.files import FileRow
from integrations.masterdata.imports import ImportReport, Known, Plan, plan
from integrations.masterdata.kinds import DIAGNOSES, LAB_TESTS, MEDICATIONS, Kind
from integrations.masterdata.search import search_text, words
from integrations.persistence.tables import diagnoses, lab_tests, medications
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions

_TABLES: Final[Mapping[str, Table]] = {
    MEDICATIONS.name: medications,
    DIAGNOSES.name: diagnoses,
    LAB_TESTS.name: lab_tests,
}
_AT_ONCE: Final = 500
"""Rows of one statement, and values of one IN list."""

Versions = Collection[int] | None
"""The versions of an entry that somebody has seen; None for any."""


@dataclass(frozen=True, slots=True)
class KeptEntry:
    """An entry with what the node knows about it.

    Parameters
    ----------
    entry
        What it says.
    active
        Whether it may be used for something new.
    version
        Counts its changes, from 1.
    created_at, updated_at
        When it was made and last changed.
    """

    entry: Entry
    active: bool
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class EntryQuery:
    """Which entries to list.

    Parameters
    ----------
    q
        Words that all stand in a name, in any case, or begin a code.
    code
        How the code begins.
    active
        Whether only active or only deactivated ones; None for both.
    """

    q: str = ""
    code: str = ""
    active: bool | None = None


class SQLMasterData:
    """Master data in SQLite, MySQL or MariaDB.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        Time of changes.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock

    def page(self, kind: Kind, query: EntryQuery, limit: int, after: str = "") -> Sequence[KeptEntry]:
        """List entries by code, one more than ``limit`` where there are more.

        Parameters
        ----------
        kind
            Of what.
        query
            Which.
        limit
            Length of a page.
        after
            Last code of the page before.
        """
        table = _TABLES[kind.name]
        statement = select(table).where(*_conditions(table, kind, query), table.c.code > after)
        with self._transactions.read() as connection:
            rows = connection.execute(statement.order_by(table.c.code).limit(limit + 1))
            return [_kept(kind, row) for row in rows]

    def every(self, kind: Kind) -> Sequence[Known]:
        """Give all entries by code."""
        table = _TABLES[kind.name]
        with self._transactions.read() as connection:
            return [_known(kind, row) for row in connection.execute(select(table).order_by(table.c.code))]

    def get(self, kind: Kind, code: str) -> KeptEntry:
        """Give an entry.

        Raises
        ------
        EntryNotFound
            If there is none.
        """
        with self._transactions.read() as connection:
            return _kept(kind, _row(connection, kind, code))

    def create(self, kind: Kind, entry: Entry) -> KeptEntry:
        """Make an entry.

        Raises
        ------
        EntryExists
            If there is one with its code.
        """

        def create(connection: Connection) -> KeptEntry:
            """Insert it, unless the code is taken."""
            table = _TABLES[kind.name]
            if connection.execute(select(table.c.code).where(table.c.code == entry.code)).first() is not None:
                raise EntryExists("there is an entry with this code already")
            connection.execute(insert(table), [self._new(Known(entry, active=True))])
            return _kept(kind, _row(connection, kind, entry.code))

        return self._transactions.write(create)

    def update(self, kind: Kind, code: str, entry: Entry, seen: Versions) -> KeptEntry:
        """Change what an entry says; its code stays, and so does whether it is active.

        Raises
        ------
        EntryNotFound
            If there is none.
        EntryChanged
            If it has another version than those that were seen.
        """
        return self._change(kind, code, seen, lambda row: Known(replace(entry, code=row.code), row.active))

    def set_active(self, kind: Kind, code: str, active: bool, seen: Versions) -> KeptEntry:
        """Activate or deactivate an entry.

        Raises
        ------
        EntryNotFound, EntryChanged
            As ``update``.
        """
        return self._change(kind, code, seen, lambda row: Known(_kept(kind, row).entry, active))

    def take_over(
        self, kind: Kind, rows: Sequence[FileRow], *, all_or_nothing: bool = False, only_new: bool = False
    ) -> ImportReport:
        """Take the entries of a file over, in one transaction.

        Parameters
        ----------
        kind
            Of what.
        rows
            Entries of the file.
        all_or_nothing
            Whether nothing is taken where an entry is rejected.
        only_new
            Whether entries that are there stay as they are.
        """

        def take_over(connection: Connection) -> ImportReport:
            """Compare and write."""
            wanted = plan(kind, rows, _known_by_code(connection, kind, _codes(kind, rows)), only_new=only_new)
            applied = not (all_or_nothing and wanted.rejections)
            if applied:
                self._carry_out(connection, kind, wanted)
            return wanted.report(applied=applied)

        return self._transactions.write(take_over)

    def _change(self, kind: Kind, code: str, seen: Versions, change: Callable[[Row[Any]], Known]) -> KeptEntry:
        def work(connection: Connection) -> KeptEntry:
            """Change it, if it is as it was seen; what changes nothing leaves the version."""
            row = _row(connection, kind, code, lock=True)
            if seen is not None and row.version not in seen:
                raise EntryChanged(f"the entry has version {row.version} now")
            wanted = change(row)
            if wanted != _known(kind, row):
                self._write(connection, kind, row.code, wanted)
            return _kept(kind, _row(connection, kind, code))

        return self._transactions.write(work)

    def _carry_out(self, connection: Connection, kind: Kind, wanted: Plan) -> None:
        new = [self._new(known) for known in wanted.created]
        for start in range(0, len(new), _AT_ONCE):
            connection.execute(insert(_TABLES[kind.name]), new[start : start + _AT_ONCE])
        for known in wanted.updated:
            self._write(connection, kind, known.entry.code, known)

    def _new(self, known: Known) -> dict[str, Any]:
        now = to_column(self._clock.now())
        return {**_columns(known), "version": 1, "created_at": now, "updated_at": now}

    def _write(self, connection: Connection, kind: Kind, code: str, known: Known) -> None:
        table = _TABLES[kind.name]
        changed = {**_columns(known), "code": code, "version": table.c.version + 1}
        now = to_column(self._clock.now())
        connection.execute(update(table).where(table.c.code == code).values(**changed, updated_at=now))


def _conditions(table: Table, kind: Kind, query: EntryQuery) -> Iterator[ColumnElement[bool]]:
    if query.active is not None:
        yield table.c.active.is_(query.active)
    if query.code:
        yield table.c.code.startswith(kind.normal_code(query.code), autoescape=True)
    further = table.c[kind.further_code]
    for word in words(query.q):
        begins = {word.upper(), dotted(word)}
        codes = [column.startswith(one, autoescape=True) for column in (table.c.code, further) for one in begins]
        yield or_(table.c.search_text.contains(word, autoescape=True), *codes)


def _codes(kind: Kind, rows: Sequence[FileRow]) -> set[str]:
    """Give the codes that may be known; what a file holds in their place may be anything, and goes to no database."""
    codes = {kind.normal_code(row.values.get("code", "")) for row in rows}
    return {code for code in codes if code.isascii() and len(code) <= LONGEST_CODE}


def _known_by_code(connection: Connection, kind: Kind, codes: Collection[str]) -> dict[str, Known]:
    table, wanted = _TABLES[kind.name], sorted(codes)
    found: dict[str, Known] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        statement = select(table).where(table.c.code.in_(wanted[start : start + _AT_ONCE])).with_for_update()
        found |= {row.code: _known(kind, row) for row in connection.execute(statement)}
    return found


def _row(connection: Connection, kind: Kind, code: str, *, lock: bool = False) -> Row[Any]:
    table = _TABLES[kind.name]
    statement = select(table).where(table.c.code == kind.normal_code(code))
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise EntryNotFound("there is no entry with this code")
    return row


def _columns(known: Known) -> dict[str, Any]:
    entry = known.entry
    text = search_text(entry.name_en, entry.name_ko)
    return {**values_of(entry), "active": known.active, "search_text": text}


def _known(kind: Kind, row: Row[Any]) -> Known:
    return Known(kind.parse({name: getattr(row, name) for name in kind.members}), row.active)


def _kept(kind: Kind, row: Row[Any]) -> KeptEntry:
    known = _known(kind, row)
    created_at, updated_at = from_column(row.created_at), from_column(row.updated_at)
    return KeptEntry(known.entry, known.active, row.version, created_at, updated_at)
