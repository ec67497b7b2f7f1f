"""The single-page app in Chromium, in front of nginx, gunicorn and a real database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from control_api.request_context import APP_POLICY
from inference.domain.identifiers import UID
from inference.domain.job import JobState
from tests.support.api_process import APIProcess, start_api
from tests.support.app import LIMIT_MS, NARROW, WIDE, App, Look, opened_app
from tests.support.nginx_server import Gateway, start_gateway
from tests.support.waiting import wait_until
from tests.viewers.worklist import Worklist

pytestmark = pytest.mark.integration

USERS = {"reader": "radiologist", "ward": "nurse", "chief": "admin", "console": "technician", "unlucky": "doctor"}
KIM, LEE, PARK = 1, 2, 3


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIProcess]:
    """Run the API."""
    api = start_api(tmp_path_factory.mktemp("api"), USERS)
    yield api
    api.stop()


@pytest.fixture(scope="module")
def door(api: APIProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Run the gateway in front of it."""
    gateway = start_gateway(tmp_path_factory.mktemp("door"), api.address)
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def worklist(api: APIProcess) -> Worklist:
    """Give a worklist: a result, a study that nothing was made of, and one that failed."""
    worklist = Worklist(api)
    worklist.job(worklist.study(KIM, "Kim^Minsu=金民秀=김민수"))
    gap = {"error_code": "geometry.gap", "error_message": "two slices are missing"}
    worklist.job(worklist.study(LEE, "Lee^Jiwon", decision="rejected"), JobState.REJECTED, **gap)
    memory = {"error_code": "inference.out_of_memory", "error_message": "the device had 2 GiB"}
    worklist.job(worklist.study(PARK, "Park^Sora"), JobState.FAILED, **memory)
    return worklist


@pytest.fixture
def app(browser: Browser, door: Gateway, worklist: Worklist) -> Iterator[App]:
    """Give the login page."""
    with opened_app(browser, door) as app:
        yield app


@pytest.fixture
def shoot(pytestconfig: pytest.Config) -> Callable[[App, str], None]:
    """Give what keeps a picture under a name, where ``--pictures`` asks for it."""
    folder: Any = pytestconfig.getoption("--pictures", default=None)

    def keep(app: App, name: str) -> None:
        """Keep it."""
        if folder:
            app.shoot(Path(folder) / f"{name}.png")

    return keep


# --- what the gateway serves --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/login", "/studies/1.2.3", "/admin/users", "/node"])
def test_every_address_of_the_app_is_its_page(door: Gateway, path: str) -> None:
    """A link can be opened anew; the page runs its own scripts only, and is asked for again each time."""
    answer = httpx.get(door.url + path)

    assert answer.status_code == httpx.codes.OK
    assert '<div id="root">' in answer.text
    assert answer.headers.get_list("Content-Security-Policy") == [APP_POLICY]
    assert answer.headers.get_list("Cache-Control") == ["no-cache"]
    assert "script-src 'self';" in APP_POLICY


def test_files_of_the_build_are_kept_for_ever(door: Gateway) -> None:
    """Their names hold a hash of their content; what is not there is not the page, and not kept."""
    named = re.findall(r'(?:src|href)="(/assets/[^"]+)"', httpx.get(door.url).text)

    assert len(named) >= 2
    for path in named:
        answer = httpx.get(door.url + path)
        assert answer.headers.get_list("Cache-Control") == ["public, max-age=31536000, immutable"], path
        assert answer.headers["Content-Type"].split(";")[0] in {"text/javascript", "text/css"}
    missing = httpx.get(f"{door.url}/assets/index-00000000.js")
    assert (missing.status_code, missing.headers["Content-Type"]) == (404, "application/problem+json")
    assert "immutable" not in missing.headers["Cache-Control"]


def test_study_uids_in_addresses_of_the_app_are_not_logged(door: Gateway) -> None:
    """They lead to a person."""
    httpx.get(f"{door.url}/studies/1.2.826.0.1.3680043.8.498.4711")
    trace = httpx.get(f"{door.url}/login").headers["X-Request-ID"]
    wait_until(lambda: trace in door.log.read_text(encoding="utf-8"), 5, "the last request in the log")

    assert "498.4711" not in door.log.read_text(encoding="utf-8")


# --- coming in ----------------------------------------------------------------------------------------------------


def test_a_wrong_password_says_so_and_no_more(app: App) -> None:
    """The same words whether the name is known or not; after some the account is locked."""
    for _ in range(5):
        app.try_to_log_in("unlucky", "wrong")
        expect(app.page.get_by_role("alert")).to_contain_text("wrong, or the account is locked", timeout=LIMIT_MS)
        expect(app.page.get_by_role("button", name="Log in")).to_be_enabled(timeout=LIMIT_MS)
    app.try_to_log_in("unlucky", "a long password for tests")
    expect(app.page.get_by_role("alert")).to_contain_text("locked", timeout=LIMIT_MS)


def test_a_login_leads_to_where_somebody_wanted_to_be(app: App) -> None:
    """A link from a mail is not lost by having to log in first; no token is left where scripts can read it."""
    app.open("/jobs?state=FAILED")
    app.log_in("reader")
    app.heading("Jobs")

    assert app.page.url.endswith("/jobs?state=FAILED")
    expect(app.page.locator("tbody tr")).to_have_count(1, timeout=LIMIT_MS)
    kept = app.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "eyJ" not in kept


def test_leaving_leaves_nothing(app: App) -> None:
    """After logging out the way back leads to the login page."""
    app.log_in("reader")
    app.page.get_by_role("button", name="Account: reader").click()
    app.page.get_by_role("menuitem", name="Log out").click()
    app.heading("Log in")

    app.go("/jobs")
    expect(app.page.get_by_label("Username")).to_be_visible(timeout=LIMIT_MS)
    assert "Kim" not in app.page.content()


# --- the worklist -------------------------------------------------------------------------------------------------


def test_the_worklist_says_how_far_each_study_is_and_why_not(app: App) -> None:
    """A state in words, and the reason in the reader's language with the stable code."""
    app.log_in("reader")
    row = app.page.get_by_role("row")

    expect(row.filter(has_text="Kim Minsu (김민수)")).to_contain_text("Completed", timeout=LIMIT_MS)
    rejected = row.filter(has_text="Lee Jiwon")
    expect(rejected).to_contain_text("Not analysed")
    expect(rejected).to_contain_text("Slices are missing within the volume.")
    expect(rejected).to_contain_text("geometry.gap")
    expect(row.filter(has_text="Park Sora")).to_contain_text("The device had too little memory.")


def test_a_study_arrives_live(app: App, worklist: Worklist) -> None:
    """Nobody loads the page anew: it comes, is analysed, and is there."""
    app.log_in("reader")
    app.heading("Studies")
    uid = worklist.study(40, "Choi^Arrives", receiving=True, decision=None, evidence=None, completed_at=None)
    row = app.page.get_by_role("row").filter(has_text="Choi Arrives")
    expect(row).to_contain_text("Receiving", timeout=LIMIT_MS)

    worklist.close(uid)
    job_id = worklist.job(uid, JobState.PROCESSING)
    expect(row).to_contain_text("Analysing", timeout=LIMIT_MS)
    worklist.update(job_id, JobState.COMPLETED)
    expect(row).to_contain_text("Completed", timeout=LIMIT_MS)


def test_the_worklist_is_searched_and_filtered(app: App) -> None:
    """By words and by state; the address keeps it, so that the way back leads to the same list."""
    app.log_in("reader")
    app.page.get_by_label("Search in this list").fill("lee p-0002")
    expect(app.page.locator("tbody tr")).to_have_count(1, timeout=LIMIT_MS)
    app.page.get_by_role("link", name="Lee Jiwon").click()
    app.heading("Lee Jiwon")
    app.page.go_back()
    expect(app.page.locator("tbody tr")).to_have_count(1, timeout=LIMIT_MS)

    app.page.get_by_label("Search in this list").fill("nobody")
    expect(app.page.get_by_text("Nothing matches these filters.")).to_be_visible()
    app.page.get_by_role("button", name="Clear filters").click()
    expect(app.page.get_by_role("link", name="Park Sora")).to_be_visible()


def test_the_worklist_is_used_by_keys_alone(app: App) -> None:
    """From the login to a study without a mouse, and over what is the same on every page."""
    keys = app.page.keyboard
    app.page.get_by_label("Username").focus()
    keys.type("reader")
    keys.press("Tab")
    keys.type("a long password for tests")
    keys.press("Enter")
    app.heading("Studies")
    expect(app.page.get_by_role("link", name="Kim Minsu (김민수)")).to_be_visible(timeout=LIMIT_MS)

    app.page.locator("body").press("Tab")
    expect(app.page.get_by_role("link", name="Skip to content")).to_be_focused()
    keys.press("Enter")
    for _ in range(40):
        keys.press("Tab")
        if app.page.evaluate("document.activeElement.textContent").startswith("Kim Minsu"):
            break
    keys.press("Enter")
    app.heading("Kim Minsu (김민수)")


# --- a study ------------------------------------------------------------------------------------------------------


def test_a_result_shows_numbers_bars_and_what_to_know(app: App) -> None:
    """With colours of the model's card, and what is unusual or was not found in words."""
    app.log_in("reader")
    app.go(f"/studies/{study_uid(KIM)}")
    row = app.page.get_by_role("row").filter(has=app.page.get_by_role("button", name="Thalamus"))

    expect(row).to_contain_text("14.2 mL", timeout=LIMIT_MS)
    expect(row.locator("svg.bar rect").nth(1)).to_have_attribute("fill", re.compile(r"rgb\(\d+ \d+ \d+\)"))
    expect(app.page.get_by_text("one slice was interpolated")).to_be_visible()
    expect(app.page.get_by_text("Looked for and not found: Amygdala")).to_be_visible()
    expect(app.page.get_by_role("button", name="Open in OHIF")).to_be_visible()


def test_a_study_is_opened_in_ohif(app: App) -> None:
    """In a tab of its own, at the segmentation of the result."""
    app.log_in("reader")
    app.go(f"/studies/{study_uid(KIM)}")
    expect(app.page.get_by_role("button", name="Thalamus")).to_be_visible(timeout=LIMIT_MS)
    with app.page.expect_popup() as tab:
        app.page.get_by_role("button", name="Open in OHIF").click()

    tab.value.wait_for_url("**/pacs-viewer/viewer?**", wait_until="commit")
    assert f"StudyInstanceUIDs={study_uid(KIM)}" in tab.value.url
    assert "initialSeriesInstanceUID=1.2.3" in tab.value.url


def test_a_reader_rejects_a_result_with_a_reason(app: App, worklist: Worklist) -> None:
    """Nothing is sent without one; the word is shown with who said it."""
    worklist.job(worklist.study(50, "Yoon^Review"))
    app.log_in("reader")
    app.go(f"/studies/{study_uid(50)}")
    app.page.get_by_role("button", name="Reject").click()
    dialog = app.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Reject").click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("Reason").fill("motion artefacts")
    dialog.get_by_role("button", name="Reject").click()

    review = app.page.get_by_role("list", name="Reviews")
    expect(review).to_contain_text("motion artefacts", timeout=LIMIT_MS)
    expect(review).to_contain_text("reader")


def test_a_job_shows_where_its_time_went(app: App) -> None:
    """Stage by stage, in words and as bars."""
    app.log_in("reader")
    app.go(f"/jobs/{KIM:032x}")
    row = app.page.get_by_role("row").filter(has_text="Infer")

    expect(row).to_contain_text("4.2 s", timeout=LIMIT_MS)


# --- who may do what ----------------------------------------------------------------------------------------------


def test_people_are_offered_what_they_may_do(browser: Browser, door: Gateway, worklist: Worklist) -> None:
    """A nurse reads; an administrator administers and does not review."""
    with opened_app(browser, door) as app:
        app.log_in("ward")
        app.go(f"/studies/{study_uid(KIM)}")
        expect(app.page.get_by_text("Radiologists and doctors review results.")).to_be_visible(timeout=LIMIT_MS)
        for name in ("Accept", "Reject", "Analyse again"):
            expect(app.page.get_by_role("button", name=name)).to_have_count(0)
        expect(app.page.get_by_role("link", name="Administration")).to_have_count(0)
        app.go("/admin/users")
        expect(app.page.get_by_text("Your role may not do this.")).to_be_visible()
    with opened_app(browser, door) as app:
        app.log_in("chief")
        expect(app.page.get_by_role("link", name="Administration")).to_be_visible()
        app.go(f"/studies/{study_uid(KIM)}")
        expect(app.page.get_by_role("button", name="Analyse again")).to_be_visible(timeout=LIMIT_MS)
        expect(app.page.get_by_role("button", name="Accept")).to_have_count(0)


# --- how it looks -------------------------------------------------------------------------------------------------

LOOKS = {
    "light": Look(),
    "dark": Look(dark=True),
    "light-narrow": Look(size=NARROW),
    "dark-narrow": Look(size=NARROW, dark=True),
    "korean": Look(language="ko-KR"),
}


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_can_be_read_by_everybody(
    browser: Browser, door: Gateway, worklist: Worklist, look: str, shoot: Callable[[App, str], None]
) -> None:
    """axe-core finds nothing serious, and nothing is wider than the window, in any colours, size and language."""
    seen: dict[str, list[str]] = {}
    with opened_app(browser, door, LOOKS[look]) as app:
        seen["login"] = app.violations()
        app.log_in("chief" if LOOKS[look].size == WIDE else "reader")
        for name, path in PAGES.items():
            app.go(path)
            app.settle()
            seen[name] = app.violations()
            assert app.too_wide() == 0, name
            shoot(app, f"app-{name}-{look}")
    assert {name: found for name, found in seen.items() if found} == {}


def test_language_and_colours_are_chosen_and_kept(app: App) -> None:
    """The document says in which language it is; what was chosen is there again the next time."""
    app.log_in("reader")
    app.page.get_by_role("button", name="한국어").click()
    app.heading("검사")
    app.page.get_by_role("button", name="어두운 화면").click()
    assert app.page.evaluate("document.documentElement.lang") == "ko"

    app.open("/")
    assert app.page.evaluate("document.documentElement.lang") == "ko"
    assert app.page.evaluate("document.documentElement.dataset.mantineColorScheme") == "dark"


def study_uid(number: int) -> UID:
    """Give the UID of a study of the worklist."""
    return UID(f"1.2.826.0.1.3680043.8.498.{number}")


PAGES = {
    "worklist": "/",
    "study": f"/studies/{study_uid(KIM)}",
    "jobs": "/jobs",
    "job": f"/jobs/{KIM:032x}",
    "models": "/models",
    "node": "/node",
    "master-data": "/master-data/medications",
    "account": "/account",
    "nowhere": "/studies/1.2.3",
}
