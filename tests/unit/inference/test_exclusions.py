"""What is no acquired image of a patient is refused for every model, by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inference.domain.identifiers import UID
from inference.domain.series_header import Flaw
from inference.errors import ReasonCode
from inference.exclusions import excluded
from tests.support.series_headers import T1_HEADER

TWO_PATIENTS = Flaw(ReasonCode.INVALID_IDENTIFIER, "the images name different patients")


def storage(*suffixes: str) -> frozenset[UID]:
    return frozenset(UID(f"1.2.840.10008.5.1.4.1.1.{suffix}") for suffix in suffixes)


def types(*values: str) -> frozenset[str]:
    return frozenset(values)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"has_matrix": False}, ReasonCode.NOT_AN_IMAGE),
        ({"sop_class_uids": storage("88.33"), "has_matrix": False}, ReasonCode.NOT_AN_IMAGE),
        ({"sop_class_uids": storage("88.67"), "has_matrix": False}, ReasonCode.DOSE_REPORT),
        ({"sop_class_uids": storage("7"), "series_description": "Dose Report"}, ReasonCode.DOSE_REPORT),
        ({"series_description": "Patient Protocol"}, ReasonCode.DOSE_REPORT),
        ({"sop_class_uids": storage("7")}, ReasonCode.SECONDARY_CAPTURE),
        ({"sop_class_uids": storage("7.2")}, ReasonCode.SECONDARY_CAPTURE),
        ({"image_type": types("DERIVED", "SECONDARY", "SCREEN SAVE")}, ReasonCode.SECONDARY_CAPTURE),
        ({"burned_in": True}, ReasonCode.SECONDARY_CAPTURE),
        ({"image_type": types("ORIGINAL", "PRIMARY", "LOCALIZER")}, ReasonCode.LOCALIZER),
        ({"image_type": types("ORIGINAL", "PRIMARY", "SCOUT")}, ReasonCode.LOCALIZER),
        ({"image_type": types("ORIGINAL", "PRIMARY", "M", "MOSAIC")}, ReasonCode.MOSAIC),
        ({"image_type": types("DERIVED", "PRIMARY", "DIFFUSION", "FA")}, ReasonCode.DERIVED),
        ({"image_type": types("DERIVED", "SECONDARY", "MPR")}, ReasonCode.DERIVED),
        ({"image_type": types("DERIVED", "SECONDARY", "PROJECTION IMAGE")}, ReasonCode.DERIVED),
        ({"sop_class_uids": storage("66.4")}, ReasonCode.DERIVED),
        ({"sop_class_uids": storage("30")}, ReasonCode.DERIVED),
        ({"sop_class_uids": storage("481.2")}, ReasonCode.DERIVED),
        ({"test_object": True}, ReasonCode.PHANTOM),
        ({"series_description": "ACR Phantom T1"}, ReasonCode.PHANTOM),
        ({"study_description": "phantom_study"}, ReasonCode.PHANTOM),
        ({"protocol_name": "Daily QA head coil"}, ReasonCode.PHANTOM),
        ({"series_description": "t1_QC"}, ReasonCode.PHANTOM),
        ({"sop_class_uids": storage("4", "2")}, ReasonCode.MIXED),
        ({"identifier_flaw": TWO_PATIENTS}, ReasonCode.INVALID_IDENTIFIER),
    ],
)
def test_what_is_no_image_of_a_patient_has_its_reason(changes: dict[str, Any], code: ReasonCode) -> None:
    """One code each, and a sentence that a technologist understands."""
    error = excluded(replace(T1_HEADER, **changes))
    assert error is not None
    assert error.code == code
    assert len(error.message) > 20


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"image_type": types("DERIVED", "SECONDARY")},
        {"series_description": "Phantomschmerz T1"},
        {"study_description": "FMRIF^QA"},
        {"series_description": "low dose head"},
        {"protocol_name": "aqua_t1"},
        {"sop_class_uids": frozenset()},
    ],
)
def test_an_image_of_a_patient_is_not_excluded(changes: dict[str, Any]) -> None:
    """Words are whole words, and a study that is called after its purpose may hold patients."""
    assert excluded(replace(T1_HEADER, **changes)) is None


def test_a_reason_repeats_no_free_text() -> None:
    """A description may hold a name."""
    error = excluded(replace(T1_HEADER, series_description="phantom of Jane Doe"))
    assert error is not None
    assert "Jane" not in error.message
