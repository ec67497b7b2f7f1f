"""Conditional requests (RFC 9110 section 13): nothing is sent twice; nobody overwrites what they have not seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar, cast

from flask import Response, request
from werkzeug.exceptions import PreconditionRequired

View = TypeVar("View", bound=Callable[..., Any])

_TAG: Final = re.compile(r"v(\d{1,9})")


def unless_seen(view: View) -> View:
    """Answer 304 where the client has what the view gives (``If-None-Match``)."""

    @wraps(view)
    def answer(*arguments: Any, **named: Any) -> Response:
        """Name what the view gives by its digest, and compare."""
        response: Response = view(*arguments, **named)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        response.add_etag(weak=True)
        return cast("Response", response.make_conditional(request))

    return cast("View", answer)


def tag(version: int) -> dict[str, str]:
    """Give the header field that names a version."""
    return {"ETag": f'"v{version}"'}


def seen_versions() -> frozenset[int] | None:
    """Give the versions that the request names in ``If-Match``; None where it takes any (``*``).

    A tag that the gateway made weak because it compressed the answer still names its version.

    Raises
    ------
    PreconditionRequired
        If it names none (RFC 6585 section 3).
    """
    if "If-Match" not in request.headers:
        raise PreconditionRequired("Name the version that you have seen: If-Match with its ETag.")
    if request.if_match.star_tag:
        return None
    named = request.if_match.as_set(include_weak=True)
    found = (_TAG.fullmatch(one or "") for one in named)  # Werkzeug gives None for an empty tag
    return frozenset(int(one[1]) for one in found if one)
