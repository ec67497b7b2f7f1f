"""What the views of the gateway have in common: they note an access, then they let the answer through."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from flask import Response

from control_api.auth.principal import current_user
from control_api.gateway.passing import Passed
from control_api.gateway.ports import Access
from control_api.gateway.relay import respond
from control_api.services import services

FROM_BEHIND: Final[dict[str, Any]] = {
    str(HTTPStatus.OK.value): {"description": "What the server behind the gateway answers, as it comes."},
    "2XX": {"description": "The same, created or without content."},
    "4XX": {"description": "What that server, or the gateway, refuses."},
    "502": {"description": "The server behind the gateway fails, or cannot be reached."},
    "503": {"description": "That server is left alone for a while."},
    "504": {"description": "That server does not answer in time."},
}
"""Answers of views that pass requests on."""


def let_through(passed: Passed) -> Response:
    """Note who has seen or written what, and answer; what cannot be noted is not answered."""
    try:
        _record(passed.action, passed.target, passed.answer.status)
    except BaseException:
        passed.answer.close()
        raise
    return respond(passed.answer)


def note(action: str, target: str = "") -> None:
    """Note an access whose answer is made here."""
    _record(action, target, HTTPStatus.OK.value)


def _record(action: str, target: str, status: int) -> None:
    access = Access(current_user.username, str(current_user.role), action, target, status)
    services().gateway.trail.record(access)
