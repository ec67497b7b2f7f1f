"""Administrators say who may come in, and cannot lock themselves all out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine

from integrations.persistence.users import FAILURES_BEFORE_LOCK, SQLUserStore
from tests.support.control_api import ControlAPI
from tests.support.fakes import FixedClock

PASSWORD = "a long password for tests"
NEW = {"username": "Zoe", "password": PASSWORD, "role": "nurse"}


@pytest.fixture
def api(api_with: Callable[..., ControlAPI], sqlite_engine: Engine) -> ControlAPI:
    """Give the API with real accounts: one administrator and one doctor, named like their roles."""
    store = SQLUserStore(sqlite_engine, FixedClock(), PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    store.create("admin", PASSWORD, "admin")
    store.create("doctor", PASSWORD, "doctor")
    return api_with(accounts=store)


def _patch(api: ControlAPI, name: str, changes: dict[str, Any]) -> Any:
    return api.client.patch(f"/api/users/{name}", json=changes, headers=api.bearer("admin"))


def _login(api: ControlAPI, name: str, password: str = PASSWORD) -> int:
    return api.client.post("/api/auth/login", json={"username": name, "password": password}).status_code


def test_accounts_are_made_listed_and_shown(api: ControlAPI) -> None:
    """Without their passwords."""
    made = api.post("/api/users", NEW, "admin")

    assert made.status_code == 201
    assert made.json == {
        "username": "zoe",
        "role": "nurse",
        "active": True,
        "locked_until": None,
        "created_at": "2026-01-02T12:00:00+00:00",
    }
    assert [user["username"] for user in api.get("/api/users", "admin").json["items"]] == ["admin", "doctor", "zoe"]
    assert api.get("/api/users/ZOE", "admin").json == made.json
    assert _login(api, "zoe") == 200


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"username": "admin"}, 409, "account.exists"),
        ({"username": "a b"}, 422, "request.invalid"),
        ({"password": "short"}, 422, "request.invalid"),
        ({"role": "king"}, 422, "request.invalid"),
        ({"role": "service"}, 422, "request.invalid"),
        ({"active": True}, 422, "request.invalid"),
    ],
)
def test_what_is_no_account_is_not_made(api: ControlAPI, change: dict[str, Any], status: int, code: str) -> None:
    """The answer says why."""
    answer = api.post("/api/users", NEW | change, "admin")

    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_a_changed_role_counts_at_once(api: ControlAPI) -> None:
    """Sessions of the old role end."""
    header = api.bearer("doctor")

    assert _patch(api, "doctor", {"role": "technician"}).json["role"] == "technician"

    assert api.client.get("/api/auth/me", headers=header).status_code == 401
    assert api.get("/api/auth/me", "doctor").json["role"] == "technician"


def test_somebody_who_is_switched_off_is_out_at_once(api: ControlAPI) -> None:
    """And in again, with a new login, when switched on."""
    header = api.bearer("doctor")

    assert _patch(api, "doctor", {"active": False}).json["active"] is False
    assert api.client.get("/api/auth/me", headers=header).status_code == 401
    assert _login(api, "doctor") == 401

    _patch(api, "doctor", {"active": True})
    assert api.client.get("/api/auth/me", headers=header).status_code == 401
    assert _login(api, "doctor") == 200


@pytest.mark.parametrize("change", [{"active": False}, {"role": "nurse"}, {"role": "doctor", "active": True}])
def test_the_last_administrator_cannot_be_lost(api: ControlAPI, change: dict[str, Any]) -> None:
    """Until there is another one."""
    refused = _patch(api, "admin", change)

    assert (refused.status_code, refused.json["code"]) == (409, "account.last_administrator")
    _patch(api, "doctor", {"role": "admin"})
    assert _patch(api, "admin", change).status_code == 200


def test_a_reset_password_ends_sessions_and_locks(api: ControlAPI) -> None:
    """The old one is worth nothing."""
    header = api.bearer("doctor")
    for _ in range(FAILURES_BEFORE_LOCK):
        _login(api, "doctor", "a wrong password")

    assert api.post("/api/users/doctor/password", {"password": "short"}, "admin").status_code == 422
    assert api.post("/api/users/Doctor/password", {"password": "another long password"}, "admin").status_code == 204

    assert api.client.get("/api/auth/me", headers=header).status_code == 401
    assert (_login(api, "doctor"), _login(api, "doctor", "another long password")) == (401, 200)


def test_a_lock_is_seen_and_ended(api: ControlAPI) -> None:
    """The person logs in with the password that they have."""
    for _ in range(FAILURES_BEFORE_LOCK):
        _login(api, "doctor", "a wrong password")
    assert _login(api, "doctor") == 401
    assert api.get("/api/users/doctor", "admin").json["locked_until"] is not None

    assert api.post("/api/users/doctor/unlock", role="admin").json["locked_until"] is None

    assert _login(api, "doctor") == 200


def test_wrong_old_passwords_lock_like_wrong_logins(api: ControlAPI) -> None:
    """A stolen token does not let somebody guess the password."""
    guess = {"old_password": "a wrong password", "new_password": "another long password"}
    for _ in range(FAILURES_BEFORE_LOCK):
        api.post("/api/auth/password", guess, "doctor")

    right = api.post("/api/auth/password", guess | {"old_password": PASSWORD}, "doctor")

    assert right.status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"role": "nurse"}),
        ("POST", "/password", {"password": PASSWORD}),
        ("POST", "/unlock", None),
    ],
)
def test_an_account_that_is_not_there(api: ControlAPI, method: str, path: str, body: object) -> None:
    """404, whatever is asked of it."""
    url = f"/api/users/nobody{path}"
    answer = api.client.open(url, method=method, json=body, headers=api.bearer("admin"))

    assert (answer.status_code, answer.json["code"]) == (404, "account.not_found")


@pytest.mark.parametrize("answers", [("doctor", "a wrong password"), ("nobody", PASSWORD), ("doctor", PASSWORD)])
def test_locked_unknown_and_wrong_are_one_answer(api: ControlAPI, answers: tuple[str, str]) -> None:
    """Whether an account exists, or is locked, cannot be told from what a login answers."""
    name, password = answers
    for _ in range(FAILURES_BEFORE_LOCK):
        _login(api, "doctor", "a wrong password")

    answer = api.client.post("/api/auth/login", json={"username": name, "password": password})

    document = {key: value for key, value in answer.json.items() if key != "request_id"}
    assert document == {
        "type": "urn:neuronova:problem:auth.invalid_credentials",
        "title": "The name or password is wrong, or the account is locked for some minutes.",
        "status": 401,
        "code": "auth.invalid_credentials",
    }
