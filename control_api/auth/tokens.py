"""Access tokens: JSON Web Tokens (RFC 7519) signed with HS256, short-lived and revocable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response
from flask_jwt_extended import JWTManager, create_access_token, decode_token, get_jwt

from control_api.problems import Problem
from control_api.services import Account, services
from inference.errors import ConfigurationError

ISSUER: Final = "neuronova-node"
AUDIENCE: Final = "neuronova-control-api"
MIN_KEY_BYTES: Final = 32
"""An HS256 key must be at least as long as the hash (RFC 7518 section 3.2)."""

_NEEDED_CLAIMS: Final = ("sub", "exp", "jti")
"""Without one of these a token could not be traced, would not end, or could not be taken back."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token as it is handed out.

    Parameters
    ----------
    access_token
        The encoded token.
    role
        What its holder may do.
    expires_at
        When it ends, UTC.
    """

    access_token: str
    role: str
    expires_at: datetime
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name, RFC 6750


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
    manager.token_in_blocklist_loader(lambda _header, claims: services().accounts.is_revoked(claims["jti"]))
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


def issue(account: Account) -> AccessToken:
    """Make a token for somebody who has shown who they are."""
    encoded = create_access_token(identity=account.username, additional_claims={"role": account.role})
    return AccessToken(encoded, account.role, _expiry(decode_token(encoded)))


def revoke_present() -> None:
    """Make the token of the present request useless from now on."""
    claims = get_jwt()
    services().accounts.revoke(claims["jti"], _expiry(claims))


def _expiry(claims: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(claims["exp"], UTC)
