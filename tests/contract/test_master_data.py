"""Master data, on SQLite and on MariaDB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from inference.errors import EntryChanged, EntryExists, EntryNotFound
from integrations.masterdata.entries import Diagnosis, LabTest, Medication, ReferenceRange
from integrations.masterdata.exports import write_csv
from integrations.masterdata.files import FileRow, read_csv
from integrations.masterdata.kinds import DIAGNOSES, KINDS, LAB_TESTS, MEDICATIONS
from integrations.masterdata.seeds import seed_rows
from integrations.persistence.master_data import EntryQuery, SQLMasterData
from tests.support.fakes import FixedClock

DONEPEZIL = Medication("DONE5", "Donepezil", "도네페질", "N06DA02", "tablet", "5 mg", "oral")


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that the test moves."""
    return FixedClock()


@pytest.fixture
def kept(database: Engine, clock: FixedClock) -> SQLMasterData:
    """Give an empty store."""
    return SQLMasterData(database, clock)


def found(kept: SQLMasterData, **query: object) -> list[str]:
    """List the codes of the diagnoses that a search finds."""
    wanted = EntryQuery(**query)  # type: ignore[arg-type]
    return [one.entry.code for one in kept.page(DIAGNOSES, wanted, 200)]


def test_an_entry_comes_back_as_it_was_made(kept: SQLMasterData, clock: FixedClock) -> None:
    """With version 1, active, and both times; any case of the code finds it."""
    ranges = (ReferenceRange("male", 18, None, 13, 17.5), ReferenceRange("female", 18, 50, None, 16))
    test = LabTest("HGB", "Hemoglobin", "혈색소 𠮷", "718-7", "g/dL", "blood", ranges)
    made = kept.create(LAB_TESTS, test)
    assert made == kept.get(LAB_TESTS, "hgb")
    assert (made.entry, made.active, made.version, made.created_at) == (test, True, 1, clock.now())


def test_a_code_is_given_once(kept: SQLMasterData) -> None:
    """Also where several make it at once, and also where the first is deactivated."""

    def make(_: int) -> bool:
        try:
            kept.create(MEDICATIONS, DONEPEZIL)
        except EntryExists:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(make, range(4))) == 1
    kept.set_active(MEDICATIONS, "DONE5", active=False, seen=None)
    assert not make(0)


def test_nobody_overwrites_what_they_have_not_seen(kept: SQLMasterData, clock: FixedClock) -> None:
    """Of two who read version 1 only the first changes it."""
    kept.create(MEDICATIONS, DONEPEZIL)
    clock.advance(60)
    changed = kept.update(MEDICATIONS, "DONE5", Medication("OTHER", "Donepezil HCl"), {1})
    assert (changed.version, changed.entry.code, changed.entry.name_en) == (2, "DONE5", "Donepezil HCl")
    assert (changed.updated_at - changed.created_at).total_seconds() == 60
    with pytest.raises(EntryChanged):
        kept.update(MEDICATIONS, "DONE5", DONEPEZIL, {1})
    with pytest.raises(EntryChanged):
        kept.set_active(MEDICATIONS, "DONE5", active=False, seen=set())
    assert kept.get(MEDICATIONS, "DONE5") == changed


def test_concurrent_changes_of_one_version_leave_one(kept: SQLMasterData) -> None:
    """The comparison and the write are one."""
    kept.create(MEDICATIONS, DONEPEZIL)

    def change(number: int) -> bool:
        try:
            kept.update(MEDICATIONS, "DONE5", Medication("DONE5", f"name {number}"), {1})
        except EntryChanged:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(change, range(4))) == 1
    assert kept.get(MEDICATIONS, "DONE5").version == 2


def test_what_changes_nothing_makes_no_version(kept: SQLMasterData) -> None:
    """A form that is saved untouched, or a second click, is no change."""
    kept.create(MEDICATIONS, DONEPEZIL)
    assert kept.update(MEDICATIONS, "DONE5", DONEPEZIL, {1}).version == 1
    assert kept.set_active(MEDICATIONS, "DONE5", active=False, seen={1}).version == 2
    assert kept.set_active(MEDICATIONS, "DONE5", active=False, seen={2}).version == 2
    assert kept.update(MEDICATIONS, "DONE5", Medication("DONE5", "x"), None).active is False


def test_what_is_not_there_cannot_be_changed(kept: SQLMasterData) -> None:
    """An entry of another kind is not there either."""
    kept.create(MEDICATIONS, DONEPEZIL)
    for attempt in (
        lambda: kept.get(DIAGNOSES, "DONE5"),
        lambda: kept.update(MEDICATIONS, "X", DONEPEZIL, None),
        lambda: kept.set_active(MEDICATIONS, "X", active=True, seen=None),
    ):
        with pytest.raises(EntryNotFound):
            attempt()


def test_pages_follow_each_other(kept: SQLMasterData) -> None:
    """By code, each entry once, also where one is made meanwhile."""
    for code in ("G20", "G10", "G35"):
        kept.create(DIAGNOSES, Diagnosis(code, code))
    first = kept.page(DIAGNOSES, EntryQuery(), 2)
    kept.create(DIAGNOSES, Diagnosis("A00", "x"))
    second = kept.page(DIAGNOSES, EntryQuery(), 2, after=first[1].entry.code)
    assert [one.entry.code for one in first] == ["G10", "G20", "G35"]
    assert [one.entry.code for one in second] == ["G35"]


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ({"q": "알츠하이머"}, ["G30.0", "G30.9"]),
        ({"q": "ALZHEIMER early"}, ["G30.0"]),
        ({"q": "ａｌｚｈｅｉｍｅｒ"}, ["G30.0", "G30.9"]),
        ({"q": "g30"}, ["G30.0", "G30.9"]),
        ({"q": "G309"}, ["G30.9"]),
        ({"q": "alzheimer g30.0"}, ["G30.0"]),
        ({"q": "30"}, []),
        ({"q": "BARRÉ"}, ["G61.0"]),
        ({"q": "%"}, []),
        ({"q": "100%"}, []),
        ({"q": "_"}, ["X50"]),
        ({"q": "a_b"}, ["X50"]),
        ({"q": "\\"}, []),
        ({"q": "/"}, []),
        ({"q": "' OR 1=1 --"}, []),
        ({"code": "g30"}, ["G30.0", "G30.9"]),
        ({"code": "G309"}, ["G30.9"]),
        ({"code": "%"}, []),
        ({"active": False}, ["G61.0"]),
        ({"active": True, "q": "G"}, ["G30.0", "G30.9"]),
    ],
)
def test_entries_are_found_by_name_and_code(kept: SQLMasterData, query: dict[str, object], codes: list[str]) -> None:
    """Korean and English names in any case and width, beginnings of codes; what looks like a pattern is a text."""
    kept.create(DIAGNOSES, Diagnosis("G30.0", "Alzheimer disease with early onset", "조기발병 알츠하이머병", "G30.0"))
    kept.create(DIAGNOSES, Diagnosis("G30.9", "Alzheimer disease, unspecified", "상세불명의 알츠하이머병", "G30.9"))
    kept.create(DIAGNOSES, Diagnosis("G61.0", "Guillain-Barré syndrome", "길랭-바레증후군", "G61.0"))
    kept.create(DIAGNOSES, Diagnosis("X50", "a_b"))
    kept.set_active(DIAGNOSES, "G61.0", active=False, seen=None)
    assert found(kept, **query) == codes


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_same_file_again_changes_nothing(kept: SQLMasterData, kind: object) -> None:
    """Neither an entry nor a version; and what is exported is such a file."""
    (one,) = (each for each in KINDS if each is kind)
    rows = seed_rows(one)
    first = kept.take_over(one, rows)
    assert (first.applied, first.created, first.updated, first.unchanged, first.rejected) == (
        True,
        len(rows),
        0,
        0,
        0,
    )
    for again in (rows, read_csv(write_csv(one, kept.every(one)), one)):
        report = kept.take_over(one, again)
        assert (report.created, report.updated, report.unchanged) == (0, 0, len(rows))
    assert {each.version for each in kept.page(one, EntryQuery(), 200)} == {1}


def rows_of(*names: str) -> list[FileRow]:
    """Give rows of which those with an empty name are not valid."""
    return [FileRow(number, {"code": f"M{number}", "name_en": name}) for number, name in enumerate(names, start=2)]


def test_valid_entries_are_taken_beside_others(kept: SQLMasterData) -> None:
    """Unless all or nothing is wanted: then nothing is."""
    rows = rows_of("a", "", "c")
    refused = kept.take_over(MEDICATIONS, rows, all_or_nothing=True)
    assert (refused.applied, refused.rejected, refused.rejections[0].line) == (False, 1, 3)
    assert kept.every(MEDICATIONS) == []
    taken = kept.take_over(MEDICATIONS, rows)
    assert (taken.applied, taken.created, taken.rejected) == (True, 2, 1)
    assert [known.entry.code for known in kept.every(MEDICATIONS)] == ["M2", "M4"]


@pytest.mark.parametrize("code", ["\ud800", "x" * 100_000, None, ["A"], {"A": 1}, "가", "", "\x00"])
def test_what_is_no_code_is_rejected_and_goes_to_no_database(kept: SQLMasterData, code: object) -> None:
    """A file may hold anything in its place, also what no database takes."""
    report = kept.take_over(MEDICATIONS, [FileRow(2, {"code": code, "name_en": "x"})])
    assert (report.created, report.rejected) == (0, 1)


def test_an_import_changes_what_differs(kept: SQLMasterData) -> None:
    """Its version counts up; a deactivated entry stays so."""
    kept.take_over(MEDICATIONS, rows_of("a", "b"))
    kept.set_active(MEDICATIONS, "M2", active=False, seen=None)
    report = kept.take_over(MEDICATIONS, rows_of("a", "new"))
    assert (report.updated, report.unchanged) == (1, 1)
    assert (kept.get(MEDICATIONS, "M3").version, kept.get(MEDICATIONS, "M2").active) == (2, False)


def test_seeding_leaves_what_a_site_has_made(kept: SQLMasterData) -> None:
    """A laboratory's own reference ranges are never replaced by ours."""
    kept.create(LAB_TESTS, LabTest("HGB", "our own"))
    report = kept.take_over(LAB_TESTS, seed_rows(LAB_TESTS), only_new=True)
    assert (report.unchanged, report.updated) == (1, 0)
    assert kept.get(LAB_TESTS, "HGB").entry.name_en == "our own"


def test_a_long_file_is_one_transaction(kept: SQLMasterData) -> None:
    """Thousands of entries are made, and found to be the same."""
    rows = [FileRow(number, {"code": f"M{number}", "name_en": "x"}) for number in range(2000)]
    assert kept.take_over(MEDICATIONS, rows).created == 2000
    assert kept.take_over(MEDICATIONS, rows).unchanged == 2000
