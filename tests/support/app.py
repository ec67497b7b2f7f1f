"""The single-page app in a real browser, behind the project's gateway."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageOps
from playwright.sync_api import Browser, Page, Request, Response, expect

from control_api.app_pages import BUILT
from tests.support.api_process import PASSWORD
from tests.support.nginx_server import Gateway
from tests.support.repository import REPOSITORY

WIDE: Final = (1280, 800)
NARROW: Final = (390, 844)
LIMIT_MS: Final = 60_000
"""How long anything in the browser may take; on two cores it takes a tenth of that."""

AXE: Final = REPOSITORY / "control_api" / "spa" / "node_modules" / "axe-core" / "axe.min.js"
RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")


@dataclass(frozen=True)
class Look:
    """How somebody looks at the app.

    Parameters
    ----------
    size
        Width and height of the window, px.
    dark
        Whether the colours are dark.
    language
        Of the browser.
    """

    size: tuple[int, int] = WIDE
    dark: bool = False
    language: str = "en-US"


@dataclass
class App:
    """A page of the browser with the app in it, and what went wrong in it.

    Parameters
    ----------
    page
        The page.
    base
        Address of the gateway.
    errors
        Exceptions that nothing in the page caught, and what the content security policy refused.
    outside
        Addresses that were asked for and are not the gateway's.
    faults
        Answers of 500 and more.
    """

    page: Page
    base: str
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(LIMIT_MS)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self._note(said.text))
        self.page.on("request", self._note_request)
        self.page.on("response", self._note_response)

    def open(self, path: str = "/") -> None:
        """Open an address of the app anew."""
        self.page.goto(self.base + path)

    def go(self, path: str) -> None:
        """Follow a link of the app without loading it anew, as a person does."""
        self.page.evaluate(
            "path => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')); }", path
        )

    def log_in(self, username: str, password: str = PASSWORD) -> None:
        """Say who one is, and come in."""
        self.try_to_log_in(username, password)
        expect(self.page.locator("header")).to_be_visible(timeout=LIMIT_MS)

    def try_to_log_in(self, username: str, password: str) -> None:
        """Fill the form in and send it."""
        self.page.get_by_label("Username").or_(self.page.get_by_label("사용자 이름")).fill(username)
        self.page.locator("input[name=password]").fill(password)
        self.page.locator("button[type=submit]").click()

    def heading(self, text: str) -> None:
        """Wait until the page has a heading."""
        expect(self.page.get_by_role("heading", level=1, name=text)).to_be_visible(timeout=LIMIT_MS)

    def settle(self) -> None:
        """Wait until a page has its heading, and nothing of it is still on its way."""
        drawn = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
        self.page.evaluate(drawn)
        expect(self.page.locator(".mantine-Loader-root")).to_have_count(0, timeout=LIMIT_MS)
        expect(self.page.get_by_role("heading", level=1).first).to_be_visible(timeout=LIMIT_MS)

    def violations(self) -> list[str]:
        """Give what axe-core finds that is serious or critical (WCAG 2.1 A and AA)."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
        found: list[dict[str, Any]] = self.page.evaluate(
            "async rules => (await axe.run(document, {runOnly: rules})).violations", list(RULES)
        )
        return [
            f"{one['id']}: {node['target']} {[why['message'] for why in node['any']][:1]}"
            for one in found
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]

    def too_wide(self) -> int:
        """Give by how many pixels the page is wider than the window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return max(0, width)

    def shoot(self, path: Path) -> None:
        """Keep a picture of the page, in 32 steps of each channel so that it is small."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(BytesIO(self.page.screenshot())) as picture:
            ImageOps.posterize(picture.convert("RGB"), 5).save(path, optimize=True)

    def _note(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.errors.append(text)

    def _note_request(self, request: Request) -> None:
        if request.url.startswith(("http:", "https:", "ws:")) and not request.url.startswith(self.base):
            self.outside.append(request.url)

    def _note_response(self, response: Response) -> None:
        if response.status >= 500:
            self.faults.append(f"{response.status} {response.url}")


@contextmanager
def opened_app(browser: Browser, gateway: Gateway, look: Look | None = None) -> Iterator[App]:
    """Give the app's login page in a browser that has nothing kept; afterwards nothing may have broken in it."""
    assert (BUILT / "index.html").is_file(), "the app was not built (make spa)"
    look = look or Look()
    context = browser.new_context(
        viewport={"width": look.size[0], "height": look.size[1]},
        color_scheme="dark" if look.dark else "light",
        locale=look.language,
        reduced_motion="reduce",
    )
    try:
        app = App(context.new_page(), gateway.url)
        app.open()
        yield app
        _nothing_broke(app.errors, app.outside, app.faults)
    finally:
        context.close()


def _nothing_broke(*kinds: Sequence[str]) -> None:
    assert [list(kind) for kind in kinds] == [[] for _ in kinds]
