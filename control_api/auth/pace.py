"""How often one client may ask: counted by its address, before anything is checked (OWASP API4:2023)."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from http import HTTPStatus
from ipaddress import IPv6Address, IPv6Network
from typing import Any, Final, TypeVar

from flask import Flask, Response, current_app, request
from flask_limiter import ApplicationLimit, Limiter, RequestLimit

from control_api.access import RateLimits
from control_api.auth.roles import handler_of
from control_api.problems import Problem

View = TypeVar("View", bound=Callable[..., Any])

UNDER: Final = "/api/"
FREE: Final = ("/api/health/",)
"""Orchestrators ask on and on, and from one address."""


class Pace(StrEnum):
    """Which limit a view counts towards."""

    API = "api"
    LOGIN = "login"
    PICTURES = "pictures"


def paced(pace: Pace) -> Callable[[View], View]:
    """Mark a view that has a limit other than the general one."""

    def mark(view: View) -> View:
        """Note it on the view."""
        view.pace = pace  # type: ignore[attr-defined]
        return view

    return mark


def install(app: Flask, limits: RateLimits) -> None:
    """Answer 429 to whoever asks too often; where Redis is away, each process counts for itself."""
    chosen = {Pace.API: limits.api, Pace.LOGIN: limits.login, Pace.PICTURES: limits.pictures}
    limiter = Limiter(
        _client,
        application_limits=[_limit(pace, often) for pace, often in chosen.items() if often],
        storage_uri=limits.storage,
        storage_options={} if limits.storage == "memory://" else {"socket_connect_timeout": 1, "socket_timeout": 2},
        in_memory_fallback_enabled=True,
        on_breach=_too_many,
        key_prefix="neuronova",
    )
    limiter.request_filter(_is_free)
    limiter.init_app(app)


def _limit(pace: Pace, often: int) -> ApplicationLimit:
    return ApplicationLimit(
        f"{often} per minute", key_function=_client, scope=pace.value, exempt_when=lambda: _present() is not pace
    )


def _client() -> str:
    """Give the client's address; of IPv6 the network, because one client has all addresses of it (RFC 6177)."""
    written = request.remote_addr or "unknown"
    try:
        address = IPv6Address(written)
    except ValueError:
        return written
    return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))


def _is_free() -> bool:
    return not request.path.startswith(UNDER) or request.path.startswith(FREE)


def _present() -> Pace:
    handler = handler_of(current_app, request.endpoint or "", request.method)
    pace: Pace = getattr(handler, "pace", Pace.API)
    return pace


def _too_many(limit: RequestLimit) -> Response:
    headers = {"Retry-After": str(max(1, int(limit.reset_at - time.time())))}
    title = "Too many requests; wait a little."
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, "http.too_many_requests", title, headers=headers).response()
