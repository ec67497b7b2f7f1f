"""A job answers in the words of the clinical system."""

from __future__ import annotations

import json

from dicom_node.summary import answer
from tests.support.reports import findings_report, make_report, tumor_report


def test_a_tumor_job_answers_whether_how_sure_where_and_how_large() -> None:
    """At the top level, as the clinical system asks; the place in patient coordinates, mm."""
    assert answer(tumor_report()) == {
        "task": "tumor_detection",
        "tumor_detected": True,
        "confidence": 0.875,
        "location": {"x": -12.5, "y": 30.25, "z": 41.0},
        "volume_ml": 3.25,
    }


def test_no_tumor_has_no_location() -> None:
    """Null, and not the origin."""
    assert answer(tumor_report(found=False)) == {
        "task": "tumor_detection", "tumor_detected": False, "confidence": 0.12, "location": None, "volume_ml": 0.0,
    }  # fmt: skip


def test_findings_are_listed_found_or_not() -> None:
    """With what is known of each."""
    report = findings_report()
    given = answer(report)
    assert given["task"] == "detection"
    assert [(f["label"], f["code"], f["present"], f["probability"]) for f in given["findings"]] == [
        ("Tumour", "108369006", True, 0.934), ("Tumour", "108369006", True, 0.7), ("Edema", "79654002", False, None),
    ]  # fmt: skip
    assert [f["location"] for f in given["findings"]] == [{"x": -12.5, "y": 30.25, "z": 41.0}, None, None]
    assert [f["tracking_uid"] for f in given["findings"]] == [f.tracking_uid for f in report.findings]


def test_a_segmentation_answers_with_its_measurements_alone() -> None:
    """Which stand beside the answer."""
    assert answer(make_report()) == {"task": "segmentation"}


def test_an_answer_is_json() -> None:
    """It is kept in a row of the database."""
    for report in (tumor_report(), findings_report()):
        assert json.loads(json.dumps(answer(report))) == answer(report)
