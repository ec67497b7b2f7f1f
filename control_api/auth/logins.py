"""Logging in, staying logged in, and leaving."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

import structlog
from flask import Response, after_this_request

from control_api.access import Account
from control_api.auth import audit, cookies, tokens
from control_api.auth.principal import current_user
from control_api.problems import Problem
from control_api.services import services
from integrations.persistence.sessions import Grant, Reused


@dataclass(frozen=True, slots=True)
class Tokens:
    """What somebody who has logged in is handed out.

    Parameters
    ----------
    access_token
        Opens the API.
    username, role
        Who its holder is, and what they may do.
    expires_at
        When it ends, UTC.
    refresh_token
        Gives the next access token, once; None where the browser keeps it in a cookie.
    refresh_expires_at
        When that ends.
    """

    access_token: str
    username: str
    role: str
    expires_at: datetime
    refresh_token: str | None
    refresh_expires_at: datetime
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name, RFC 6750


def log_in(username: str, password: str, *, by_cookie: bool) -> Tokens | Response:
    """Begin a session with a password; every refusal is the same, whatever the reason."""
    account = services().accounts.authenticate(username, password)
    if account is None:
        _name_in_the_trail(username)
        return not_known()
    audit.by(account.username, account.role)
    return _hand_out(account, services().sessions.open(account.username), by_cookie=by_cookie)


def refresh(token: str | None) -> Tokens | Response:
    """Go on with a session, by the token of the document or else by that of the cookie."""
    if token is not None:
        return _go_on(token, by_cookie=False)
    kept = cookies.token()
    if kept is None:
        audit.not_worth_it()  # a page asks whether its browser is logged in
        return _refused()
    return _go_on(kept, by_cookie=True) if cookies.comes_from_our_page() else cookies.foreign_page()


def _go_on(token: str, *, by_cookie: bool) -> Tokens | Response:
    grant = services().sessions.refresh(token)
    if grant is not None:
        audit.by(grant.username)
    if isinstance(grant, Grant):
        account = services().accounts.find(grant.username)
        if account is not None:
            audit.by(account.username, account.role)
            return _hand_out(account, grant, by_cookie=by_cookie)
        services().sessions.close(grant.session_id)
    if isinstance(grant, Reused):
        structlog.get_logger(__name__).warning("session.refresh_token_reused", account=grant.username)
    if by_cookie:
        after_this_request(cookies.forget)
    return _refused()


def log_out() -> None:
    """End the session: its access tokens and its refresh token are refused from now on."""
    services().sessions.close(current_user.session_id)
    after_this_request(cookies.forget)


def change_password(old: str, new: str) -> Response | None:
    """Give oneself a new password, and end every other session; a wrong old one counts as a failed login."""
    if services().accounts.authenticate(current_user.username, old) is None:
        return not_known()
    services().accounts.set_password(current_user.username, new)
    services().sessions.close_all(current_user.username, keep=current_user.session_id)
    return None


def _name_in_the_trail(username: str) -> None:
    """Keep the name of an account that exists; any other may be a password in the wrong field."""
    account = services().accounts.find(username)
    if account is not None:
        audit.by(account.username, account.role)


def _hand_out(account: Account, grant: Grant, *, by_cookie: bool) -> Tokens:
    if by_cookie:
        after_this_request(lambda response: cookies.keep(response, grant))
    access_token, expires_at = tokens.issue(account, grant.session_id)
    kept_here = None if by_cookie else grant.refresh_token
    return Tokens(access_token, account.username, account.role, expires_at, kept_here, grant.expires_at)


def not_known() -> Response:
    """Answer a wrong name, a wrong password, an inactive and a locked account alike."""
    title = "The name or password is wrong, or the account is locked for some minutes."
    headers = {"WWW-Authenticate": 'Bearer realm="neuronova"'}
    return Problem(HTTPStatus.UNAUTHORIZED, "auth.invalid_credentials", title, headers=headers).response()


def _refused() -> Response:
    title = "The refresh token is not valid any more; log in again."
    headers = {"WWW-Authenticate": 'Bearer realm="neuronova", error="invalid_token"'}
    return Problem(HTTPStatus.UNAUTHORIZED, "auth.refresh_refused", title, headers=headers).response()
