"""What a person's review makes of a report on a real HAPI FHIR server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from inference.domain.result import Report
from integrations.fhir.client import HAPIReportSink
from integrations.system import SystemClock
from tests.support.fhir_server import FHIRServer
from tests.support.reports import Names, accepted, amended, findings_report, full_report, refused_report

pytestmark = pytest.mark.integration

Resource = dict[str, Any]


@pytest.fixture
def sink(fhir_server: FHIRServer) -> Iterator[HAPIReportSink]:
    """Give a client of the server."""
    with httpx.Client(timeout=120) as client:
        yield HAPIReportSink(fhir_server.base_url, client, SystemClock())


def report_of(number: int) -> Report:
    """Give a report of its own."""
    return full_report(Names(report=number, study=number, series=number))


def diagnostic_of(server: FHIRServer, report: Report) -> Resource:
    """Give the report as it is stored."""
    (found,) = server.search("DiagnosticReport", identifier=f"urn:dicom:uid|urn:oid:{report.report_uid}")
    return found


def results_of(server: FHIRServer, diagnostic: Resource) -> list[Resource]:
    """Give the Observations that a report names."""
    return [server.get(one["reference"]) for one in diagnostic["result"]]


def page_of(diagnostic: Resource) -> str:
    """Give the HTML page of a report."""
    return base64.b64decode(diagnostic["presentedForm"][0]["data"]).decode()


def test_an_accepted_report_is_final_and_names_who_accepted_it(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """The notice that nobody has reviewed it goes, in words and on the page; that it is for research stays."""
    report = report_of(3000)
    review = accepted(report)
    address = sink.store(report)
    assert sink.review(report, review) == address
    diagnostic = diagnostic_of(fhir_server, report)
    assert (diagnostic["status"], diagnostic["issued"]) == ("final", review.at.isoformat())
    assert diagnostic["conclusion"].startswith(
        "Research use only. Not for diagnosis. Accepted by Kim, Min & Ho on 2026-01-02 13:30+00:00."
    )
    assert "not reviewed" not in diagnostic["conclusion"]
    assert "not reviewed" not in page_of(diagnostic)
    results = results_of(fhir_server, diagnostic)
    assert ([one["status"] for one in results], len(results)) == (["final"] * 5, 5)
    person = fhir_server.get(diagnostic["resultsInterpreter"][0]["reference"])
    assert person["identifier"] == [{"system": "urn:neuronova:user", "value": "kim"}]
    assert person["name"][0]["family"] == "Kim"
    assert diagnostic["performer"][1]["display"] == "Hospital A"
    provenances = fhir_server.search("Provenance", target=f"DiagnosticReport/{diagnostic['id']}")
    (signed,) = [one for one in provenances if "activity" in one]
    assert signed["agent"][0]["who"]["reference"] == f"Practitioner/{person['id']}"
    for resource in (diagnostic, *results, person, signed):
        assert fhir_server.faults(resource) == []


def test_the_same_review_again_changes_nothing(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """Nor does a late repeat of the report; no version of anything is made."""
    report = report_of(3010)
    review = amended(report, report.measurements[0].tracking_uid)
    sink.review(report, review)
    diagnostic = diagnostic_of(fhir_server, report)
    counts, people = fhir_server.counts(), fhir_server.get("Practitioner", _summary="count")["total"]
    results = results_of(fhir_server, diagnostic)
    sink.review(report, review)
    sink.store(report)
    assert diagnostic_of(fhir_server, report) == diagnostic
    assert results_of(fhir_server, diagnostic) == results
    assert fhir_server.counts() == counts
    assert fhir_server.get("Practitioner", _summary="count")["total"] == people


def test_an_amended_report_leaves_out_what_does_not_stand(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """Volume and diameters of the structure, and the total that holds it; the rest is final."""
    report = report_of(3020)
    sink.store(report)
    results = results_of(fhir_server, diagnostic_of(fhir_server, report))
    sink.review(report, amended(report, report.measurements[0].tracking_uid))
    diagnostic = diagnostic_of(fhir_server, report)
    assert diagnostic["status"] == "amended"
    assert "No sign of a tumour <5 mm." in diagnostic["conclusion"]
    assert "No sign of a tumour &lt;5 mm." in page_of(diagnostic)
    assert "thalamus" not in page_of(diagnostic)
    assert [form["contentType"] for form in diagnostic["presentedForm"]] == ["text/html"]
    (kept,) = results_of(fhir_server, diagnostic)
    assert (kept["code"]["text"], kept["status"]) == ("Left Caudate: Volume", "final")
    gone = [fhir_server.get(f"Observation/{one['id']}") for one in results if one["id"] != kept["id"]]
    assert [one["status"] for one in gone] == ["entered-in-error"] * 4
    assert [one["note"] for one in gone] == [[{"text": "Excluded: the border is wrong."}]] * 4
    assert [fault for one in (diagnostic, kept, *gone) for fault in fhir_server.faults(one)] == []


def test_a_finding_that_does_not_stand_is_not_coded(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """The coded conclusion says what is left."""
    report = findings_report(Names(report=3030, study=3030, series=3030))
    sink.store(report)
    assert [one["text"] for one in diagnostic_of(fhir_server, report)["conclusionCode"]] == ["Tumour (2)"]
    sink.review(report, amended(report, *(one.tracking_uid for one in report.findings[:2])))
    diagnostic = diagnostic_of(fhir_server, report)
    assert [one["text"] for one in diagnostic["conclusionCode"]] == ["No finding"]
    assert len(diagnostic["result"]) == 1


def test_a_later_review_stands_and_an_earlier_one_that_comes_late_does_not(
    fhir_server: FHIRServer, sink: HAPIReportSink
) -> None:
    """What was excluded stands again when the report is accepted after all."""
    report = report_of(3040)
    first = amended(report, report.measurements[0].tracking_uid, hours=2)
    last = accepted(report, hours=3)
    sink.review(report, first)
    sink.review(report, last)
    before = diagnostic_of(fhir_server, report)
    assert (before["status"], len(before["result"])) == ("final", 5)
    assert [one.get("note") for one in results_of(fhir_server, before)] == [None] * 5
    sink.review(report, first)
    assert diagnostic_of(fhir_server, report) == before


def test_what_is_withdrawn_replaced_or_not_analysed_takes_no_review(
    fhir_server: FHIRServer, sink: HAPIReportSink
) -> None:
    """A word that comes late is about something else."""
    gone = report_of(3050)
    sink.store(gone)
    sink.withdraw(gone, "it was wrong")
    sink.review(gone, accepted(gone))
    assert diagnostic_of(fhir_server, gone)["status"] == "entered-in-error"
    earlier = report_of(3051)
    later = replace(full_report(Names(3052, 3051, 3051), hours=1), lineage_uid=earlier.lineage_uid)
    sink.store(later)
    assert sink.review(earlier, accepted(earlier)) == sink.store(later)
    assert diagnostic_of(fhir_server, later)["status"] == "preliminary"
    refused = refused_report(Names(report=3053, study=3053, series=3053))
    sink.review(refused, accepted(refused))
    assert diagnostic_of(fhir_server, refused)["status"] == "cancelled"


def test_a_reviewed_report_can_be_withdrawn(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """No page or PDF goes on showing what does not stand."""
    report = report_of(3060)
    sink.review(report, accepted(report))
    sink.withdraw(report, "it was wrong")
    diagnostic = diagnostic_of(fhir_server, report)
    assert diagnostic["status"] == "entered-in-error"
    assert "presentedForm" not in diagnostic
    assert {one["status"] for one in results_of(fhir_server, diagnostic)} == {"entered-in-error"}
