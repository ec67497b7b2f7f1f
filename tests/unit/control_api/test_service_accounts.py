"""Programs come in by key, and may do what their scopes say and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from control_api.auth.roles import known_scopes
from tests.support.control_api import STUDY, ControlAPI

BRIDGE = {"name": "Bridge", "description": "RIS bridge", "scopes": ["studies:read"]}


def _made(api: ControlAPI, **changes: Any) -> str:
    """Make a program by the API, and give its first key."""
    assert api.post("/api/service-accounts", BRIDGE | changes, "admin").status_code == 201
    key: str = api.post("/api/service-accounts/bridge/keys", {}, "admin").json["key"]
    return key


def _ask(api: ControlAPI, path: str, key: str, method: str = "GET") -> tuple[int, str]:
    answer = api.client.open(path, method=method, headers={"X-API-Key": key})
    return answer.status_code, (answer.json or {}).get("code", "")


@pytest.mark.parametrize(
    "header", [("X-API-Key", "{}"), ("Authorization", "ApiKey {}"), ("Authorization", "apikey {}")]
)
def test_a_key_comes_in_either_header(api: ControlAPI, header: tuple[str, str]) -> None:
    """In one of its own, or under a scheme of its own; it says who it is without any scope."""
    key = _made(api, scopes=[])
    name, value = header

    answer = api.client.get("/api/auth/me", headers={name: value.format(key)})

    assert answer.json == {"username": "bridge", "role": "service"}


def test_a_scope_opens_what_it_names_and_nothing_else(api: ControlAPI) -> None:
    """Reading studies is neither writing them nor reading jobs, nor anything of an administrator."""
    key = _made(api)

    assert _ask(api, "/api/studies", key)[0] == 200
    assert _ask(api, f"/api/studies/{STUDY}/complete", key, "POST") == (403, "auth.forbidden")
    assert _ask(api, "/api/jobs", key) == (403, "auth.forbidden")
    assert _ask(api, "/api/users", key) == (403, "auth.forbidden")


def test_a_scope_does_not_open_what_serves_people_only(api: ControlAPI) -> None:
    """A result is reviewed by a person, whatever a key may write."""
    key = _made(api, scopes=["jobs:write", "jobs:read"])

    assert _ask(api, f"/api/jobs/{'0' * 32}/review", key, "POST") == (403, "auth.forbidden")
    assert _ask(api, f"/api/jobs/{'0' * 32}/retry", key, "POST") == (404, "job.not_found")


def test_changed_scopes_count_at_once(api: ControlAPI) -> None:
    """For every key of the program."""
    key = _made(api)
    change = {"scopes": ["jobs:read"]}

    answer = api.client.patch("/api/service-accounts/bridge", json=change, headers=api.bearer("admin"))

    assert answer.json["scopes"] == ["jobs:read"]
    assert (_ask(api, "/api/studies", key)[0], _ask(api, "/api/jobs", key)[0]) == (403, 200)


def test_only_scopes_that_something_asks_for_are_given(api: ControlAPI) -> None:
    """A slip would look like a right and be none; what administrators do is no scope at all."""
    listing = api.get("/api/service-accounts", "admin").json
    assert set(listing["known_scopes"]) == known_scopes(api.app)
    assert {"jobs:read", "jobs:write", "studies:write"} <= set(listing["known_scopes"])
    assert not [scope for scope in listing["known_scopes"] if scope.startswith(("users", "audit", "service", "auth"))]

    for scope in ("jobs:raed", "users:write", "*"):
        answer = api.post("/api/service-accounts", BRIDGE | {"scopes": [scope]}, "admin")
        assert (answer.status_code, answer.json["code"]) == (422, "account.invalid")
    _made(api)
    answer = api.client.patch(
        "/api/service-accounts/bridge", json={"scopes": ["users:read"]}, headers=api.bearer("admin")
    )
    assert answer.status_code == 422


def test_a_key_is_shown_once(api: ControlAPI) -> None:
    """Lists hold its beginning; it ends in a year unless somebody says otherwise."""
    key = _made(api)

    [listed] = api.get("/api/service-accounts/bridge/keys", "admin").json["items"]

    assert listed["prefix"] == key[:12]
    assert listed["expires_at"] == "2027-01-02T12:00:00+00:00"
    assert "key" not in listed
    assert key not in api.get("/api/service-accounts/bridge", "admin").text


def test_a_key_is_taken_back(api: ControlAPI) -> None:
    """It is refused from then on, and stays in the list as revoked and last used."""
    key = _made(api)
    _ask(api, "/api/studies", key)
    [listed] = api.get("/api/service-accounts/bridge/keys", "admin").json["items"]
    path = f"/api/service-accounts/bridge/keys/{listed['key_id']}"

    assert api.client.delete(path, headers=api.bearer("admin")).status_code == 204

    assert _ask(api, "/api/studies", key) == (401, "auth.key_invalid")
    [after] = api.get("/api/service-accounts/bridge/keys", "admin").json["items"]
    assert (after["revoked_at"], after["last_used_at"]) == ("2026-01-02T12:00:00+00:00",) * 2


def test_a_key_with_an_end_ends(api: ControlAPI) -> None:
    """A day later it is of no use."""
    _made(api)
    key = api.post("/api/service-accounts/bridge/keys", {"days": 1}, "admin").json["key"]
    assert _ask(api, "/api/studies", key)[0] == 200

    api.clock.advance(86400)

    assert _ask(api, "/api/studies", key) == (401, "auth.key_invalid")


def test_a_program_that_is_switched_off_is_out(api: ControlAPI) -> None:
    """With every key."""
    key = _made(api)

    api.client.patch("/api/service-accounts/bridge", json={"active": False}, headers=api.bearer("admin"))

    assert _ask(api, "/api/auth/me", key) == (401, "auth.key_invalid")


@pytest.mark.parametrize("key", ["", "nnk_guess", "x" * 5000])
def test_what_is_no_key_is_refused_even_beside_a_good_token(api: ControlAPI, key: str) -> None:
    """Which of two credentials counts must not depend on which of them works."""
    answer = api.client.get("/api/jobs", headers={"X-API-Key": key, **api.bearer("admin")})

    assert (answer.status_code, answer.json["code"]) == (401, "auth.key_invalid")
    assert answer.headers["WWW-Authenticate"].startswith("ApiKey")


@pytest.mark.parametrize("days", [0, -1, 3651, 1.5, "7"])
def test_a_life_that_is_none_is_refused(api: ControlAPI, days: object) -> None:
    """Whole days, at least one, at most ten years; null is without an end."""
    _made(api)

    assert api.post("/api/service-accounts/bridge/keys", {"days": days}, "admin").status_code == 422
    assert api.post("/api/service-accounts/bridge/keys", {"days": None}, "admin").status_code == 201


def test_what_is_not_there_is_said(api: ControlAPI) -> None:
    """404; a name that is taken is 409."""
    header = api.bearer("admin")
    asked = [
        api.get("/api/service-accounts/nobody", "admin"),
        api.get("/api/service-accounts/nobody/keys", "admin"),
        api.post("/api/service-accounts/nobody/keys", {}, "admin"),
        api.client.patch("/api/service-accounts/nobody", json={"active": False}, headers=header),
        api.client.delete(f"/api/service-accounts/nobody/keys/{'0' * 32}", headers=header),
    ]
    _made(api)

    assert {(answer.status_code, answer.json["code"]) for answer in asked} == {(404, "account.not_found")}
    assert api.post("/api/service-accounts", BRIDGE, "admin").status_code == 409
