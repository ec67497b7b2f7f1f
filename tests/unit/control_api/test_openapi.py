"""The description is true, complete and readable without any other network."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from control_api import write_description
from control_api.auth.roles import PUBLIC
from control_api.docs_pages import GUIDE_NAMES
from integrations.persistence.users import Role
from tests.support.control_api import ControlAPI
from tests.support.repository import REPOSITORY

OPEN = {
    "/api/auth/login",
    "/api/auth/methods",
    "/api/auth/oidc/callback",
    "/api/auth/oidc/login",
    "/api/auth/refresh",
    "/api/jwks.json",
    "/api/health/live",
    "/api/health/ready",
}
SNAPSHOT = REPOSITORY / "docs" / "openapi.json"


@pytest.fixture
def description(api: ControlAPI) -> dict[str, Any]:
    """Give the description as it is served."""
    document: dict[str, Any] = api.client.get("/api/openapi.json").json
    return document


def _operations(description: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in description["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def test_the_committed_description_is_the_served_one(description: dict[str, Any]) -> None:
    """A change of the contract is seen in review; ``control_api.write_description`` writes the file anew."""
    description["info"]["version"] = json.loads(SNAPSHOT.read_text(encoding="utf-8"))["info"]["version"]

    assert json.loads(SNAPSHOT.read_text(encoding="utf-8")) == description


def test_the_description_is_written_without_a_running_node(description: dict[str, Any]) -> None:
    """Whoever changes the contract writes the file with one command."""
    written = json.loads(write_description.text())

    assert written | {"info": None} == description | {"info": None}


def test_every_route_is_described(api: ControlAPI, description: dict[str, Any]) -> None:
    """What is not in the description does not exist for a client."""
    described = [rule for rule in api.app.url_map.iter_rules() if not rule.endpoint.startswith("app_pages.")]
    served = {re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule) for rule in described}
    undocumented = {path for path in served if path.startswith(("/api/docs", "/api/redoc", "/static"))}
    undocumented |= GUIDE_NAMES.keys()

    assert served - undocumented - {"/metrics", "/api/openapi.json"} == set(description["paths"])


def test_every_operation_says_what_it_does_and_what_may_go_wrong(description: dict[str, Any]) -> None:
    """Errors are problem documents everywhere."""
    for path, method, operation in _operations(description):
        assert operation["summary"], (path, method)
        assert operation["responses"]["default"]["$ref"].endswith("DEFAULT_ERROR")
    for name, response in description["components"]["responses"].items():
        assert list(response["content"]) == ["application/problem+json"], name


def test_the_description_says_who_may_do_what(api: ControlAPI, description: dict[str, Any]) -> None:
    """The roles that are described are the roles that are enforced."""
    schemes = description["components"]["securitySchemes"]
    assert (schemes["bearerAuth"]["scheme"], schemes["apiKey"]["name"]) == ("bearer", "X-API-Key")
    assert description["security"] == [{"bearerAuth": []}, {"apiKey": []}]
    for path, method, operation in _operations(description):
        is_open = operation.get("security") == []
        assert is_open == (path in OPEN)
        if is_open:
            continue
        takes_programs = "service" in operation["x-roles"]
        ways_in = {name for one in operation.get("security", description["security"]) for name in one}
        assert ("apiKey" in ways_in) == takes_programs, (path, method)
        anybody = len(operation["x-roles"]) == len(Role) and "x-scope" not in operation
        assert ("403" in operation["responses"]) != anybody, (path, method)
    assert frozenset() == PUBLIC


def test_every_member_is_described(description: dict[str, Any]) -> None:
    """A reader of the description needs no other text."""
    bare = [
        f"{name}.{member}"
        for name, schema in description["components"]["schemas"].items()
        for member, definition in schema.get("properties", {}).items()
        if "description" not in definition and name != "PaginationMetadata"
    ]

    assert bare == []


@pytest.mark.parametrize("page", ["/api/docs/", "/api/redoc/", "/"])
def test_pages_load_only_our_own_files(api: ControlAPI, page: str) -> None:
    """A hospital's network ends at its wall, and so does every page: no foreign host, nothing inline."""
    html = api.client.get(page).get_data(as_text=True)

    loaded = re.findall(r'(?:src|href)="([^"#]+)"', html)
    assert loaded
    assert all(address.startswith("/") and not address.startswith("//") for address in loaded)
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", html) == []
    for address in loaded:
        answer = api.client.get(address)
        assert answer.status_code == 200, address
        assert answer.content_length


def test_the_reference_viewer_fetches_its_logo_from_here(api: ControlAPI) -> None:
    """The script as published asks a foreign host for a picture; the picture is ours to give."""
    script = api.client.get("/api/docs/files/redoc.standalone.js").get_data(as_text=True)

    assert "cdn.redoc" not in script
    assert api.client.get("/api/docs/files/logo-mini.svg").mimetype == "image/svg+xml"


@pytest.mark.parametrize("script", ["status.js", "client.js", "elements.js"])
def test_the_status_page_never_reads_text_as_markup(api: ControlAPI, script: str) -> None:
    """Descriptions come from DICOM headers, which anybody can write."""
    text = api.client.get(f"/static/{script}").get_data(as_text=True)

    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://", text) == []


@pytest.mark.parametrize("path", ["/static/index.html", "/static/../app.py", "/api/docs/files/index.html"])
def test_only_named_files_are_served(api: ControlAPI, path: str) -> None:
    """A folder is not opened because one file in it is public."""
    assert api.client.get(path).status_code == 404


def test_a_large_body_is_refused(api: ControlAPI) -> None:
    """No document of this API is anywhere near a mebibyte."""
    answer = api.post("/api/jobs", {"series_uid": "1" * (1 << 20)})

    assert (answer.status_code, answer.json["code"]) == (413, "http.request_entity_too_large")
