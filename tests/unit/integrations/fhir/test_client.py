"""How the client takes every answer of a server, on a scripted transport."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest

from inference.domain.result import Report
from inference.errors import FHIRConflict, FHIRRejected, FHIRUnavailable
from integrations.fhir.client import HAPIReportSink, RetryPolicy
from integrations.fhir.mapping import report_bundle
from tests.support.fakes import FixedClock
from tests.support.reports import accepted, make_report, tumor_report

BASE = "http://fhir.test/fhir"
Answer = Callable[[httpx.Request], httpx.Response]


def stored(request: httpx.Request, study_status: str = "201 Created") -> httpx.Response:
    """Answer as a server that carried the transaction out."""
    entries = []
    for number, entry in enumerate(json.loads(request.content)["entry"], start=1):
        kind = entry["resource"]["resourceType"]
        status = study_status if kind == "ImagingStudy" else "201 Created"
        entries.append({"response": {"status": status, "location": f"{kind}/{number}/_history/1"}})
    return httpx.Response(200, json={"resourceType": "Bundle", "type": "transaction-response", "entry": entries})


def found(*studies: dict[str, Any]) -> httpx.Response:
    """Answer a search."""
    return httpx.Response(
        200, json={"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": s} for s in studies]}
    )


class Server:
    """Plays a script: one answer per transaction, and one per search for the study.

    It knows no order, and no report unless it is told of one in ``reports``.
    """

    def __init__(self, transactions: Sequence[Answer], searches: Sequence[httpx.Response] = ()) -> None:
        self._transactions: Iterator[Answer] = iter(transactions)
        self._searches: Iterator[httpx.Response] = iter(searches)
        self.bundles: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.orders = found()
        self.clock = FixedClock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        assert request.method == "POST"
        assert "2.25" not in str(request.url)
        if request.url.path.endswith("/DiagnosticReport/_search"):
            return found(*self.reports)
        if request.url.path.endswith("/ServiceRequest/_search"):
            assert request.content.startswith(b"identifier=ACC-1&subject%3APatient.identifier=urn%3Aneuronova")
            return self.orders
        if request.url.path.endswith("/ImagingStudy/_search"):
            assert b"identifier=urn%3Adicom%3Auid%7Curn%3Aoid%3A2.25.100.1" in request.content
            assert request.headers["Cache-Control"] == "no-cache"
            return next(self._searches, found())
        self.bundles.append(json.loads(request.content))
        return next(self._transactions)(request)

    def store(self, attempts: int = 8) -> str:
        """Let the client store a report here."""
        with httpx.Client(transport=httpx.MockTransport(self)) as client:
            return HAPIReportSink(f"{BASE}/", client, self.clock, RetryPolicy(attempts)).store(make_report())


def status(code: int, body: object = None) -> Answer:
    """Answer with a status."""
    return lambda _: httpx.Response(code, json=body or {})


def no_connection(request: httpx.Request) -> httpx.Response:
    """Be away."""
    raise httpx.ConnectError("refused SENTINEL", request=request)


def test_the_address_of_the_report_is_given_without_its_version() -> None:
    """It stays right when a person edits the report."""
    server = Server([stored])
    assert server.store() == f"{BASE}/DiagnosticReport/7"
    assert server.clock.waits == []


def test_a_server_that_names_no_places_gives_a_search() -> None:
    """The report can still be found."""

    def placeless(request: httpx.Request) -> httpx.Response:
        body = stored(request).json()
        for entry in body["entry"]:
            del entry["response"]["location"]
        return httpx.Response(200, json=body)

    address = Server([placeless]).store()
    assert address == f"{BASE}/DiagnosticReport?identifier=urn%3Adicom%3Auid%7Curn%3Aoid%3A2.25.200.1"


@pytest.mark.parametrize("code", [409, 412])
def test_a_lost_race_is_run_again_after_a_short_wait(code: int) -> None:
    """Concurrent transactions on the same identifiers: one wins, the others repeat."""
    server = Server([status(code), status(code), stored])
    assert server.store().endswith("DiagnosticReport/7")
    assert len(server.clock.waits) == 2
    assert all(0 <= wait <= RetryPolicy().longest_wait_s for wait in server.clock.waits)


def test_a_race_lost_every_time_is_a_conflict() -> None:
    """The job is tried again later; this call is bounded."""
    server = Server([status(409)] * 3)
    with pytest.raises(FHIRConflict):
        server.store(attempts=3)
    assert len(server.clock.waits) == 2


@pytest.mark.parametrize("answer", [status(500), status(503), status(429), status(408), no_connection])
def test_a_server_that_cannot_at_the_moment_is_unavailable(answer: Answer) -> None:
    """Retried later, with nothing of the connection's text."""
    with pytest.raises(FHIRUnavailable) as caught:
        Server([answer]).store()
    assert "SENTINEL" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: httpx.Response(200, text="<html>log in</html>"),
        lambda _: httpx.Response(200, json=[1]),
        lambda _: httpx.Response(200, json={"type": "transaction-response", "entry": []}),
        lambda request: httpx.Response(200, json={**stored(request).json(), "type": "batch-response"}),
        lambda request: stored(request, study_status="500 Error"),
        lambda _: httpx.Response(302, headers={"Location": "/login"}),
    ],
)
def test_an_answer_that_is_not_to_a_transaction_stored_nothing(answer: Answer) -> None:
    """A proxy in between may say 200 to anything."""
    with pytest.raises(FHIRUnavailable, match="not as to a transaction"):
        Server([answer]).store()


def test_a_refusal_gives_the_codes_and_no_text() -> None:
    """A server's diagnostics quote what was sent."""
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"code": "processing", "diagnostics": "HAPI-0931: Patient SENTINEL"}, "odd"],
    }
    with pytest.raises(FHIRRejected, match=r"422: HAPI-0931, processing$") as caught:
        Server([status(422, outcome)]).store()
    assert "SENTINEL" not in str(caught.value)


def known_study(**more: Any) -> dict[str, Any]:
    """Give a study as the server has it."""
    return {
        "resourceType": "ImagingStudy",
        "id": "77",
        "meta": {"versionId": "4"},
        "status": "available",
        "subject": {"reference": "Patient/5"},
        "modality": [{"code": "CT"}],
        **more,
    }


def test_a_study_that_is_there_gets_our_series_and_keeps_its_own() -> None:
    """Under the version that was read, so that no other writer's series are lost."""
    theirs = {"uid": "1.2.3", "modality": {"code": "CT"}}
    server = Server([stored], [found(known_study(series=[theirs]))])
    server.store()
    entry = next(e for e in server.bundles[0]["entry"] if e["resource"]["resourceType"] == "ImagingStudy")
    assert entry["request"] == {"method": "PUT", "url": "ImagingStudy/77", "ifMatch": 'W/"4"'}
    assert entry["resource"]["subject"] == {"reference": "Patient/5"}
    assert [series["uid"] for series in entry["resource"]["series"]][:2] == ["1.2.3", "2.25.100.1.1"]
    assert [coding["code"] for coding in entry["resource"]["modality"]] == ["CT", "MR"]


def test_a_study_that_has_our_series_is_left_alone() -> None:
    """A repeat writes nothing."""
    first = Server([stored])
    first.store()
    ours = next(e["resource"] for e in first.bundles[0]["entry"] if e["resource"]["resourceType"] == "ImagingStudy")
    study = known_study(series=ours["series"], modality=ours["modality"])
    second = Server([lambda request: stored(request, "200 OK")], [found(study)])
    second.store()
    assert first.bundles == second.bundles


def test_a_study_made_by_another_in_between_is_looked_at_again() -> None:
    """Else our series would be missing from it without notice."""
    server = Server([lambda request: stored(request, "200 OK"), stored], [found(), found(known_study())])
    reported = as_stored(make_report())[-2]

    def storing(request: httpx.Request) -> httpx.Response:
        answer = server(request)
        if len(server.bundles) == 1:
            server.reports = [reported]
        return answer

    with httpx.Client(transport=httpx.MockTransport(storing)) as client:
        address = HAPIReportSink(BASE, client, server.clock).store(make_report())
    assert address == f"{BASE}/DiagnosticReport/{reported['id']}"
    (completed,) = server.bundles[1]["entry"]
    assert completed["request"] == {"method": "PUT", "url": "ImagingStudy/77", "ifMatch": 'W/"4"'}
    assert "2.25.100.1.1" in [series["uid"] for series in completed["resource"]["series"]]


def test_a_search_that_lost_a_race_is_made_again() -> None:
    """A conflict on a search is one like any other."""
    server = Server([stored], [httpx.Response(409)])
    assert server.store().endswith("DiagnosticReport/7")
    assert len(server.clock.waits) == 1


def order(number: str, value: str = "ACC-1", kind: str = "ACSN") -> dict[str, Any]:
    """Give an order as a server has it."""
    known = {"type": {"coding": [{"code": kind}]}, "value": value}
    return {"resourceType": "ServiceRequest", "id": number, "identifier": [known]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (found(order("1"), order("2", kind="PLAC")), [{"reference": "ServiceRequest/1"}]),
        (found(order("1"), order("2")), None),
        (found(order("1", value="acc-1")), None),
        (httpx.Response(400, json={}), None),
        (httpx.Response(404, json={}), None),
    ],
    ids=["one", "several", "another number", "unknown search", "no orders there"],
)
def test_only_an_order_that_is_surely_meant_is_linked(
    answer: httpx.Response, expected: list[dict[str, str]] | None
) -> None:
    """A server that cannot look for one is no reason not to store the report."""
    server = Server([stored])
    server.orders = answer
    server.store()
    (diagnostic,) = [
        entry["resource"]
        for entry in server.bundles[0]["entry"]
        if entry["resource"]["resourceType"] == "DiagnosticReport"
    ]
    assert diagnostic.get("basedOn") == expected


def as_stored(report: Report) -> list[dict[str, Any]]:
    """Give what a server holds of a report, and an Observation that somebody added to it."""
    entries = report_bundle(report)["entry"]
    written = json.dumps([entry["resource"] for entry in entries])
    for number, entry in enumerate(entries):
        written = written.replace(entry["fullUrl"], f"{entry['resource']['resourceType']}/{number}")
    resources = [one | {"id": str(number)} for number, one in enumerate(json.loads(written))]
    kept = [one for one in resources if one["resourceType"] in ("DiagnosticReport", "Observation")]
    kept.append({"resourceType": "Observation", "id": "99", "status": "final", "code": {"text": "by hand"}})
    return [resource | {"meta": {"versionId": f"1{resource['id']}"}} for resource in kept]


class Shelf:
    """A server that holds a report; it answers each transaction as told, and carries out what it accepts."""

    def __init__(self, held: list[dict[str, Any]], *answers: int) -> None:
        self.held = held
        self._answers = iter(answers or (200,))
        self.bundles: list[dict[str, Any]] = []
        self.clock = FixedClock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        assert "2.25" not in str(request.url)
        if request.url.path.endswith("/DiagnosticReport/_search"):
            assert b"identifier=urn%3Adicom%3Auid%7Curn%3Aoid%3A2.25.200.1&_include" in request.content
            return found(*self.held)
        if request.url.path.endswith("/Observation/_search"):
            return found(*(one for one in self.held if one.get("identifier") and "valueQuantity" in one))
        if request.url.path.endswith("/ImagingStudy/_search"):
            return found()
        self.bundles.append(json.loads(request.content))
        code = next(self._answers)
        if code != httpx.codes.OK:
            return httpx.Response(code, json={})
        written = {entry["resource"].get("id"): entry["resource"] for entry in self.bundles[-1]["entry"]}
        self.held = [written.get(one["id"], one) for one in self.held]
        return stored(request)

    def review(self) -> str:
        """Let the client review the report."""
        with httpx.Client(transport=httpx.MockTransport(self)) as client:
            return HAPIReportSink(BASE, client, self.clock).review(tumor_report(), accepted(tumor_report()))

    def withdraw(self, attempts: int = 8) -> None:
        """Let the client withdraw the report."""
        with httpx.Client(transport=httpx.MockTransport(self)) as client:
            sink = HAPIReportSink(BASE, client, self.clock, RetryPolicy(attempts))
            sink.withdraw(tumor_report(), "left and right were exchanged")


def test_a_withdrawal_marks_the_report_and_its_own_observations() -> None:
    """Each under the version that was read, in one transaction; what a person added is theirs."""
    shelf = Shelf(as_stored(tumor_report()))
    shelf.withdraw()
    *ours, theirs = shelf.held
    assert theirs["status"] == "final"
    assert {one["status"] for one in ours} == {"entered-in-error"}
    (bundle,) = shelf.bundles
    assert {entry["request"]["url"]: entry["request"]["ifMatch"] for entry in bundle["entry"]} == {
        f"{one['resourceType']}/{one['id']}": f'W/"{one["meta"]["versionId"]}"' for one in ours
    }
    diagnostic = next(one for one in ours if one["resourceType"] == "DiagnosticReport")
    assert diagnostic["conclusion"].startswith("Withdrawn: left and right were exchanged. Research use only.")
    assert not {"conclusionCode", "presentedForm"} & set(diagnostic)
    notes = [one["note"] for one in ours if one["resourceType"] == "Observation"]
    assert notes == [[{"text": "Withdrawn: left and right were exchanged"}]] * 2


def test_withdrawing_again_or_nothing_writes_nothing() -> None:
    """The order may come twice, or before the report."""
    shelf = Shelf(as_stored(tumor_report()))
    shelf.withdraw()
    shelf.withdraw()
    assert len(shelf.bundles) == 1
    empty = Shelf([])
    empty.withdraw()
    assert empty.bundles == []


def test_a_withdrawal_that_lost_a_race_reads_again() -> None:
    """Somebody changed the report meanwhile; in the end it is withdrawn, or the call says that it is not."""
    shelf = Shelf(as_stored(tumor_report()), 412, 200)
    shelf.withdraw()
    assert len(shelf.bundles) == 2
    assert len(shelf.clock.waits) == 1
    with pytest.raises(FHIRConflict):
        Shelf(as_stored(tumor_report()), 409, 409).withdraw(attempts=2)


@pytest.mark.parametrize(("code", "error"), [(503, FHIRUnavailable), (422, FHIRRejected)])
def test_a_withdrawal_that_is_not_carried_out_is_told(code: int, error: type[Exception]) -> None:
    """It is tried again, or a person is asked."""
    with pytest.raises(error):
        Shelf(as_stored(tumor_report()), code).withdraw()


def test_a_review_that_lost_a_race_reads_again() -> None:
    """Under the versions that were read, with the person and the provenance; what others added stays named."""
    held = as_stored(tumor_report())
    report = next(one for one in held if one["resourceType"] == "DiagnosticReport")
    report["result"] = [{"reference": f"Observation/{held[-1]['id']}"}]
    shelf = Shelf(held, 412, 200)
    assert shelf.review() == f"{BASE}/DiagnosticReport/{report['id']}"
    assert len(shelf.clock.waits) == 1
    entries = shelf.bundles[1]["entry"]
    assert [entry["resource"]["resourceType"] for entry in entries] == [
        *("Practitioner", "DiagnosticReport", "Observation", "Provenance"),
    ]
    (changed,) = [one for one in shelf.held if one["resourceType"] == "DiagnosticReport"]
    assert changed["status"] == "final"
    assert {"reference": f"Observation/{held[-1]['id']}"} in changed["result"]
