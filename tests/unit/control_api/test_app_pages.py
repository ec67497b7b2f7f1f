"""The app in embedded mode: at its addresses only, kept where it may be; the status page in its absence."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from control_api import app_pages, request_context
from control_api.app_pages import PLACES
from control_api.request_context import APP_POLICY, DOCS_POLICY
from tests.support.control_api import ControlAPI
from tests.support.fakes import CountingUIDSource, FixedClock

PAGE = '<!doctype html><div id="root"></div><script type="module" src="/assets/index-a1b2.js"></script>'


def client_of(built: Path) -> FlaskClient:
    """Give a client of an application with nothing but the pages."""
    app = Flask("pages", static_folder=None)
    request_context.install(app, FixedClock(), CountingUIDSource())
    app_pages.register(app, built)
    return app.test_client()


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """Give a client where the app was built."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "assets" / "index-a1b2.js").write_text("1;", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("no", encoding="utf-8")
    return client_of(tmp_path)


@pytest.mark.parametrize("path", ["/", *(f"/{place}" for place in PLACES), "/studies/1.2.3", "/admin/users"])
def test_every_address_of_the_app_is_its_page(client: FlaskClient, path: str) -> None:
    """The app reads the address; a new build is seen at once."""
    answer = client.get(path)

    assert answer.get_data(as_text=True) == PAGE
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/nowhere", "/assets/", "/assets/none.js", "/assets/../secret.txt", "/index.html"])
def test_nothing_else_is(client: FlaskClient, path: str) -> None:
    """A file that is not there is not a page, and no other file of the folder is served."""
    assert client.get(path).status_code == 404


def test_files_with_a_hash_in_their_name_are_kept_for_ever(client: FlaskClient) -> None:
    """The browser asks for each version once."""
    answer = client.get("/assets/index-a1b2.js")

    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.mimetype == "text/javascript"


def test_the_app_runs_its_own_scripts_only(client: FlaskClient) -> None:
    """Nothing inline and nothing from elsewhere; styles may be written at run time, pictures come as blobs."""
    policy = client.get("/").headers["Content-Security-Policy"]
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))

    assert policy == APP_POLICY
    assert parts["script-src"] == parts["connect-src"] == "'self'"
    assert parts["default-src"] == "'none'"
    assert parts["img-src"] == "'self' data: blob:"
    assert "blob:" not in DOCS_POLICY


def test_where_the_app_was_not_built_the_status_page_is_shown(tmp_path: Path) -> None:
    """A checkout without npm still shows what the node does."""
    client = client_of(tmp_path / "absent")

    assert "/static/status.js" in client.get("/").get_data(as_text=True)
    assert client.get("/assets/index-a1b2.js").status_code == 404


def test_the_pages_are_part_of_the_application(api: ControlAPI) -> None:
    """Built or not, ``/`` answers somebody who is not logged in."""
    assert api.client.get("/").status_code == 200
