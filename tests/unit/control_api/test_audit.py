"""Whoever changes something leaves an event; administrators read them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pytest
from flask import Response
from structlog.testing import capture_logs

from control_api.auth import audit
from control_api.auth.roles import EVERYONE, serves
from inference.domain.job import JobState
from inference.errors import StoreUnavailable
from integrations.persistence.audit_trail import AuditEvent, Outcome
from tests.support.control_api import STUDY, ControlAPI
from tests.support.fakes import NOON

JOB = "0" * 32


def test_a_change_is_kept_with_all_that_matters(api: ControlAPI) -> None:
    """Who and what they were, what they did, to what, when, from where, how it ended, and the request."""
    job_id = api.has_job(1, JobState.QUEUED)

    answer = api.client.post(
        f"/api/jobs/{job_id}/cancel",
        headers=api.bearer("technician") | {"X-Request-ID": "trace-0123"},
        environ_base={"REMOTE_ADDR": "10.1.2.3"},
    )

    assert answer.status_code == 202
    assert api.events() == [
        AuditEvent(
            at=NOON,
            actor="technician",
            role="technician",
            action="POST /api/jobs/{job_id}/cancel",
            object=job_id,
            outcome=Outcome.DONE,
            status=202,
            request_id="trace-0123",
            client="10.1.2.3",
        )
    ]


def test_a_page_that_asks_whether_somebody_is_logged_in_leaves_nothing(api: ControlAPI) -> None:
    """Every opened login page does; a wrong token is another matter."""
    assert api.client.post("/api/auth/refresh", json={}).status_code == 401
    assert api.events() == []
    assert api.client.post("/api/auth/refresh", json={"refresh_token": "x" * 43}).status_code == 401
    assert len(api.events()) == 1


def test_what_was_refused_is_kept_too(api: ControlAPI) -> None:
    """Somebody who tries what they may not, and what fails."""
    api.post(f"/api/jobs/{JOB}/cancel", role="nurse")
    api.post(f"/api/jobs/{JOB}/cancel", role="technician")

    assert [(event.actor, event.status, event.outcome) for event in api.events()] == [
        ("nurse", 403, Outcome.REFUSED),
        ("technician", 404, Outcome.REFUSED),
    ]


def test_a_program_is_named_as_one(api: ControlAPI) -> None:
    """By the name of its service account."""
    api.post(f"/api/jobs/{JOB}/retry", role="service")

    [event] = api.events()
    assert (event.actor, event.role) == ("service", "service")


def test_logins_are_kept_by_name_only_where_there_is_such_an_account(api: ControlAPI) -> None:
    """A name that nobody has may be a password that somebody typed into the wrong field."""
    api.accounts.inactive.add("hunter2")
    for name, password in (("nurse", "right"), ("nurse", "wrong"), ("hunter2", "wrong")):
        api.client.post("/api/auth/login", json={"username": name, "password": password})

    assert [(event.actor, event.role, event.outcome) for event in api.events()] == [
        ("nurse", "nurse", Outcome.DONE),
        ("nurse", "nurse", Outcome.REFUSED),
        ("", "", Outcome.REFUSED),
    ]


def test_a_refresh_is_kept_with_its_account(api: ControlAPI) -> None:
    """Also where a token comes again: that somebody holds a copy is what an administrator wants to see."""
    login = api.client.post("/api/auth/login", json={"username": "nurse", "password": "right"}).json
    for _ in range(2):
        api.client.post("/api/auth/refresh", json={"refresh_token": login["refresh_token"]})

    _, good, again = api.events()
    assert (good.actor, good.role, good.outcome) == ("nurse", "nurse", Outcome.DONE)
    assert (again.actor, again.outcome, again.action) == ("nurse", Outcome.REFUSED, "POST /api/auth/refresh")


@pytest.mark.parametrize("path", ["/api/jobs", "/api/users", "/api/audit", "/api/health/live", "/nowhere"])
def test_reading_leaves_no_event(api: ControlAPI, path: str) -> None:
    """The log has it; the trail would drown in polls."""
    api.get(path, "admin")

    assert api.events() == []


def test_strangers_cannot_fill_the_trail(api: ControlAPI) -> None:
    """What never passed the gate is in the log only, but for logins, which are counted."""
    for path in (f"/api/jobs/{JOB}/cancel", "/nowhere", "/api/openapi.json"):
        api.client.post(path)

    assert api.events() == []


def test_a_read_that_is_marked_is_kept(api: ControlAPI) -> None:
    """Views that show patient data of other systems, with the ids that they say."""

    @audit.audited
    @serves(EVERYONE)
    def look(patient_id: str) -> str:
        audit.about("Patient", "7")
        return patient_id

    api.app.add_url_rule("/api/look/<patient_id>", "look", look)

    assert api.get("/api/look/KIM-1", "nurse").status_code == 200

    [event] = api.events()
    assert (event.action, event.object) == ("GET /api/look/{patient_id}", "Patient 7")


def test_what_was_made_is_named(api: ControlAPI) -> None:
    """Its id stands in no path."""
    api.has_study()
    api.has_series()

    answer = api.post("/api/jobs", {"study_uid": STUDY})

    [event] = api.events()
    assert event.object == answer.json["jobs"][0]["job_id"]


def test_of_several_that_were_made_it_is_named_where_they_are(api: ControlAPI) -> None:
    """By what the answer says."""
    api.has_study()
    for number in (2, 3):
        api.has_series(f"{STUDY}.{number}")

    assert len(api.post("/api/jobs", {"study_uid": STUDY}).json["jobs"]) == 2

    [event] = api.events()
    assert event.object == f"study_uid={STUDY}"


def test_queries_and_documents_are_not_in_the_trail(api: ControlAPI) -> None:
    """They may hold what is known of a patient."""
    api.post("/api/studies/1.2.3/complete?patient_id=SECRET-77", {"expected": {}})
    api.client.post("/api/auth/login", json={"username": "nurse", "password": "SECRET-77"})

    assert "SECRET-77" not in str([asdict(event) for event in api.events()])


def test_what_cannot_be_kept_is_not_answered(api: ControlAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event goes to the log, and nothing is shown of what was asked."""

    def away(*_: object) -> None:
        raise StoreUnavailable("the database cannot be used at the moment")

    monkeypatch.setattr(type(api.services.audit), "record", away)
    job_id = api.has_job(1, JobState.QUEUED)

    with capture_logs() as logs:
        answer = api.post(f"/api/jobs/{job_id}/cancel")

    assert (answer.status_code, answer.json["code"]) == (503, "job.store_unavailable")
    [lost] = [line for line in logs if line["event"] == "audit.not_kept"]
    assert (lost["actor"], lost["object"]) == ("technician", job_id)
    assert logs[-1]["status"] == 503


@dataclass(frozen=True)
class Look:
    """An access, as a view of the gateway says it."""

    actor: str
    role: str
    action: str
    target: str
    status: int


def test_a_view_may_say_its_events_itself(api: ControlAPI) -> None:
    """One for each study that it opened, at once, and none besides; whose they are is for the view to say."""

    @serves(EVERYONE)
    def open_studies() -> str:
        for study in ("1.2.3", "1.2.4"):
            audit.RequestTrail().record(Look("kim", "doctor", "viewer.open", study, 201))
        return ""

    api.app.add_url_rule("/api/open", "open", open_studies, methods=["POST"])

    assert api.client.post("/api/open", headers=api.bearer("nurse") | {"X-Request-ID": "trace-77"}).status_code == 200

    assert [(event.actor, event.role, event.action, event.object, event.status) for event in api.events()] == [
        ("kim", "doctor", "viewer.open", "1.2.3", 201),
        ("kim", "doctor", "viewer.open", "1.2.4", 201),
    ]
    assert {(event.request_id, event.client) for event in api.events()} == {("trace-77", "127.0.0.1")}


def test_what_a_view_cannot_have_kept_it_does_not_answer(api: ControlAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The access is in the log, and the answer is 503."""

    def away(*_: object) -> None:
        raise StoreUnavailable("the database cannot be used at the moment")

    def look() -> str:
        audit.RequestTrail().record(Look("kim", "doctor", "ris.read", "1.2.3", 200))
        return "SECRET-77"

    monkeypatch.setattr(type(api.services.audit), "record", away)
    api.app.add_url_rule("/api/look", "look", serves(EVERYONE)(look))

    with capture_logs() as logs:
        answer = api.get("/api/look")

    assert answer.status_code == 503
    assert "SECRET-77" not in answer.text
    assert [line["object"] for line in logs if line["event"] == "audit.not_kept"] == ["1.2.3"]


def test_a_stream_that_is_not_answered_is_closed(api: ControlAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the connection behind it would stay open."""
    closed: list[bool] = []

    def away(*_: object) -> None:
        raise StoreUnavailable("the database cannot be used at the moment")

    @audit.audited
    @serves(EVERYONE)
    def stream() -> Response:
        response = Response(iter(["SECRET-77"]))
        response.call_on_close(lambda: closed.append(True))
        return response

    monkeypatch.setattr(type(api.services.audit), "record", away)
    api.app.add_url_rule("/api/stream", "stream", stream)

    assert (api.get("/api/stream").status_code, closed) == (503, [True])


def test_administrators_read_the_trail_page_by_page(api: ControlAPI) -> None:
    """Newest first, by cursor, and by what they look for."""
    for role in ("nurse", "technician", "doctor"):
        api.post(f"/api/jobs/{JOB}/cancel", role=role)

    first = api.get("/api/audit?limit=2", "admin").json
    rest = api.get(f"/api/audit?limit=2&after={first['next']}", "admin").json

    assert [event["actor"] for event in first["items"] + rest["items"]] == ["doctor", "technician", "nurse"]
    assert rest["next"] is None
    found = api.get("/api/audit?outcome=refused&actor=nurse&action=/cancel", "admin").json["items"]
    assert [event["status"] for event in found] == [403]


@pytest.mark.parametrize("query", ["outcome=lost", "since=yesterday", "limit=0", "who=nurse", "after=x"])
def test_a_question_that_is_none_is_refused(api: ControlAPI, query: str) -> None:
    """As everywhere."""
    assert api.get(f"/api/audit?{query}", "admin").status_code == 422


@pytest.mark.parametrize("role", ["radiologist", "doctor", "nurse", "technician", "service"])
def test_nobody_else_reads_the_trail(api: ControlAPI, role: str) -> None:
    """It says who works when, on whom."""
    assert api.get("/api/audit", role).status_code == 403
