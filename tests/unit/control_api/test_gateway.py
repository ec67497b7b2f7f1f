"""What passes the gateway and what does not: addresses, headers, bodies, failures, and what is noted of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO

import pytest
from structlog.testing import capture_logs
from werkzeug.test import EnvironBuilder, run_wsgi_app

from control_api.gateway.ports import Gateway, LoggedAccess
from control_api.gateway.refusals import TROUBLES
from inference.errors import StoreUnavailable
from integrations.upstream.exchange import Answer, Call, Trouble, UpstreamTrouble
from tests.support.control_api import STUDY, ControlAPI
from tests.support.upstream import FakeServer, FakeTrail

FHIR = "http://hapi:8080/fhir"
EMR = "http://emr:8300/apis/default"


@dataclass
class Behind:
    """The servers behind the gateway, and the door in front of it."""

    archive: FakeServer = field(default_factory=FakeServer)
    reports: FakeServer = field(default_factory=lambda: FakeServer(FHIR, name="report server"))
    emr_fhir: FakeServer = field(default_factory=lambda: FakeServer(f"{EMR}/fhir", name="medical record"))
    emr_api: FakeServer = field(default_factory=lambda: FakeServer(f"{EMR}/api", name="medical record"))
    trail: FakeTrail = field(default_factory=FakeTrail)

    @property
    def servers(self) -> tuple[FakeServer, ...]:
        """All of them."""
        return self.archive, self.reports, self.emr_fhir, self.emr_api

    @property
    def calls(self) -> int:
        """How many requests got through."""
        return sum(len(server.calls) for server in self.servers)


@pytest.fixture
def behind() -> Behind:
    """Give servers that answer an empty list."""
    return Behind()


@pytest.fixture
def door(behind: Behind, api_with: Callable[..., ControlAPI]) -> ControlAPI:
    """Give the API in front of them."""
    gateway = Gateway(behind.archive, behind.reports, behind.emr_fhir, behind.emr_api, trail=behind.trail)
    return api_with(gateway=gateway)


# --- addresses ------------------------------------------------------------------------------------------------------

HOSTILE = [
    *("/dicom-web/servers", "/dicom-web/servers/other/get", "/dicom-web/app/", "/dicom-web/stow"),
    *("/dicom-web/wado", "/dicom-web/studies/../../system", "/dicom-web/studies/%2e%2e/%2e%2e/system"),
    *("/dicom-web/studies/..%2f..%2fsystem", "/dicom-web/studies/1.2.3%2fseries"),
    *("/dicom-web/studies/1.2.3%00", "/dicom-web/studies/1.2.3/series/1.2/x", "/dicom-web/studies/1.2.3;x=y"),
    *("/dicom-web/studies/1.2.3/..", "/dicom-web/studies/./1.2.3"),
    "/dicom-web/studies/1.2.3/series/1.2/instances/1.2/frames/0",
    *("/dicom-web/studies/1.2.3/series/1/instances/1.2", "/dicom-web/http://elsewhere.example/"),
    *("/dicom-web/studies/http:%2f%2felsewhere.example", "/dicom-web/studies\\x"),
    *("/dicom-web/studies/1.2.3/series/1.2/instances/1.2/bulk/../../", "/dicom-web/metadata"),
    *("/dicom-web/series/1.2.3", "/dicom-web/studies/01.2", "/dicom-web/studies/" + "1.2" * 40),
    *("/dicom-web/studies/1.2.3/archive", "/api/ris/dicom-web/servers", "/api/ris/dicom-web/..%2fsystem"),
    *("/api/ris/dicom-web/studies/%252e%252e", "/api/fhir/$graphql", "/api/fhir/Patient/$everything"),
    *("/api/fhir/Patient/1/$everything", "/api/fhir/$expunge", "/api/fhir/Patient/1/$expunge"),
    *("/api/fhir/../actuator", "/api/fhir/%2e%2e/actuator", "/api/fhir/Patient%2f1", "/api/fhir/AuditEvent"),
    *("/api/fhir/Subscription", "/api/fhir/Binary/1", "/api/fhir/Bundle/1", "/api/fhir/patient"),
    *("/api/fhir/_history", "/api/fhir/Patient/_search", "/api/fhir/Patient/1/_history/2/x", "/api/fhir/"),
    *("/api/fhir/Parameters/1", "/api/fhir/http://elsewhere.example/fhir/Patient/1"),
    *("/api/fhir/Patient/%0d%0aX:y", "/api/fhir", "/api/fhir?_getpages=7&_type=Patient"),
    *("/api/fhir?_type=Patient", "/api/fhir/Patient?_query=x", "/api/emr/fhir/AuditEvent"),
    *("/api/emr/fhir/..%2f..%2foauth2%2fdefault%2ftoken", "/api/emr/facility"),
    *("/api/emr/patients/1/../../user", "/api/emr/user", "/api/emr/patients/a%2fb"),
    *("/api/emr/patients/1/document", "/api/emr/patients//1", "/api/emr/appointments/1/x"),
    "/api/emr/fhir/Patient/1/$export",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_a_hostile_address_reaches_no_server(door: ControlAPI, behind: Behind, path: str) -> None:
    """As it is sent, whatever it is decoded to; the answer is one of ours."""
    answer = door.client.open(path, headers=door.bearer("admin"), environ_overrides={"RAW_URI": path})
    assert answer.status_code in {308, 400, 404}, answer.text
    assert behind.calls == 0


@pytest.mark.parametrize(
    "raw", ["http://elsewhere.example/dicom-web/studies", "//elsewhere.example/dicom-web/studies", "*", ""]
)
def test_a_whole_address_is_no_path(door: ControlAPI, behind: Behind, raw: str) -> None:
    """As a client of a proxy would send it."""
    overrides = {"RAW_URI": raw or "x"}
    answer = door.client.get("/dicom-web/studies", headers=door.bearer("admin"), environ_overrides=overrides)
    assert (answer.status_code, answer.json["code"]) == (400, "gateway.malformed")
    assert behind.calls == 0


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("path", ["/dicom-web/studies/1.2.3", "/api/ris/dicom-web/studies", "/api/fhir/Patient/1"])
def test_other_methods_reach_no_server(door: ControlAPI, behind: Behind, method: str, path: str) -> None:
    """Nothing is deleted, patched or traced through the gateway."""
    if (method, path) != ("PUT", "/api/fhir/Patient/1"):
        answer = door.client.open(path, method=method, headers=door.bearer("admin"))
        assert answer.status_code in {200, 405}
        assert answer.status_code == 405 or method == "OPTIONS"
    assert behind.calls == 0


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/dicom-web/studies", "/studies"),
        ("/dicom-web/studies/1.2.3", "/studies/1.2.3"),
        ("/dicom-web/studies/1.2.3/metadata", "/studies/1.2.3/metadata"),
        ("/dicom-web/studies/1.2.3/series", "/studies/1.2.3/series"),
        ("/dicom-web/studies/1.2.3/series/1.4/metadata", "/studies/1.2.3/series/1.4/metadata"),
        ("/dicom-web/studies/1.2.3/series/1.4/instances", "/studies/1.2.3/series/1.4/instances"),
        (
            "/dicom-web/studies/1.2.3/series/1.4/instances/1.5/frames/1,2",
            "/studies/1.2.3/series/1.4/instances/1.5/frames/1,2",
        ),
        (
            "/dicom-web/studies/1.2.3/series/1.4/instances/1.5/bulk/00420011",
            "/studies/1.2.3/series/1.4/instances/1.5/bulk/00420011",
        ),
        (
            "/dicom-web/studies/1.2.3/series/1.4/instances/1.5/rendered",
            "/studies/1.2.3/series/1.4/instances/1.5/rendered",
        ),
        ("/api/ris/dicom-web/series", "/series"),
    ],
)
def test_what_dicomweb_names_is_passed_on(door: ControlAPI, behind: Behind, path: str, inside: str) -> None:
    """Made anew of its parts."""
    assert door.get(path, "doctor").status_code == 200
    assert (behind.archive.last.method, behind.archive.last.path) == ("GET", inside)


def test_a_list_of_attributes_gets_its_commas_back(door: ControlAPI, behind: Behind) -> None:
    """OHIF encodes them, and Orthanc's plugin 1.7 then answers none of the attributes."""
    door.get("/dicom-web/studies?includefield=00081030%2C00080060&PatientName=%EA%B9%80*")
    assert behind.archive.last.query == "includefield=00081030,00080060&PatientName=%EA%B9%80*"


@pytest.mark.parametrize("query", ["a=" + "x" * 5000, "a=\x00", "a=\xff", "a= b", "a=b#c"])
def test_a_query_that_is_none_is_refused(door: ControlAPI, behind: Behind, query: str) -> None:
    """Too long, or of characters that a query cannot hold."""
    overrides = {"QUERY_STRING": query}
    answer = door.client.get("/dicom-web/studies", headers=door.bearer("admin"), environ_overrides=overrides)
    assert answer.status_code == 400
    assert behind.calls == 0


@pytest.mark.parametrize("host", ["evil.example/x", "a b", "x;proto=http", "", 'a"b', "a,b", "[::1", "a:b"])
def test_a_host_that_is_none_goes_nowhere(door: ControlAPI, behind: Behind, host: str) -> None:
    """It would become part of the addresses in answers."""
    answer = door.client.get(
        "/dicom-web/studies", headers=door.bearer("admin"), environ_overrides={"HTTP_HOST": host}
    )
    assert answer.status_code == 400
    assert behind.calls == 0


# --- headers --------------------------------------------------------------------------------------------------------


def test_of_a_request_only_what_is_named_passes(door: ControlAPI, behind: Behind) -> None:
    """Neither who somebody is, nor where they come from, nor what a proxy would act upon."""
    dropped = {
        "Cookie": "a=b",
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Host": "evil.example",
        "X-Original-URL": "/system",
        "X-HTTP-Method-Override": "DELETE",
        "Forwarded": "host=evil.example",
        "Proxy-Authorization": "Basic eA==",
        "Range": "bytes=0-1",
        "Connection": "close, X-Remove",
        "TE": "trailers",
        "Upgrade": "h2c",
        "Accept-Encoding": "br",
        "Referer": "http://x",
        "Origin": "http://x",
    }
    kept = {"Accept": "multipart/related", "If-None-Match": 'W/"1"'}
    door.client.get("/dicom-web/studies", headers=[*door.bearer("nurse").items(), *(dropped | kept).items()])
    assert behind.archive.last.headers == {
        "accept": "multipart/related",
        "if-none-match": 'W/"1"',
        "host": "localhost",
        "forwarded": "host=localhost;proto=http",
    }


def test_of_an_answer_only_what_is_named_passes(door: ControlAPI, behind: Behind) -> None:
    """No cookies and no programs of servers inside; addresses in headers become ours."""
    behind.reports.headers = [
        ("content-type", "application/fhir+json"),
        ("etag", 'W/"2"'),
        ("location", f"{FHIR}/Patient/1/_history/2"),
        ("set-cookie", "JSESSIONID=1"),
        ("server", "Jetty(12)"),
        ("x-powered-by", "HAPI FHIR"),
        ("access-control-allow-origin", "*"),
        ("transfer-encoding", "chunked"),
        ("www-authenticate", "Basic"),
        ("strict-transport-security", "max-age=1"),
    ]
    answer = door.get("/api/fhir/Patient/1")
    assert answer.headers["Location"] == "http://localhost/api/fhir/Patient/1/_history/2"
    assert answer.headers["ETag"] == 'W/"2"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    hidden = {"Set-Cookie", "Server", "X-Powered-By", "Access-Control-Allow-Origin", "WWW-Authenticate"}
    assert not hidden & {*answer.headers.keys()}
    assert "Transfer-Encoding" not in answer.headers


def test_addresses_in_answers_are_ours(door: ControlAPI, behind: Behind) -> None:
    """Links of a Bundle lead here; the length that was named is not true any more."""
    behind.reports.headers = [("content-type", "application/fhir+json;charset=UTF-8"), ("content-length", "99")]
    behind.reports.parts = [b'{"link":[{"url":"http://hapi:80', b'80/fhir?_getpages=7"}]}']
    answer = door.client.get("/api/fhir/Patient", headers=door.bearer("nurse") | {"X-Forwarded-Proto": "https"})
    assert answer.get_data() == b'{"link":[{"url":"https://localhost/api/fhir?_getpages=7"}]}'
    assert "Content-Length" not in answer.headers


def test_addresses_are_as_the_setting_says(behind: Behind, api_with: Callable[..., ControlAPI]) -> None:
    """Where the node is behind another door, the Host may say nothing useful."""
    door = api_with(gateway=Gateway(reports=behind.reports, public_url="https://pacs.example/node"))
    behind.reports.parts = [f'{{"url":"{FHIR}/Patient/1"}}'.encode()]
    assert door.get("/api/fhir/Patient").json == {"url": "https://pacs.example/node/api/fhir/Patient/1"}


def test_pictures_pass_untouched(door: ControlAPI, behind: Behind) -> None:
    """Bytes that happen to look like our archive's address are bytes."""
    content = b"\x00\x01" + behind.archive.base_url.encode()
    behind.archive.headers = [
        ("content-type", "multipart/related; boundary=x"),
        ("content-length", str(len(content))),
    ]
    behind.archive.parts = [content]
    answer = door.get("/dicom-web/studies/1.2.3")
    assert answer.get_data() == content
    assert answer.content_length == len(content)


# --- streaming ------------------------------------------------------------------------------------------------------


def test_an_answer_is_passed_on_while_it_comes(door: ControlAPI, behind: Behind) -> None:
    """The first part is given before the second is there; whoever leaves early ends the exchange behind."""
    asked: list[int] = []

    def parts() -> Iterator[bytes]:
        for number in range(3):
            asked.append(number)
            yield b"x" * 70000

    behind.archive.headers, behind.archive.parts = [("content-type", "application/dicom")], parts()
    environ = EnvironBuilder("/dicom-web/studies/1.2.3", headers=door.bearer("nurse")).get_environ()
    body, _, _ = run_wsgi_app(door.app.wsgi_app, environ)
    assert next(iter(body)) == b"x" * 70000
    assert asked == [0]
    body.close()  # type: ignore[attr-defined]
    assert behind.archive.closed == 1


class Upload(BytesIO):
    """A body that counts how much of it was asked for."""

    asked = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Give the next bytes."""
        content = super().read(size)
        self.asked += len(content)
        return content


def test_a_body_is_passed_on_while_it_comes(door: ControlAPI, behind: Behind) -> None:
    """The server behind has the first part while the client still sends the rest."""
    upload, seen = Upload(b"D" * (8 << 20)), []

    def send(call: Call) -> Answer:
        assert call.body is not None
        body = iter(call.body)
        seen.append((len(next(body)), upload.asked))
        seen.append((sum(map(len, body)), upload.asked))
        return Answer(200, [], iter([]))

    behind.archive.send = send  # type: ignore[method-assign]
    headers = door.bearer("technician") | {"Content-Length": str(8 << 20)}
    answer = door.client.post("/api/ris/dicom-web/studies", input_stream=upload, headers=headers)
    assert answer.status_code == 200
    (first, asked_first), (rest, _) = seen
    assert first + rest == 8 << 20
    assert asked_first <= 1 << 20


def test_images_are_stored_larger_than_any_document(door: ControlAPI, behind: Behind) -> None:
    """Two megabytes, which no document of this API may have; type and length go along."""
    body, kind = b"D" * (2 << 20), "multipart/related; type=application/dicom; boundary=x"
    headers = door.bearer("technician") | {"Content-Type": kind}
    answer = door.client.post("/api/ris/dicom-web/studies", data=body, headers=headers)
    assert answer.status_code == 200
    assert behind.archive.bodies == [body]
    assert behind.archive.last.headers["content-type"] == kind
    assert behind.archive.last.headers["content-length"] == str(len(body))


@pytest.mark.parametrize(
    ("role", "status"), [("nurse", 403), ("doctor", 403), ("radiologist", 200), ("service", 200)]
)
@pytest.mark.parametrize("path", ["/dicom-web/studies", "/api/ris/dicom-web/studies/1.2.3"])
def test_who_may_store(door: ControlAPI, path: str, role: str, status: int) -> None:
    """Those who operate the node."""
    assert door.client.post(path, data=b"x", headers=door.bearer(role)).status_code == status


@pytest.mark.parametrize("path", ["/dicom-web/studies/1.2.3/series", "/dicom-web/series", "/dicom-web/servers"])
def test_images_are_stored_into_studies_only(door: ControlAPI, behind: Behind, path: str) -> None:
    """Orthanc's plugin has other things that take POST."""
    assert door.client.post(path, data=b"x", headers=door.bearer("admin")).status_code == 404
    assert behind.calls == 0


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", list(Trouble))
@pytest.mark.parametrize("path", ["/dicom-web/studies", "/api/ris/studies", "/api/ris/patients", "/api/fhir/Patient"])
def test_what_fails_behind_is_a_problem_of_ours(
    door: ControlAPI, behind: Behind, trouble: Trouble, path: str
) -> None:
    """502, 503 or 504, with a code, and without the address inside."""
    for server in behind.servers:
        server.trouble = UpstreamTrouble(server.name, trouble, 7 if trouble is Trouble.RESTING else None)
    answer = door.get(path, "doctor")
    status, code, _ = TROUBLES[trouble]
    assert (answer.status_code, answer.json["code"], answer.mimetype) == (status, code, "application/problem+json")
    assert answer.headers.get("Retry-After") == ("7" if trouble is Trouble.RESTING else None)
    assert "hapi" not in answer.text
    assert "inside.example" not in answer.text


@pytest.mark.parametrize("status", [304, 400, 404, 409, 410, 412, 415, 422, 429])
def test_what_the_server_refuses_is_passed_on(door: ControlAPI, behind: Behind, status: int) -> None:
    """With its own words."""
    behind.reports.status, behind.reports.parts = status, [b'{"resourceType":"OperationOutcome"}']
    answer = door.get("/api/fhir/Patient/1")
    assert answer.status_code == status
    assert status == 304 or answer.json == {"resourceType": "OperationOutcome"}


@pytest.mark.parametrize("path", ["/dicom-web/studies", "/api/ris/studies", "/api/fhir/Patient", "/api/emr/patients"])
def test_a_server_that_the_node_does_not_have(api: ControlAPI, path: str) -> None:
    """Is not found, and says so."""
    answer = api.get(path, "doctor")
    assert (answer.status_code, answer.json["code"]) == (404, "gateway.not_configured")


# --- what is noted --------------------------------------------------------------------------------------------------


def test_each_access_is_noted(door: ControlAPI, behind: Behind) -> None:
    """Who, what, about what, and how it ended."""
    behind.archive.status = 404
    door.get(f"/dicom-web/studies/{STUDY}/metadata", "doctor")
    door.get("/api/fhir/Patient/17", "nurse")
    noted = [(one.actor, one.action, one.target, one.status) for one in behind.trail.accesses]
    assert noted == [("doctor", "ris.read", str(STUDY), 404), ("nurse", "fhir.read", "Patient/17", 200)]


def test_what_cannot_be_noted_is_not_answered(door: ControlAPI, behind: Behind) -> None:
    """And the exchange behind is ended."""
    behind.trail.failure = StoreUnavailable("the database cannot be used at the moment")
    assert door.get("/dicom-web/studies").status_code == 503
    assert behind.archive.closed == 1


def test_the_log_names_nobodys_pictures(door: ControlAPI, api_with: Callable[..., ControlAPI]) -> None:
    """Where the log is the trail, a study is a short hash in it."""
    plain = api_with(gateway=Gateway(archive=FakeServer(), trail=LoggedAccess()))
    with capture_logs() as lines:
        plain.get(f"/dicom-web/studies/{STUDY}/metadata?PatientID=SECRET", "doctor")
    noted = [line for line in lines if line["event"] == "gateway.access"]
    assert [(line["actor"], line["action"], line["status"]) for line in noted] == [("doctor", "ris.read", 200)]
    assert str(STUDY) not in str(lines)
    assert "SECRET" not in str(lines)
