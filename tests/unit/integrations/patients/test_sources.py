"""What is read of patients, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from inference.errors import FHIRUnavailable, PeerRefused, PeerUnavailable
from integrations.orthanc.rest import OrthancREST
from integrations.patients.emr import EMR_PATIENT_SYSTEM, EMRPatients
from integrations.patients.orthanc import OrthancPatients
from integrations.patients.synchroniser import PatientSynchroniser, merge
from tests.support.emr import BASE, FakeEMR, emr_patient
from tests.support.fakes import FixedClock

NUMBER = {"system": "urn:neuronova:patient-id", "value": "P1"}


def test_every_page_of_an_emr_is_read() -> None:
    """With the injected authentication on each request; ids, name, sex and birth date are kept, nothing else."""
    emr = FakeEMR(*(emr_patient(f"P{number}") for number in range(5)))
    found = [one.resource for one in EMRPatients(BASE, emr.client()).patients("")]
    assert [one["identifier"][0]["value"] for one in found if one] == [f"P{number}" for number in range(5)]
    assert {request.headers["Authorization"] for request in emr.requests} == {"Bearer secret"}
    first = found[0]
    assert first is not None
    assert first["identifier"][1] == {"system": EMR_PATIENT_SYSTEM, "value": "emr-P0"}
    assert "not for others" not in json.dumps(first)
    assert set(first) == {"resourceType", "identifier", "active", "name", "gender", "birthDate"}


def test_the_number_is_known_under_the_sites_system() -> None:
    """The one under which reports know patients, so that both meet."""
    emr = FakeEMR(emr_patient("P1"))
    (named,) = EMRPatients(BASE, emr.client(), "urn:oid:1.2.3").patients("")
    assert named.resource is not None
    assert named.resource["identifier"][0]["system"] == "urn:oid:1.2.3"


def test_a_patient_without_a_number_is_nobody() -> None:
    """Several identifiers of which none is a number may mean anything."""
    kinds = [{"value": "1", "type": {"coding": [{"code": "SS"}]}}, {"value": "2"}]
    emr = FakeEMR(emr_patient("x", identifier=kinds), emr_patient("y", identifier=[]))
    assert [one.resource for one in EMRPatients(BASE, emr.client()).patients("")] == [None, None]


def test_a_page_of_another_server_is_not_asked_for() -> None:
    """It would be given our token."""
    emr = FakeEMR(*(emr_patient(f"P{number}") for number in range(3)))
    emr.next_url = "https://elsewhere.example/Patient?page=2"
    with pytest.raises(PeerRefused):
        list(EMRPatients(BASE, emr.client()).patients(""))
    assert {request.url.host for request in emr.requests} == {"emr.example"}


@pytest.mark.parametrize(
    ("status", "error"), [(500, PeerUnavailable), (429, PeerUnavailable), (401, PeerRefused), (302, PeerRefused)]
)
def test_an_emr_that_does_not_answer_is_said_so(status: int, error: type[Exception]) -> None:
    """Busy or broken is tried again; refused is a person's work."""
    emr = FakeEMR(emr_patient("P1"))
    emr.status = status
    with pytest.raises(error):
        list(EMRPatients(BASE, emr.client()).patients(""))


def test_an_emr_that_is_not_there_is_said_so() -> None:
    """Without its address, which is the site's business."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("emr.example refused", request=request)

    client = httpx.Client(transport=httpx.MockTransport(refuse))
    with pytest.raises(PeerUnavailable, match=r"^the EMR does not answer \(ConnectError\)$"):
        list(EMRPatients(BASE, client).patients(""))


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"resourceType": "Patient"}'])
def test_an_answer_that_is_no_bundle_is_none(body: bytes) -> None:
    """A page of a proxy is no patient list."""
    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body)))
    with pytest.raises((PeerRefused, PeerUnavailable)):
        list(EMRPatients(BASE, client).patients(""))


def orthanc(**documents: Any) -> OrthancREST:
    """Give an archive that answers some paths."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = documents.get(request.url.path.strip("/").replace("/", "_").replace("-", "_"))
        page = int(request.url.params.get("since", 0))
        if found is None:
            return httpx.Response(404)
        return httpx.Response(200, json=[] if page else found)

    return OrthancREST("http://orthanc.example", httpx.Client(transport=httpx.MockTransport(answer)))


def test_a_patient_whose_images_go_while_we_look_is_left_out() -> None:
    """The archive deletes while we read; that is no fault."""
    patients = [{"ID": "p", "LastUpdate": "20260101T000000", "Studies": ["s"]}]
    source = OrthancPatients(orthanc(patients=patients))
    assert [(one.resource, one.changed) for one in source.patients("")] == [(None, "20260101T000000")]


def test_only_patients_that_changed_are_read_again() -> None:
    """By the archive's clock; the same second counts, because more may have come in it."""
    patients = [{"ID": name, "LastUpdate": f"2026010{day}T000000"} for name, day in (("a", 1), ("b", 2), ("c", 3))]
    source = OrthancPatients(orthanc(patients=patients))
    assert [one.changed for one in source.patients("20260102T000000")] == ["20260102T000000", "20260103T000000"]


def test_the_emrs_word_replaces_and_the_archives_fills_gaps() -> None:
    """What only the server knows stays in both cases."""
    stored = {
        "resourceType": "Patient",
        "id": "7",
        "meta": {"versionId": "3"},
        "identifier": [{"system": "urn:x", "value": "1"}, NUMBER],
        "name": [{"family": "Kim"}],
        "maritalStatus": {"text": "M"},
    }
    wanted = {
        "resourceType": "Patient",
        "identifier": [NUMBER, {"system": EMR_PATIENT_SYSTEM, "value": "9"}],
        "name": [{"family": "Lee"}],
        "gender": "female",
    }
    filled, replaced = merge(stored, wanted, rules=False), merge(stored, wanted, rules=True)
    assert (filled["name"], replaced["name"]) == ([{"family": "Kim"}], [{"family": "Lee"}])
    for merged in (filled, replaced):
        assert merged["gender"] == "female"
        assert merged["maritalStatus"] == {"text": "M"}
        assert [one["value"] for one in merged["identifier"]] == ["1", "P1", "9"]
        assert merge(merged, wanted, rules=False) == merged


def server_of(answer: Any) -> PatientSynchroniser:
    """Give a synchroniser whose report server answers as told."""
    client = httpx.Client(transport=httpx.MockTransport(answer))
    return PatientSynchroniser("http://fhir.example/fhir", client, FixedClock())


def test_a_report_server_that_is_away_ends_the_turn() -> None:
    """It is tried again as a whole; an EMR that is away ends only itself."""
    emr = FakeEMR(emr_patient("P1"))
    with pytest.raises(FHIRUnavailable):
        server_of(lambda _: httpx.Response(503)).sync(EMRPatients(BASE, emr.client()))
    emr.status = 500
    report = server_of(lambda _: httpx.Response(503)).sync(EMRPatients(BASE, emr.client()))
    assert (report.error, report.complete) == ("delivery.peer_unavailable", False)


def test_a_patient_that_is_refused_or_lost_keeps_nothing_from_others() -> None:
    """Each is counted by its code, without a name or number."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("_search"):
            return httpx.Response(200, json={"resourceType": "Bundle"})
        refused = b"Refused" in request.content
        if b"Contested" in request.content:
            return httpx.Response(409)
        response = {"type": "transaction-response", "entry": [{"response": {"status": "201 Created"}}]}
        return httpx.Response(422) if refused else httpx.Response(200, json=response)

    emr = FakeEMR(emr_patient("1", "Refused"), emr_patient("2", "Contested"), emr_patient("3"))
    report = server_of(answer).sync(EMRPatients(BASE, emr.client()))
    assert report.counts["created"] == 1
    assert report.failed == {"report.fhir_rejected": 1, "report.fhir_conflict": 1}
    assert not report.complete
    assert not [word for word in ("Refused", "Contested", "Kim") if word in json.dumps(report.document())]
