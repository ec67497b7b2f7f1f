"""OHIF through the node's own login: the overlay with a session, nothing without one, nothing of another study."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Route

from dicom_node.spool import FolderSpool
from inference.headers import read_headers
from integrations.orthanc.folder import FolderArchive
from tests.support.api_process import PASSWORD, APIProcess, start_api
from tests.support.nginx_server import VIEWER_ROOT, Gateway, start_gateway
from tests.support.ohif import Viewer, opened_viewer
from tests.support.orthanc_server import OrthancServer
from tests.support.synthetic_series import revision_of
from tests.support.waiting import wait_until
from tests.viewers.studies import STRUCTURES, Stored, analysed, encode, head

pytestmark = pytest.mark.integration

DRAWN = 10_000
"""Pixels: a hundred by a hundred, and no accident."""


@dataclass(frozen=True)
class Door:
    """What a browser is shown, and who may log in there."""

    gateway: Gateway
    api: APIProcess

    def open_session(self, viewer: Viewer, *studies: str, series: str | None = None) -> str:
        """Let the browser have a session, as the page of results does, and give the address of OHIF."""
        base = self.gateway.url
        login = httpx.post(f"{base}/api/auth/login", json={"username": "anna", "password": PASSWORD}).json()
        answer = viewer.page.context.request.post(
            f"{base}/api/viewer/session",
            headers={"Authorization": f"Bearer {login['access_token']}"},
            data={"studies": list(studies), **({"series": series} if series else {})},
        )
        assert answer.status == 201, answer.text()
        return base + str(answer.json()["url"])


@pytest.fixture(scope="module")
def door(archive: OrthancServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Run API and gateway, as they are deployed, in front of the archive."""
    folder = tmp_path_factory.mktemp("door")
    api = start_api(folder, {"anna": "radiologist"}, {"ORTHANC_API_URL": archive.url})
    (folder / "nginx").mkdir()
    gateway = start_gateway(folder / "nginx", api.address)
    yield Door(gateway, api)
    gateway.stop()
    api.stop()


def _statuses(viewer: Viewer) -> set[str]:
    return {refused.split()[0] for refused in viewer.refused if "/dicom-web/" in refused}


def _logins_asked_for(viewer: Viewer) -> list[str]:
    """Give the addresses of the login page that OHIF wants to go to from now on; the browser stays where it is."""
    asked: list[str] = []

    def stay(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    viewer.page.route("**/login?next=*", stay)
    return asked


def _wait(viewer: Viewer, condition: Callable[[], bool], what: str) -> None:
    """Wait while the page goes on."""
    wait_until(lambda: (viewer.page.wait_for_timeout(50), condition())[1], 60, what)


def _see_overlay(viewer: Viewer) -> None:
    viewer.wait_for_overlay()
    assert len(viewer.segments()) == STRUCTURES
    viewer.wait_for_pixels(coloured=DRAWN)


def test_a_study_is_opened_with_its_overlay(browser: Browser, door: Door, brain: Stored) -> None:
    """By the address that the API gives, with a cookie that the page's programs do not see."""
    with opened_viewer(browser, door.gateway) as viewer:
        viewer.page.goto(door.open_session(viewer, brain.study_uid, series=brain.series_uid("SEG")))
        _see_overlay(viewer)
        assert "viewer_session" not in viewer.page.evaluate("document.cookie")
        assert (viewer.errors, viewer.outside, viewer.refused, viewer.broken()) == ([], [], [], [])


def test_without_a_session_there_are_no_pictures(browser: Browser, door: Door, brain: Stored) -> None:
    """OHIF is told 401, and goes to the login page, which knows where to lead back to."""
    with opened_viewer(browser, door.gateway) as viewer:
        asked = _logins_asked_for(viewer)
        viewer.open(brain.study_uid)
        _wait(viewer, lambda: bool(asked), "the way to the login page")
        assert brain.study_uid in asked[0], "it leads back here"
        assert _statuses(viewer) == {"401"}


def test_a_session_for_one_study_opens_no_other(browser: Browser, door: Door, brain: Stored) -> None:
    """OHIF is told 403, and shows nothing."""
    with opened_viewer(browser, door.gateway) as viewer:
        door.open_session(viewer, "1.2.826.0.1.3680043.8.498.4711")
        viewer.open(brain.study_uid)
        _wait(viewer, lambda: _statuses(viewer) == {"403"}, "a refusal")
        assert viewer.pixels().grey == 0


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Door, Stored]]:
    """Run the API alone, as the embedded node does, over its own folders: a received series, and its results."""
    folder = tmp_path_factory.mktemp("embedded")
    source = head(folder / "source", 8120)
    encoding = analysed(source)
    stored = Stored(encoding, encode(encoding))
    api = start_api(folder, {"anna": "radiologist"}, {"NODE_VIEWER_DIR": str(VIEWER_ROOT)})
    _receive(source.paths, api.settings.spool_dir)
    FolderArchive(api.settings.archive_dir).deliver(stored.artifacts)
    yield Door(Gateway(api.url, api.log, api.process), api), stored
    api.stop()


def _receive(paths: Sequence[Path], spool: Path) -> None:
    """Lay files where the receiver would."""
    kept = FolderSpool(spool)
    for header in read_headers(revision_of(paths).instances):
        made = kept.store(header.instance.identity, header.instance.transfer_syntax_uid, b"")
        shutil.copyfile(header.instance.path, made.path)


@pytest.mark.parametrize("kind", ["SEG", "SR", "PDF"])
def test_the_embedded_node_shows_its_results(browser: Browser, embedded: tuple[Door, Stored], kind: str) -> None:
    """Without Orthanc and without nginx: images from the spool, results from the folder of the archive."""
    door, stored = embedded
    with opened_viewer(browser, door.gateway) as viewer:
        viewer.page.goto(door.open_session(viewer, stored.study_uid, series=stored.series_uid(kind)))
        if kind == "SEG":
            _see_overlay(viewer)
        elif kind == "SR":
            viewer.wait_for_image()
            viewer.wait_for_measurements(STRUCTURES)
        else:
            viewer.wait_for("document.querySelector('object[type=\"application/pdf\"]')", "the page")
        assert (viewer.errors, viewer.outside, viewer.refused, viewer.broken()) == ([], [], [], [])


def test_the_embedded_list_is_empty_without_a_session(browser: Browser, embedded: tuple[Door, Stored]) -> None:
    """The same login as in front of an archive."""
    door, stored = embedded
    with opened_viewer(browser, door.gateway) as viewer:
        asked = _logins_asked_for(viewer)
        viewer.open(stored.study_uid)
        _wait(viewer, lambda: bool(asked), "the way to the login page")
        assert _statuses(viewer) == {"401"}
