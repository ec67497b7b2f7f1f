"""Where no nginx stands in front, the API serves OHIF as nginx does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from control_api.gateway.ports import Gateway, ViewerOptions
from control_api.viewer_pages import VIEWER_POLICY
from tests.support.control_api import ControlAPI
from tests.support.repository import REPOSITORY


@pytest.fixture
def door(api_with: Callable[..., ControlAPI], tmp_path: Path) -> ControlAPI:
    """Give the API with a viewer that is a page and a program."""
    folder = tmp_path / "viewer"
    (folder / "pacs-viewer" / "assets").mkdir(parents=True)
    (folder / "pacs-viewer" / "index.html").write_text("<p>page</p>")
    (folder / "pacs-viewer" / "app.js").write_text("program")
    (folder / "pacs-viewer" / "decoder.wasm").write_bytes(b"\0asm")
    (folder / "secret.txt").write_text("secret")
    return api_with(gateway=Gateway(viewer=ViewerOptions(folder=folder)))


@pytest.mark.parametrize("path", ["/pacs-viewer/", "/pacs-viewer/viewer?StudyInstanceUIDs=1.2.3", "/pacs-viewer/a/b"])
def test_every_address_is_the_page(door: ControlAPI, path: str) -> None:
    """The program in it reads the address."""
    answer = door.client.get(path)
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "<p>page</p>", "text/html")


def test_the_bare_address_leads_to_the_page(door: ControlAPI) -> None:
    """Whose programs lie beside it."""
    assert door.client.get("/pacs-viewer").headers["Location"].endswith("/pacs-viewer/")


@pytest.mark.parametrize(("name", "kind"), [("app.js", "text/javascript"), ("decoder.wasm", "application/wasm")])
def test_programs_are_served_as_what_they_are(door: ControlAPI, name: str, kind: str) -> None:
    """Browsers take them for nothing else."""
    answer = door.client.get(f"/pacs-viewer/{name}")
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert answer.headers["Content-Security-Policy"] == VIEWER_POLICY


@pytest.mark.parametrize(
    "path",
    ["app.missing.js", "../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "/etc/passwd.txt", "assets/x.js"],
)
def test_no_other_file_is_served(door: ControlAPI, path: str) -> None:
    """Neither what is missing, as the page, nor what lies elsewhere."""
    answer = door.client.get(f"/pacs-viewer/{path}")
    assert answer.status_code in {308, 404}
    assert "secret" not in answer.text


def test_without_a_folder_there_is_no_viewer(api: ControlAPI) -> None:
    """Behind nginx, that serves it."""
    assert api.client.get("/pacs-viewer/").status_code == 404


def test_the_policy_is_that_of_nginx() -> None:
    """What is seen in one is seen in the other."""
    text = (REPOSITORY / "nginx" / "snippets" / "viewer.conf").read_text(encoding="utf-8")
    (policy,) = re.findall(r'Content-Security-Policy "([^"]+)"', text)
    assert policy == VIEWER_POLICY
