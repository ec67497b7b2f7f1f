"""The API's description and two viewers for it, all from this machine: a hospital's network ends at its wall."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Flask, Response, json, make_response, redirect, send_from_directory
from flask_smorest import Api
from openapi_ui_bundles import redoc, swagger_ui
from werkzeug.wrappers import Response as BaseResponse

from control_api.auth.roles import PUBLIC, serves
from control_api.request_context import DOCS_POLICY
from control_api.status_page import STATIC_FOLDER

DAY_SECONDS: Final = 86400

VIEWER_FILES: Final = {
    "swagger-ui.css": swagger_ui.static_path,
    "swagger-ui-bundle.js": swagger_ui.static_path,
    "logo-mini.svg": redoc.static_path,
    "docs.css": STATIC_FOLDER,
    "docs-swagger.js": STATIC_FOLDER,
    "docs-redoc.js": STATIC_FOLDER,
}
"""What the viewers may load, and where it lies."""

FOREIGN_LOGO: Final = "https://cdn.redoc.ly/redoc/logo-mini.svg"
"""The one thing that ReDoc would fetch from elsewhere; the same picture lies beside it."""


def register(app: Flask, api: Api) -> None:
    """Serve ``/api/openapi.json``, ``/api/docs/`` and ``/api/redoc/``."""
    blueprint = Blueprint("docs", __name__, url_prefix="/api")

    @blueprint.get("/openapi.json")
    @serves(PUBLIC)
    def description() -> Response:
        """Give the OpenAPI document."""
        return Response(json.dumps(api.spec.to_dict()), mimetype="application/json")

    @blueprint.get("/docs/")
    @serves(PUBLIC)
    def swagger() -> Response:
        """Give the Swagger UI page."""
        return _page("docs-swagger.html")

    @blueprint.get("/redoc/")
    @serves(PUBLIC)
    def reference() -> Response:
        """Give the ReDoc page."""
        return _page("docs-redoc.html")

    @blueprint.get(f"/docs/files/<any{tuple(VIEWER_FILES)}:name>")
    @serves(PUBLIC)
    def viewer_file(name: str) -> Response:
        """Give a file of the viewers."""
        return send_from_directory(VIEWER_FILES[name], name, max_age=DAY_SECONDS)

    @blueprint.get("/docs/files/redoc.standalone.js")
    @serves(PUBLIC)
    def redoc_script() -> Response:
        """Give the ReDoc script."""
        return _redoc_script()

    app.register_blueprint(blueprint)
    app.register_blueprint(_guide_names())


GUIDE_NAMES: Final = {
    "/api/schema/": "/api/openapi.json",
    "/swagger/": "/api/docs/",
    "/redoc/": "/api/redoc/",
}
"""Under which the CDSS guide looks for the documentation, and where it is."""


def _guide_names() -> Blueprint:
    blueprint = Blueprint("guide_names", __name__)
    for path, place in GUIDE_NAMES.items():
        blueprint.add_url_rule(path, path.strip("/").replace("/", "_"), _sends_to(place))
    return blueprint


def _sends_to(place: str) -> Callable[[], BaseResponse]:
    @serves(PUBLIC)
    def view() -> BaseResponse:
        """Send the client on."""
        return redirect(place, HTTPStatus.MOVED_PERMANENTLY)

    return view


def _redoc_script() -> Response:
    script = (redoc.static_path / "redoc.standalone.js").read_text(encoding="utf-8")
    response = Response(script.replace(FOREIGN_LOGO, "/api/docs/files/logo-mini.svg"), mimetype="text/javascript")
    response.cache_control.max_age = DAY_SECONDS
    return response


def _page(name: str) -> Response:
    response = make_response(send_from_directory(STATIC_FOLDER, name))
    response.headers["Content-Security-Policy"] = DOCS_POLICY
    return response
