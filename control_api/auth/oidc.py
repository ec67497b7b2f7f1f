"""Logging in at an OpenID provider: authorization code with PKCE (RFC 7636), and a role by what the provider says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Flask, Response, current_app, redirect
from joserfc.errors import JoseError
from requests import RequestException

from control_api.access import OIDCOptions
from control_api.auth import audit, cookies
from control_api.problems import NO_SUCH_RESOURCE
from control_api.services import services
from inference.errors import AccountError
from integrations.persistence.identities import Identity

CALLBACK: Final = "/api/auth/oidc/callback"
HOME: Final = "/"
REFUSED: Final = "/?login=refused"
"""Where somebody is sent whom the provider or this node does not let in; a page can say so there."""
UNAVAILABLE: Final = "/?login=unavailable"

_EXTENSION: Final = "neuronova-oidc"
_TIMEOUT_S: Final = 10
_REFUSALS: Final = (OAuthError, JoseError, AccountError, KeyError, ValueError)


def install(app: Flask, options: OIDCOptions | None, key: str, *, secure: bool) -> None:
    """Make the provider known to the application; nothing is asked of it before somebody logs in.

    What is needed between leaving and coming back (state, nonce and PKCE's verifier) is in a signed cookie of its
    own. It is Lax, because the provider's site sends the browser back, and goes to this path only.
    """
    if options is None:
        return
    app.secret_key = hashlib.sha256(b"oidc-state:" + key.encode()).digest()
    app.config.update(
        SESSION_COOKIE_NAME="neuronova_oidc",
        SESSION_COOKIE_PATH="/api/auth/oidc",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.extensions[_EXTENSION] = OAuth(app).register(
        "provider",
        client_id=options.client_id,
        client_secret=options.client_secret or None,
        server_metadata_url=f"{options.issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile", "code_challenge_method": "S256", "timeout": _TIMEOUT_S},
    )


def is_on() -> bool:
    """Say whether there is a provider."""
    return _EXTENSION in current_app.extensions


def leave() -> Response:
    """Send somebody to the provider."""
    options = services().options.oidc
    if options is None:
        return NO_SUCH_RESOURCE.response()
    try:
        return cast("Response", _client().authorize_redirect(options.public_url + CALLBACK))
    except (RequestException, OAuthError) as error:
        return _sent_to(UNAVAILABLE, error)


def come_back() -> Response:
    """Take somebody in whom the provider has sent back; the browser gets a refresh cookie, and our first page."""
    options = services().options.oidc
    if options is None:
        return NO_SUCH_RESOURCE.response()
    try:
        username = _account(options, _claims(options))
    except RequestException as error:
        return _sent_to(UNAVAILABLE, error)
    except _REFUSALS as error:
        return _sent_to(REFUSED, error)
    if username is None:
        return _sent_to(REFUSED, None)
    return cookies.keep(cast("Response", redirect(HOME, 303)), services().sessions.open(username))


def _client() -> Any:
    return current_app.extensions[_EXTENSION]


def _claims(options: OIDCOptions) -> Mapping[str, Any]:
    """Trade the code for the ID token, and check its signature, issuer, audience, nonce and times."""
    checked = {
        "iss": {"essential": True, "values": [options.issuer, f"{options.issuer}/"]},
        "aud": {"essential": True, "values": [options.client_id]},
        "sub": {"essential": True},
    }
    token = _client().authorize_access_token(claims_options=checked)
    claims: Mapping[str, Any] = token["userinfo"]
    return claims


def _account(options: OIDCOptions, claims: Mapping[str, Any]) -> str | None:
    role, username = role_of(options, claims.get(options.role_claim)), claims[options.username_claim]
    if role is None:
        return None
    if not isinstance(username, str) or not isinstance(claims["sub"], str):
        raise OAuthError("the provider names nobody")
    name = services().identities.sign_in(Identity(claims["iss"], claims["sub"]), username, role)
    if name is not None:
        audit.by(name, role)
    return name


def role_of(options: OIDCOptions, claimed: object) -> str | None:
    """Give the first configured role that the provider's word fits, or None."""
    said = {claimed} if isinstance(claimed, str) else set(claimed) if isinstance(claimed, Iterable) else set()
    return next((role for value, role in options.roles.items() if value in said), None)


def _sent_to(place: str, error: Exception | None) -> Response:
    """Say what kind of thing went wrong in the log; a browser is shown a page, not a problem document."""
    kind = type(error).__name__ if error else "inactive_or_without_role"
    structlog.get_logger(__name__).warning("oidc.not_logged_in", reason=kind, place=place)
    audit.refused()
    return cast("Response", redirect(place, 303))
