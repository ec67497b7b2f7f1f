"""Staying logged in: refresh tokens in documents and cookies, logout, and one's own password."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from control_api.auth import cookies
from inference.errors import AccountInvalid
from tests.support.control_api import ControlAPI

LOGIN = {"username": "nurse", "password": "right"}
OUR_PAGE = {cookies.PAGE_HEADER: "fetch", "Sec-Fetch-Site": "same-origin"}


def _log_in(api: ControlAPI, **more: str) -> dict[str, Any]:
    answer = api.client.post("/api/auth/login", json=LOGIN | more)
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json
    return document


def _refresh(api: ControlAPI, token: str | None = None, headers: dict[str, str] | None = None) -> TestResponse:
    body = {} if token is None else {"refresh_token": token}
    return api.client.post("/api/auth/refresh", json=body, headers=headers)


def _me(api: ControlAPI, tokens: dict[str, Any]) -> int:
    header = {"Authorization": f"Bearer {tokens['access_token']}"}
    return api.client.get("/api/auth/me", headers=header).status_code


# --- in documents ---------------------------------------------------------------------------------------------------


def test_a_refresh_token_gives_the_next_tokens(api: ControlAPI) -> None:
    """Both are new; the old access token goes on until it expires, for the session is the same."""
    first = _log_in(api)

    second = _refresh(api, first["refresh_token"]).json

    assert second["refresh_token"] != first["refresh_token"]
    assert (second["username"], second["role"], second["token_type"]) == ("nurse", "nurse", "Bearer")
    assert (_me(api, first), _me(api, second)) == (200, 200)
    assert api.client.get_cookie(cookies.NAME, path=cookies.PATH) is None


def test_a_used_refresh_token_ends_every_token_of_its_session(api: ControlAPI) -> None:
    """Whoever brings it again: thief and owner are both out at once, and other sessions go on."""
    other, first = _log_in(api), _log_in(api)
    second = _refresh(api, first["refresh_token"]).json

    again = _refresh(api, first["refresh_token"])

    assert (again.status_code, again.json["code"]) == (401, "auth.refresh_refused")
    assert _refresh(api, second["refresh_token"]).status_code == 401
    assert (_me(api, first), _me(api, second), _me(api, other)) == (401, 401, 200)


@pytest.mark.parametrize("body", [{"refresh_token": ""}, {"refresh_token": "x" * 257}, {"token": "x"}])
def test_a_document_without_a_refresh_token_is_refused(api: ControlAPI, body: dict[str, str]) -> None:
    """What cannot be a token is a fault of the request."""
    assert api.client.post("/api/auth/refresh", json=body).status_code == 422


def test_an_access_token_is_no_refresh_token(api: ControlAPI) -> None:
    """And a refresh token opens nothing but the refresh."""
    tokens = _log_in(api)

    assert _refresh(api, tokens["access_token"][:256]).status_code == 401
    assert _me(api, {"access_token": tokens["refresh_token"]}) == 401


def test_nobody_refreshes_whose_account_was_switched_off(api: ControlAPI) -> None:
    """The session is over, also when the account comes back."""
    tokens = _log_in(api)
    api.accounts.inactive.add("nurse")

    assert _refresh(api, tokens["refresh_token"]).status_code == 401

    api.accounts.inactive.clear()
    assert _me(api, tokens) == 401


def test_a_refresh_brings_the_role_of_now(api: ControlAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token of the old role does not live on."""
    tokens = _log_in(api)
    monkeypatch.setattr(
        api.accounts, "find", lambda name: type("Promoted", (), {"username": name, "role": "doctor"})()
    )

    assert _refresh(api, tokens["refresh_token"]).json["role"] == "doctor"


# --- in cookies -----------------------------------------------------------------------------------------------------


def test_a_page_keeps_its_refresh_token_where_no_script_reads_it(api: ControlAPI) -> None:
    """It is in the cookie and not in the answer; the cookie goes to /api/auth, from our own pages only."""
    answer = api.client.post("/api/auth/login", json=LOGIN | {"refresh": "cookie"})

    assert "refresh_token" not in answer.json
    [cookie] = answer.headers.getlist("Set-Cookie")
    facts = {part.strip().partition("=")[0]: part.strip().partition("=")[2] for part in cookie.split(";")[1:]}
    assert facts.pop("Expires")
    assert facts == {
        "Max-Age": str(7 * 86400),
        "HttpOnly": "",
        "Path": "/api/auth",
        "SameSite": "Strict",
        "Secure": "",
    }


def test_the_cookie_goes_over_http_only_where_that_is_configured(api_with: Any) -> None:
    """The embedded node speaks plain http."""
    api = api_with(options={"cookie_secure": False})

    answer = api.client.post("/api/auth/login", json=LOGIN | {"refresh": "cookie"})

    assert "Secure" not in answer.headers["Set-Cookie"]


def test_a_page_refreshes_by_its_cookie(api_with: Any) -> None:
    """The next token is in the cookie again, and never in the answer."""
    api = api_with(options={"cookie_secure": False})
    _log_in(api, refresh="cookie")
    before = api.client.get_cookie(cookies.NAME, path=cookies.PATH).value

    answer = _refresh(api, headers=OUR_PAGE)

    assert answer.status_code == 200
    assert "refresh_token" not in answer.json
    assert api.client.get_cookie(cookies.NAME, path=cookies.PATH).value != before
    assert _me(api, answer.json) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {cookies.PAGE_HEADER: "fetch", "Sec-Fetch-Site": "cross-site"},
        {cookies.PAGE_HEADER: "fetch", "Sec-Fetch-Site": "same-site"},
        {cookies.PAGE_HEADER: "fetch", "Sec-Fetch-Site": "none"},
    ],
)
def test_a_foreign_page_cannot_use_the_cookie(api_with: Any, headers: dict[str, str]) -> None:
    """A form can send cookies, but not this header; a browser says where a request comes from."""
    api = api_with(options={"cookie_secure": False})
    _log_in(api, refresh="cookie")

    refused = _refresh(api, headers=headers)

    assert (refused.status_code, refused.json["code"]) == (403, "auth.cross_site")
    assert _refresh(api, headers=OUR_PAGE).status_code == 200


def test_a_cookie_opens_nothing_else(api_with: Any) -> None:
    """Access is by header alone, so a foreign page can do nothing with a browser's cookies."""
    api = api_with(options={"cookie_secure": False})
    _log_in(api, refresh="cookie")

    assert api.client.get("/api/auth/me", headers=OUR_PAGE).status_code == 401


def test_a_cookie_that_does_not_work_is_taken_away(api_with: Any) -> None:
    """A page does not ask with it for ever."""
    api = api_with(options={"cookie_secure": False})
    api.client.set_cookie(cookies.NAME, "nonsense", path=cookies.PATH)

    assert _refresh(api, headers=OUR_PAGE).status_code == 401

    assert api.client.get_cookie(cookies.NAME, path=cookies.PATH) is None


def test_without_any_token_there_is_no_refresh(api: ControlAPI) -> None:
    """Also of one of our pages."""
    assert _refresh(api, headers=OUR_PAGE).json["code"] == "auth.refresh_refused"


# --- leaving --------------------------------------------------------------------------------------------------------


def test_logout_ends_both_kinds_of_token_and_the_cookie(api_with: Any) -> None:
    """And no other session of the same person."""
    api = api_with(options={"cookie_secure": False})
    other, tokens = _log_in(api), _log_in(api, refresh="cookie")
    cookie = api.client.get_cookie(cookies.NAME, path=cookies.PATH).value

    header = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert api.client.post("/api/auth/logout", headers=header).status_code == 204

    assert (_me(api, tokens), _me(api, other)) == (401, 200)
    assert api.client.get_cookie(cookies.NAME, path=cookies.PATH) is None
    assert _refresh(api, cookie).status_code == 401


def test_a_new_password_needs_the_old_one_and_ends_other_sessions(api: ControlAPI) -> None:
    """Whoever found an open browser cannot take the account over; whoever stole a token is out."""
    other, here = _log_in(api), _log_in(api)
    header = {"Authorization": f"Bearer {here['access_token']}"}
    change = {"old_password": "right", "new_password": "another long password"}

    wrong = api.client.post("/api/auth/password", json=change | {"old_password": "guess"}, headers=header)
    done = api.client.post("/api/auth/password", json=change, headers=header)

    assert (wrong.status_code, wrong.json["code"]) == (401, "auth.invalid_credentials")
    assert done.status_code == 204
    assert api.accounts.password == "another long password"
    assert (_me(api, here), _me(api, other)) == (200, 401)
    assert _refresh(api, other["refresh_token"]).status_code == 401


def test_a_password_that_is_too_short_changes_nothing(api: ControlAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store decides; the answer says what to change."""

    def refuse(*_: str) -> None:
        raise AccountInvalid("a password needs 12 to 1024 characters")

    monkeypatch.setattr(api.accounts, "set_password", refuse)
    other = _log_in(api)

    told = [
        api.post("/api/auth/password", {"old_password": "right", "new_password": new}, "nurse").json["code"]
        for new in ("short", "long enough for the schema")
    ]

    assert told == ["request.invalid", "account.invalid"]
    assert _me(api, other) == 200


def test_a_program_has_no_password_to_change(api: ControlAPI) -> None:
    """And no session to end."""
    body = {"old_password": "right", "new_password": "another long password"}
    assert api.post("/api/auth/password", body, "service").status_code == 403
    assert api.post("/api/auth/logout", role="service").status_code == 403


def test_how_one_can_log_in_is_said(api: ControlAPI) -> None:
    """A login page shows what there is."""
    assert api.client.get("/api/auth/methods").json == {"password": True, "oidc": False}
