"""The application: services in, a Flask app out."""

from __future__ import annotations

from typing import Final

from flask import Flask

from control_api import app_pages, docs_pages, metrics_page, problems, request_context, services
from control_api.auth import gate, tokens
from control_api.openapi import ProblemAPI, make_api
from control_api.resources import auth, health, jobs, models, node, studies
from control_api.services import Services

MAX_BODY_BYTES: Final = 1 << 20
"""No document that this API takes is anywhere near; files travel by DICOM."""


def create_app(given: Services) -> Flask:
    """Build the application.

    The order matters: the request gets its id, then it meets the gate, then a view.

    Parameters
    ----------
    given
        What views may call.

    Raises
    ------
    ConfigurationError
        If the key for access tokens is too short.
    """
    app = Flask("control_api", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES, PROPAGATE_EXCEPTIONS=False)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    services.attach(app.extensions, given)
    request_context.install(app, given.clock, given.uid_source)
    tokens.install(app, given.options.jwt_key, given.options.access_minutes)
    gate.install(app)
    problems.register(app)
    docs_pages.register(app, describe(app, given.options.version))
    app_pages.register(app)
    metrics_page.register(app)
    return app


def describe(app: Flask, version: str) -> ProblemAPI:
    """Register every resource, and give what describes them."""
    api = make_api(app, version)
    for resource in (auth, health, node, jobs, studies, models):
        api.register_blueprint(resource.blueprint)
    return api
