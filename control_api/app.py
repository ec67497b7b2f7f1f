"""The application: services in, a Flask app out."""

from __future__ import annotations

from typing import Final

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from control_api import (
    app_pages,
    docs_pages,
    metrics_page,
    problems,
    request_context,
    services,
    tagged,
    viewer_pages,
)
from control_api.auth import audit, gate, oidc, pace, tokens
from control_api.gateway import refusals
from control_api.openapi import ProblemAPI, make_api
from control_api.resources import audit as audit_resource
from control_api.resources import (
    auth,
    dicom_web,
    emr,
    events,
    fhir,
    health,
    jobs,
    master_data,
    models,
    node,
    previews,
    ris,
    service_accounts,
    settings,
    studies,
    users,
    viewer,
)
from control_api.services import APIOptions, Services

_RESOURCES: Final = (
    auth,
    users,
    service_accounts,
    audit_resource,
    health,
    node,
    jobs,
    studies,
    previews,
    events,
    models,
    settings,
    viewer,
    dicom_web,
    ris,
    fhir,
    emr,
)
"""In the order in which the documentation shows them."""

MAX_BODY_BYTES: Final = 1 << 20
"""No document that this API takes is anywhere near; files travel by DICOM."""


def create_app(given: Services) -> Flask:
    """Build the application.

    The order matters: the request gets its id, is counted, meets the gate, then a view; the answer is kept in the
    audit trail before it is logged.

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
    _let_in(app, given.options)
    audit.install(app)
    tagged.install(app)
    problems.register(app)
    refusals.register(app)
    docs_pages.register(app, describe(app, given.options.version))
    app_pages.register(app)
    if given.gateway.viewer.folder is not None:
        viewer_pages.register(app, given.gateway.viewer.folder)
    metrics_page.register(app)
    return app


def _let_in(app: Flask, options: APIOptions) -> None:
    """Set up who may come in, and how often; the client's address is that which our own proxies name."""
    if options.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # as Flask's documentation tells
            app.wsgi_app, x_for=options.trusted_proxies, x_proto=options.trusted_proxies
        )
    pace.install(app, options.limits)
    tokens.install(app, options.jwt_key, options.access_minutes)
    oidc.install(app, options.oidc, options.jwt_key, secure=options.cookie_secure)
    gate.install(app)


def describe(app: Flask, version: str) -> ProblemAPI:
    """Register every resource, and give what describes them."""
    api = make_api(app, version)
    for resource in _RESOURCES:
        api.register_blueprint(resource.blueprint)
    api.register_blueprint(dicom_web.blueprint_of_ris)
    api.register_blueprint(emr.blueprint_of_keys)
    for blueprint in master_data.blueprints:
        api.register_blueprint(blueprint)
    return api
