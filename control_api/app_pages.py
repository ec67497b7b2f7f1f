"""The single-page app for the embedded node; behind the gateway, Nginx serves the same files in the same way."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from flask import Blueprint, Flask, Response, send_from_directory

from control_api import status_page
from control_api.auth.roles import PUBLIC, serves
from control_api.request_context import APP_POLICY

BUILT: Final = Path(str(files("control_api"))) / "spa" / "dist"
"""Where ``make spa`` lays the app."""
PLACES: Final = ("login", "studies", "jobs", "models", "node", "master-data", "admin", "account")
"""First parts of the app's addresses; the app reads the rest. Nginx and the app's routes have the same list."""
FOREVER: Final = "public, max-age=31536000, immutable"
"""The names of the app's files hold a hash of their content."""


def register(app: Flask, built: Path = BUILT) -> None:
    """Serve the app at its addresses, and the status page at ``/`` where the app was not built.

    Parameters
    ----------
    app
        The application.
    built
        The folder of the built app; may be absent.
    """
    status_page.register(app)
    blueprint = Blueprint("app_pages", __name__)

    @blueprint.get("/")
    @blueprint.get(f"/<any{PLACES}:place>")
    @blueprint.get(f"/<any{PLACES}:place>/<path:rest>")
    @serves(PUBLIC)
    def page(place: str = "", rest: str = "") -> Response:  # noqa: ARG001 - the app reads the address
        """Give the app, which reads the address."""
        return _app(built) if (built / "index.html").is_file() else status_page.page()

    @blueprint.get("/assets/<path:name>")
    @serves(PUBLIC)
    def asset(name: str) -> Response:
        """Give one of the app's files; the browser keeps it."""
        response = send_from_directory(built / "assets", name)
        response.headers["Cache-Control"] = FOREVER
        return response

    app.register_blueprint(blueprint)


def _app(built: Path) -> Response:
    response = send_from_directory(built, "index.html")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Content-Security-Policy"] = APP_POLICY
    return response
