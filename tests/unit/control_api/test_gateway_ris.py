"""The archive in plain JSON, and the medical record under names of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import pytest

from control_api.gateway.ports import Gateway
from tests.support.control_api import SERIES, STUDY, ControlAPI
from tests.support.upstream import FakeServer, FakeTrail

ROW: Mapping[str, Any] = {
    "0020000D": {"vr": "UI", "Value": [str(STUDY)]},
    "00100020": {"vr": "LO", "Value": ["P-1"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Hong^Gildong", "Ideographic": "洪^吉洞"}]},
    "00080020": {"vr": "DA", "Value": ["20260102"]},
    "00080061": {"vr": "CS", "Value": ["MR", "SEG", None]},
    "00201206": {"vr": "IS", "Value": ["2"]},
    "00201208": {"vr": "IS", "Value": [40]},
    "00080050": {"vr": "SH"},
}


@pytest.fixture
def archive() -> FakeServer:
    """Give an archive with a study."""
    return FakeServer(parts=[json.dumps([ROW]).encode()])


@pytest.fixture
def record() -> FakeServer:
    """Give a medical record's own API."""
    return FakeServer("http://emr/apis/default/api", name="medical record", parts=[b"{}"])


@pytest.fixture
def trail() -> FakeTrail:
    """Give where accesses are kept."""
    return FakeTrail()


@pytest.fixture
def door(
    api_with: Callable[..., ControlAPI], archive: FakeServer, record: FakeServer, trail: FakeTrail
) -> ControlAPI:
    """Give the API in front of them."""
    return api_with(gateway=Gateway(archive=archive, emr_api=record, trail=trail))


def test_a_study_is_given_by_names(door: ControlAPI, trail: FakeTrail) -> None:
    """Numbers as numbers, what is absent as an empty text."""
    assert door.get("/api/ris/studies").json == {
        "studies": [
            {
                "study_uid": str(STUDY),
                "patient_id": "P-1",
                "patient_name": "Hong^Gildong=洪^吉洞",
                "patient_birth_date": "",
                "patient_sex": "",
                "accession_number": "",
                "study_date": "20260102",
                "study_time": "",
                "study_description": "",
                "modalities": ["MR", "SEG"],
                "series_count": 2,
                "instance_count": 40,
            }
        ],
        "next_offset": None,
    }
    assert [one.action for one in trail.accesses] == ["ris.search"]


def test_a_search_is_asked_as_dicom_writes_it(door: ControlAPI, archive: FakeServer) -> None:
    """Names and descriptions by their beginning, dates as a range, one more than is wanted."""
    door.get(
        "/api/ris/studies?patient_name=Kim&patient_id=A%20b&modality=MR&from_date=2026-01-01&limit=5&offset=10"
        "&study_description=He*d"
    )
    asked = {name: values[0] for name, values in parse_qs(archive.last.query).items()}
    assert archive.last.path == "/studies"
    assert "StudyDescription" in asked.pop("includefield").split(",")
    assert asked == {
        "PatientName": "Kim*",
        "PatientID": "A b",
        "ModalitiesInStudy": "MR",
        "StudyDescription": "He*d",
        "StudyDate": "20260101-",
        "limit": "6",
        "offset": "10",
    }


@pytest.mark.parametrize(
    "query",
    [
        "patient_id=a%5Cb",
        "patient_name=",
        "patient_name=%00",
        "limit=0",
        "limit=201",
        "offset=-1",
        "modality=mr",
        "PatientID=1",
        "patient_id=" + "x" * 65,
    ],
)
def test_a_search_that_is_none_is_refused(door: ControlAPI, archive: FakeServer, query: str) -> None:
    """Nothing of it reaches the archive."""
    assert door.get(f"/api/ris/studies?{query}").status_code == 422
    assert archive.calls == []


def test_a_long_list_comes_in_parts(door: ControlAPI, archive: FakeServer) -> None:
    """The entry that is too many says that there is another part."""
    archive.parts = [json.dumps([ROW] * 3).encode()]
    answer = door.get("/api/ris/studies?limit=2&offset=4").json
    assert (len(answer["studies"]), answer["next_offset"]) == (2, 6)


def test_patients_are_gathered_from_their_studies(door: ControlAPI, archive: FakeServer) -> None:
    """QIDO-RS has no level of patients."""
    newer = {**ROW, "00080020": {"vr": "DA", "Value": ["20260301"]}}
    other = {**ROW, "00100020": {"vr": "LO", "Value": ["P-2"]}}
    archive.parts = [json.dumps([newer, other, ROW]).encode()]
    answer = door.get("/api/ris/patients?limit=1").json
    assert answer["next_offset"] == 1
    assert answer["patients"] == [
        {
            "patient_id": "P-1",
            "patient_name": "Hong^Gildong=洪^吉洞",
            "patient_birth_date": "",
            "patient_sex": "",
            "study_count": 2,
            "last_study_date": "20260301",
        }
    ]


def test_series_and_instances_are_listed(door: ControlAPI, archive: FakeServer) -> None:
    """Below their study."""
    assert door.get(f"/api/ris/studies/{STUDY}/series").json["series"][0].keys() >= {"series_uid", "modality"}
    assert archive.last.path == f"/studies/{STUDY}/series"
    answer = door.get(f"/api/ris/studies/{STUDY}/series/{SERIES}/instances").json
    assert answer["instances"][0].keys() >= {"instance_uid", "sop_class_uid"}
    assert archive.last.path == f"/studies/{STUDY}/series/{SERIES}/instances"


@pytest.mark.parametrize("status", [204, 404])
def test_nothing_found_is_an_empty_list(door: ControlAPI, archive: FakeServer, status: int) -> None:
    """However the archive says it."""
    archive.status, archive.parts = status, []
    assert door.get("/api/ris/studies").json == {"studies": [], "next_offset": None}


@pytest.mark.parametrize("content", [b"<xml/>", b"[1]", b'[{"0020000D": 1}]', b'[{"00201206": {"Value": ["x"]}}]'])
def test_an_archive_that_talks_nonsense_has_failed(door: ControlAPI, archive: FakeServer, content: bytes) -> None:
    """502, and no exception of ours."""
    archive.parts = [content]
    answer = door.get("/api/ris/studies")
    assert (answer.status_code, answer.json["code"]) == (502, "gateway.upstream_failed")


@pytest.mark.parametrize(
    ("method", "path", "role", "theirs"),
    [
        ("GET", "patients?lname=Hong", "nurse", "/patient"),
        ("POST", "patients", "nurse", "/patient"),
        ("GET", "patients/946da619-c631", "radiologist", "/patient/946da619-c631"),
        ("PUT", "patients/1", "doctor", "/patient/1"),
        ("GET", "patients/1/encounters", "admin", "/patient/1/encounter"),
        ("POST", "patients/1/encounters", "doctor", "/patient/1/encounter"),
        ("PUT", "patients/1/encounters/2", "service", "/patient/1/encounter/2"),
        ("GET", "patients/1/appointments", "nurse", "/patient/1/appointment"),
        ("POST", "patients/1/appointments", "nurse", "/patient/1/appointment"),
        ("GET", "appointments/7", "nurse", "/appointment/7"),
        ("GET", "appointments", "nurse", "/appointment"),
        ("POST", "patients/1/encounters", "nurse", None),
        ("PUT", "patients/1", "admin", None),
        ("POST", "patients", "radiologist", None),
        ("GET", "patients", "technician", None),
        ("POST", "appointments", "doctor", 404),
        ("PUT", "appointments/7", "doctor", 404),
    ],
)
def test_the_medical_record_by_role(
    door: ControlAPI, record: FakeServer, method: str, path: str, role: str, theirs: str | int | None
) -> None:
    """Who may what; everything else is 403, or does not exist."""
    body = {"fname": "x"} if method != "GET" else None
    answer = door.client.open(f"/api/emr/{path}", method=method, headers=door.bearer(role), json=body)
    if isinstance(theirs, str):
        assert answer.status_code == 200
        assert (record.last.method, record.last.path) == (method, theirs)
        assert record.last.headers["accept"] == "application/json"
    else:
        assert answer.status_code == (theirs or 403)
        assert record.calls == []


def test_without_a_key_the_key_set_is_empty(door: ControlAPI) -> None:
    """It is public, and it is there."""
    assert door.client.get("/api/jwks.json").json == {"keys": []}
