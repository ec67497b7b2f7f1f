"""Logging in at a real OpenID provider, and all the ways in which that must fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from control_api.access import OIDCOptions
from control_api.auth import cookies
from control_api.auth.oidc import CALLBACK, REFUSED, UNAVAILABLE, role_of
from integrations.persistence.audit_trail import Outcome
from integrations.persistence.users import SQLUserStore
from tests.support.control_api import ControlAPI
from tests.support.fakes import FixedClock
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, OTHER_KEY, Client, Provider, running_provider

pytestmark = pytest.mark.integration

PUBLIC_URL = "http://localhost"
ROLES = {"radiology-staff": "radiologist", "it": "admin"}
ADA = {"sub": "0001", "preferred_username": "Ada", "roles": ["staff", "radiology-staff"]}
OUR_PAGE = {cookies.PAGE_HEADER: "fetch"}


def _options(issuer: str) -> OIDCOptions:
    return OIDCOptions(issuer, CLIENT_ID, CLIENT_SECRET, PUBLIC_URL, "preferred_username", "roles", ROLES)


@pytest.fixture
def provider() -> Iterator[Provider]:
    """Run a provider at which Ada is logged in."""
    with running_provider(ADA) as provider:
        provider.client = Client(PUBLIC_URL + CALLBACK)
        yield provider


@pytest.fixture
def users(sqlite_engine: Engine) -> SQLUserStore:
    """Give the accounts of the node."""
    return SQLUserStore(sqlite_engine, FixedClock(), PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def api(api_with: Callable[..., ControlAPI], users: SQLUserStore, provider: Provider) -> ControlAPI:
    """Give the API with that provider."""
    options = {"oidc": _options(provider.issuer), "cookie_secure": False}
    return api_with(accounts=users, options=options)


def _back(api: ControlAPI) -> str:
    """Leave for the provider, and give the path with which it sends the browser back."""
    leaving = api.client.get("/api/auth/oidc/login")
    assert leaving.status_code == 302
    answer = httpx.get(leaving.headers["Location"])
    assert answer.headers["Location"].startswith(PUBLIC_URL + CALLBACK), answer.text
    parts = urlsplit(answer.headers["Location"])
    return f"{parts.path}?{parts.query}"


def _log_in(api: ControlAPI) -> TestResponse:
    return api.client.get(_back(api))


def _is_refused(api: ControlAPI, answer: TestResponse) -> bool:
    nothing = api.client.get_cookie(cookies.NAME, path=cookies.PATH) is None
    return (answer.status_code, answer.headers["Location"], nothing) == (303, REFUSED, True)


def test_somebody_whom_the_provider_knows_is_let_in(api: ControlAPI, users: SQLUserStore) -> None:
    """The browser comes back with a refresh cookie, and its page gets an access token with it."""
    answer = _log_in(api)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    tokens = api.client.post("/api/auth/refresh", json={}, headers=OUR_PAGE).json
    assert (tokens["username"], tokens["role"]) == ("ada", "radiologist")
    me = api.client.get("/api/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json == {"username": "ada", "role": "radiologist"}
    assert [user.username for user in users.list()] == ["ada"]
    assert api.client.get("/api/auth/methods").json == {"password": True, "oidc": True}


def test_the_request_is_proof_against_stolen_codes(api: ControlAPI, provider: Provider) -> None:
    """PKCE with S256, a state and a nonce; the scope asks for no more than who somebody is."""
    asked = parse_qs(urlsplit(api.client.get("/api/auth/oidc/login").headers["Location"]).query)

    assert asked["code_challenge_method"] == ["S256"]
    assert all(len(asked[name][0]) >= 20 for name in ("code_challenge", "state", "nonce"))
    assert (asked["response_type"], asked["scope"]) == (["code"], ["openid profile"])
    assert asked["redirect_uri"] == [PUBLIC_URL + CALLBACK]


def test_the_cookie_of_the_way_there_is_kept_from_scripts_and_other_paths(api: ControlAPI) -> None:
    """Lax, because the provider sends the browser back."""
    cookie = api.client.get("/api/auth/oidc/login").headers["Set-Cookie"]

    assert cookie.startswith("neuronova_oidc=")
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Path=/api/auth/oidc"))


def test_the_login_is_in_the_audit_trail(api: ControlAPI) -> None:
    """With the account, and not with what the provider said."""
    _log_in(api)

    [event] = api.events()
    assert (event.actor, event.role, event.outcome) == ("ada", "radiologist", Outcome.DONE)
    assert event.action == f"GET {CALLBACK}"


def test_the_role_is_what_the_provider_says_now(api: ControlAPI, provider: Provider, users: SQLUserStore) -> None:
    """Whoever changes the department changes the role with the next login; one text counts like a list."""
    _log_in(api)
    provider.person = ADA | {"roles": "it"}

    _log_in(api)

    assert [(user.username, user.role.value) for user in users.list()] == [("ada", "admin")]


@pytest.mark.parametrize("roles", [[], ["staff"], None, "radiology", 7, {"radiology-staff-2": True}])
def test_somebody_without_a_role_here_stays_out(
    api: ControlAPI, provider: Provider, users: SQLUserStore, roles: object
) -> None:
    """Being known to the provider is not enough, and no account is made."""
    provider.person = ADA | {"roles": roles}

    assert _is_refused(api, _log_in(api))

    assert users.list() == []
    assert [event.outcome for event in api.events()] == [Outcome.REFUSED]


def test_a_name_at_the_provider_does_not_open_an_account_of_ours(api: ControlAPI, users: SQLUserStore) -> None:
    """Accounts belong to issuer and subject, never to a name that somebody may choose."""
    users.create("ada", "a long password for tests", "admin")

    assert _is_refused(api, _log_in(api))


def test_somebody_who_was_switched_off_here_stays_out(api: ControlAPI, users: SQLUserStore) -> None:
    """The provider says who it is; the door is ours."""
    _log_in(api)
    api.client.delete_cookie(cookies.NAME, path=cookies.PATH)
    users.deactivate("ada")

    assert _is_refused(api, _log_in(api))


@pytest.mark.parametrize(
    "lie",
    [
        {"iss": "https://another.example"},
        {"aud": ["another-client"]},
        {"nonce": "another nonce"},
        {"exp": 1},
        {"sub": None},
        {"preferred_username": None},
        {"preferred_username": "a b"},
    ],
)
def test_an_id_token_that_is_not_for_us_is_refused(
    api: ControlAPI, provider: Provider, users: SQLUserStore, lie: dict[str, object]
) -> None:
    """Issuer, audience, nonce, times and names are all checked."""
    provider.overruled = lie

    assert _is_refused(api, _log_in(api))
    assert users.list() == []


def test_an_id_token_with_a_foreign_signature_is_refused(api: ControlAPI, provider: Provider) -> None:
    """Its key is not among those that the provider publishes."""
    provider.key = OTHER_KEY

    assert _is_refused(api, _log_in(api))


def test_a_code_of_somebody_else_is_refused(api: ControlAPI) -> None:
    """Another browser, which never left for the provider, brings state and code: login CSRF."""
    path = _back(api)

    stranger = api.app.test_client()
    answer = stranger.get(path)

    assert (answer.status_code, answer.headers["Location"]) == (303, REFUSED)
    assert stranger.get_cookie(cookies.NAME, path=cookies.PATH) is None


def test_a_code_works_once(api: ControlAPI) -> None:
    """Coming back a second time, by the browser's history, is refused."""
    path = _back(api)
    api.client.get(path)
    api.client.delete_cookie(cookies.NAME, path=cookies.PATH)

    assert _is_refused(api, api.client.get(path))


@pytest.mark.parametrize("query", ["", "?error=access_denied", "?code=x", "?code=x&state=y", "?state=y"])
def test_what_is_no_way_back_is_refused(api: ControlAPI, query: str) -> None:
    """Also where the person said no at the provider."""
    assert _is_refused(api, api.client.get(CALLBACK + query))


def test_a_provider_that_is_away_is_said(api_with: Callable[..., ControlAPI]) -> None:
    """Passwords go on working; a page can tell."""
    api = api_with(options={"oidc": _options("http://localhost:1")})

    answer = api.client.get("/api/auth/oidc/login")

    assert (answer.status_code, answer.headers["Location"]) == (303, UNAVAILABLE)
    assert api.client.post("/api/auth/login", json={"username": "nurse", "password": "right"}).status_code == 200


def test_nothing_of_a_person_is_in_the_log(api: ControlAPI, provider: Provider) -> None:
    """Neither where it works nor where it fails."""
    with capture_logs() as logs:
        _log_in(api)
        provider.overruled = {"aud": ["another"], "name": "SECRET-77"}
        _log_in(api)

    assert "oidc.not_logged_in" in {line["event"] for line in logs}
    assert "SECRET-77" not in str(logs)
    assert "0001" not in str(logs)


def test_without_a_provider_there_is_no_such_way(api_with: Callable[..., ControlAPI]) -> None:
    """404, as for anything that does not exist."""
    api: Any = api_with()

    for path in ("/api/auth/oidc/login", CALLBACK):
        assert (api.client.get(path).status_code, api.client.get(path).json["code"]) == (404, "http.not_found")


def test_the_first_configured_role_counts() -> None:
    """Whoever is in two groups has the role that the site wrote first."""
    assert role_of(_options(""), ["it", "radiology-staff"]) == "radiologist"
