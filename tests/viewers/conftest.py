"""One archive, one gateway and one browser for all that is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.nginx_server import Gateway
from tests.support.ohif import Viewer, opened_viewer, running_browser, start_viewer_gateway
from tests.support.orthanc_server import OrthancOptions, OrthancServer, running_orthanc
from tests.viewers.studies import Stored, analysed, head, store


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--pictures``, which keeps what was seen, for docs/images."""
    parser.addoption("--pictures", type=Path, help="folder for pictures of what the viewer shows")


@pytest.fixture(scope="package")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    """Run an archive."""
    with running_orthanc(tmp_path_factory.mktemp("archive"), OrthancOptions({})) as orthanc:
        yield orthanc


@pytest.fixture(scope="package")
def gateway(archive: OrthancServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Run the gateway with OHIF and the archive."""
    gateway = start_viewer_gateway(tmp_path_factory.mktemp("gateway"), archive)
    yield gateway
    gateway.stop()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Run Chromium."""
    with running_browser() as browser:
        yield browser


@pytest.fixture
def viewer(browser: Browser, gateway: Gateway) -> Iterator[Viewer]:
    """Give OHIF, new; whatever is opened in it, nothing may break and nothing may be asked for outside."""
    with opened_viewer(browser, gateway) as viewer:
        yield viewer
        assert viewer.errors == []
        assert viewer.outside == []
        assert viewer.refused == []
        assert viewer.broken() == []


@pytest.fixture
def shoot(viewer: Viewer, pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Give what keeps a picture under a name, where ``--pictures`` asks for it."""
    folder: Any = pytestconfig.getoption("--pictures", default=None)
    return lambda name: viewer.shoot(folder / f"{name}.png") if folder else None


@pytest.fixture(scope="package")
def brain(archive: OrthancServer, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Store a head with every kind of result."""
    source = head(tmp_path_factory.mktemp("head"), 8101)
    return store(archive, source.paths, analysed(source))
