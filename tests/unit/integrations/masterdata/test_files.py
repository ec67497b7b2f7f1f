"""Files of master data: read as hospitals write them, refused as a whole or line by line, and safe to open."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import ImportRefused
from integrations.masterdata import files
from integrations.masterdata.cells import guarded, unguarded
from integrations.masterdata.entries import LabTest, Medication, ReferenceRange
from integrations.masterdata.exports import write_csv, write_json
from integrations.masterdata.files import FileRow, read_csv, read_json
from integrations.masterdata.imports import Known, Rejection, plan
from integrations.masterdata.kinds import DIAGNOSES, KINDS, LAB_TESTS, MEDICATIONS
from integrations.masterdata.seeds import seed_rows
from tests.support.repository import REPOSITORY

TABLE = "code,name_en,name_ko\r\nA1,Donepezil,도네페질\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_a_table_is_read_in_whatever_excel_saves(encoding: str) -> None:
    """Korean Excel writes CP949 or UTF-8 with a byte order mark; other programs write neither."""
    (row,) = read_csv(TABLE.encode(encoding), MEDICATIONS)
    assert row == FileRow(2, {"code": "A1", "name_en": "Donepezil", "name_ko": "도네페질"})


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    """Also after a cell that spans lines and after empty lines, so that the person finds the fault."""
    text = 'code,name_en\nA1,"two\nlines"\n\nA2,fine\nA3\n'
    rows = read_csv(text.encode(), MEDICATIONS)
    assert [row.line for row in rows] == [2, 5, 6]
    assert rows[2].faults == ("1 cells instead of 2",)
    wanted = plan(MEDICATIONS, rows, {})
    assert [rejection.line for rejection in wanted.rejections] == [2, 6]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"name_en\nx\n",
        b"code,name_en,colour\nA,x,red\n",
        b"code,code,name_en\nA,A,x\n",
        b'code,name_en\nA,"open\n',
        b"code,name_en\nA,\xff\xff\xff\n",
        b"\x00\x01\x02",
    ],
)
def test_what_is_no_table_is_refused(content: bytes) -> None:
    """With the reason; nothing is taken from half of a file."""
    with pytest.raises(ImportRefused):
        read_csv(content, MEDICATIONS)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"7", b"[1,", b'"text"', b"[" * 100_000, b"\xff\xfe", b'{"items": {}}']
)
def test_what_is_no_list_is_refused(content: bytes) -> None:
    """Also where it is nested without end."""
    with pytest.raises(ImportRefused):
        read_json(content, MEDICATIONS)


def test_entries_of_a_json_list_are_judged_one_by_one() -> None:
    """A list that was read from the API may be sent back; what nobody knows is named."""
    kept = {"code": "A1", "name_en": "x", "version": 3, "created_at": "…", "updated_at": "…", "active": False}
    rows = read_json(json.dumps({"items": [kept, 7, {"code": "A2", "colour": "red"}]}).encode(), MEDICATIONS)
    wanted = plan(MEDICATIONS, rows, {})
    assert wanted.created == (Known(Medication("A1", "x"), active=False),)
    assert wanted.rejections == (
        Rejection(2, ("an entry is an object",)),
        Rejection(3, ("there are members that nobody knows",)),
    )


def test_a_file_may_be_only_so_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes and in entries."""
    with pytest.raises(ImportRefused, match="MiB"):
        read_csv(b"x" * (files.MOST_BYTES + 1), MEDICATIONS)
    with pytest.raises(ImportRefused, match="MiB"):
        read_json(b" " * (files.MOST_BYTES + 1), MEDICATIONS)
    monkeypatch.setattr(files, "MOST_ROWS", 1)
    with pytest.raises(ImportRefused, match="entries"):
        read_csv(b"code,name_en\nA,x\nB,y\n", MEDICATIONS)


def test_what_a_file_does_not_name_stays() -> None:
    """A table of codes and Korean names changes nothing but Korean names, and activates nothing."""
    known = {"A1": Known(Medication("A1", "Donepezil", "", "N06DA02"), active=False)}
    rows = read_csv("code,name_ko\na1,도네페질\n".encode(), MEDICATIONS)
    wanted = plan(MEDICATIONS, rows, known)
    assert wanted.updated == (Known(Medication("A1", "Donepezil", "도네페질", "N06DA02"), active=False),)
    assert plan(MEDICATIONS, rows, {"A1": wanted.updated[0]}).unchanged == 1


def test_a_code_that_stands_twice_is_taken_once() -> None:
    """The second line is rejected and says where the first is, however the code is written."""
    rows = read_csv(b"code,name_en\nG309,a\nG30.9,b\n", DIAGNOSES)
    wanted = plan(DIAGNOSES, rows, {})
    assert len(wanted.created) == 1
    assert wanted.rejections == (Rejection(3, ("code: the same code is on line 2",)),)


def test_a_state_that_is_none_is_rejected() -> None:
    """``active`` is yes or no."""
    rows = read_csv(b"code,name_en,active\nA,x,maybe\nB,y,no\nC,z,\n", MEDICATIONS)
    wanted = plan(MEDICATIONS, rows, {})
    assert wanted.rejections == (Rejection(2, ("active: write true or false",)),)
    assert [known.active for known in wanted.created] == [False, True]


def test_a_range_that_cannot_be_read_is_named_by_its_line() -> None:
    """And the tests around it are taken."""
    rows = read_csv(b"code,name_en,reference_ranges\nA,x,any: 1..2\nB,y,1-2\nC,z,\n", LAB_TESTS)
    wanted = plan(LAB_TESTS, rows, {})
    assert [known.entry.code for known in wanted.created] == ["A", "C"]
    assert [(one.line, one.reasons[0][:17]) for one in wanted.rejections] == [(3, "reference_ranges:")]


FORMULAE = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "'=1", "-", "=cmd|' /C calc'!A0"]


@pytest.mark.parametrize("text", FORMULAE)
def test_no_cell_of_an_export_is_a_formula(text: str) -> None:
    """A name that somebody entered must not run on the machine of whoever opens the table."""
    assert guarded(text)[0] == "'"
    assert unguarded(guarded(text)) == text


@given(st.text(max_size=12))
def test_every_text_comes_back_out_of_a_cell(text: str) -> None:
    """Guarding loses nothing, and a number stays a number."""
    assert unguarded(guarded(text)) == text
    assert guarded("-1.5") == "-1.5"


def test_an_export_is_taken_back_unchanged() -> None:
    """By CSV and by JSON, ranges and dangerous names and all."""
    ranges = (ReferenceRange("male", 18, None, -2.5, 17), ReferenceRange("any", None, 17, None, 0.1))
    test = Known(
        LabTest("HGB", '=HYPERLINK("x")', "혈색소, \n".strip(), "718-7", "g/dL", "blood", ranges), active=True
    )
    bare = Known(LabTest("X", "x"), active=False)
    known = {"HGB": test, "X": bare}
    for rows in (
        read_csv(write_csv(LAB_TESTS, known.values()), LAB_TESTS),
        read_json(write_json(known.values()), LAB_TESTS),
    ):
        assert plan(LAB_TESTS, rows, known).unchanged == 2
        assert plan(LAB_TESTS, rows, {}).created == (test, bare)
    cells = [
        cell for line in csv.reader(io.StringIO(write_csv(LAB_TESTS, [test]).decode("utf-8-sig"))) for cell in line
    ]
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "@"}]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_seed_is_valid_and_complete(kind: object) -> None:
    """Both names, the international code, and no code twice; each LOINC code passes its check digit."""
    (found,) = (one for one in KINDS if one is kind)
    wanted = plan(found, seed_rows(found), {})
    assert wanted.rejections == ()
    assert len(wanted.created) >= {"medications": 30, "diagnoses": 60, "lab_tests": 40}[found.name]
    for known in wanted.created:
        assert known.entry.name_ko
        assert getattr(known.entry, found.further_code)
    codes = [getattr(known.entry, found.further_code) for known in wanted.created]
    assert len(set(codes)) == len(codes)


def test_seeded_tests_have_units_and_ranges_that_fit_adults() -> None:
    """Every range begins at 18 years, and men and women come in pairs."""
    for known in plan(LAB_TESTS, seed_rows(LAB_TESTS), {}).created:
        assert isinstance(known.entry, LabTest)
        assert known.entry.unit
        assert known.entry.specimen
        assert all(one.age_from == 18 for one in known.entry.reference_ranges)
        assert sorted(one.sex for one in known.entry.reference_ranges) in (["any"], ["female", "male"])


def test_seeded_diagnoses_are_their_own_icd_code() -> None:
    """KCD divides some codes further; these it does not."""
    for known in plan(DIAGNOSES, seed_rows(DIAGNOSES), {}).created:
        assert known.entry.code == getattr(known.entry, "icd10_code", None)


def test_the_documents_example_is_taken_as_it_stands() -> None:
    """Who copies it from docs/master-data.md gets two entries."""
    text = (REPOSITORY / "docs" / "master-data.md").read_text(encoding="utf-8")
    table = text.split("```csv\n")[1].split("```")[0]
    wanted = plan(LAB_TESTS, read_csv(table.encode(), LAB_TESTS), {})
    assert wanted.rejections == ()
    assert [known.entry.code for known in wanted.created] == ["HGB", "CRP"]
