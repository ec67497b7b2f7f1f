"""The refresh token of a browser: in a cookie that no script can read, sent to ``/api/auth`` by our pages only."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from flask import Response, request

from control_api.problems import Problem
from control_api.services import services
from integrations.persistence.sessions import Grant

NAME: Final = "neuronova_refresh"
PATH: Final = "/api/auth"
PAGE_HEADER: Final = "X-Requested-With"
"""A form or a link of a foreign page cannot set it, and a script of one would need a leave that CORS never gives."""


def keep(response: Response, grant: Grant) -> Response:
    """Hand the refresh token to the browser, for as long as it works."""
    seconds = int((grant.expires_at - services().clock.now()).total_seconds())
    secure = services().options.cookie_secure
    response.set_cookie(
        NAME, grant.refresh_token, max_age=seconds, path=PATH, httponly=True, secure=secure, samesite="Strict"
    )
    return response


def forget(response: Response) -> Response:
    """Take the refresh token from the browser."""
    secure = services().options.cookie_secure
    response.delete_cookie(NAME, path=PATH, httponly=True, secure=secure, samesite="Strict")
    return response


def token() -> str | None:
    """Give the refresh token that the browser sent."""
    return request.cookies.get(NAME)


def comes_from_our_page() -> bool:
    """Say whether a script of one of our own pages sent this request.

    SameSite=Strict keeps the cookie from other sites already; another port of this host is the same site, and an old
    browser may not know SameSite.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return bool(request.headers.get(PAGE_HEADER)) and site == "same-origin"


def foreign_page() -> Response:
    """Answer a request that a foreign page may have caused."""
    title = f"A request with the refresh cookie must come from a page of this node and carry {PAGE_HEADER}."
    return Problem(HTTPStatus.FORBIDDEN, "auth.cross_site", title).response()
