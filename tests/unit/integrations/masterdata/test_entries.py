"""What a valid entry is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.masterdata.entries import Diagnosis, LabTest, Medication, ReferenceRange, dotted
from integrations.masterdata.kinds import DIAGNOSES, KINDS, LAB_TESTS, MEDICATIONS, EntryInvalid, Kind
from integrations.masterdata.range_text import read_ranges, write_ranges
from integrations.masterdata.search import fold, words


def test_an_entry_is_kept_in_its_normal_form() -> None:
    """Spaces around, case of codes and decomposed Hangul make no second entry."""
    entry = MEDICATIONS.parse({"code": " done5 ", "name_en": "Donepezil", "atc_code": "n06da02"})
    assert entry == Medication("DONE5", "Donepezil", "", "N06DA02")
    decomposed = MEDICATIONS.parse({"code": "A", "name_en": "x", "name_ko": "\u1112\u1161\u11ab"})
    assert decomposed.name_ko == "한"


@pytest.mark.parametrize(
    ("written", "kept"),
    [("g309", "G30.9"), ("G30.9", "G30.9"), ("G20", "G20"), (" s0650 ", "S06.50"), ("i63", "I63")],
)
def test_a_diagnosis_is_found_with_and_without_its_dot(written: str, kept: str) -> None:
    """Korean claims write KCD without the dot."""
    assert dotted(written) == DIAGNOSES.normal_code(written) == kept
    assert DIAGNOSES.parse({"code": written, "name_en": "x"}) == Diagnosis(kept, "x")


BACKWARDS = {"low": 1, "age_from": 9, "age_to": 8}


@pytest.mark.parametrize(
    ("kind", "values", "member"),
    [
        (MEDICATIONS, {"code": "", "name_en": "x"}, "code"),
        (MEDICATIONS, {"code": "a/b", "name_en": "x"}, "code"),
        (MEDICATIONS, {"code": "A" * 33, "name_en": "x"}, "code"),
        (MEDICATIONS, {"code": "A", "name_en": " "}, "name_en"),
        (MEDICATIONS, {"code": "A"}, "name_en"),
        (MEDICATIONS, {"code": "A", "name_en": "x" * 256}, "name_en"),
        (MEDICATIONS, {"code": "A", "name_en": "a\x00b"}, "name_en"),
        (MEDICATIONS, {"code": "A", "name_en": "x", "atc_code": "N06"}, None),
        (MEDICATIONS, {"code": "A", "name_en": "x", "atc_code": "06NDA"}, "atc_code"),
        (MEDICATIONS, {"code": "A", "name_en": "x", "dose": "1"}, "dose"),
        (DIAGNOSES, {"code": "30.9", "name_en": "x"}, "code"),
        (DIAGNOSES, {"code": "G30.9", "name_en": "x", "icd10_code": "G30.A"}, "icd10_code"),
        (LAB_TESTS, {"code": "A", "name_en": "x", "loinc_code": "718-8"}, "loinc_code"),
        (LAB_TESTS, {"code": "A", "name_en": "x", "unit": "mg per dL"}, "unit"),
        (LAB_TESTS, {"code": "A", "name_en": "x", "reference_ranges": [{}]}, "reference_ranges"),
        (LAB_TESTS, {"code": "A", "name_en": "x", "reference_ranges": [{"low": 2, "high": 1}]}, "reference_ranges"),
        (LAB_TESTS, {"code": "A", "name_en": "x", "reference_ranges": [{"low": float("nan")}]}, "reference_ranges"),
        (LAB_TESTS, {"code": "A", "name_en": "x", "reference_ranges": [{"low": 1, "sex": "m"}]}, "reference_ranges"),
        (LAB_TESTS, {"code": "A", "name_en": "x", "reference_ranges": [BACKWARDS]}, "reference_ranges"),
    ],
)  # fmt: skip
def test_what_is_not_valid_is_named_and_not_repeated(kind: Kind, values: dict[str, Any], member: str | None) -> None:
    """The fault says which member; a value may be anything and stays out."""
    if member is None:
        kind.parse(values)
        return
    with pytest.raises(EntryInvalid) as refused:
        kind.parse(values)
    assert set(refused.value.faults) == {member}
    assert "06NDA" not in str(refused.value.faults)


@pytest.mark.parametrize("code", ["718-7", "2160-0", "1988-5", "19123-9", "48065-7", "4548-4"])
def test_known_loinc_codes_pass_their_check_digit(code: str) -> None:
    """A digit that was mistyped is another test's code, or none."""
    assert LAB_TESTS.parse({"code": "X", "name_en": "x", "loinc_code": code}) == LabTest("X", "x", loinc_code=code)
    wrong = f"{code[:-1]}{(int(code[-1]) + 1) % 10}"
    with pytest.raises(EntryInvalid):
        LAB_TESTS.parse({"code": "X", "name_en": "x", "loinc_code": wrong})


_ENDS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
_AGES = st.one_of(st.none(), st.integers(0, 150))


@given(st.lists(st.tuples(st.sampled_from(["any", "male", "female"]), _AGES, _AGES, _ENDS, _ENDS), max_size=4))
def test_ranges_survive_a_cell(given_ranges: list[tuple[Any, ...]]) -> None:
    """What is written into a table is read back as it was."""
    members = ("sex", "age_from", "age_to", "low", "high")
    ranges = [dict(zip(members, one, strict=True)) for one in given_ranges]
    ranges = [one for one in _made(ranges) if one["low"] is not None or one["high"] is not None]
    back = [ReferenceRange(**one) for one in read_ranges(write_ranges(ranges))]
    assert back == [ReferenceRange(**one) for one in ranges]


def _made(ranges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put ends in order, as a valid range has them."""
    for one in ranges:
        for first, last in (("low", "high"), ("age_from", "age_to")):
            if one[first] is not None and one[last] is not None and one[first] > one[last]:
                one[first], one[last] = one[last], one[first]
    return ranges


@pytest.mark.parametrize(
    "text", ["13..17", "male 13..17", "man: 1..2", "any: 1-2", "any: 1..2, male: 2..3", "any 18: 1..2"]
)
def test_a_cell_that_holds_no_ranges_is_refused(text: str) -> None:
    """A range that was misread would call a sick person well."""
    with pytest.raises(ValueError, match="write ranges"):
        read_ranges(text)


def test_case_and_width_do_not_matter_in_a_search() -> None:
    """Databases disagree on them, so we decide."""
    assert fold("ＤＯＮＥＰＥＺＩＬ Straße") == fold("donepezil STRASSE")
    assert words("  두통  HEAD ") == ["두통", "head"]
    assert len(words("a " * 100)) == 8


def test_every_kind_names_its_members() -> None:
    """The international code is one of them."""
    assert all(kind.further_code in kind.members and kind.members[0] == "code" for kind in KINDS)
