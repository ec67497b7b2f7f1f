"""Access tokens: JSON Web Tokens (RFC 7519) signed with HS256, short-lived, worth nothing after their session."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

from flask import Flask, Response
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    decode_token,
    get_current_user,
    get_jwt,
    verify_jwt_in_request,
)

from control_api.auth.principal import Principal
from control_api.problems import Problem
from control_api.services import Account, services
from inference.errors import ConfigurationError

ISSUER: Final = "neuronova-node"
AUDIENCE: Final = "neuronova-control-api"
MIN_KEY_BYTES: Final = 32
"""An HS256 key must be at least as long as the hash (RFC 7518 section 3.2)."""

_NEEDED_CLAIMS: Final = ("sub", "exp", "jti", "sid")
"""Without one of these a token could not be traced, would not end, or could not be taken back."""

SESSION: Final = "sid"
"""The claim that names the session (OpenID Connect Front-Channel Logout 1.0 section 3)."""


def install(app: Flask, key: str, access_minutes: int) -> None:
    """Set up signing and checking; issuer, audience, expiry and revocation are always checked.

    Raises
    ------
    ConfigurationError
        If the key is shorter than 32 bytes.
    """
    if len(key.encode()) < MIN_KEY_BYTES:
        raise ConfigurationError(f"the JWT key must hold at least {MIN_KEY_BYTES} bytes")
    app.config.update(
        JWT_SECRET_KEY=key,
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_TOKEN_LOCATION=["headers"],
        JWT_ACCESS_TOKEN_EXPIRES=timedelta(minutes=access_minutes),
        JWT_ENCODE_ISSUER=ISSUER,
        JWT_DECODE_ISSUER=ISSUER,
        JWT_ENCODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_AUDIENCE=AUDIENCE,
    )
    _register(JWTManager(app))


def _register(manager: JWTManager) -> None:
    """Answer every refusal with a problem; a lookup that fails lets nobody in."""
    manager.token_in_blocklist_loader(
        lambda _header, claims: not services().sessions.is_open(claims.get(SESSION, ""))
    )
    manager.token_verification_loader(lambda _header, claims: all(claims.get(name) for name in _NEEDED_CLAIMS))
    manager.user_lookup_loader(lambda _header, claims: services().accounts.find(claims["sub"]))
    manager.unauthorized_loader(lambda _reason: _refusal("auth.token_missing", "A bearer token is needed."))
    manager.invalid_token_loader(lambda _reason: _refusal("auth.token_invalid", "The token is not valid."))
    manager.expired_token_loader(lambda *_: _refusal("auth.token_expired", "The token has expired."))
    manager.revoked_token_loader(lambda *_: _refusal("auth.token_revoked", "The token was revoked."))
    manager.user_lookup_error_loader(lambda *_: _refusal("auth.account_inactive", "The account is not active."))
    manager.token_verification_failed_loader(lambda *_: _refusal("auth.token_invalid", "The token is not valid."))


def _refusal(code: str, title: str) -> Response:
    error = "" if code == "auth.token_missing" else ', error="invalid_token"'
    headers = {"WWW-Authenticate": f'Bearer realm="neuronova"{error}'}
    return Problem(HTTPStatus.UNAUTHORIZED, code, title, headers=headers).response()


def issue(account: Account, session_id: str) -> tuple[str, datetime]:
    """Make a token for somebody who has shown who they are, and say when it ends."""
    claims = {"role": account.role, SESSION: session_id}
    encoded = create_access_token(identity=account.username, additional_claims=claims)
    return encoded, datetime.fromtimestamp(decode_token(encoded)["exp"], UTC)


def holder() -> Principal:
    """Give whose token the present request carries; what is wrong with it is raised, and answered as a problem."""
    verify_jwt_in_request()
    account: Account = get_current_user()
    return Principal(account.username, account.role, session_id=get_jwt()[SESSION])
