"""The OWASP API Security Top 10 (2023), item by item, over every operation that the API has (docs/security.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine

from control_api.access import RateLimits
from control_api.schemas.paging import MAX_LIMIT
from integrations.persistence.users import Role, SQLUserStore
from tests.support.control_api import STUDY, ControlAPI
from tests.support.fakes import FixedClock

PASSWORD = "a long password for tests"
REFUSALS = {401, 403}
REFERENCE = "#/components/schemas/"
ADDRESS = re.compile(r"ur[il]$|^host$|address|callback|webhook|redirect", re.IGNORECASE)


@dataclass(frozen=True)
class Operation:
    """One operation of the description, with a path that can be asked for."""

    method: str
    path: str
    facts: dict[str, Any]

    @property
    def roles(self) -> list[str]:
        """Whom it serves; nobody named: it is public."""
        roles: list[str] = self.facts.get("x-roles", [])
        return roles


def _filled(path: str, parameters: list[dict[str, Any]]) -> str:
    values = {parameter["name"]: _value(parameter["schema"]) for parameter in parameters if parameter["in"] == "path"}
    return path.format_map(values)


def _value(schema: dict[str, Any]) -> str:
    if "examples" in schema:
        return str(schema["examples"][0])
    return "1" if schema.get("type") == "integer" else "0" * 32


def _operations(api: ControlAPI) -> Iterator[Operation]:
    description = api.client.get("/api/openapi.json").json
    for path, item in description["paths"].items():
        shared = item.get("parameters", [])
        for method, facts in item.items():
            if method != "parameters":
                yield Operation(method.upper(), _filled(path, [*shared, *facts.get("parameters", [])]), facts)


def _status(api: ControlAPI, operation: Operation, headers: dict[str, str], body: object = None) -> int:
    answer = api.client.open(operation.path, method=operation.method, headers=headers, json=body)
    answer.close()
    return answer.status_code


@pytest.fixture
def people(api_with: Callable[..., ControlAPI], sqlite_engine: Engine) -> ControlAPI:
    """Give the API with real accounts, one of each role, named like it."""
    store = SQLUserStore(sqlite_engine, FixedClock(), PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for role in set(Role) - {Role.SERVICE}:
        store.create(role.value, PASSWORD, role.value)
    return api_with(accounts=store)


# --- API1 Broken Object Level Authorization -------------------------------------------------------------------------


def test_api1_ones_own_password_is_the_only_one_that_one_changes(people: ControlAPI) -> None:
    """The account is that of the token; no member or parameter names another."""
    change = {"old_password": PASSWORD, "new_password": "another long password"}

    answer = people.post("/api/auth/password", change | {"username": "admin"}, "nurse")

    assert answer.status_code == 422
    assert people.accounts.authenticate("admin", PASSWORD) is not None


def test_api1_a_key_is_reached_through_its_own_program_only(people: ControlAPI) -> None:
    """An id of something else does not open it."""
    people.service_accounts.create("one", "", [])
    people.service_accounts.create("two", "", [])
    issued = people.service_accounts.issue_key("one", None)

    path = f"/api/service-accounts/two/keys/{issued.facts.key_id}"
    answer = people.client.delete(path, headers=people.bearer("admin"))

    assert answer.status_code == 404
    assert people.service_accounts.authenticate(issued.key) is not None


def test_api1_ids_cannot_be_counted_up(api: ControlAPI) -> None:
    """Jobs and keys have random ids, studies those of DICOM: none is a number."""
    numbered = [
        (operation.path, parameter["name"])
        for operation in _operations(api)
        for parameter in operation.facts.get("parameters", [])
        if parameter["in"] == "path" and parameter["schema"].get("type") == "integer" and "id" in parameter["name"]
    ]

    assert numbered == []


# --- API2 Broken Authentication -------------------------------------------------------------------------------------


def test_api2_every_operation_but_the_public_ones_needs_credentials(api: ControlAPI) -> None:
    """None, wrong ones and those of another scheme are all 401."""
    forged = [
        {},
        {"Authorization": "Bearer x.y.z"},
        {"Authorization": "Basic YWRtaW46cmlnaHQ="},
        {"X-API-Key": "nnk_x"},
    ]
    closed = [operation for operation in _operations(api) if operation.roles]

    assert len(closed) > 20
    for operation in closed:
        assert {_status(api, operation, headers) for headers in forged} == {401}, operation


def test_api2_guessing_locks_and_does_not_tell(people: ControlAPI) -> None:
    """The right password of a locked account answers like a wrong one of nobody."""
    guesses = [("nurse", "guess")] * 5 + [("nurse", PASSWORD), ("nobody", PASSWORD)]

    answers = [
        people.client.post("/api/auth/login", json={"username": name, "password": password}).json
        for name, password in guesses
    ]

    assert {(answer["status"], answer["code"], answer["title"]) for answer in answers} == {
        (401, "auth.invalid_credentials", answers[0]["title"])
    }


# --- API3 Broken Object Property Level Authorization ----------------------------------------------------------------


@pytest.mark.parametrize("member", ["password_hash", "username", "failed_logins", "created_at", "locked_until"])
def test_api3_members_that_are_not_offered_cannot_be_set(people: ControlAPI, member: str) -> None:
    """Mass assignment: what nobody knows is refused, not ignored."""
    header = people.bearer("admin")

    answer = people.client.patch("/api/users/nurse", json={"role": "doctor", member: "x"}, headers=header)

    assert answer.status_code == 422
    assert people.accounts.get("nurse").role == "nurse"


def test_api3_no_answer_holds_a_password_or_a_hash(people: ControlAPI) -> None:
    """Whatever administrators look at."""
    people.service_accounts.create("one", "", [])
    key = people.service_accounts.issue_key("one", None).key
    paths = (
        "/api/users",
        "/api/users/admin",
        "/api/service-accounts",
        "/api/service-accounts/one/keys",
        "/api/audit",
    )

    text = "".join(people.get(path, "admin").text for path in paths)

    assert "argon2" not in text
    assert "hash" not in text
    assert f'"{key}"' not in text.replace(f'"prefix":"{key[:12]}"', "")


# --- API4 Unrestricted Resource Consumption -------------------------------------------------------------------------


def test_api4_whoever_asks_too_often_waits(api_with: Callable[..., ControlAPI]) -> None:
    """Also without credentials, and over all paths together."""
    api = api_with(options={"limits": RateLimits(api=5, login=2)})

    answers = [api.client.get(path).status_code for path in ("/api/jobs", "/api/models") * 4]
    logins = [api.client.post("/api/auth/login", json={"username": "a", "password": "b"}) for _ in range(3)]

    assert answers == [401] * 5 + [429] * 3
    assert logins[-1].status_code == 429


def test_api4_lists_have_an_end(api: ControlAPI) -> None:
    """No page is larger than the largest, whichever list it is of."""
    paged = [
        operation
        for operation in _operations(api)
        if any(parameter["name"] == "limit" for parameter in operation.facts.get("parameters", []))
    ]

    assert len(paged) >= 3
    for operation in paged:
        role = next(role for role in operation.roles if role != "service")
        path = f"{operation.path}?limit={MAX_LIMIT + 1}"
        assert api.client.open(path, method=operation.method, headers=api.bearer(role)).status_code == 422, operation


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 100_000, b'{"username": "\\ud800", "password": "x"}'])
def test_api4_a_document_that_breaks_parsers_is_a_fault_of_the_request(api: ControlAPI, body: bytes) -> None:
    """Nesting without end, and text that is none."""
    answer = api.client.post("/api/auth/login", data=body, content_type="application/json")

    assert answer.status_code in {400, 422}


def test_api4_an_endless_password_is_not_hashed(people: ControlAPI) -> None:
    """Hashing is made to be slow."""
    login = {"username": "nurse", "password": "x" * 500_000}

    assert people.client.post("/api/auth/login", json=login).status_code == 422


# --- API5 Broken Function Level Authorization -----------------------------------------------------------------------


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.SERVICE}))
def test_api5_every_role_may_what_the_description_says_and_nothing_else(api: ControlAPI, role: str) -> None:
    """Every operation, asked as every role."""
    for operation in _operations(api):
        if operation.roles:
            status = _status(api, operation, api.bearer(role))
            assert (status in REFUSALS) == (role not in operation.roles), (operation, status)


def test_api5_a_program_may_what_its_scopes_say_and_nothing_else(api: ControlAPI) -> None:
    """Without a scope nothing but to ask who it is; with one, what asks for it; people's work never."""
    for operation in _operations(api):
        if not operation.roles:
            continue
        scope = operation.facts.get("x-scope")
        without = _status(api, operation, {"X-API-Key": api.key()})
        given = _status(api, operation, {"X-API-Key": api.key(*([scope] if scope else []))})
        assert (without == 403) == (scope is not None or "service" not in operation.roles), operation
        assert (given == 403) == ("service" not in operation.roles), operation


# --- API6 Unrestricted Access to Sensitive Business Flows -----------------------------------------------------------


def test_api6_no_program_speaks_a_persons_word(api: ControlAPI) -> None:
    """What makes a result final, and what lets people in, is done by people: with every scope there is."""
    header = api.bearer("service")
    flows = [("POST", f"/api/jobs/{'0' * 32}/review"), ("POST", "/api/users"), ("POST", "/api/service-accounts")]

    assert {api.client.open(path, method=method, json={}, headers=header).status_code for method, path in flows} == {
        403
    }


# --- API7 Server Side Request Forgery -------------------------------------------------------------------------------


def _members(description: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].removeprefix(REFERENCE)]
    for name, member in schema.get("properties", {}).items():
        yield name
        yield from _members(description, member)
        yield from _members(description, member.get("items", {}))


def test_api7_no_request_names_an_address(api: ControlAPI) -> None:
    """Where the node connects to is for its settings to say: there is nothing that a caller could forge."""
    description = api.client.get("/api/openapi.json").json
    named = []
    for operation in _operations(api):
        content = operation.facts.get("requestBody", {}).get("content", {})
        members = [name for media in content.values() for name in _members(description, media.get("schema", {}))]
        members += [parameter["name"] for parameter in operation.facts.get("parameters", [])]
        named += [(operation.path, name) for name in members if ADDRESS.search(name)]

    assert named == []


def test_api7_the_way_back_from_a_provider_is_not_the_callers_choice(api: ControlAPI) -> None:
    """No open redirection, neither by a parameter nor by a Host header."""
    for path in ("/swagger/", "/redoc/", "/api/schema/"):
        answer = api.client.get(f"{path}?next=https://evil.example", headers={"Host": "evil.example"})
        assert "evil" not in answer.headers["Location"]


# --- API8 Security Misconfiguration ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/api/health/live", "/api/jobs", "/api/docs/", "/nowhere", "/api/schema/"])
def test_api8_every_answer_is_protected_and_shared_with_nobody(api: ControlAPI, path: str) -> None:
    """Header fields against sniffing, framing and scripts; no CORS, whoever asks."""
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for method in ("GET", "OPTIONS"):
        answer = api.client.open(path, method=method, headers=headers)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


def test_api8_a_fault_of_ours_shows_nothing_of_us(api: ControlAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stack trace, no message, no name of a library."""

    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("SELECT * FROM users WHERE password = 'SECRET-77'")

    monkeypatch.setattr(type(api.services.queries), "list_jobs", break_down)

    answer = api.get("/api/jobs")

    assert answer.status_code == 500
    assert "SECRET-77" not in answer.text
    assert "Traceback" not in answer.text
    assert not api.app.debug


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT", "DELETE", "PROPFIND"])
def test_api8_methods_that_nobody_asked_for_do_not_exist(api: ControlAPI, method: str) -> None:
    """A request is never echoed."""
    answer = api.client.open("/api/jobs", method=method, headers=api.bearer("admin") | {"X-Echo": "SECRET-77"})

    assert answer.status_code == 405
    assert "SECRET-77" not in answer.text


# --- API9 Improper Inventory Management -----------------------------------------------------------------------------


def test_api9_what_is_not_described_is_not_there(api: ControlAPI) -> None:
    """Every rule under /api/ is an operation of the description, or one of its viewers."""
    description = api.client.get("/api/openapi.json").json
    viewers = ("/api/docs/", "/api/redoc/", "/api/schema/", "/api/openapi.json")
    rules = {re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule) for rule in api.app.url_map.iter_rules()}
    forgotten = {
        rule
        for rule in rules - description["paths"].keys()
        if rule.startswith("/api/") and not rule.startswith(viewers)
    }

    assert forgotten == set()
    assert not [path for path in description["paths"] if re.search(r"/v\d|debug|\btest\b|internal", path)]


# --- API10 Unsafe Consumption of APIs -------------------------------------------------------------------------------


def test_api10_received_text_is_never_markup(api: ControlAPI) -> None:
    """What a sender wrote into a header comes out as JSON, and a browser takes it for nothing else."""
    api.has_study(STUDY, study_description="<script>alert(1)</script>")

    answer = api.get("/api/studies")

    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
