"""Who may read and write which FHIR resources through the gateway, also within bundles and over references."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from control_api.gateway.fhir_policy import CLINICAL, IMAGING, READS, WRITES
from control_api.gateway.ports import Gateway
from integrations.persistence.users import Role
from tests.support.control_api import ControlAPI
from tests.support.upstream import FakeServer, FakeTrail

FHIR = "http://hapi:8080/fhir"


@pytest.fixture
def reports() -> FakeServer:
    """Give a report server."""
    return FakeServer(FHIR, name="report server", parts=[b"{}"])


@pytest.fixture
def trail() -> FakeTrail:
    """Give where accesses are kept."""
    return FakeTrail()


@pytest.fixture
def door(api_with: Callable[..., ControlAPI], reports: FakeServer, trail: FakeTrail) -> ControlAPI:
    """Give the API in front of it."""
    return api_with(gateway=Gateway(reports=reports, trail=trail))


def send(door: ControlAPI, method: str, path: str, role: str, body: Any = None) -> TestResponse:
    """Ask as somebody."""
    return door.client.open(path, method=method, headers=door.bearer(role), json=body)


def test_every_role_is_thought_of() -> None:
    """A role that is added later reads and writes nothing until somebody says what."""
    assert set(READS) == set(WRITES) == set(Role)
    assert all(types <= CLINICAL for types in (*READS.values(), *WRITES.values()))
    assert not {"AuditEvent", "Subscription", "Binary", "Bundle", "Parameters", "SearchParameter"} & CLINICAL


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        ("GET", "/api/fhir/metadata", "technician", 200),
        ("GET", "/api/fhir/Patient/1", "technician", 200),
        ("GET", "/api/fhir/ImagingStudy?patient=Patient/1", "technician", 200),
        ("GET", "/api/fhir/Condition/1", "technician", 403),
        ("GET", "/api/fhir/Condition?patient=1", "technician", 403),
        ("GET", "/api/fhir/Condition/1/_history/2", "technician", 403),
        ("GET", "/api/fhir/Condition/1/_history", "nurse", 200),
        ("GET", "/api/fhir/Patient/a.b-C/_history/2", "nurse", 200),
        ("GET", "/api/fhir/MedicationRequest/1", "admin", 200),
        ("POST", "/api/fhir/Observation", "nurse", 200),
        ("POST", "/api/fhir/Condition", "nurse", 403),
        ("POST", "/api/fhir/Condition", "doctor", 200),
        ("PUT", "/api/fhir/DiagnosticReport/1", "nurse", 403),
        ("PUT", "/api/fhir/DiagnosticReport/1", "radiologist", 200),
        ("PUT", "/api/fhir/DiagnosticReport?identifier=a%7Cb", "service", 200),
        ("PUT", "/api/fhir/Patient/1", "admin", 403),
        ("POST", "/api/fhir/Device", "doctor", 403),
        ("POST", "/api/fhir/Device", "admin", 200),
        ("POST", "/api/fhir/AuditEvent", "service", 404),
        ("GET", "/api/fhir?_getpages=7&_getpagesoffset=20&_count=20", "nurse", 200),
    ],
)
def test_who_may_do_what(
    door: ControlAPI, reports: FakeServer, method: str, path: str, role: str, status: int
) -> None:
    """By type of resource; what may not be done is not even asked for."""
    body = {"resourceType": "X"} if method != "GET" else None
    assert send(door, method, path, role, body).status_code == status
    assert len(reports.calls) == (status == 200)


@pytest.mark.parametrize(
    ("query", "technician", "doctor"),
    [
        ("identifier=a%7Cb&_sort=-_lastUpdated&_count=5&_summary=count&birthdate:missing=true", 200, 200),
        ("_include=Patient:organization", 403, 200),
        ("_include:iterate=Patient:link", 403, 200),
        ("_revinclude=Condition:subject", 403, 200),
        ("_revinclude=AuditEvent:entity", 403, 404),
        ("_revinclude=*", 403, 404),
        ("_include=*", 403, 404),
        ("%5Finclude=*", 403, 404),
        ("_has:Condition:subject:code=1", 403, 200),
        ("_has:AuditEvent:entity:agent=1", 403, 404),
        ("general-practitioner.name=x", 403, 200),
        ("general-practitioner:Practitioner.name=x", 403, 200),
        ("_filter=name%20eq%20x", 404, 404),
        ("_query=other", 404, 404),
    ],
)
def test_searches_do_not_reach_further_than_reading(
    door: ControlAPI, query: str, technician: int, doctor: int
) -> None:
    """References lead to types that the role may not read; in the address as in the form of a search by POST."""
    for role, status in (("technician", technician), ("doctor", doctor)):
        assert send(door, "GET", f"/api/fhir/Patient?{query}", role).status_code == status
        form = door.bearer(role) | {"Content-Type": "application/x-www-form-urlencoded"}
        assert door.client.post("/api/fhir/Patient/_search", data=query, headers=form).status_code == status


@pytest.mark.parametrize(
    "condition", ["_has:Condition:subject:code=1", "patient.name=x", "?_has:Condition:subject:code=1"]
)
def test_conditions_are_searches_too(door: ControlAPI, reports: FakeServer, condition: str) -> None:
    """Of a create, of an update and of an entry: whether something is there would be told by what becomes of it."""
    body, plain = {"resourceType": "Task"}, condition.lstrip("?")
    assert send(door, "PUT", f"/api/fhir/Task?{plain}", "technician", body).status_code == 403
    headers = door.bearer("technician") | {"If-None-Exist": condition}
    assert door.client.post("/api/fhir/Task", json=body, headers=headers).status_code == 403
    wanted = bundle(entry("POST", "Task", "Task", ifNoneExist=condition))
    assert send(door, "POST", "/api/fhir", "technician", wanted).status_code == 403
    assert reports.calls == []


def test_another_format_than_json_is_not_given(door: ControlAPI, reports: FakeServer) -> None:
    """Whatever is asked for."""
    headers = door.bearer("nurse") | {"Accept": "application/fhir+xml"}
    door.client.get("/api/fhir/Patient?_format=xml&name=a%26b", headers=headers)
    assert reports.last.query == "name=a%26b"
    assert reports.last.headers["accept"] == "application/fhir+json"


def test_addresses_of_ours_in_what_is_written_become_relative(door: ControlAPI, reports: FakeServer) -> None:
    """A client refers to what it read here; the server knows it by type and id."""
    send(
        door,
        "POST",
        "/api/fhir/Observation",
        "nurse",
        {"subject": {"reference": "http://localhost/api/fhir/Patient/1"}},
    )
    assert json.loads(reports.bodies[0]) == {"subject": {"reference": "Patient/1"}}
    assert reports.last.headers["content-type"] == "application/fhir+json"


# --- bundles --------------------------------------------------------------------------------------------------------


def entry(method: str, url: str, kind: str | None = None, **more: Any) -> dict[str, Any]:
    """Write an entry."""
    resource = {"resource": {"resourceType": kind}} if kind else {}
    return {"request": {"method": method, "url": url, **more}, **resource}


def bundle(*entries: Any, kind: str = "transaction") -> dict[str, Any]:
    """Write a bundle."""
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def test_a_transaction_is_passed_on_as_it_was_written(
    door: ControlAPI, reports: FakeServer, trail: FakeTrail
) -> None:
    """Byte for byte, with the decimals that it was written with."""
    text = json.dumps(bundle(entry("POST", "Observation", "Observation"))).replace(
        '"entry"', '"total": 1.10, "entry"'
    )
    headers = door.bearer("nurse") | {"Content-Type": "application/fhir+json"}
    assert door.client.post("/api/fhir", data=text, headers=headers).status_code == 200
    assert reports.bodies == [text.encode()]
    assert (reports.last.method, reports.last.path) == ("POST", "")
    assert [one.action for one in trail.accesses] == ["fhir.bundle"]


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        (bundle(entry("POST", "Condition", "Condition")), 403),
        (bundle(entry("POST", "Observation", "Observation"), entry("PUT", "Patient/1", "Patient")), 403),
        (bundle(entry("DELETE", "Observation/1")), 403),
        (bundle(entry("PATCH", "Observation/1", "Observation")), 403),
        (bundle(entry("POST", "Observation", "Patient")), 400),
        (bundle(entry("POST", "Observation")), 400),
        (bundle(entry("GET", "AuditEvent")), 404),
        (bundle(entry("GET", "Patient?_revinclude=AuditEvent:entity")), 404),
        (bundle(entry("GET", "http://elsewhere.example/fhir/Patient/1")), 404),
        (bundle(entry("GET", "../actuator")), 404),
        (bundle(entry("POST", "$expunge", "Parameters")), 404),
        (bundle(entry("POST", "Patient/$match", "Parameters")), 404),
        (bundle(entry("POST", "", "Bundle")), 403),
        (bundle({"resource": {"resourceType": "Observation"}}), 400),
        (bundle({"request": {"method": "POST"}}), 400),
        (bundle({"request": {"method": ["POST"], "url": "Observation"}}), 400),
        (bundle(7), 400),
        ({"resourceType": "Bundle", "type": "transaction", "entry": {"a": 1}}, 400),
        (bundle(kind="collection"), 400),
        ({"resourceType": "Patient"}, 400),
        ([], 400),
        ("x", 400),
    ],
)
def test_one_entry_that_may_not_be_stops_all(door: ControlAPI, reports: FakeServer, wanted: Any, status: int) -> None:
    """Each is held to what its sender may do by single requests; servers go by the resource, so it must fit."""
    assert send(door, "POST", "/api/fhir", "nurse", wanted).status_code == status
    assert reports.calls == []


@pytest.mark.parametrize(
    "text",
    [
        b'{"resourceType":"Bundle","type":"batch","entry":[],"entry":[{"request":{"method":"DELETE","url":"Patient/1"}}]}',
        b'{"resourceType":"Bundle","type":"batch","type":"history","entry":[]}',
        json.dumps(bundle()).encode("utf-16"),
        b"{",
        b"[" * 100_000,
        b"",
    ],
)
def test_what_another_reader_could_read_otherwise_is_refused(
    door: ControlAPI, reports: FakeServer, text: bytes
) -> None:
    """Members that are there twice, other encodings, and what is no JSON."""
    assert door.client.post("/api/fhir", data=text, headers=door.bearer("service")).status_code == 400
    assert reports.calls == []


def test_a_transaction_has_a_largest_size(door: ControlAPI, reports: FakeServer) -> None:
    """It is read whole, so it must be bounded; a single resource is streamed and may be larger."""
    body = b'{"resourceType":"Bundle","x":"' + b"x" * (17 << 20) + b'"}'
    assert door.client.post("/api/fhir", data=body, headers=door.bearer("service")).status_code == 413
    assert reports.calls == []
    assert (
        door.client.post("/api/fhir/DocumentReference", data=body, headers=door.bearer("service")).status_code == 200
    )
    assert len(reports.bodies[0]) == len(body)


def test_what_a_technician_needs_is_less_than_what_a_doctor_reads() -> None:
    """The sets are what they are called."""
    assert IMAGING < CLINICAL
    assert not {"Condition", "MedicationRequest", "AllergyIntolerance"} & IMAGING
