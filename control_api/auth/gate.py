"""The gate: every request meets it before a view does, and what is not marked public needs a token or a key."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request

from control_api.auth import tokens, viewer_sessions
from control_api.auth.principal import Principal, remember
from control_api.auth.roles import PUBLIC, present_access
from control_api.problems import Problem
from control_api.services import services
from integrations.persistence.users import Role

KEY_HEADER: Final = "X-API-Key"
KEY_SCHEME: Final = "apikey"


def install(app: Flask) -> None:
    """Deny by default: a view that forgot to say whom it serves serves nobody without a token or the right scope."""

    def check() -> Response | None:
        """Let nobody pass whom the view does not serve."""
        if request.endpoint is None or request.method == "OPTIONS":  # which only says what methods there are
            return None
        access = present_access(app)
        if access.roles == PUBLIC:
            return None
        principal = viewer_sessions.holder(app) or _who()
        if principal is None:
            return _unknown_key()
        remember(principal)
        return None if access.allows(principal.role, principal.scopes) else _forbidden()

    app.before_request(check)


def _who() -> Principal | None:
    key = _presented_key()
    if key is None:
        return tokens.holder()
    account = services().service_accounts.authenticate(key)
    return None if account is None else Principal(account.name, Role.SERVICE, frozenset(account.scopes))


def _presented_key() -> str | None:
    """Give the key of a program, which comes in a header field of its own or under a scheme of its own."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == KEY_SCHEME else request.headers.get(KEY_HEADER)


def _unknown_key() -> Response:
    headers = {"WWW-Authenticate": 'ApiKey realm="neuronova"'}
    title = "The API key is not valid, has expired or was revoked."
    return Problem(HTTPStatus.UNAUTHORIZED, "auth.key_invalid", title, headers=headers).response()


def _forbidden() -> Response:
    title = "The account's role, or the key's scopes, do not allow this."
    return Problem(HTTPStatus.FORBIDDEN, "auth.forbidden", title).response()
