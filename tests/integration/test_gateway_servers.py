"""The gateway as it is deployed: nginx and gunicorn in front of real Orthanc, HAPI FHIR and an OAuth 2 server."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dicomweb_client.web import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import FileDataset

from dicom_node.periodic_bootstrap import patient_sources
from tests.support.api_process import PASSWORD, APIProcess, start_api
from tests.support.fhir_server import FHIRServer
from tests.support.medical_record import CLIENT_ID, MedicalRecord, running_medical_record
from tests.support.nginx_server import Gateway, start_gateway
from tests.support.orthanc_server import OrthancOptions, OrthancServer, running_orthanc
from tests.support.synthetic_series import SeriesOptions, axial_grid, write_series
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

USERS = {"anna": "nurse", "rolf": "radiologist", "tina": "technician", "adam": "admin"}
PROGRAM = "cdss"
"""A service account that may do whatever programs may."""
SHAPE = (3, 64, 64)


@dataclass
class Site:
    """All that runs, with two studies in the archive."""

    gateway: Gateway
    api: APIProcess
    archive: OrthancServer
    record: MedicalRecord
    first: Sequence[FileDataset]
    second: Sequence[FileDataset]
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self, name: str | None = None) -> httpx.Client:
        """Give a client of the gateway, logged in where a name is given."""
        client = httpx.Client(base_url=self.gateway.url, timeout=60)
        if name is not None:
            client.headers.update(self.credentials(name))
        return client

    def credentials(self, name: str) -> dict[str, str]:
        """Give what lets somebody in: a token, or a program's key."""
        return {"X-API-Key": self.key()} if name == PROGRAM else {"Authorization": f"Bearer {self.token(name)}"}

    def key(self) -> str:
        """Give the one key of the program."""
        if PROGRAM not in self.tokens:
            admin = self.client("adam")
            scopes = admin.get("/api/service-accounts").json()["known_scopes"]
            made = admin.post("/api/service-accounts", json={"name": PROGRAM, "description": "", "scopes": scopes})
            assert made.status_code == 201, made.text
            self.tokens[PROGRAM] = admin.post(f"/api/service-accounts/{PROGRAM}/keys", json={}).json()["key"]
        return self.tokens[PROGRAM]

    def token(self, name: str) -> str:
        """Give the one token of a name."""
        if name not in self.tokens:
            answer = self.client().post("/api/auth/login", json={"username": name, "password": PASSWORD})
            self.tokens[name] = answer.json()["access_token"]
        return self.tokens[name]

    def browser(self, name: str, *studies: str) -> httpx.Client:
        """Give a client with nothing but the cookie of a session of the viewer."""
        answer = self.client(name).post("/api/viewer/session", json={"studies": list(studies)})
        assert answer.status_code == 201, answer.text
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return httpx.Client(base_url=self.gateway.url, timeout=60, headers={"Cookie": cookie})


def _series(folder: Path, seed: int, name: str) -> list[FileDataset]:
    pixels = np.random.default_rng(seed).integers(0, 4096, SHAPE).astype(np.uint16)
    header = {"PatientID": f"GW-{seed}", "PatientName": name, "StudyDescription": f"Head {seed}"}
    return [dcmread(path) for path in write_series(folder, pixels, axial_grid(SHAPE), SeriesOptions(seed, header))]


def _key() -> str:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, fhir_server: FHIRServer) -> Iterator[Site]:
    """Run everything."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "key.pem").write_text(_key())
    api: APIProcess | None = None

    def keys() -> Any:
        assert api is not None
        return httpx.get(f"{api.url}/api/jwks.json").json()

    with (
        running_orthanc(folder / "orthanc", OrthancOptions({})) as archive,
        running_medical_record(fhir_server.base_url, keys) as record,
    ):
        first, second = _series(folder / "a", 7101, "Kim^A"), _series(folder / "b", 7102, "Hong^B")
        for data_set in (*first, *second):
            archive.client.post("/instances", content=_bytes(data_set)).raise_for_status()
        settings = {
            "ORTHANC_API_URL": archive.url,
            "HAPI_FHIR_URL": fhir_server.base_url,
            "OPENEMR_BASE_URL": record.url,
            "NODE_EMR_CLIENT_ID": CLIENT_ID,
            "NODE_EMR_PRIVATE_KEY_FILE": str(folder / "key.pem"),
        }
        api = start_api(folder, USERS, settings)
        (folder / "nginx").mkdir()
        gateway = start_gateway(folder / "nginx", api.address)
        yield Site(gateway, api, archive, record, first, second)
        gateway.stop()
        api.stop()


def _bytes(data_set: FileDataset) -> bytes:
    buffer = BytesIO()
    data_set.save_as(buffer)
    return buffer.getvalue()


# --- pictures -------------------------------------------------------------------------------------------------------


def _dicom_web(site: Site, name: str) -> DICOMwebClient:
    session = requests.Session()
    session.headers.update(site.credentials(name))
    return DICOMwebClient(f"{site.gateway.url}/api/ris/dicom-web", session=session)


def test_a_dicomweb_client_searches_retrieves_and_stores(site: Site, tmp_path: Path) -> None:
    """A kept library, through nginx, gunicorn and Flask, to Orthanc and back: every byte, and every tag."""
    client, study = _dicom_web(site, "tina"), site.first[0].StudyInstanceUID
    (found,) = client.search_for_studies(search_filters={"PatientID": "GW-7101"})
    assert found["0020000D"]["Value"] == [study]
    retrieved = client.retrieve_study(study)
    assert {one.SOPInstanceUID: one.PixelData for one in retrieved} == {
        one.SOPInstanceUID: one.PixelData for one in site.first
    }
    metadata = client.retrieve_study_metadata(study)
    assert len(metadata) == 3
    new = _series(tmp_path, 7103, "New^C")
    client.store_instances(new)
    assert len(client.retrieve_study(new[0].StudyInstanceUID)) == 3


def test_large_studies_are_stored_in_one_request(site: Site, tmp_path: Path) -> None:
    """More than any document of the API may have, and more than nginx keeps in memory."""
    pixels = np.random.default_rng(1).integers(0, 4096, (24, 512, 512)).astype(np.uint16)
    header = {"PatientID": "GW-LARGE"}
    paths = write_series(tmp_path, pixels, axial_grid(pixels.shape), SeriesOptions(7104, header))
    large = [dcmread(path) for path in paths]
    _dicom_web(site, PROGRAM).store_instances(large)
    answer = site.client("anna").get("/api/ris/studies", params={"patient_id": "GW-LARGE"})
    assert answer.json()["studies"][0]["instance_count"] == 24


def test_addresses_in_answers_lead_through_the_gateway(site: Site) -> None:
    """Orthanc's own address is not seen; what OHIF asks for with encoded commas is answered."""
    query = "PatientID=GW-7101&includefield=00081030%2C00080060"
    answer = site.client("anna").get(f"/dicom-web/studies?{query}")
    assert answer.json()[0]["00081030"]["Value"] == ["Head 7101"]
    assert site.archive.url not in answer.text
    assert answer.json()[0]["00081190"]["Value"][0].startswith(f"{site.gateway.url}/dicom-web/studies/")
    study = site.first[0].StudyInstanceUID
    metadata = site.client("anna").get(f"/dicom-web/studies/{study}/metadata")
    assert f":{site.archive.http_port}" not in metadata.text


@pytest.mark.parametrize(
    "path",
    [
        "/dicom-web/servers",
        "/dicom-web/app/",
        "/dicom-web/../instances",
        "/dicom-web/%2e%2e/instances",
        "/dicom-web/..%2finstances",
        "/dicom-web/studies/..%2f..%2finstances",
        "/dicom-web/studies%2f..%2f..%2fsystem",
        "/dicom-web/studies/%5c..%5csystem",
        "/api/ris/dicom-web/..%2f..%2f..%2finstances",
        "/api/fhir/..%2factuator",
        "/api/fhir/%24graphql",
    ],
)
def test_nothing_else_of_the_servers_is_reached(site: Site, path: str) -> None:
    """Sent as it is written, by a client that resolves nothing."""
    host, _, port = site.gateway.url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {site.token('adam')}"})
    answer = connection.getresponse()
    assert answer.status in {400, 404}
    assert answer.getheader("Content-Type") == "application/problem+json"
    connection.close()


def test_the_archive_in_plain_json(site: Site) -> None:
    """Patients, studies, series, instances, by the names of this API."""
    client = site.client("anna")
    patients = client.get("/api/ris/patients", params={"patient_name": "Kim"}).json()["patients"]
    assert [(one["patient_id"], one["study_count"]) for one in patients] == [("GW-7101", 1)]
    (study,) = client.get("/api/ris/studies", params={"patient_id": "GW-7101"}).json()["studies"]
    assert (study["study_description"], study["modalities"], study["instance_count"]) == ("Head 7101", ["MR"], 3)
    (series,) = client.get(f"/api/ris/studies/{study['study_uid']}/series").json()["series"]
    assert (series["modality"], series["instance_count"]) == ("MR", 3)
    path = f"/api/ris/studies/{study['study_uid']}/series/{series['series_uid']}/instances"
    instances = client.get(path).json()["instances"]
    assert {one["instance_uid"] for one in instances} == {one.SOPInstanceUID for one in site.first}
    assert {one["rows"] for one in instances} == {64}
    parts = [client.get("/api/ris/studies", params={"limit": 1, "offset": at}).json() for at in (0, 1)]
    assert parts[0]["studies"] != parts[1]["studies"]
    assert parts[0]["next_offset"] == 1


# --- sessions of the viewer -----------------------------------------------------------------------------------------


def _addresses(study: str, one: FileDataset) -> list[str]:
    series = f"/dicom-web/studies/{study}/series/{one.SeriesInstanceUID}"
    instance = f"{series}/instances/{one.SOPInstanceUID}"
    return [
        *(f"/dicom-web/studies/{study}", f"/dicom-web/studies/{study}/metadata"),
        *(f"/dicom-web/studies/{study}/series", series, f"{series}/metadata", f"{series}/instances"),
        *(instance, f"{instance}/metadata", f"{instance}/frames/1", f"{instance}/bulk/7FE00010"),
    ]


def test_a_session_opens_one_study(site: Site) -> None:
    """All of it, and nothing of another."""
    mine, other = site.first[0], site.second[0]
    browser = site.browser("anna", mine.StudyInstanceUID)
    opened = [browser.get(path).status_code for path in _addresses(mine.StudyInstanceUID, mine)]
    assert opened == [200] * len(opened)
    assert {browser.get(path).status_code for path in _addresses(other.StudyInstanceUID, other)} == {403}
    assert site.client().get(f"/dicom-web/studies/{mine.StudyInstanceUID}").status_code == 401


def test_a_series_of_another_study_is_not_found_under_ones_own(site: Site) -> None:
    """The path names an allowed study, and a series and an instance of another: Orthanc must not mix them."""
    mine, other = site.first[0], site.second[0]
    browser = site.browser("anna", mine.StudyInstanceUID)
    for path in _addresses(mine.StudyInstanceUID, other)[3:]:
        answer = browser.get(path)
        assert other.PixelData not in answer.content, path
        assert "GW-7102" not in answer.text, path
        assert other.SOPInstanceUID not in answer.text or answer.status_code >= 400, path


@pytest.mark.parametrize("level", ["studies", "series", "instances"])
def test_searches_of_a_session_find_its_studies(site: Site, level: str) -> None:
    """Of one, and of two: Orthanc takes a list."""
    first, second = site.first[0].StudyInstanceUID, site.second[0].StudyInstanceUID
    for studies in ([first], [first, second]):
        rows = site.browser("rolf", *studies).get(f"/dicom-web/{level}?limit=50").json()
        assert {row["0020000D"]["Value"][0] for row in rows} == set(studies)


def test_an_administrators_session_finds_all(site: Site) -> None:
    """Without naming any."""
    assert len(site.browser("adam").get("/dicom-web/studies").json()) >= 2


# --- reports --------------------------------------------------------------------------------------------------------


def _patient(number: int) -> dict[str, Any]:
    identifier = [{"system": "urn:oid:2.16.840.1.113883.19.5", "value": f"GW-{number}"}]
    return {"resourceType": "Patient", "identifier": identifier, "name": [{"family": "Gateway"}], "gender": "other"}


def test_resources_are_written_found_and_paged(site: Site, fhir_server: FHIRServer) -> None:
    """By a program; every address in the answers is ours, and works."""
    client = site.client(PROGRAM)
    for number in range(3):
        created = client.post("/api/fhir/Patient", json=_patient(number))
        assert created.status_code == 201, created.text
        assert created.headers["Location"].startswith(f"{site.gateway.url}/api/fhir/Patient/")
        assert client.get(created.headers["Location"]).json()["name"][0]["family"] == "Gateway"
    page = client.get("/api/fhir/Patient", params={"family": "Gateway", "_count": 2, "_sort": "_id"})
    assert page.headers["Content-Type"].startswith("application/fhir+json")
    assert fhir_server.base_url not in page.text
    (following,) = [link["url"] for link in page.json()["link"] if link["relation"] == "next"]
    assert following.startswith(f"{site.gateway.url}/api/fhir?_getpages=")
    rest = client.get(following).json()
    assert len(page.json()["entry"]) + len(rest["entry"]) == 3
    assert rest["entry"][0]["fullUrl"].startswith(f"{site.gateway.url}/api/fhir/Patient/")
    form = client.post("/api/fhir/Patient/_search", data={"family": "Gateway"})
    assert form.json()["total"] == 3


def test_a_transaction_refers_to_what_was_read_here(site: Site) -> None:
    """A reference with the gateway's address is the server's own resource."""
    client = site.client(PROGRAM)
    patient = client.post("/api/fhir/Patient", json=_patient(9)).headers["Location"].partition("/_history")[0]
    code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}], "text": "Heart rate"}
    observation = {"resourceType": "Observation", "status": "final", "code": code, "subject": {"reference": patient}}
    request = {"method": "POST", "url": "Observation"}
    entry = {
        "fullUrl": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
        "resource": {**observation, "effectiveDateTime": "2026-01-02"},
        "request": request,
    }
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    answer = site.client(PROGRAM).post("/api/fhir", json=bundle)
    assert answer.status_code == 200, answer.text
    assert answer.json()["entry"][0]["response"]["status"].startswith("201")
    found = client.get("/api/fhir/Observation", params={"subject": f"Patient/{patient.rsplit('/', 1)[1]}"})
    assert found.json()["total"] == 1


def test_what_the_report_server_refuses_is_told_by_itself(site: Site) -> None:
    """404 and 422 with its OperationOutcome; what the gateway refuses is a problem."""
    client = site.client(PROGRAM)
    absent = client.get("/api/fhir/Patient/no-such")
    assert (absent.status_code, absent.json()["resourceType"]) == (404, "OperationOutcome")
    wrong = client.post("/api/fhir/Patient", json={"resourceType": "Observation"})
    assert (wrong.status_code, wrong.json()["resourceType"]) == (422, "OperationOutcome")
    ours = site.client("tina").get("/api/fhir/Condition")
    assert (ours.status_code, ours.json()["code"]) == (403, "gateway.forbidden")


def test_capabilities_come_whole(site: Site, fhir_server: FHIRServer) -> None:
    """A megabyte and a half, rewritten while it passes."""
    answer = site.client("anna").get("/api/fhir/metadata")
    assert answer.json()["resourceType"] == "CapabilityStatement"
    assert len(answer.content) > 1_000_000
    assert fhir_server.base_url not in answer.text


# --- the medical record ---------------------------------------------------------------------------------------------


def test_the_medical_record_is_read_with_one_token(site: Site) -> None:
    """Asked for with a signed assertion, which the server checks with the keys that the node publishes; then kept."""
    site.client(PROGRAM).post("/api/fhir/Patient", json=_patient(20)).raise_for_status()
    client, before = site.client("anna"), len(site.record.tokens)
    for _ in range(6):
        answer = client.get("/api/emr/fhir/Patient", params={"identifier": "urn:oid:2.16.840.1.113883.19.5|GW-20"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["entry"][0]["fullUrl"].startswith(f"{site.gateway.url}/api/emr/fhir/Patient/")
        assert site.record.url.replace("/", "\\/") not in answer.text
    encounters = client.get("/api/emr/patients/7/encounters").json()
    assert encounters["data"] == [{"path": "patient/7/encounter"}]
    assert 1 <= len(site.record.tokens) - before <= 2, "one for each worker process"
    assert len(set(site.record.assertions)) == len(site.record.assertions)


def test_a_token_that_is_not_taken_any_more_is_replaced(site: Site) -> None:
    """Without the client noticing."""
    client = site.client("anna")
    assert client.get("/api/emr/patients").status_code == 200
    site.record.revoke_all()
    assert [client.get("/api/emr/patients").status_code for _ in range(4)] == [200] * 4


def test_tokens_and_keys_stay_inside(site: Site) -> None:
    """Neither is in an answer, nor is the private part in what is published."""
    answer = site.client("anna").get("/api/emr/patients")
    assert not any(token in str(answer.headers) + answer.text for token in site.record.tokens)
    (key,) = site.client().get("/api/jwks.json").json()["keys"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS384", "sig")
    assert not {"d", "p", "q", "dp", "dq", "qi"} & key.keys()


# --- failures -------------------------------------------------------------------------------------------------------


def test_an_archive_that_is_away_is_told_and_comes_back(site: Site) -> None:
    """502 and 503 as problems while it is away; 200 when it is back and the pause is over."""
    client = site.client("anna")
    site.archive.stop()
    try:
        answers = [client.get("/dicom-web/studies") for _ in range(12)]
        assert {answer.status_code for answer in answers} == {502, 503}
        assert {answer.json()["code"] for answer in answers} == {
            "gateway.upstream_unreachable",
            "gateway.upstream_resting",
        }
        assert all(str(site.archive.http_port) not in answer.text for answer in answers)
    finally:
        site.archive.start()
    wait_until(lambda: {client.get("/dicom-web/studies").status_code for _ in range(4)} == {200}, 60, "the archive")


def test_logs_name_nobody(site: Site) -> None:
    """Neither nginx nor the API writes a UID, a patient, a query or a token."""
    study = site.first[0].StudyInstanceUID
    site.client("anna").get(f"/dicom-web/studies/{study}/metadata?PatientID=GW-7101")
    site.client("anna").get("/api/fhir/Patient/secret-id?identifier=GW-7101")
    text = "".join(path.read_text(encoding="utf-8") for path in (site.gateway.log, site.api.log))
    assert '"path":"/dicom-web/*"' in text
    found = site.client("adam").get("/api/audit", params={"actor": "anna"}).json()["items"]
    assert study in {one["object"] for one in found}
    for secret in (study, "GW-7101", "secret-id", site.token("anna"), *site.record.tokens):
        assert secret not in text
    assert json.loads(text.splitlines()[-1])


def test_the_patients_of_the_record_are_found_in_the_background_too(site: Site) -> None:
    """By the same registration; the word of the record on them rules."""
    *_, record = patient_sources(site.api.settings)
    assert (record.name, record.rules) == ("emr", True)
    assert [one for one in record.patients("") if one.resource.get("name")]
