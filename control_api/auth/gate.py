"""The gate: every request meets it before a view does, and what is not marked public needs a token."""

from __future__ import annotations

from http import HTTPStatus

from flask import Flask, Response, request
from flask_jwt_extended import current_user, verify_jwt_in_request

from control_api.auth import viewer_sessions
from control_api.auth.roles import PUBLIC, roles_of_present_view
from control_api.problems import Problem


def install(app: Flask) -> None:
    """Deny by default: a view that forgot to say whom it serves serves nobody without a token."""

    def check() -> Response | None:
        """Let nobody pass whom the view does not serve."""
        if request.endpoint is None or request.method == "OPTIONS":  # which only says what methods there are
            return None
        served = roles_of_present_view(app)
        if served == PUBLIC:
            return None
        if viewer_sessions.admits(app):
            return None
        verify_jwt_in_request()
        return None if current_user.role in served else _forbidden()

    app.before_request(check)


def _forbidden() -> Response:
    return Problem(HTTPStatus.FORBIDDEN, "auth.forbidden", "The account's role does not allow this.").response()
