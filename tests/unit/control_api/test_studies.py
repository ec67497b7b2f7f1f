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


# --- what a worklist asks -------------------------------------------------------------------------------------------


def _seed_worklist(api: ControlAPI) -> None:
    """Put four studies there: with a result, failed, still arriving, cut off half-way."""
    for number, name in enumerate(["done", "failed", "open", "short"], start=1):
        uid = UID(f"1.{number}")
        person = {"patient_name": f"{name.title()}^Kim", "patient_id": f"P_{number}"}
        api.has_study(uid, number, study_description=name, **person)
    api.has_series(UID("1.1.1"), UID("1.1"))
    api.has_job(1, study_instance_uid="1.1", series_instance_uid="1.1.1")
    api.has_series(UID("1.2.1"), UID("1.2"))
    api.has_job(2, JobState.FAILED, study_instance_uid="1.2", error_code="encoding.failed", error_message="no room")
    api.has_series(UID("1.3.1"), UID("1.3"), receiving=True, evidence=None, decision=None, completed_at=None)
    rejected = {"decision": "rejected", "reason_code": "geometry.gap", "reason_message": "gap"}
    api.has_series(UID("1.4.1"), UID("1.4"), promised_count=5, **rejected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("has_result=true", ["done"]),
        ("has_result=false", ["short", "open", "failed"]),
        ("incomplete=true", ["short", "open"]),
        ("incomplete=false", ["failed", "done"]),
        ("incomplete=true&has_result=true", []),
        ("text=OPEN", ["open"]),
        ("text=^kim", ["short", "open", "failed", "done"]),
        ("text=p_2", ["failed"]),
        ("text=%25", []),
    ],
)
def test_studies_are_found_by_result_completeness_and_text(api: ControlAPI, query: str, expected: list[str]) -> None:
    """A text is looked for as it is, never as a pattern."""
    _seed_worklist(api)

    assert _descriptions(api.get(f"/api/studies?{query}").json) == expected


def test_a_worklist_says_how_each_study_stands(api: ControlAPI) -> None:
    """At a glance: what is awaited, what came of it, and why nothing did; without asking for each study."""
    _seed_worklist(api)

    items = {item["study_description"]: item for item in api.get("/api/studies").json["items"]}

    told = ("incomplete", "missing_count", "has_result", "jobs", "reasons")
    assert {name: [item[key] for key in told] for name, item in items.items()} == {
        "done": [False, 0, True, {"COMPLETED": 1}, []],
        "failed": [False, 0, False, {"FAILED": 1}, [{"code": "encoding.failed", "message": "no room"}]],
        "open": [True, 0, False, {}, []],
        "short": [True, 2, False, {}, [{"code": "geometry.gap", "message": "gap"}]],
    }


@pytest.mark.parametrize(
    ("columns", "promised", "missing", "incomplete"),
    [
        ({"expected_count": 4}, None, 1, True),
        ({"expected_count": 2}, None, 0, False),
        ({"promised_count": 5}, 5, 2, True),
        ({"promised_count": 5, "expected_count": 3}, 5, 0, False),
        ({"promised_count": 5, "evidence": "archive_count"}, None, None, False),
        ({"promised_count": 5, "evidence": "signal"}, None, None, False),
        ({"receiving": True, "evidence": None}, None, None, True),
        ({}, None, None, False),
    ],
)
def test_a_series_says_what_is_missing(
    api: ControlAPI, columns: dict[str, Any], promised: int | None, missing: int | None, incomplete: bool
) -> None:
    """A number that somebody named counts more than one that headers promise, the archive's more than both."""
    api.has_study()
    api.has_series(**columns)

    study = api.get(f"/api/studies/{STUDY}").json

    [series_shown] = study["series"]
    shown = [series_shown[name] for name in ("promised_count", "missing_count", "incomplete")]
    assert shown == [promised, missing, incomplete]
    assert (study["missing_count"], study["incomplete"]) == (missing or 0, incomplete)


@pytest.mark.parametrize("columns", [{"shadow": True}, {"superseded_by": "f" * 32}, {"state": JobState.WITHDRAWN}])
def test_what_does_not_stand_is_no_result(api: ControlAPI, columns: dict[str, Any]) -> None:
    """A trial, a result that was replaced and one that was withdrawn."""
    api.has_study()
    api.has_job(1, **columns)

    [study] = api.get("/api/studies").json["items"]

    assert study["has_result"] is False
    assert _descriptions(api.get("/api/studies?has_result=true").json) == []
