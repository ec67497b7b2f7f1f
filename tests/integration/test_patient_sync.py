"""Patients of a real Orthanc and of an EMR on a real HAPI FHIR server: each once, whoever writes them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from dicom_node import bootstrap
from dicom_node.cli import cli
from integrations.fhir.client import HAPIReportSink
from integrations.orthanc.rest import OrthancREST
from integrations.patients.emr import EMRPatients
from integrations.patients.orthanc import OrthancPatients
from integrations.patients.synchroniser import PatientSynchroniser, SourceReport
from integrations.persistence.engine import make_engine
from integrations.persistence.periodic_runs import SQLTurns
from integrations.system import SystemClock
from tests.support.emr import BASE, FakeEMR, emr_patient
from tests.support.fhir_server import FHIRServer
from tests.support.orthanc_server import OrthancOptions, OrthancServer, running_orthanc
from tests.support.reports import Names, make_report

pytestmark = pytest.mark.integration

SYSTEM = "urn:neuronova:patient-id"


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    """Run an archive."""
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), OrthancOptions({})) as server:
        yield server


@pytest.fixture
def synchroniser(fhir_server: FHIRServer) -> Iterator[PatientSynchroniser]:
    """Give what writes to the report server."""
    with httpx.Client(timeout=120) as client:
        yield PatientSynchroniser(fhir_server.base_url, client, SystemClock())


def send(orthanc: OrthancServer, number: int, **header: str) -> None:
    """Put one image of a patient into the archive."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = f"2.25.900.{number}.1.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID = SecondaryCaptureImageStorage
    image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    image.StudyInstanceUID, image.SeriesInstanceUID = f"2.25.900.{number}", f"2.25.900.{number}.1"
    for keyword, value in header.items():
        setattr(image, keyword, value)
    content = BytesIO()
    image.save_as(content, enforce_file_format=True)
    orthanc.client.post("/instances", content=content.getvalue()).raise_for_status()


def patients(server: FHIRServer, value: str, system: str = SYSTEM) -> list[dict[str, Any]]:
    """Find patients by number."""
    return server.search("Patient", identifier=f"{system}|{value}")


def done(report: SourceReport) -> dict[str, int]:
    """Give what was done, without zeros."""
    return {name: count for name, count in report.counts.items() if count}


def test_patients_of_the_archive_are_there_once(
    orthanc: OrthancServer, fhir_server: FHIRServer, synchroniser: PatientSynchroniser
) -> None:
    """With every form of the name, under the system of their issuer; again, nothing changes, nor is read twice."""
    name = "Hong^Gildong=洪^吉洞=홍^길동"
    send(orthanc, 1, PatientID="SYNC-1", PatientName=name, PatientSex="M", PatientBirthDate="19700102")
    send(orthanc, 2, PatientID="SYNC-1", PatientName="Other^Clinic", IssuerOfPatientID="Clinic B")
    send(orthanc, 3, PatientID="", PatientName="Nobody")
    source = OrthancPatients(OrthancREST(orthanc.url, orthanc.client), {"Clinic B": "urn:oid:1.2.3"})

    first = synchroniser.sync(source)
    again = synchroniser.sync(source)
    later = synchroniser.sync(source, first.latest)

    (stored,) = patients(fhir_server, "SYNC-1")
    assert [(one["family"], one["given"]) for one in stored["name"]] == [
        ("Hong", ["Gildong"]),
        ("洪", ["吉洞"]),
        ("홍", ["길동"]),
    ]
    assert (stored["gender"], stored["birthDate"], stored["meta"]["versionId"]) == ("male", "1970-01-02", "1")
    assert fhir_server.faults(stored) == []
    assert first.complete
    assert first.counts["created"] >= 1
    assert again.counts["created"] == again.counts["updated"] == 0
    assert sum(later.counts.values()) <= sum(first.counts.values())


def test_a_report_and_the_synchronisation_mean_the_same_patient(
    fhir_server: FHIRServer, synchroniser: PatientSynchroniser
) -> None:
    """Whoever comes first, there is one; the EMR completes what the images said, and the reports stay linked."""
    report = make_report(Names(report=940, study=940))
    number = report.subject.patient_id
    with httpx.Client(timeout=120) as client:
        HAPIReportSink(fhir_server.base_url, client, SystemClock()).store(report)
    before = patients(fhir_server, number, _system_of(fhir_server, report.subject.patient_id))
    system = before[0]["identifier"][0]["system"]
    emr = EMRPatients(BASE, FakeEMR(emr_patient(number, "Renamed")).client(), system)

    assert done(synchroniser.sync(emr)) == {"updated": 1}
    assert done(synchroniser.sync(emr)) == {"unchanged": 1}

    (stored,) = patients(fhir_server, number, system)
    assert (stored["id"], stored["name"][0]["family"]) == (before[0]["id"], "Renamed")
    assert len(stored["identifier"]) == 2
    assert fhir_server.faults(stored) == []


def _system_of(server: FHIRServer, number: str) -> str:
    (found,) = server.search("Patient", identifier=number)
    system: str = next(one["system"] for one in found["identifier"] if one["value"] == number)
    return system


def test_synchronisations_at_once_make_no_patient_twice(fhir_server: FHIRServer) -> None:
    """Two machines, a person at the command line and a report may all meet."""
    emr = FakeEMR(*(emr_patient(f"ONCE-{number}") for number in range(3)), page=10)

    def sync(_: int) -> SourceReport:
        with httpx.Client(timeout=120) as client:
            writer = PatientSynchroniser(fhir_server.base_url, client, SystemClock())
            return writer.sync(EMRPatients(BASE, emr.client()))

    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(sync, range(3)))

    assert sum(report.counts["created"] for report in reports) == 3
    assert all(report.complete for report in reports)
    assert [len(patients(fhir_server, f"ONCE-{number}")) for number in range(3)] == [1, 1, 1]


def test_a_patient_that_is_there_twice_is_a_persons_work(
    fhir_server: FHIRServer, synchroniser: PatientSynchroniser
) -> None:
    """Neither is touched; both are counted."""
    for _ in range(2):
        body = {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": "TWICE"}]}
        httpx.post(f"{fhir_server.base_url}/Patient", json=body, timeout=60).raise_for_status()

    report = synchroniser.sync(EMRPatients(BASE, FakeEMR(emr_patient("TWICE")).client()))

    assert done(report) == {"conflicts": 1}
    assert [one["meta"]["versionId"] for one in patients(fhir_server, "TWICE")] == ["1", "1"]


def test_the_command_says_what_it_did(
    orthanc: OrthancServer, fhir_server: FHIRServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By source, without a name or a number; its report is kept beside those of the crontab."""
    send(orthanc, 7, PatientID="BY-HAND", PatientName="Doe^Jane")
    monkeypatch.setattr(bootstrap, "configure_logs", lambda _: None)
    monkeypatch.setenv("NODE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("NODE_ARCHIVE_REST_URL", orthanc.url)
    monkeypatch.setenv("NODE_REPORT_URL", fhir_server.base_url)

    first = CliRunner().invoke(cli, ["sync-patients"])
    again = CliRunner().invoke(cli, ["sync-patients", "--changed"])

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "orthanc: created " in first.output
    assert "created 0, updated 0" in again.output
    assert not [word for word in ("BY-HAND", "Doe") if word in first.output]
    (stored,) = patients(fhir_server, "BY-HAND")
    assert stored["name"][0]["family"] == "Doe"
    kept = SQLTurns(make_engine(bootstrap.load()), SystemClock()).last_report("sync_patients")
    assert kept is not None
    assert kept[1]["orthanc"]["error"] is None
