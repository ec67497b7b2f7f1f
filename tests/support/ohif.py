"""OHIF in a real browser: the gateway with an archive behind it, Chromium on the loopback only, a viewport."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageOps
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

from tests.support.nginx_server import VIEWER_ROOT, Gateway, start_gateway
from tests.support.ohif_page import COUNT, GLYPHS, MEASUREMENTS, SEGMENTS, VIEWPORT
from tests.support.orthanc_server import OrthancServer
from tests.support.server_process import required_command
from tests.support.waiting import wait_until

FLAGS: Final = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)
"""WebGL 2 in software, and no host but this one has an address."""

LIMIT_MS: Final = 60_000
"""How long anything in the browser may take; on two cores it takes a fifth of that."""

ARCHIVE_LOCATION: Final = """
        location /dicom-web/studies {
            limit_except GET { deny all; }
            # OHIF writes the commas of a list as %%2C, and the plugin of Orthanc 1.10 then answers none of them.
            if ($args ~ "^(?<before>.*)includefield=[^&]*(?<after>.*)$") {
                set $args "${before}includefield=00081030,00080060$after";
            }
            proxy_pass %s;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_buffering off;
        }

        # Everything else"""
"""Opens the archive without a login, which production never does."""

TRANSIENT: Final = "The stack viewport has been destroyed"
"""What OHIF throws now and then while one viewport takes another's place, and then shows all that was wanted."""


@dataclass(frozen=True)
class Pixels:
    """What is drawn in the viewport.

    Parameters
    ----------
    coloured
        Pixels whose channels differ by more than 40 of 255.
    grey
        Others that are not black.
    box
        Left, top, right and bottom of what is coloured.
    """

    coloured: int
    grey: int
    box: Sequence[int] = ()


@dataclass
class Viewer:
    """A page of the browser with OHIF in it, and what went wrong in it.

    Parameters
    ----------
    page
        The page.
    base
        Address of OHIF.
    errors
        Exceptions that nothing in the page caught.
    outside
        Addresses that were asked for and are not on this machine.
    refused
        Answers of 400 and more, of the gateway or the archive.
    complaints
        What the page wrote to its console as an error.
    """

    page: Page
    base: str
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(LIMIT_MS)
        self.page.on("pageerror", lambda error: self._note_error(str(error)))
        self.page.on("console", self._note_complaint)
        self.page.on("request", self._note_request)
        self.page.on("response", self._note_response)

    def open(self, study_uid: str, series_uid: str | None = None) -> None:
        """Open a study by its address, at a series where one is named."""
        first = f"&initialSeriesInstanceUID={series_uid}" if series_uid else ""
        self.page.goto(f"{self.base}/viewer?StudyInstanceUIDs={study_uid}{first}")

    def wait_for(self, expression: str, what: str) -> None:
        """Wait until an expression in the page is true; while it throws it is not."""
        guarded = f"() => {{ try {{ return Boolean({expression}); }} catch (error) {{ return false; }} }}"
        try:
            self.page.wait_for_function(guarded, timeout=LIMIT_MS)
        except Exception as error:
            raise AssertionError(f"waited in vain for {what}; {self.errors=} {self.refused=}") from error

    def wait_for_image(self) -> None:
        """Wait until the viewport has an image and shows it."""
        self.wait_for(f"{VIEWPORT}.getCornerstoneImage()", "an image")
        self.wait_for_pixels(grey=1000)

    def wait_for_overlay(self) -> None:
        """Wait until a segmentation lies in the viewport."""
        self.wait_for(
            f"window.services.segmentationService.getSegmentationRepresentations({VIEWPORT}.id).length", "an overlay"
        )

    def wait_for_measurements(self, count: int) -> None:
        """Wait until so many findings of an opened report are drawn."""
        self.wait_for(f"{MEASUREMENTS}.length === {count}", f"{count} findings")

    def pixels(self) -> Pixels:
        """Count what is drawn in the first viewport."""
        counted = self.page.evaluate(COUNT)
        return Pixels(**counted) if counted else Pixels(0, 0)

    def wait_for_pixels(self, coloured: int = 0, grey: int = 0) -> Pixels:
        """Wait until at least so many are drawn and no more are added, and give how many."""
        seen = [self.pixels()]

        def settled() -> bool:
            seen.append(self.pixels())
            return seen[-1] == seen[-2] and seen[-1].coloured >= coloured and seen[-1].grey >= grey

        wait_until(settled, LIMIT_MS / 1000, f"{coloured} coloured and {grey} grey pixels")
        return seen[-1]

    def segments(self) -> dict[str, tuple[int, int, int]]:
        """Give the colour of each segment that is shown, RGB, by its name, in order of number."""
        listed: list[dict[str, Any]] = self.page.evaluate(SEGMENTS)
        return {segment["label"]: tuple(segment["colour"][:3]) for segment in listed}

    def measurements(self) -> dict[str, dict[str, str]]:
        """Give what the opened report says of each finding, by tracking UID: name of the value, value."""
        listed: dict[str, dict[str, str]] = self.page.evaluate(
            f"() => Object.fromEntries({MEASUREMENTS}.map(one => [one.TrackingUniqueIdentifier,"
            " Object.fromEntries(one.labels.map(each => [each.label, each.value]))]))"
        )
        return listed

    def outlines(self) -> dict[str, list[list[float]]]:
        """Give what is drawn of each finding, points in LPS mm, by tracking UID."""
        listed: dict[str, list[list[float]]] = self.page.evaluate(
            "() => Object.fromEntries(window.cornerstoneTools.annotation.state.getAllAnnotations()"
            ".map(one => [one.data.TrackingUniqueIdentifier, one.data.handles.points]))"
        )
        return listed

    def level_mm(self) -> float:
        """Give where the slice shown lies along the patient's third axis; for axial slices."""
        level: float = self.page.evaluate(f"() => {VIEWPORT}.getCamera().focalPoint[2]")
        return level

    def on_canvas(self, points_lps_mm: ArrayLike) -> NDArray[np.float64]:
        """Give where points, (n, 3) LPS mm, are drawn: (n, 2) pixels to the right and down."""
        points = np.asarray(points_lps_mm, dtype=np.float64).tolist()
        drawn = self.page.evaluate(f"points => points.map(point => [...{VIEWPORT}.worldToCanvas(point)])", points)
        return np.array(drawn, dtype=np.float64)

    def on_screen(self, colour_rgb: tuple[int, int, int]) -> int:
        """Count the pixels of the whole page that have a colour, nearly."""
        with Image.open(BytesIO(self.page.screenshot())) as picture:
            distance = np.abs(np.asarray(picture.convert("RGB"), dtype=np.int16) - np.array(colour_rgb))
        return int((distance.max(axis=-1) <= 8).sum())

    def different_glyphs(self, text: str) -> int:
        """Count how many different pictures the browser draws for the characters of a text."""
        drawn: int = self.page.evaluate(GLYPHS, text)
        return drawn

    def open_list(self) -> None:
        """Open the list of studies."""
        self.page.goto(f"{self.base}/")

    def open_panel(self, name: str) -> None:
        """Open a panel at the right, by the name of its button."""
        self.page.locator(f"[data-cy={name}-btn]").first.click()

    def show_patient(self) -> None:
        """Open who the patient is, in the bar above."""
        self.page.get_by_text("Patient", exact=True).first.click()

    def show_segment(self, label: str, level_mm: float) -> None:
        """Go to the middle of a segment by a click on its name, and wait until its slice is there.

        Parameters
        ----------
        label
            Name of the segment.
        level_mm
            Where the middle is along the patient's third axis, across which the slices lie.
        """
        self.page.get_by_text(label, exact=True).first.click()
        self.wait_for_level(level_mm, 3.0)

    def wait_for_level(self, level_mm: float, tolerance_mm: float = 0.1) -> None:
        """Wait until the slice at a place along the patient's third axis is there; for axial slices."""
        plane = f"window.cornerstone.metaData.get('imagePlaneModule', {VIEWPORT}.getCurrentImageId())"
        distance = f"Math.abs({plane}.imagePositionPatient[2] - {level_mm})"
        self.wait_for(f"{distance} <= {tolerance_mm}", f"the slice at {level_mm:g} mm")

    def show_slice(self, index: int) -> None:
        """Go to a slice, 0-based, and wait until it is there."""
        self.page.evaluate(f"index => {VIEWPORT}.setImageIdIndex(index)", index)
        self.wait_for(f"{VIEWPORT}.getCurrentImageIdIndex() === {index}", "the slice")

    def text(self) -> str:
        """Give all that can be read in the page."""
        return self.page.inner_text("body")

    def wait_for_text(self, *wanted: str) -> str:
        """Wait until texts can be read in the page, and give all of it."""
        for text in wanted:
            self.wait_for(f"document.body.innerText.includes({text!r})", f"the text {text!r}")
        return self.text()

    def shoot(self, path: Path) -> None:
        """Keep a picture of the page, in 32 steps of each channel so that it is small."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(BytesIO(self.page.screenshot())) as picture:
            ImageOps.posterize(picture.convert("RGB"), 5).save(path, optimize=True)

    def _note_error(self, error: str) -> None:
        (self.complaints if TRANSIENT in error else self.errors).append(error)

    def _note_complaint(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def broken(self) -> list[str]:
        """Give why a part of the page was replaced by an excuse; nothing where none was, or for the passing fault."""
        excuses = "Something went wrong" in self.text()
        passing = any(TRANSIENT in complaint for complaint in self.complaints)
        return [*self.complaints, "something went wrong"] if excuses and not passing else []

    def _note_request(self, request: Request) -> None:
        if request.url.startswith(("http:", "https:", "ws:", "wss:")) and not request.url.startswith(self._host):
            self.outside.append(request.url)

    @property
    def _host(self) -> str:
        return self.base.removesuffix("pacs-viewer")

    def _note_response(self, response: Response) -> None:
        if response.status >= 400:
            self.refused.append(f"{response.status} {response.url}")


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run Debian's Chromium for the length of a ``with`` block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=required_command("chromium"), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened_viewer(browser: Browser, gateway: Gateway) -> Iterator[Viewer]:
    """Give a page with nothing in its cache."""
    context = browser.new_context(viewport={"width": 1200, "height": 700})
    try:
        yield Viewer(context.new_page(), f"{gateway.url}/pacs-viewer")
    finally:
        context.close()


def start_viewer_gateway(folder: Path, orthanc: OrthancServer) -> Gateway:
    """Start the project's gateway with OHIF in it, and an archive behind it.

    Parameters
    ----------
    folder
        An empty folder.
    orthanc
        The archive.
    """
    assert (VIEWER_ROOT / "pacs-viewer" / "index.html").is_file(), "OHIF is not there (make viewer)"
    return start_gateway(folder, "127.0.0.1:9", _with_archive(orthanc.url))


def _with_archive(url: str) -> Sequence[tuple[str, str]]:
    return [("\n        # Everything else", ARCHIVE_LOCATION % url)]
