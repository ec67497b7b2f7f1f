"""What surrounds every request: its id, one log line, and the header fields that protect a browser."""

from __future__ import annotations

import re
from typing import Final

import structlog
from flask import Flask, Response, g, has_request_context, request

from inference.ports import Clock, UIDSource

HEADER: Final = "X-Request-ID"
_ACCEPTED: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Content Security Policy of the pages: only our own files, nothing inline, no foreign host."""

DOCS_POLICY: Final = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""The API documentation viewers write their styles at run time; scripts stay limited to our own files."""

APP_POLICY: Final = DOCS_POLICY.replace("img-src 'self' data:", "img-src 'self' data: blob:")
"""The app's component library writes styles at run time, and pictures that need a token are fetched, then shown."""

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def request_id() -> str | None:
    """Give the present request's id; None outside a request."""
    return g.get("request_id") if has_request_context() else None


def install(app: Flask, clock: Clock, uid_source: UIDSource) -> None:
    """Give every request an id, log it once when it is answered, and protect the answer.

    A caller's ``X-Request-ID`` is kept when it is 8 to 64 plain characters, so that a trace can span systems;
    anything else is replaced. The log names the route's pattern and never the path or the query, which may hold
    identifiers.
    """
    log = structlog.get_logger(__name__)

    def begin() -> None:
        """Name the request, and note when it began."""
        offered = request.headers.get(HEADER, "")
        g.request_id = offered if _ACCEPTED.fullmatch(offered) else uid_source.token()
        g.started = clock.monotonic()

    def end(response: Response) -> Response:
        """Send the name back, protect the answer, and log the request."""
        response.headers[HEADER] = g.request_id
        _protect(response)
        log.info(
            "http.request",
            request_id=g.request_id,
            method=request.method,
            route=request.url_rule.rule if request.url_rule else None,
            status=response.status_code,
            seconds=round(clock.monotonic() - g.started, 4),
        )
        return response

    app.before_request(begin)
    app.after_request(end)


def _protect(response: Response) -> None:
    """Add the protecting header fields; answers of the API are never kept by a cache."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    if (response.mimetype or "").endswith("json"):
        response.headers.setdefault("Cache-Control", "no-store")
