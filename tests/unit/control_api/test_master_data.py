"""Medications, diagnoses and laboratory tests over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from integrations.masterdata import files
from tests.support.control_api import ControlAPI

MEDICATIONS, DIAGNOSES, TESTS = "/api/ocs/medications", "/api/ocs/diagnoses", "/api/lis/tests"
DONEPEZIL = {"code": "DONE5", "name_en": "Donepezil", "name_ko": "도네페질", "atc_code": "N06DA02"}
HEMOGLOBIN = {
    "code": "HGB",
    "name_en": "Hemoglobin",
    "loinc_code": "718-7",
    "unit": "g/dL",
    "reference_ranges": [{"sex": "female", "age_from": 18, "low": 12, "high": 16}],
}


def send(api: ControlAPI, method: str, path: str, body: object = None, **options: Any) -> TestResponse:
    """Send as an administrator, or as ``role``, with header fields."""
    headers = api.bearer(options.pop("role", "admin")) | options.pop("headers", {})
    return api.client.open(path, method=method, json=body, headers=headers, **options)


def take(api: ControlAPI, path: str, content: str | bytes, **options: Any) -> TestResponse:
    """Import a file."""
    media_type = options.pop("media_type", "text/csv")
    data = content.encode() if isinstance(content, str) else content
    headers = api.bearer(options.pop("role", "admin"))
    return api.client.post(f"{path}/import", data=data, content_type=media_type, headers=headers, **options)


def test_an_entry_is_made_read_changed_and_deactivated(api: ControlAPI) -> None:
    """Each step names the version that the next one must have seen."""
    made = send(api, "POST", MEDICATIONS, DONEPEZIL)
    assert (made.status_code, made.headers["Location"], made.headers["ETag"]) == (201, f"{MEDICATIONS}/DONE5", '"v1"')
    shown = api.get(f"{MEDICATIONS}/done5")
    assert shown.json == made.json
    assert [shown.json[name] for name in ("name_ko", "active", "version")] == ["도네페질", True, 1]
    tag = shown.headers["ETag"]
    changed = send(api, "PUT", f"{MEDICATIONS}/DONE5", {**DONEPEZIL, "strength": "5 mg"}, headers={"If-Match": tag})
    assert (changed.status_code, changed.json["strength"], changed.headers["ETag"]) == (200, "5 mg", '"v2"')
    gone = send(api, "POST", f"{MEDICATIONS}/DONE5/deactivate", headers={"If-Match": 'W/"v2"'})
    assert (gone.status_code, gone.json["active"]) == (200, False)
    back = send(api, "POST", f"{MEDICATIONS}/DONE5/activate", headers={"If-Match": "*"})
    assert (back.status_code, back.json["active"], back.json["version"]) == (200, True, 4)


@pytest.mark.parametrize(
    ("tag", "status", "code"),
    [
        (None, 428, "http.precondition_required"),
        ('"v7"', 412, "masterdata.changed"),
        ('"nonsense"', 412, "masterdata.changed"),
        ('""', 412, "masterdata.changed"),
        ('W/"", W/"4~7"', 412, "masterdata.changed"),
        ('"v99999999999999999999"', 412, "masterdata.changed"),
        ('"v1", "v7"', 200, None),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("PUT", ""), ("POST", "/deactivate")])
def test_a_change_names_what_was_seen(
    api: ControlAPI, tag: str | None, status: int, code: str | None, method: str, path: str
) -> None:
    """Without it two people overwrite each other unseen (RFC 6585 section 3)."""
    send(api, "POST", MEDICATIONS, DONEPEZIL)
    headers = {} if tag is None else {"If-Match": tag}
    answer = send(api, method, f"{MEDICATIONS}/DONE5{path}", DONEPEZIL if method == "PUT" else None, headers=headers)
    assert (answer.status_code, answer.json.get("code") if code else None) == (status, code)


def test_a_code_is_given_once(api: ControlAPI) -> None:
    """Whatever its case."""
    send(api, "POST", MEDICATIONS, DONEPEZIL)
    answer = send(api, "POST", MEDICATIONS, {**DONEPEZIL, "code": "done5"})
    assert (answer.status_code, answer.json["code"]) == (409, "masterdata.exists")


@pytest.mark.parametrize("path", [f"{MEDICATIONS}/X", f"{DIAGNOSES}/G20", f"{TESTS}/HGB"])
def test_what_is_not_there_is_404(api: ControlAPI, path: str) -> None:
    """Read, changed or switched."""
    assert api.get(path).json["code"] == "masterdata.not_found"
    assert send(api, "POST", f"{path}/deactivate", headers={"If-Match": "*"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        (MEDICATIONS, {"code": "A/B", "name_en": "x"}, "/code"),
        (MEDICATIONS, {"code": "A"}, "/name_en"),
        (MEDICATIONS, {**DONEPEZIL, "atc_code": "donepezil"}, "/atc_code"),
        (MEDICATIONS, {**DONEPEZIL, "version": 7}, "/version"),
        (DIAGNOSES, {"code": "30", "name_en": "x"}, "/code"),
        (TESTS, {**HEMOGLOBIN, "loinc_code": "718-8"}, "/loinc_code"),
        (TESTS, {**HEMOGLOBIN, "unit": "g per dL"}, "/unit"),
        (TESTS, {**HEMOGLOBIN, "reference_ranges": [{"sex": "both", "low": 1}]}, "/reference_ranges/0/sex"),
        (TESTS, {**HEMOGLOBIN, "reference_ranges": [{"low": 2, "high": 1}]}, "/reference_ranges"),
    ],
)
def test_what_is_not_valid_is_named(api: ControlAPI, path: str, body: dict[str, Any], pointer: str) -> None:
    """Member by member, and nothing is made."""
    answer = send(api, "POST", path, body)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json["errors"]] == [pointer]
    assert api.get(path).json["items"] == []


@pytest.mark.parametrize(
    ("path", "body", "writers"),
    [
        (MEDICATIONS, DONEPEZIL, {"admin", "doctor", "radiologist"}),
        (DIAGNOSES, {"code": "G20", "name_en": "Parkinson disease"}, {"admin", "doctor", "radiologist"}),
        (TESTS, HEMOGLOBIN, {"admin", "technician"}),
    ],
)
def test_everybody_reads_and_few_write(api: ControlAPI, path: str, body: dict[str, Any], writers: set[str]) -> None:
    """Doctors keep what they order with, the laboratory its tests; files are an administrator's."""
    for role in ("nurse", "doctor", "radiologist", "technician", "service", "admin"):
        assert api.get(path, role).status_code == 200
        assert api.get(f"{path}/export", role).status_code == 200
        assert (send(api, "POST", path, body, role=role).status_code != 403) == (role in writers)
        assert (take(api, path, "code,name_en\n", role=role).status_code != 403) == (role == "admin")
        switched = send(api, "POST", f"{path}/{body['code']}/deactivate", role=role)
        assert (switched.status_code == 403) == (role not in writers)


def test_lists_are_paged_searched_and_not_sent_twice(api: ControlAPI) -> None:
    """The tag of a page changes when anything on it does, and only then."""
    for code, name in (("G20", "Parkinson disease"), ("G30.0", "Alzheimer, early"), ("G30.1", "Alzheimer, late")):
        send(api, "POST", DIAGNOSES, {"code": code, "name_en": name})
    first = api.get(f"{DIAGNOSES}?limit=2")
    second = api.get(f"{DIAGNOSES}?limit=2&after={first.json['next']}")
    assert [entry["code"] for entry in first.json["items"] + second.json["items"]] == ["G20", "G30.0", "G30.1"]
    assert second.json["next"] is None
    assert [entry["code"] for entry in api.get(f"{DIAGNOSES}?q=alzheimer&code=g301").json["items"]] == ["G30.1"]
    seen = {"If-None-Match": first.headers["ETag"]}
    again = send(api, "GET", f"{DIAGNOSES}?limit=2", headers=seen)
    assert (again.status_code, again.get_data(), again.headers["Cache-Control"]) == (304, b"", "private, no-cache")
    for other in ('""', 'W/""', "nonsense", '"v1'):
        assert send(api, "GET", f"{DIAGNOSES}?limit=2", headers={"If-None-Match": other}).status_code == 200
    send(api, "POST", f"{DIAGNOSES}/G20/deactivate", headers={"If-Match": "*"})
    assert send(api, "GET", f"{DIAGNOSES}?limit=2", headers=seen).status_code == 200
    assert [entry["code"] for entry in api.get(f"{DIAGNOSES}?active=true").json["items"]] == ["G30.0", "G30.1"]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "q=" + "x" * 101, "active=maybe", "colour=red"])
def test_a_question_that_makes_no_sense_is_refused(api: ControlAPI, query: str) -> None:
    """Instead of being answered with something else."""
    assert api.get(f"{MEDICATIONS}?{query}").status_code == 422


def test_a_table_is_taken_over_once(api: ControlAPI) -> None:
    """In CP949, as Korean Excel saves it; the same again changes nothing, and faults are named by line."""
    table = "code,name_en,name_ko\nG20,Parkinson disease,파킨슨병\n,,\nnone,x,y\n".encode("cp949")
    first = take(api, DIAGNOSES, table)
    assert first.status_code == 200
    assert [first.json[name] for name in ("applied", "created", "updated", "unchanged", "rejected")] == [
        True,
        1,
        0,
        0,
        1,
    ]
    assert first.json["rejections"] == [{"line": 4, "reasons": ["code: write a KCD code, for example G30.9"]}]
    assert take(api, DIAGNOSES, table).json["unchanged"] == 1
    assert api.get(f"{DIAGNOSES}/G20").json["name_ko"] == "파킨슨병"


def test_all_or_nothing(api: ControlAPI) -> None:
    """One line that is not valid keeps the others out."""
    table = "code,name_en\nG20,x\nnone,y\n"
    answer = take(api, DIAGNOSES, table, query_string={"all_or_nothing": "true"})
    assert (answer.status_code, answer.json["applied"], answer.json["rejected"]) == (200, False, 1)
    assert api.get(DIAGNOSES).json["items"] == []


@pytest.mark.parametrize("wanted", ["csv", "json"])
def test_an_export_is_taken_back(api: ControlAPI, wanted: str) -> None:
    """Unchanged; a name that looks like a formula is none in the table."""
    send(api, "POST", TESTS, {**HEMOGLOBIN, "name_en": "=1+1"})
    exported = api.get(f"{TESTS}/export?format={wanted}")
    assert f'filename="lab_tests.{wanted}"' in exported.headers["Content-Disposition"]
    assert exported.headers["Cache-Control"] == "no-store"
    assert wanted == "json" or b"'=1+1" in exported.get_data()
    report = take(api, TESTS, exported.get_data(), media_type=exported.mimetype).json
    assert [report[name] for name in ("created", "updated", "unchanged", "rejected")] == [0, 0, 1, 0]


def test_a_file_that_is_none_is_refused(api: ControlAPI) -> None:
    """As a whole, with the reason."""
    for content, media_type in (("colour\nred\n", "text/csv"), ("{", "application/json")):
        answer = take(api, MEDICATIONS, content, media_type=media_type)
        assert (answer.status_code, answer.json["code"]) == (422, "masterdata.import_refused")


def test_a_file_may_be_larger_than_other_documents_but_not_endless(api: ControlAPI) -> None:
    """Five mebibytes, where other documents have one."""
    long = "code,name_en\n" + ("x" * 1000 + "\n") * 2000
    assert take(api, MEDICATIONS, long).json["rejected"] == 2000
    answer = take(api, MEDICATIONS, b"x" * (files.MOST_BYTES + 1))
    assert answer.status_code == 413
