"""Reports on a real HAPI FHIR R4 server that refuses whatever does not validate."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest

from inference.domain.result import Subject
from inference.errors import FHIRRejected, FHIRUnavailable
from integrations.fhir.client import HAPIReportSink
from integrations.fhir.mapping import report_bundle
from integrations.system import SystemClock
from tests.support.fhir_server import FHIRServer
from tests.support.npm_fhir import Validate
from tests.support.reports import (
    SUBJECT,
    Names,
    findings_report,
    full_report,
    make_report,
    refused_report,
    tumor_report,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def sink(fhir_server: FHIRServer) -> Iterator[HAPIReportSink]:
    """Give a client of the server."""
    with httpx.Client(timeout=120) as client:
        yield HAPIReportSink(fhir_server.base_url, client, SystemClock())


def study_search(study: int) -> dict[str, str]:
    """Search by the study's identifier."""
    return {"identifier": f"urn:dicom:uid|urn:oid:2.25.100.{study}"}


def test_a_report_is_found_by_its_study_with_all_its_observations(
    fhir_server: FHIRServer, sink: HAPIReportSink
) -> None:
    """As a RIS would look for it, and at the address that is given."""
    address = sink.store(make_report(Names(report=10, study=10)))
    (study,) = fhir_server.search("ImagingStudy", **study_search(10))
    by_study = {"result.derived-from:ImagingStudy.identifier": study_search(10)["identifier"]}
    (diagnostic,) = fhir_server.search("DiagnosticReport", **by_study)
    assert address == f"{fhir_server.base_url}/DiagnosticReport/{diagnostic['id']}"
    assert diagnostic["imagingStudy"] == [{"reference": f"ImagingStudy/{study['id']}"}]
    values = [fhir_server.get(result["reference"])["valueQuantity"]["value"] for result in diagnostic["result"]]
    assert values == [15.1235, 7.5, 22.6235]


def every_shape() -> list[dict[str, Any]]:
    """Give the resources of every kind of report, also with next to nothing known."""
    full = full_report()
    source = replace(full.source, started_at=None, accession_number="", study_description="", modality="")
    bare = replace(full, subject=Subject("", "", "", "", "", ""), source=source, absent=(), evidence=())
    reports = (make_report(), full, bare, tumor_report(), tumor_report(found=False), findings_report())
    bundles = [report_bundle(report, order="ServiceRequest/1") for report in (*reports, refused_report())]
    return [entry["resource"] for bundle in bundles for entry in bundle["entry"]]


def test_every_resource_is_valid(fhir_server: FHIRServer) -> None:
    """The HL7 validator has no error on any of them."""
    for resource in every_shape():
        assert fhir_server.faults(resource) == []


def test_a_second_validator_agrees(npm_faults: Validate) -> None:
    """The npm package ``fhir`` has no error either, and would find one."""
    resources = every_shape()
    assert npm_faults(resources) == [[]] * len(resources)
    wrong = [one | {"status": "bogus"} for one in resources if one["resourceType"] == "DiagnosticReport"]
    assert all(npm_faults(wrong))


def test_the_validator_finds_what_is_wrong(fhir_server: FHIRServer) -> None:
    """A check that cannot fail proves nothing."""
    resource = report_bundle(make_report())["entry"][-2]["resource"]
    del resource["status"]
    assert fhir_server.faults(resource)


def put_order(server: FHIRServer, patient: str, *, number: str = "ACC-1", kind: str = "ACSN") -> str:
    """Store an order with a number of a kind for a patient, and give its reference."""
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": kind}
    order = {
        "resourceType": "ServiceRequest",
        "identifier": [{"type": {"coding": [coding]}, "system": "urn:ris", "value": number}],
        "status": "active",
        "intent": "order",
        "subject": {"reference": patient},
    }
    answer = httpx.post(f"{server.base_url}/ServiceRequest", json=order, timeout=60)
    return f"ServiceRequest/{answer.json()['id']}"


def test_the_order_is_found_by_the_accession_number_of_the_same_patient(
    fhir_server: FHIRServer, sink: HAPIReportSink
) -> None:
    """Not another patient's, not another kind of number, and none at all where two could be meant."""
    whose = [replace(SUBJECT, patient_id=f"order-{n}") for n in (1, 2)]
    addresses = [sink.store(make_report(Names(700 + n, 700 + n, subject=one))) for n, one in enumerate(whose)]
    mine, theirs = (httpx.get(one, timeout=60).json()["subject"]["reference"] for one in addresses)
    put_order(fhir_server, theirs)
    put_order(fhir_server, mine, kind="PLAC")
    wanted = put_order(fhir_server, mine)
    linked = httpx.get(sink.store(make_report(Names(702, 702, subject=whose[0]))), timeout=60).json()
    assert linked["basedOn"] == [{"reference": wanted}]
    put_order(fhir_server, mine)
    unsure = httpx.get(sink.store(make_report(Names(703, 703, subject=whose[0]))), timeout=60).json()
    assert "basedOn" not in unsure
    assert fhir_server.get("ServiceRequest", _summary="count")["total"] == 4


def test_a_site_may_have_systems_of_its_own(fhir_server: FHIRServer) -> None:
    """The patient that the hospital's own software made is the one that is meant."""
    known = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:hospital:mrn", "value": "site-1"}],
        "name": [{"family": "Known"}],
    }
    place = httpx.post(f"{fhir_server.base_url}/Patient", json=known, timeout=60).json()["id"]
    report = make_report(Names(710, 710, subject=replace(SUBJECT, patient_id="site-1")))
    with httpx.Client(timeout=120) as client:
        systems = {"Hospital A": "urn:hospital:mrn"}
        sink = HAPIReportSink(fhir_server.base_url, client, SystemClock(), patient_systems=systems)
        address = sink.store(report)
    assert httpx.get(address, timeout=60).json()["subject"] == {"reference": f"Patient/{place}"}
    assert fhir_server.get(f"Patient/{place}")["name"] == [{"family": "Known"}]


def test_storing_a_report_three_times_changes_nothing(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """Neither the number of resources nor the version of any."""
    report = make_report(Names(report=20, study=20))
    address = sink.store(report)
    before = fhir_server.counts()
    assert [sink.store(report) for _ in range(3)] == [address] * 3
    assert fhir_server.counts() == before
    (study,) = fhir_server.search("ImagingStudy", **study_search(20))
    (provenance,) = fhir_server.search("Provenance", target=address.removeprefix(f"{fhir_server.base_url}/"))
    assert {study["meta"]["versionId"], provenance["meta"]["versionId"]} == {"1"}


def test_findings_and_tumors_are_stored_once_and_linked(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """The answer of a tumour job and every finding is a result of its report."""
    tumor, findings = tumor_report(Names(600, 600, 600)), findings_report(Names(610, 610, 610))
    addresses = [sink.store(report) for report in (tumor, findings)]
    before = fhir_server.counts()
    assert [sink.store(report) for report in (tumor, findings)] == addresses
    assert fhir_server.counts() == before
    said = [
        [fhir_server.get(result["reference"])["code"]["text"] for result in httpx.get(address).json()["result"]]
        for address in addresses
    ]
    assert said == [["Tumour", "Tumour: Volume"], ["Tumour", "Tumour", "Edema"]]


def test_posting_the_bare_bundle_three_times_changes_nothing(fhir_server: FHIRServer) -> None:
    """The Bundle itself is safe to repeat, for whoever takes it from a file."""
    bundle = report_bundle(make_report(Names(report=30, study=30)))
    counts = []
    for _ in range(3):
        answer = httpx.post(fhir_server.base_url, json=bundle, timeout=120)
        assert answer.status_code == 200, answer.text
        counts.append(fhir_server.counts())
    assert counts[0] == counts[1] == counts[2]


def test_what_a_person_changed_stays(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """A report that was made final is not set back by a late repeat."""
    report = make_report(Names(report=40, study=40))
    address = sink.store(report)
    diagnostic = httpx.get(address, timeout=60).json() | {"status": "final"}
    assert httpx.put(address, json=diagnostic, timeout=60).status_code == 200
    assert sink.store(report) == address
    assert httpx.get(address, timeout=60).json()["status"] == "final"


def test_eight_equal_transactions_at_once_all_succeed_once(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """HAPI lets one through and answers 409 to the others, which repeat."""
    report = make_report(Names(report=50, study=50))
    before = fhir_server.counts()
    with ThreadPoolExecutor(8) as pool:
        addresses = list(pool.map(lambda _: sink.store(report), range(8)))
    assert len(set(addresses)) == 1
    after = fhir_server.counts()
    assert {kind: after[kind] - before[kind] for kind in after if kind not in ("Patient", "Device")} == {
        "ImagingStudy": 1,
        "Observation": 3,
        "DiagnosticReport": 1,
        "Provenance": 1,
    }


def test_results_of_several_models_on_one_study_do_not_overwrite_each_other(
    fhir_server: FHIRServer, sink: HAPIReportSink
) -> None:
    """One study with the series of all, though all were written at once."""
    reports = [make_report(Names(report=60 + n, study=60, series=1 + n % 2, model_id=f"model-{n}")) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        addresses = set(pool.map(sink.store, reports))
    assert len(addresses) == 4
    (study,) = fhir_server.search("ImagingStudy", **study_search(60))
    wanted = {report.source.series_instance_uid for report in reports}
    wanted |= {item.identity.series_instance_uid for report in reports for item in report.evidence}
    assert {series["uid"] for series in study["series"]} == wanted


def test_studies_of_one_patient_share_the_patient_and_those_of_nobody_do_not(
    fhir_server: FHIRServer, sink: HAPIReportSink
) -> None:
    """An empty PatientID joins nothing."""

    def patients_of(subject: Subject, first: int) -> set[str]:
        for number in (first, first + 1):
            sink.store(make_report(Names(report=number, study=number, subject=subject)))
        studies = [fhir_server.search("ImagingStudy", **study_search(n))[0] for n in (first, first + 1)]
        return {study["subject"]["reference"] for study in studies}

    assert len(patients_of(replace(SUBJECT, patient_id="P|2,$\\ é"), 70)) == 1
    assert len(patients_of(Subject("", "", "", "", "", ""), 80)) == 2


def test_a_refusal_is_told_by_its_codes_alone(fhir_server: FHIRServer, sink: HAPIReportSink) -> None:
    """The server's text quotes the content."""
    report = make_report(Names(report=90, study=90))
    unit = replace(report.measurements[0].unit, value="SENTINEL")
    wrong = replace(report, measurements=(replace(report.measurements[0], unit=unit),))
    with pytest.raises(FHIRRejected, match="answers 422: ") as caught:
        sink.store(wrong)
    assert "SENTINEL" not in str(caught.value)
    assert fhir_server.search("ImagingStudy", **study_search(90)) == []


def test_a_server_that_is_not_there_is_unavailable(fhir_server: FHIRServer) -> None:
    """Nothing listens on the port next to none."""
    with httpx.Client(timeout=5) as client, pytest.raises(FHIRUnavailable):
        HAPIReportSink("http://127.0.0.1:1/fhir", client, SystemClock()).store(make_report())
