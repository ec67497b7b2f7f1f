"""The gateway serves OHIF under its path, small, always the newest, and lets it load nothing from anywhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.support.free_port import free_port
from tests.support.nginx_server import VIEWER_ROOT, Gateway, start_gateway

pytestmark = pytest.mark.integration

PAGE = "/pacs-viewer/viewer?StudyInstanceUIDs=1.2.3"


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    """Give a client of the gateway."""
    with httpx.Client(base_url=gateway.url) as client:
        yield client


def test_every_address_of_the_viewer_is_its_page(client: httpx.Client) -> None:
    """The program in the page reads the address; the bare path leads there."""
    assert client.get("/pacs-viewer").headers["Location"].endswith("/pacs-viewer/")
    for path in ("/pacs-viewer/", PAGE):
        answer = client.get(path)
        assert answer.status_code == httpx.codes.OK
        assert '<div id="root">' in answer.text


def test_all_that_the_page_names_is_there(client: httpx.Client) -> None:
    """Programs, styles and icons, each under the path and of a type that a browser takes."""
    named = re.findall(r'(?:src|href)="([^"]+)"', client.get(PAGE).text)
    assert len(named) > 10
    for path in named:
        assert path.startswith("/pacs-viewer/")
        answer = client.get(path)
        assert answer.status_code == httpx.codes.OK, path
        assert answer.headers["Content-Type"].split(";")[0] in {
            "text/javascript", "text/css", "application/json", "image/png", "image/x-icon"
        }, path  # fmt: skip


def test_decoders_are_served_as_what_they_are(client: httpx.Client) -> None:
    """A browser compiles WebAssembly while it arrives only if it is called that."""
    decoders = sorted((VIEWER_ROOT / "pacs-viewer").glob("*.wasm"))
    assert decoders
    for decoder in decoders:
        assert client.get(f"/pacs-viewer/{decoder.name}").headers["Content-Type"] == "application/wasm"


def test_a_file_that_is_not_there_is_not_the_page(client: httpx.Client) -> None:
    """A program that is missing must not be a page that the browser fails to read as one."""
    answer = client.get("/pacs-viewer/app.bundle.0000000000000000.js")
    assert answer.status_code == httpx.codes.NOT_FOUND
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_programs_are_sent_compressed(client: httpx.Client) -> None:
    """As they lie, without work: 17 MB become less than 5."""
    (program,) = (VIEWER_ROOT / "pacs-viewer").glob("app.bundle.*.js")
    answer = client.get(f"/pacs-viewer/{program.name}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert int(answer.headers["Content-Length"]) < 5_000_000
    assert answer.content == program.read_bytes()


def test_a_browser_asks_again_and_is_told_that_nothing_changed(client: httpx.Client) -> None:
    """A viewer that was made anew is seen at once."""
    first = client.get("/pacs-viewer/app-config.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get("/pacs-viewer/app-config.js", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == httpx.codes.NOT_MODIFIED


def test_the_page_may_load_from_here_only(client: httpx.Client) -> None:
    """By its content security policy, on the page and on its programs."""
    for path in (PAGE, "/pacs-viewer/app-config.js"):
        headers = client.get(path).headers
        (policy,) = headers.get_list("Content-Security-Policy")
        sources = {source for part in policy.split(";") for source in part.split()[1:]}
        assert sources == {"'self'", "'unsafe-inline'", "'unsafe-eval'", "blob:", "data:"}
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_archive_is_read_only_even_in_tests(client: httpx.Client) -> None:
    """What the tests open is GET of studies; the plugin's other services are the API's, which is not there."""
    assert client.get("/dicom-web/studies").status_code == httpx.codes.OK
    assert client.post("/dicom-web/studies").status_code == httpx.codes.FORBIDDEN
    assert client.get("/dicom-web/servers").status_code == httpx.codes.BAD_GATEWAY


def test_the_gateway_itself_opens_no_archive(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Pictures go through the API's login, never past it: without the API there are none."""
    gateway = start_gateway(tmp_path_factory.mktemp("production"), f"127.0.0.1:{free_port()}")
    try:
        assert httpx.get(f"{gateway.url}/dicom-web/studies").status_code == httpx.codes.BAD_GATEWAY
        assert httpx.get(f"{gateway.url}/pacs-viewer/").status_code == httpx.codes.OK
    finally:
        gateway.stop()
