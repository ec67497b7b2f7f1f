"""OHIF, served by the API itself where no nginx stands in front of it: the embedded node."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flask import Blueprint, Flask, Response, make_response, redirect, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from control_api.auth.roles import PUBLIC, serves

BASE: Final = "/pacs-viewer"
VIEWER_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' blob: data:; frame-src 'self' blob:; object-src 'self' blob:; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
"""What OHIF needs: it compiles WebAssembly, styles itself, starts workers from blobs; nothing from anywhere else."""


def register(app: Flask, folder: Path) -> None:
    """Serve OHIF.

    Parameters
    ----------
    app
        The application.
    folder
        Holds ``pacs-viewer/``, as ``docker/ohif/prepare_ohif.py`` makes it.
    """
    blueprint = Blueprint("viewer_pages", __name__)
    files = folder.absolute() / BASE.strip("/")

    @blueprint.get(BASE)
    @serves(PUBLIC)
    def bare() -> AnyResponse:
        """Lead to the page, whose programs lie beside it."""
        return redirect(f"{BASE}/", 301)

    @blueprint.get(f"{BASE}/", defaults={"path": "index.html"})
    @blueprint.get(f"{BASE}/<path:path>")
    @serves(PUBLIC)
    def file(path: str) -> Response:
        """Give a file; an address without an ending is the page, whose program reads it."""
        return _protected(send_from_directory(files, path if "." in path else "index.html"))

    app.register_blueprint(blueprint)


def _protected(answer: AnyResponse) -> Response:
    response = make_response(answer)
    response.headers["Content-Security-Policy"] = VIEWER_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Cache-Control"] = "no-cache"
    return response
