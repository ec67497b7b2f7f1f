"""Sessions of the viewer: a cookie that opens pictures, for some minutes, of the studies that it names, and no more.

OHIF cannot send a token of its own (docs/viewers.md), so the browser does it by a cookie: HttpOnly, SameSite=Strict,
and sent to ``/dicom-web`` only, where it opens reading and nothing else. Each set of studies has a cookie of its
own, so that a second study, opened beside the first, does not close that; there are ``SLOTS`` at most, or a header of
cookies would grow too long for the door.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import jwt
from flask import Flask, Response, g, request

from control_api.auth.roles import roles_of_present_view
from control_api.auth.tokens import ISSUER
from control_api.services import Account, services
from inference.domain.identifiers import UID
from integrations.persistence.users import Role

AUDIENCE: Final = "neuronova-viewer"
COOKIE: Final = "viewer_session_"
PATH: Final = "/dicom-web"
SLOTS: Final = 16
EVERY_STUDY: Final = "all"
_CLAIMS: Final = ("sub", "exp", "jti", "studies")

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Viewing:
    """Who looks at pictures, and at which.

    Parameters
    ----------
    username, role
        Whose session it is.
    studies
        Study Instance UIDs; None: all.
    """

    username: str
    role: str
    studies: frozenset[UID] | None

    def allows(self, study_uid: UID) -> bool:
        """Say whether a study may be looked at."""
        return self.studies is None or study_uid in self.studies


def opened_by_cookie(view: View) -> View:
    """Mark a view that a session of the viewer opens, instead of a token; reading only."""
    view.opened_by_cookie = True  # type: ignore[attr-defined]
    return view


def sign(account: Account, token_id: str, studies: Collection[UID] | None, expires_at: datetime) -> str:
    """Make the content of a cookie.

    Parameters
    ----------
    account
        Whose session it is.
    token_id
        Of the token it was asked for with: when that is taken back, the session ends too.
    studies
        Which may be looked at; None: all.
    expires_at
        When it ends.
    """
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": account.username,
        "jti": token_id,
        "exp": int(expires_at.timestamp()),
        "studies": EVERY_STUDY if studies is None else sorted(studies),
    }
    return jwt.encode(claims, services().options.jwt_key, "HS256")


def set_cookie(response: Response, content: str, studies: Collection[UID] | None) -> None:
    """Give a session to the browser."""
    options = services().gateway.viewer
    response.set_cookie(
        COOKIE + _slot(studies),
        content,
        max_age=options.minutes * 60,
        path=PATH,
        secure=options.secure,
        httponly=True,
        samesite="Strict",
    )


def _slot(studies: Collection[UID] | None) -> str:
    if studies is None:
        return "all"
    digest = hashlib.sha256(",".join(sorted(studies)).encode()).digest()
    return str(digest[0] % SLOTS)


def admits(app: Flask) -> bool:
    """Say whether the present request comes with a session that opens its view, and note whose it is."""
    view: Any = app.view_functions[request.endpoint or ""]
    handler = getattr(getattr(view, "view_class", None), "get", view)
    if request.method not in {"GET", "HEAD"} or not getattr(handler, "opened_by_cookie", False):
        return False
    if "Authorization" in request.headers:
        return False
    g.viewing = _viewing(request.cookies.items(multi=True))
    return g.viewing is not None and g.viewing.role in roles_of_present_view(app)


def present() -> Viewing | None:
    """Give the session that opened the present view; None where a token did."""
    viewing: Viewing | None = g.get("viewing")
    return viewing


def _viewing(cookies: Iterable[tuple[str, str]]) -> Viewing | None:
    """Put the sessions of a browser together, if they are one person's; the last to come says whose."""
    valid = [claims for name, value in cookies if name.startswith(COOKIE) and (claims := _claims(value))]
    if not valid:
        return None
    account = services().accounts.find(valid[-1]["sub"])
    if account is None:
        return None
    mine = [claims["studies"] for claims in valid if claims["sub"] == account.username]
    if EVERY_STUDY in mine and account.role == Role.ADMIN:
        return Viewing(account.username, account.role, None)
    named = frozenset(UID(uid) for studies in mine if studies != EVERY_STUDY for uid in studies)
    return Viewing(account.username, account.role, named)


def _claims(content: str) -> dict[str, Any] | None:
    given = services()
    try:
        claims: dict[str, Any] = jwt.decode(
            content,
            given.options.jwt_key,
            algorithms=["HS256"],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": list(_CLAIMS), "verify_exp": False},
        )
    except jwt.PyJWTError:
        return None
    if claims["exp"] <= given.clock.now().timestamp() or given.accounts.is_revoked(claims["jti"]):
        return None
    return claims
