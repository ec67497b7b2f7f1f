"""The API's description and two viewers for it, all from this machine: a hospital's network ends at its wall."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Flask, Response, json, make_response, send_from_directory
from flask_smorest import Api
from openapi_ui_bundles import redoc, swagger_ui

from control_api.auth.roles import PUBLIC, serves
from control_api.request_context import DOCS_POLICY
from control_api.status_page import STATIC_FOLDER

VIEWER_FILES: Final = {
    "swagger-ui.css": swagger_ui.static_path,
    "swagger-ui-bundle.js": swagger_ui.static_path,
    "redoc.standalone.js": redoc.static_path,
    "docs.css": STATIC_FOLDER,
    "docs-swagger.js": STATIC_FOLDER,
    "docs-redoc.js": STATIC_FOLDER,
}
"""What the viewers may load, and where it lies."""


def register(app: Flask, api: Api) -> None:
    """Serve ``/api/openapi.json``, ``/api/docs/`` and ``/api/redoc/``."""
    blueprint = Blueprint("docs", __name__, url_prefix="/api")

    @blueprint.get("/openapi.json")
    @serves(PUBLIC)
    def description() -> Response:
        return Response(json.dumps(api.spec.to_dict()), mimetype="application/json")

    @blueprint.get("/docs/")
    @serves(PUBLIC)
    def swagger() -> Response:
        return _page("docs-swagger.html")

    @blueprint.get("/redoc/")
    @serves(PUBLIC)
    def reference() -> Response:
        return _page("docs-redoc.html")

    @blueprint.get(f"/docs/files/<any{tuple(VIEWER_FILES)}:name>")
    @serves(PUBLIC)
    def viewer_file(name: str) -> Response:
        return send_from_directory(VIEWER_FILES[name], name, max_age=86400)

    app.register_blueprint(blueprint)


def _page(name: str) -> Response:
    response = make_response(send_from_directory(STATIC_FOLDER, name))
    response.headers["Content-Security-Policy"] = DOCS_POLICY
    return response
