"""One element at a time: what is valid stays, what can be made valid is, the rest goes."""

from __future__ import annotations

import math
import warnings
from datetime import date, time, timedelta, timezone

import pytest
from pydicom.dataelem import DataElement

from inference.encoding.repair import (
    decimal_string,
    parse_date,
    parse_offset,
    parse_time,
    repair,
)


def repaired(tag: int, vr: str, value: object) -> object:
    """Repair a value; None where the element is left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        element = repair(DataElement(tag, vr, value))
    return None if element is None else element.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260102", date(2026, 1, 2)),
        ("2026.01.02", date(2026, 1, 2)),
        ("20261302", None),
        ("2026", None),
        ("", None),
    ],
)
def test_dates(text: str, expected: date | None) -> None:
    """Only a day of the calendar is a date."""
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120305.25", time(12, 3, 5, 250000)),
        ("12", time(12)),
        ("12:03", time(12, 3)),
        ("250000", None),
        ("noon", None),
    ],
)
def test_times(text: str, expected: time | None) -> None:
    """Only a time of the day is a time."""
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+0900", timezone(timedelta(hours=9))),
        ("-0330", timezone(-timedelta(hours=3, minutes=30))),
        ("+9900", None),
        ("+0199", None),
        ("KST", None),
    ],
)
def test_offsets(text: str, expected: timezone | None) -> None:
    """Only an offset that exists is one."""
    assert parse_offset(text) == expected


@pytest.mark.parametrize(
    ("tag", "vr", "value", "expected"),
    [
        (0x00100030, "DA", "19700101", "19700101"),
        (0x00100030, "DA", "", ""),
        (0x00100030, "DA", "197001", None),
        (0x00080030, "TM", "12:00:00", "120000"),
        (0x00080030, "TM", "late", None),
        (0x0008002A, "DT", "20260102120000+0900", "20260102120000+0900"),
        (0x0008002A, "DT", "20261302", None),
        (0x00101010, "AS", "45Y", "045Y"),
        (0x00101010, "AS", "45", None),
        (0x00081155, "UI", "1.2.3", "1.2.3"),
        (0x00081155, "UI", "1.2.03", None),
        (0x00180015, "CS", "brain", "BRAIN"),
        (0x00180015, "CS", "brain-stem", None),
        (0x00101030, "DS", "inf", None),
        (0x00101030, "DS", "", None),
        (0x00200013, "IS", "7", 7),
        (0x00200013, "IS", "", None),
        (0x00081030, "LO", " a\nb ", "a b"),
        (0x00080050, "SH", "1" * 20, "1" * 20),
        (0x00200010, "SH", "1" * 20, "1" * 20),
        (0x00081010, "SH", "1" * 20, "1" * 16),
        (0x00081030, "LO", ["left", "right"], "left/right"),
        (0x00080050, "SH", ["1", "2"], "1/2"),
        (0x00100010, "PN", ["Doe^Jane", "Roe"], "Doe^Jane/Roe"),
        (0x00100010, "PN", "D" * 65 + "=洪^吉洞=a=b", "D" * 64 + "=洪^吉洞=a"),
        (0x00100030, "DA", ["19700101", "19700102"], None),
        (0x00280010, "US", 7, 7),
        (0x00104000, "LT", "any text", "any text"),
        (0x00420011, "OB", b"bulk", None),
    ],
)
def test_values(tag: int, vr: str, value: object, expected: object) -> None:
    """Each VR by its own rule (PS3.5 section 6.2)."""
    assert repaired(tag, vr, value) == expected


def test_one_bad_value_of_several_takes_the_element_with_it() -> None:
    """Half a list would mean something else."""
    assert repaired(0x00081155, "UI", ["1.2.3", "1.2.03"]) is None
    assert repaired(0x00080008, "CS", ["DERIVED", "PRIMARY"]) == ["DERIVED", "PRIMARY"]


@pytest.mark.parametrize("number", [0.1, -1 / 3 * 1e-7, 123456789.123456789, -0.0, 1e300])
def test_decimal_strings_fit_and_keep_the_number(number: float) -> None:
    """At most 16 characters and as precise as those allow."""
    text = decimal_string(number)
    assert len(text) <= 16
    assert float(text) == pytest.approx(number, rel=1e-8)


@pytest.mark.parametrize("number", [math.inf, math.nan])
def test_what_is_not_finite_is_no_decimal_string(number: float) -> None:
    """A position of infinity must stop the encoder, not reach a viewer."""
    with pytest.raises(ValueError, match="finite"):
        decimal_string(number)
