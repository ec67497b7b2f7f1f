"""Nobody gets past the gate who should not, whatever is wrong with the token, the account or the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from werkzeug.routing import Rule

from control_api.auth import tokens
from control_api.auth.roles import OPERATORS
from inference.errors import ConfigurationError, StoreUnavailable
from integrations.persistence.users import Role
from tests.support.control_api import BRAIN, KEY, SERIES, STUDY, ControlAPI

PUBLIC_PATHS = {
    "/",
    "/api/auth/login",
    "/api/auth/methods",
    "/api/auth/oidc/callback",
    "/api/auth/oidc/login",
    "/api/auth/refresh",
    "/api/docs/",
    "/api/jwks.json",
    "/api/health/live",
    "/api/health/ready",
    "/api/openapi.json",
    "/api/redoc/",
    "/api/schema/",
    "/metrics",
    "/redoc/",
    "/swagger/",
}
REDIRECTIONS = {"/api/schema/", "/redoc/", "/swagger/"}
SWITCHED_OFF = {"/api/auth/oidc/callback", "/api/auth/oidc/login"}
PUBLIC_FOLDERS = ("/static/", "/api/docs/files/")
JOB = "0" * 32
WRITES = [
    ("/api/jobs", {"series_uid": str(SERIES)}),
    (f"/api/jobs/{JOB}/retry", None),
    (f"/api/jobs/{JOB}/cancel", None),
    (f"/api/jobs/{JOB}/rerun", {}),
    (f"/api/studies/{STUDY}/complete", {}),
]
READS = [
    "/api/auth/me",
    "/api/node/status",
    "/api/jobs",
    f"/api/jobs/{JOB}",
    f"/api/jobs/{JOB}/timeline",
    f"/api/jobs/{JOB}/logs",
    "/api/studies",
    f"/api/studies/{STUDY}",
    "/api/models",
    "/api/node/queues",
    "/api/node/workers",
    "/api/node/devices",
    "/api/node/disk",
    "/api/node/peers",
    "/api/node/throughput",
    "/api/node/stages",
    f"/api/models/{BRAIN.model_id}",
    f"/api/models/{BRAIN.model_id}/{BRAIN.version}",
    f"/api/models/{BRAIN.model_id}/{BRAIN.version}/pictures/adult-a.png",
    f"/api/models/{BRAIN.model_id}/{BRAIN.version}/verification",
    "/api/ocs/medications",
    "/api/ocs/diagnoses",
    "/api/lis/tests",
]


def _is_page(rule: Rule) -> bool:
    """Tell the app's files, which are the same for everybody, from what the API says."""
    return rule.endpoint.startswith("app_pages.")


def _requests(app: Flask) -> list[tuple[str, str]]:
    def path(rule: Rule) -> str:
        values = {
            "study_uid": STUDY,
            "series_uid": SERIES,
            "name": "status.js",
            "number": 1,
            "model_id": BRAIN.model_id,
            "version": BRAIN.version,
        }
        given = {name: values.get(name, JOB) for name in rule.arguments}
        _, built = rule.build(given, append_unknown=False) or ("", "")
        return built

    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule not in PUBLIC_PATHS and not _is_page(rule)]
    return [
        (method, path(rule))
        for rule in rules
        if not rule.rule.startswith(PUBLIC_FOLDERS)
        for method in sorted((rule.methods or set()) & methods)
    ]


def test_everything_but_a_short_list_needs_a_token(api: ControlAPI) -> None:
    """The routes are walked, so that one that is added later is closed or fails here."""
    asked = _requests(api.app)

    answers = {(method, path): api.client.open(path, method=method).status_code for method, path in asked}

    assert len(asked) >= len(READS) + len(WRITES)
    assert set(answers.values()) == {401}


@pytest.mark.parametrize("path", sorted(PUBLIC_PATHS - {"/api/auth/login", "/api/auth/refresh"} - SWITCHED_OFF))
def test_public_paths_answer_without_a_token(api: ControlAPI, path: str) -> None:
    """Health, documentation and the status page do not know who asks."""
    assert api.client.get(path).status_code == (301 if path in REDIRECTIONS else 200)


def test_options_and_head_are_gated_like_their_views(api: ControlAPI) -> None:
    """HEAD is GET without a body, so it needs what GET needs."""
    assert api.client.head("/api/jobs").status_code == 401
    assert api.client.head("/api/jobs", headers=api.bearer("nurse")).status_code == 200


def test_login_gives_a_token_that_works(api: ControlAPI) -> None:
    """The token says for how long and for whom, and opens the door."""
    answer = api.client.post("/api/auth/login", json={"username": "radiologist", "password": "right"})

    document = answer.json
    assert answer.status_code == 200
    assert (document["token_type"], document["role"]) == ("Bearer", "radiologist")
    life = datetime.fromisoformat(document["expires_at"]) - datetime.now(UTC)  # noqa: TID251 - PyJWT reads the clock
    assert timedelta(minutes=59) < life <= timedelta(minutes=60)
    me = api.client.get("/api/auth/me", headers={"Authorization": f"Bearer {document['access_token']}"})
    assert me.json == {"username": "radiologist", "role": "radiologist"}


@pytest.mark.parametrize(
    "login", [{"username": "admin", "password": "wrong"}, {"username": "nobody", "password": "right"}]
)
def test_a_failed_login_does_not_tell_why(api: ControlAPI, login: dict[str, str]) -> None:
    """Wrong name and wrong password answer alike, so that names cannot be found out."""
    api.accounts.inactive.add("nobody")

    answer = api.client.post("/api/auth/login", json=login)

    assert (answer.status_code, answer.json["code"]) == (401, "auth.invalid_credentials")
    assert "detail" not in answer.json


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"username": "admin"}, "/password"),
        ({"username": "admin", "password": "right", "role": "admin"}, "/role"),
        ({"username": 7, "password": "right"}, "/username"),
        ({"username": "", "password": "right"}, "/username"),
        ({"username": "admin", "password": "x" * 1025}, "/password"),
    ],
)
def test_a_login_that_is_not_one_is_refused(api: ControlAPI, body: dict[str, Any], pointer: str) -> None:
    """Missing and unknown members are faults of the request."""
    answer = api.client.post("/api/auth/login", json=body)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json["errors"]] == [pointer]


def test_logout_ends_the_token_and_no_other(api: ControlAPI) -> None:
    """The token is taken back until it would have expired anyway."""
    ended, other = api.bearer("nurse"), api.bearer("nurse")

    assert api.client.post("/api/auth/logout", headers=ended).status_code == 204

    assert api.client.get("/api/auth/me", headers=ended).json["code"] == "auth.token_revoked"
    assert api.client.get("/api/auth/me", headers=other).status_code == 200


def test_an_account_that_was_switched_off_is_out_at_once(api: ControlAPI) -> None:
    """A token lives for minutes; the account behind it is asked every time."""
    header = api.bearer("nurse")
    api.accounts.inactive.add("nurse")

    answer = api.client.get("/api/auth/me", headers=header)

    assert (answer.status_code, answer.json["code"]) == (401, "auth.account_inactive")


def test_nobody_gets_in_while_revocation_cannot_be_checked(api: ControlAPI) -> None:
    """The door fails closed: a good token is of no use while the database is away."""
    header = api.bearer("admin")
    api.accounts.failure = StoreUnavailable("the database cannot be used at the moment")

    answer = api.client.get("/api/models", headers=header)

    assert (answer.status_code, answer.json["code"]) == (503, "job.store_unavailable")


Forgery = Callable[[dict[str, Any]], str]


def _signed(key: str = KEY, algorithm: str = "HS256", **changes: Any) -> Forgery:
    return lambda claims: jwt.encode({**claims, **changes}, key, algorithm=algorithm)


def _without(name: str) -> Forgery:
    return lambda claims: jwt.encode({other: claims[other] for other in claims if other != name}, KEY)


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (_signed(key="z" * 32), "auth.token_invalid"),
        (_signed(key="", algorithm="none"), "auth.token_invalid"),
        (_signed(key=KEY * 2, algorithm="HS512"), "auth.token_invalid"),
        (_signed(iss="somebody-else"), "auth.token_invalid"),
        (_signed(aud="another-service"), "auth.token_invalid"),
        (_signed(type="refresh"), "auth.token_invalid"),
        (_signed(sid="another-session"), "auth.token_revoked"),
        (_signed(sid=""), "auth.token_revoked"),
        (_signed(exp=1), "auth.token_expired"),
        (_signed(nbf=4102444800), "auth.token_invalid"),
        (
            lambda claims: jwt.encode({name: claims[name] for name in claims if name != "jti"}, KEY),
            "auth.token_invalid",
        ),
        (
            lambda claims: jwt.encode({name: claims[name] for name in claims if name != "exp"}, KEY),
            "auth.token_invalid",
        ),
        (lambda _: "not.a.token", "auth.token_invalid"),
        (lambda _: "", "auth.token_invalid"),
    ],
)
def test_a_forged_or_stale_token_is_refused(api: ControlAPI, forge: Forgery, code: str) -> None:
    """Key, algorithm, issuer, audience, kind and times are all checked."""
    with api.app.app_context():
        genuine = api.bearer("admin")["Authorization"].split()[1]
    claims = jwt.decode(genuine, options={"verify_signature": False})

    answer = api.client.get("/api/jobs", headers={"Authorization": f"Bearer {forge(claims)}"})

    assert (answer.status_code, answer.json["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Basic YWRtaW46cmlnaHQ=", "Bearer", "Bearer a b", "token"])
def test_another_kind_of_credentials_is_no_token(api: ControlAPI, header: str) -> None:
    """Only a bearer token counts, in its header and nowhere else."""
    assert api.client.get("/api/jobs", headers={"Authorization": header}).status_code == 401


def test_a_token_in_the_query_is_no_token(api: ControlAPI) -> None:
    """Addresses end up in logs and histories."""
    token = api.bearer("admin")["Authorization"].split()[1]

    assert api.client.get(f"/api/jobs?jwt={token}").status_code == 401


@pytest.mark.parametrize("role", list(Role))
def test_everybody_may_read(api: ControlAPI, role: Role) -> None:
    """Reading is for every role."""
    answers = {path: api.get(path, role.value).status_code for path in READS}

    assert set(answers.values()) <= {200, 404}


@pytest.mark.parametrize(("path", "body"), WRITES)
@pytest.mark.parametrize("role", list(Role))
def test_only_operators_may_change_something(api: ControlAPI, path: str, body: object, role: Role) -> None:
    """A doctor or nurse may not start, repeat or stop work, and is told so before the request is read."""
    answer = api.post(path, body, role.value)

    assert answer.status_code == (404 if role in OPERATORS else 403)


def test_a_role_that_nobody_knows_may_nothing(api: ControlAPI) -> None:
    """A row that was edited by hand does not open doors."""
    assert api.get("/api/jobs", "wizard").json["code"] == "auth.forbidden"


def test_a_short_key_stops_the_start() -> None:
    """RFC 7518 section 3.2: at least as long as the hash."""
    with pytest.raises(ConfigurationError):
        tokens.install(Flask(__name__), "k" * 31, 60)
