"""Both report sinks withdraw alike: the folder, and a real HAPI FHIR server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from inference.domain.result import Report
from inference.ports import ReportSink
from integrations.fhir.client import HAPIReportSink
from integrations.fhir.folder import FolderReportSink
from integrations.system import SystemClock
from tests.support.fhir_server import FHIRServer
from tests.support.reports import Names, findings_report, make_report, tumor_report

pytestmark = pytest.mark.integration

Resource = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A sink, and how to look at what it holds.

    Parameters
    ----------
    sink
        The sink.
    held
        Gives the DiagnosticReport and the Observations of a report, none where there are none.
    """

    sink: ReportSink
    held: Callable[[Report], list[Resource]]


@pytest.fixture
def folder_place(tmp_path: Path) -> Place:
    """Give a folder."""

    def held(report: Report) -> list[Resource]:
        path = tmp_path / f"{report.report_uid}.json"
        entries = json.loads(path.read_bytes())["entry"] if path.exists() else []
        return [
            e["resource"] for e in entries if e["resource"]["resourceType"] in ("DiagnosticReport", "Observation")
        ]

    return Place(FolderReportSink(tmp_path), held)


@pytest.fixture
def hapi_place(fhir_server: FHIRServer) -> Iterator[Place]:
    """Give a server."""

    def held(report: Report) -> list[Resource]:
        identifier = f"urn:dicom:uid|urn:oid:{report.report_uid}"
        reports = fhir_server.search("DiagnosticReport", identifier=identifier)
        return reports + [fhir_server.get(r["reference"]) for one in reports for r in one["result"]]

    with httpx.Client(timeout=120) as client:
        yield Place(HAPIReportSink(fhir_server.base_url, client, SystemClock()), held)


@pytest.fixture(params=["folder", "hapi"])
def place(request: pytest.FixtureRequest) -> Place:
    """Each of the two in turn."""
    given: Place = request.getfixturevalue(f"{request.param}_place")
    return given


@pytest.mark.parametrize(
    ("number", "make"),
    [(510, tumor_report), (520, findings_report), (530, make_report)],
    ids=["tumour", "findings", "volumes"],
)
def test_a_withdrawn_report_and_its_observations_are_in_error(
    place: Place, number: int, make: Callable[[Names], Report]
) -> None:
    """Each of them says why."""
    report = make(Names(report=number, study=number, series=number))
    place.sink.store(report)
    place.sink.withdraw(report, "left and right were exchanged")
    held = place.held(report)
    assert len(held) == 1 + len(report.measurements) + len(report.findings) + (report.tumor is not None)
    for resource in held:
        assert resource["status"] == "entered-in-error"
        assert "Withdrawn: left and right were exchanged" in json.dumps(resource)


def test_withdrawing_twice_and_storing_late_changes_nothing(place: Place) -> None:
    """The first reason stays, and a late repeat of the delivery does not bring the report back."""
    report = tumor_report(Names(report=540, study=540, series=540))
    address = place.sink.store(report)
    place.sink.withdraw(report, "the first reason")
    before = place.held(report)
    place.sink.withdraw(report, "another reason")
    assert place.sink.store(report) == address
    assert place.held(report) == before


def test_what_was_never_stored_is_no_error(place: Place) -> None:
    """Nor is anything stored for it."""
    report = tumor_report(Names(report=550, study=550, series=550))
    place.sink.withdraw(report, "it was wrong")
    assert place.held(report) == []


def test_other_reports_of_the_study_stay(place: Place) -> None:
    """Of another model, whose results stand."""
    wrong = make_report(Names(report=560, study=560, series=1))
    right = make_report(Names(report=561, study=560, series=2, model_id="another"))
    for report in (wrong, right):
        place.sink.store(report)
    place.sink.withdraw(wrong, "it was wrong")
    assert {resource["status"] for resource in place.held(right)} == {"preliminary"}


def test_what_a_person_made_final_is_withdrawn_too(hapi_place: Place, fhir_server: FHIRServer) -> None:
    """And every resource is still valid afterwards."""
    report = tumor_report(Names(report=570, study=570, series=570))
    address = hapi_place.sink.store(report)
    diagnostic = httpx.get(address, timeout=60).json() | {"status": "final"}
    assert httpx.put(address, json=diagnostic, timeout=60).status_code == httpx.codes.OK
    hapi_place.sink.withdraw(report, "it was wrong")
    held = hapi_place.held(report)
    assert {resource["status"] for resource in held} == {"entered-in-error"}
    assert [fault for resource in held for fault in fhir_server.faults(resource)] == []
