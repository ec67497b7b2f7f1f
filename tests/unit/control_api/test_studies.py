"""Studies: listed, shown, declared complete."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from inference.domain.identifiers import UID
from inference.domain.job import JobState
from integrations.persistence.tables import series, studies
from tests.support.control_api import SERIES, STUDY, ControlAPI

OPEN_SERIES = UID(f"{STUDY}.3")


def _descriptions(document: dict[str, Any]) -> list[str]:
    return [study["study_description"] for study in document["items"]]


def _seed(api: ControlAPI) -> None:
    api.has_study(UID("1.1"), 1, study_description="a", patient_id="P1", accession_number="A1", study_date="20260101")
    api.has_study(UID("1.2"), 3, study_description="b", patient_id="P1", accession_number="A2", study_date="20260103")
    api.has_study(UID("1.3"), 2, study_description="c", patient_id="P2", accession_number="", study_date="")


def test_studies_are_listed_by_when_they_were_received_last(api: ControlAPI) -> None:
    """What just arrived is on top, with the number of its series and instances."""
    _seed(api)
    api.has_series(SERIES, UID("1.2"), instance_count=3)
    api.has_series(OPEN_SERIES, UID("1.2"), instance_count=4, receiving=True)

    items = api.get("/api/studies").json["items"]

    assert [study["study_description"] for study in items] == ["b", "c", "a"]
    assert [items[0][name] for name in ("series_count", "instance_count", "receiving")] == [2, 7, True]
    assert [items[1][name] for name in ("series_count", "instance_count", "receiving")] == [0, 0, False]


def test_pages_of_studies_follow_each_other(api: ControlAPI) -> None:
    """The cursor of one page begins the next."""
    _seed(api)

    first = api.get("/api/studies?limit=2").json
    second = api.get(f"/api/studies?limit=2&after={first['next']}").json

    assert (_descriptions(first), _descriptions(second), second["next"]) == (["b", "c"], ["a"], None)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("patient_id=P1", ["b", "a"]),
        ("accession_number=A2", ["b"]),
        ("date_from=2026-01-02", ["b"]),
        ("date_to=2026-01-01", ["a"]),
        ("date_from=2026-01-01&date_to=2026-01-03", ["b", "a"]),
        ("patient_id=P%25", []),
    ],
)
def test_studies_are_found_by_patient_accession_and_date(api: ControlAPI, query: str, expected: list[str]) -> None:
    """Values are compared as they are, never as patterns; a study without a date is in no span of dates."""
    _seed(api)

    assert _descriptions(api.get(f"/api/studies?{query}").json) == expected


def test_a_study_is_shown_with_what_was_decided(api: ControlAPI) -> None:
    """Each series has its evidence, its decision, its reason and its jobs: silence is a defect."""
    api.has_study(patient_name="Doe^Jane")
    api.has_series(decision="rejected", reason_code="geometry.gap", reason_message="two slices are missing")
    api.has_series(OPEN_SERIES, receiving=True, evidence=None, decision=None, completed_at=None, expected_count=9)
    job_id = api.has_job(1, JobState.REJECTED)

    document = api.get(f"/api/studies/{STUDY}").json

    closed, still_open = document["series"]
    assert document["patient_name"] == "Doe^Jane"
    assert (closed["evidence"], closed["decision"]) == ("quiet_time", "rejected")
    assert closed["reason"] == {"code": "geometry.gap", "message": "two slices are missing"}
    assert [job["job_id"] for job in closed["jobs"]] == [job_id]
    assert [still_open[name] for name in ("receiving", "evidence", "decision", "reason")] == [True, None, None, None]
    assert (still_open["expected_count"], still_open["jobs"]) == (9, [])


@pytest.mark.parametrize("uid", ["1.2.3", "1.02", "1..2", "abc", "1." * 40 + "1"])
def test_a_study_that_is_not_there_is_404(api: ControlAPI, uid: str) -> None:
    """Also what is not a UID is simply not there."""
    answer = api.get(f"/api/studies/{uid}")

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_a_study_is_declared_complete(api: ControlAPI) -> None:
    """The signal and the numbers it names are kept for the assembler."""
    api.has_study()
    api.has_series(OPEN_SERIES, receiving=True, evidence=None, decision=None)

    answer = api.post(f"/api/studies/{STUDY}/complete", {"expected": {OPEN_SERIES: 192}})

    with api.engine.connect() as connection:
        signalled = connection.execute(select(studies.c.signalled_at)).scalar_one()
        expected = connection.execute(select(series.c.expected_count)).scalar_one()
    assert answer.status_code == 202
    assert answer.json["series"][0]["expected_count"] == expected == 192
    assert signalled == api.clock.now().replace(tzinfo=None)


def test_a_study_is_declared_complete_without_numbers(api: ControlAPI) -> None:
    """Whoever knows no numbers need not give any."""
    api.has_study()

    assert api.post(f"/api/studies/{STUDY}/complete", {}).json["signalled_at"] == "2026-01-02T12:00:00+00:00"


def test_an_unknown_study_cannot_be_complete(api: ControlAPI) -> None:
    """Nothing arrived, so there is nothing to declare."""
    answer = api.post("/api/studies/1.2.3/complete", {})

    assert (answer.status_code, answer.json["code"]) == (404, "study.not_found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"expected": {"nonsense": 3}}, "/expected/nonsense/key"),
        ({"expected": {SERIES: 0}}, f"/expected/{SERIES}/value"),
        ({"expected": {SERIES: "3"}}, f"/expected/{SERIES}/value"),
        ({"expected": [SERIES]}, "/expected"),
        ({"complete": True}, "/complete"),
    ],
)
def test_a_signal_that_makes_no_sense_is_refused(api: ControlAPI, body: dict[str, Any], pointer: str) -> None:
    """A number that was misread would close a series too early."""
    api.has_study()

    answer = api.post(f"/api/studies/{STUDY}/complete", body)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json["errors"]] == [pointer]
