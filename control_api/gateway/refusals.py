"""What the gateway says when it passes nothing on, as problem documents."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import structlog
from flask import Flask, Response

from control_api.problems import Problem
from integrations.upstream.exchange import Trouble, UpstreamTrouble

TROUBLES: Final[Mapping[Trouble, tuple[HTTPStatus, str, str]]] = {
    Trouble.UNREACHABLE: (
        HTTPStatus.BAD_GATEWAY,
        "gateway.upstream_unreachable",
        "The server behind the gateway cannot be reached.",
    ),
    Trouble.TIMEOUT: (
        HTTPStatus.GATEWAY_TIMEOUT,
        "gateway.upstream_timeout",
        "The server behind the gateway did not answer in time.",
    ),
    Trouble.FAILED: (HTTPStatus.BAD_GATEWAY, "gateway.upstream_failed", "The server behind the gateway failed."),
    Trouble.BUSY: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "gateway.upstream_busy",
        "The server behind the gateway cannot answer at the moment.",
    ),
    Trouble.REDIRECTED: (
        HTTPStatus.BAD_GATEWAY,
        "gateway.upstream_redirected",
        "The server behind the gateway points elsewhere, where nobody is sent.",
    ),
    Trouble.LOGIN_REFUSED: (
        HTTPStatus.BAD_GATEWAY,
        "gateway.upstream_login_refused",
        "The server behind the gateway does not take the node's own login.",
    ),
    Trouble.RESTING: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "gateway.upstream_resting",
        "The server behind the gateway did not answer several times and is left alone for a while.",
    ),
}


class Refusal(Exception):
    """A request that is not passed on.

    Parameters
    ----------
    status
        HTTP status.
    code, title
        Of the problem.
    detail
        What is wrong this time; never repeats what was sent.
    """

    def __init__(self, status: HTTPStatus, code: str, title: str, detail: str | None = None) -> None:
        super().__init__(code)
        self.problem = Problem(status, code, title, detail)


def not_found() -> Refusal:
    """Say that there is no such address behind the gateway, or that nobody is let there."""
    return Refusal(HTTPStatus.NOT_FOUND, "gateway.not_passed", "The gateway passes no such address on.")


def not_configured() -> Refusal:
    """Say that this node has no such server."""
    return Refusal(HTTPStatus.NOT_FOUND, "gateway.not_configured", "This node has no such server behind it.")


def malformed(detail: str) -> Refusal:
    """Say that an address or a body is written in a way that is not passed on."""
    title = "The request is written in a way that the gateway does not pass on."
    return Refusal(HTTPStatus.BAD_REQUEST, "gateway.malformed", title, detail)


def forbidden(detail: str) -> Refusal:
    """Say that the account may not do this."""
    return Refusal(HTTPStatus.FORBIDDEN, "gateway.forbidden", "The account may not do this here.", detail)


def register(app: Flask) -> None:
    """Let what the gateway refuses, and what fails behind it, become problem documents."""
    app.register_error_handler(UpstreamTrouble, of_trouble)
    app.register_error_handler(Refusal, lambda error: error.problem.response())


def of_trouble(error: UpstreamTrouble) -> Response:
    """Translate a failure behind the gateway, and log it: the client is told no address."""
    status, code, title = TROUBLES[error.trouble]
    structlog.get_logger(__name__).warning("gateway.trouble", server=error.server, code=code)
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return Problem(status, code, title, f"It is the {error.server}.", headers=headers).response()
