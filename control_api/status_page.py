"""The status page: static files that read the API like any other client; shown where the app was not built."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from flask import Blueprint, Flask, Response, send_from_directory

from control_api.auth.roles import PUBLIC, serves

STATIC_FOLDER: Final = Path(str(files("control_api"))) / "static"
PAGE_FILES: Final = ("status.css", "status.js", "client.js", "elements.js", "favicon.svg")


def page() -> Response:
    """Give the page."""
    return send_from_directory(STATIC_FOLDER, "index.html")


def register(app: Flask) -> None:
    """Serve its files for the embedded node; behind the gateway, Nginx serves the same files."""
    blueprint = Blueprint("status_page", __name__)

    @blueprint.get(f"/static/<any{PAGE_FILES}:name>")
    @serves(PUBLIC)
    def file(name: str) -> Response:
        """Give one of its files."""
        return send_from_directory(STATIC_FOLDER, name)

    app.register_blueprint(blueprint)
