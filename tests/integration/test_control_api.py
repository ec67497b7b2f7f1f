"""The public door as it is deployed: the project's Nginx configuration in front of gunicorn and a real database."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from control_api.app_pages import BUILT
from control_api.request_context import APP_POLICY, PAGE_POLICY, SECURITY_HEADERS
from inference.domain.arrival import ArrivalHeader, Decision
from inference.domain.identifiers import UID, AETitle
from inference.domain.study import CompletionEvidence
from integrations.persistence.engine import make_engine
from integrations.persistence.study_index import SQLStudyIndex
from integrations.system import SystemClock
from tests.support.api_process import PASSWORD, APIProcess, start_api
from tests.support.free_port import free_port
from tests.support.nginx_server import Gateway, check, render, start_gateway
from tests.support.package_folders import Package, as_zip, write_package
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

USERS = {"reader": "nurse", "operator": "technician", "forgetful": "doctor", "chief": "admin"}


@dataclass(frozen=True)
class Door:
    """The gateway and the API behind it."""

    gateway: Gateway
    api: APIProcess
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self, username: str | None = None) -> httpx.Client:
        """Give a client of the gateway, with the one token of a name where that is given."""
        client = httpx.Client(base_url=self.gateway.url, timeout=30)
        if username is not None:
            token = self.tokens.get(username) or self.log_in(username)
            client.headers["Authorization"] = f"Bearer {self.tokens.setdefault(username, token)}"
        return client

    def log_in(self, username: str) -> str:
        """Give a new token."""
        login = self.client().post("/api/auth/login", json={"username": username, "password": PASSWORD})
        assert login.status_code == httpx.codes.OK, login.text
        token: str = login.json()["access_token"]
        return token


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Give the running door."""
    api = start_api(tmp_path_factory.mktemp("api"), USERS)
    gateway = start_gateway(tmp_path_factory.mktemp("gateway"), api.address)
    yield Door(gateway, api)
    gateway.stop()
    api.stop()


def _log_lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]


# --- the configuration --------------------------------------------------------------------------------------------


def test_nginx_accepts_the_configuration(tmp_path: Path) -> None:
    """Nginx itself says so, also of the listen value that the container image uses."""
    said = check(render(tmp_path, str(free_port()), "127.0.0.1:8000"))

    assert "test is successful" in said


def test_every_variable_of_the_template_is_filled(tmp_path: Path) -> None:
    """What is left in braces would be a name that Nginx does not know."""
    rendered = render(tmp_path, "8080", "api:8000").read_text(encoding="utf-8")

    assert re.findall(r"\$\{", rendered) == []


def test_long_answers_and_large_bodies_are_allowed(tmp_path: Path) -> None:
    """A study takes a while to answer about, and gateways to come take files."""
    rendered = render(tmp_path, "8080", "api:8000").read_text(encoding="utf-8")
    proxy = (tmp_path / "snippets" / "proxy.conf").read_text(encoding="utf-8")

    assert "client_max_body_size 100M;" in rendered
    assert re.search(r"location = /api/models \{\s+client_max_body_size 8g;\s+proxy_request_buffering off;", rendered)
    for directive in ("proxy_read_timeout", "proxy_send_timeout"):
        assert f"{directive} 120s;" in proxy


# --- through the door ---------------------------------------------------------------------------------------------


def test_a_person_logs_in_looks_and_leaves(door: Door) -> None:
    """Accounts, tokens, queries and revocation work on the real database, in every worker process."""
    client = door.client()
    client.headers["Authorization"] = f"Bearer {door.log_in('reader')}"

    assert client.get("/api/auth/me").json() == {"username": "reader", "role": "nurse"}
    assert client.get("/api/node/status").json()["queues"] == {"inference": 0, "delivery": 0}
    assert client.get("/api/models").json()["models"][0]["id"] == "brain_structures"
    assert client.post("/api/auth/logout").status_code == 204
    assert {client.get("/api/auth/me").status_code for _ in range(8)} == {401}


def test_an_account_is_locked_after_wrong_passwords(door: Door) -> None:
    """Guessing ends soon, and the right password does not tell that it was found."""
    client = door.client()
    wrong = {"username": "forgetful", "password": "not the password"}

    refused = [client.post("/api/auth/login", json=wrong) for _ in range(5)]
    locked = client.post("/api/auth/login", json={"username": "forgetful", "password": PASSWORD})

    assert {answer.json()["code"] for answer in (*refused, locked)} == {"auth.invalid_credentials"}


@pytest.mark.parametrize("path", ["/api/health/live", "/api/health/ready"])
def test_health_is_public(door: Door, path: str) -> None:
    """Load balancers ask without a token."""
    assert door.client().get(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["/metrics", "/api/health/", "/api/health/other", "/index.html", "/static/", "/static/index.html"]
)
def test_nothing_else_is_public(door: Door, path: str) -> None:
    """What is not named does not exist outside; the answer has the shape of all errors."""
    answer = door.client().get(path)

    assert answer.status_code == 404
    assert "nginx/" not in str(answer.headers) + answer.text


def test_metrics_are_there_on_the_inside(door: Door) -> None:
    """Prometheus asks the API itself."""
    assert "node_jobs{" in httpx.get(f"{door.api.url}/metrics").text


@pytest.mark.parametrize("path", ["/", "/static/status.js", "/api/openapi.json", "/api/docs/files/swagger-ui.css"])
def test_text_is_compressed(door: Door, path: str) -> None:
    """Pages and documents are sent as gzip to those who take it, and caches are told."""
    answer = door.client().get(path, headers={"Accept-Encoding": "gzip"})

    assert (answer.status_code, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert "Accept-Encoding" in answer.headers["Vary"]


@pytest.mark.parametrize("page", ["/", "/api/docs/", "/api/redoc/"])
def test_pages_load_through_the_door_from_nowhere_else(door: Door, page: str) -> None:
    """Every file that a page names is served by this gateway, with a type that a browser accepts."""
    client = door.client()
    loaded = re.findall(r'(?:src|href)="([^"#]+)"', client.get(page).text)

    types = {address.rpartition(".")[2]: client.get(address).headers["Content-Type"] for address in loaded}

    assert all(address.startswith("/") and not address.startswith("//") for address in loaded)
    assert types["js"].startswith(("text/javascript", "application/javascript"))
    assert types["css"].startswith("text/css")
    assert {client.get(address).status_code for address in loaded} == {200}


@pytest.mark.parametrize("path", ["/", "/static/status.css", "/nowhere", "/api/health/live", "/api/jobs"])
def test_everything_is_protected_exactly_once(door: Door, path: str) -> None:
    """Gateway and API send the same protecting header fields, and neither repeats the other's."""
    answer = door.client().get(path)

    policy = APP_POLICY if path == "/" and (BUILT / "index.html").is_file() else PAGE_POLICY
    expected = {**SECURITY_HEADERS, "Content-Security-Policy": policy}
    assert {name: answer.headers.get_list(name) for name in expected} == {
        name: [value] for name, value in expected.items()
    }
    assert len(answer.headers.get_list("X-Request-ID")) == 1


def test_a_request_id_spans_gateway_and_api(door: Door) -> None:
    """One id finds a request in both logs; a forged one is replaced."""
    client = door.client()

    kept = client.get("/api/health/live", headers={"X-Request-ID": "trace-from-outside"})
    replaced = client.get("/api/health/live", headers={"X-Request-ID": 'x","forged":"1'})

    assert kept.headers["X-Request-ID"] == "trace-from-outside"
    assert re.fullmatch(r"[0-9a-f]{32}", replaced.headers["X-Request-ID"])
    for answer in (kept, replaced):
        trace = answer.headers["X-Request-ID"]
        for log in (door.gateway.log, door.api.log):
            wait_until(
                lambda log=log, trace=trace: any(line.get("request_id") == trace for line in _log_lines(log)),
                5,
                f"the request in {log.name}",
            )


def test_logs_hold_neither_queries_nor_study_uids(door: Door) -> None:
    """Both lead to a person, also where the API is away and Nginx would quote the request."""
    client = door.client("reader")
    client.get("/api/studies", params={"patient_id": "SECRET-77"})
    client.get("/api/studies/1.2.826.0.1.3680043.8.498.77")
    trace = client.get("/api/health/live").headers["X-Request-ID"]
    wait_until(lambda: trace in door.gateway.log.read_text(), 5, "the last request in the log")

    text = door.gateway.log.read_text() + door.api.log.read_text()

    assert "/api/studies/*" in text
    assert "SECRET-77" not in text
    assert "3680043.8.498.77" not in text
    assert PASSWORD not in text


def test_a_body_over_the_limit_is_refused_before_it_is_read(door: Door) -> None:
    """100 MB is the gateway's limit; it answers at the header, as a problem document."""
    host, _, port = door.gateway.url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.putrequest("POST", "/api/jobs")
    connection.putheader("Content-Length", str(100 * 2**20 + 1))
    connection.endheaders()

    answer = connection.getresponse()

    assert answer.status == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert json.loads(answer.read())["code"] == "http.request_entity_too_large"
    connection.close()


def test_a_document_over_the_limit_is_refused_by_the_api(door: Door) -> None:
    """What passes the gateway may still be more than any document of the API."""
    answer = door.client("operator").post("/api/jobs", json={"series_uid": "1" * (2 << 20)})

    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")


def test_an_api_that_is_away_is_a_problem_document_too(tmp_path: Path) -> None:
    """A client reads one kind of error; the log does not quote the request."""
    gateway = start_gateway(tmp_path, f"127.0.0.1:{free_port()}")
    try:
        answer = httpx.get(f"{gateway.url}/api/studies", params={"patient_id": "SECRET-78"})
        page = httpx.get(gateway.url)
    finally:
        gateway.stop()

    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "application/problem+json")
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert page.status_code == 200
    assert "SECRET-78" not in gateway.log.read_text()


def test_guessing_passwords_is_slowed_down(tmp_path: Path) -> None:
    """One sender's logins are limited before the API spends a hash on each."""
    gateway = start_gateway(tmp_path, f"127.0.0.1:{free_port()}")
    try:
        answers = [httpx.post(f"{gateway.url}/api/auth/login", json={}) for _ in range(40)]
    finally:
        gateway.stop()

    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert {answer.headers["Content-Type"] for answer in limited} == {"application/problem+json"}


# --- what the API is for ------------------------------------------------------------------------------------------


def _receive(api: APIProcess, seed: int, header: dict[str, str]) -> tuple[str, str]:
    """Put a series into the API's database as if it had been received and closed, and give its UIDs."""
    index = SQLStudyIndex(make_engine(api.settings), SystemClock(), api.settings.spool_dir)
    shape = (60, 16, 16)
    paths = write_series(
        api.settings.spool_dir / str(seed),
        np.ones(shape),
        axial_grid(shape, (3, 15, 15)),
        SeriesOptions(seed, header),
    )
    revision = revision_of(paths)
    for instance in revision.instances:
        index.add(instance, ArrivalHeader(modality=header.get("Modality", "MR")), AETitle("SENDER"))
    present = index.series(revision.series_instance_uid, CompletionEvidence.QUIET_TIME)
    index.close(present, Decision(analysed=False, code="selection.no_model", message="none yet"), [])
    return revision.study_instance_uid, revision.series_instance_uid


def test_a_series_is_analysed_again_by_the_rules_of_the_models(door: Door) -> None:
    """The headers in the spool are read, the model is found, the job is made, and a worker is told."""
    study_uid, series_uid = _receive(door.api, 1, {})
    client = door.client("operator")
    waiting = client.get("/api/node/status").json()["queues"]["inference"]

    first = client.post("/api/jobs", json={"series_uid": series_uid})
    second = client.post("/api/jobs", json={"study_uid": study_uid})

    assert (first.status_code, second.status_code) == (202, 202), first.text
    assert [answer.json()["jobs"][0]["run"] for answer in (first, second)] == [1, 2]
    shown = client.get(first.headers["Location"]).json()
    assert (shown["series_uid"], shown["model"]["id"]) == (series_uid, "brain_structures")
    assert client.get("/api/node/status").json()["queues"]["inference"] == waiting + 2
    cancelled = client.post(f"{first.headers['Location']}/cancel").json()
    assert cancelled["state"] == "CANCELLED"
    assert client.post(f"{first.headers['Location']}/retry").json()["state"] == "QUEUED"


def test_a_series_that_no_model_wants_says_why(door: Door) -> None:
    """The reason is that of selection; the study shows the decision that arrival made."""
    study_uid, series_uid = _receive(door.api, 2, {"Modality": "CT"})
    client = door.client("operator")

    answer = client.post("/api/jobs", json={"series_uid": series_uid})

    assert answer.status_code == 422
    assert answer.json()["code"].startswith("selection.")
    [series] = client.get(f"/api/studies/{study_uid}").json()["series"]
    assert (series["decision"], series["reason"]["code"]) == ("rejected", "selection.no_model")


def test_a_reader_may_not_start_work(door: Door) -> None:
    """Roles come from the database."""
    answer = door.client("reader").post("/api/jobs", json={"series_uid": str(UID("1.2.3"))})

    assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")


# --- model packages -----------------------------------------------------------------------------------------------


def test_a_package_goes_through_the_door_as_it_comes(door: Door, tmp_path: Path) -> None:
    """Piece by piece, without a length, past the gateway's own limits and buffers; nothing runs for it."""
    archive = as_zip(write_package(tmp_path / "bright", Package(golden=True)), tmp_path / "bright.zip").read_bytes()
    headers = {"Content-Type": "application/zip"}
    pieces = (archive[at : at + 700] for at in range(0, len(archive), 700))

    answer = door.client("chief").post("/api/models", content=pieces, headers=headers)

    assert (answer.status_code, answer.headers["Location"]) == (201, "/api/models/bright_tissue/1.0.0")
    shown = door.client("reader").get("/api/models/bright_tissue/1.0.0").json()
    assert (shown["deployment"], shown["verification"]["state"]) == ("inactive", "requested")
    refused = door.client("chief").post("/api/models/bright_tissue/1.0.0/activate")
    assert (refused.status_code, refused.json()["code"]) == (409, "model.deployment_refused")


def test_a_package_that_nobody_may_send_is_not_taken(door: Door) -> None:
    """The answer comes through the gateway as the API gives it."""
    headers = {"Content-Type": "application/zip"}
    answer = door.client("reader").post("/api/models", content=b"PK" * 50_000, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")


def test_a_card_s_picture_passes_the_door(door: Door) -> None:
    """As a picture, and as nothing else."""
    answer = door.client("reader").get("/api/models/brain_structures/1.0.0/pictures/adult-a.png")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]
