"""The app in front of every real server: a study that arrives live, its pictures, a rejection, a model's life."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect
from pydicom import dcmread

from dicom_node.demo.phantom import Rendering, write
from tests.support.app import LIMIT_MS, App, opened_app
from tests.support.dcmtk import storescu
from tests.support.hospital import PASSWORD, USER, Hospital, jobs_of
from tests.support.ohif import Viewer, running_browser
from tests.support.package_folders import Package, as_zip, write_package
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e


ADMIN, REASON = "chief", "it mixes up left and right"
STRUCTURES, MIDDLE, DRAWN = 17, 120, 10_000
"""Structures of the default model, a slice through many of them, and pixels: a hundred by a hundred, no accident."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run Chromium."""
    with running_browser() as browser:
        yield browser


def test_a_study_arrives_in_the_open_worklist_and_its_result_is_rejected(
    browser: Browser, hospital: Hospital, tmp_path: Path
) -> None:
    """Nobody loads a page anew: sent to the archive, seen here, answered, rejected; the report is in error."""
    paths = write(tmp_path, Rendering(seed=7025))
    study_uid = str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)
    with opened_app(browser, hospital.gateway) as app:
        app.log_in(USER)
        app.heading("Studies")
        storescu(hospital.orthanc.dicom_port, paths, called="ORTHANC")
        link = app.page.locator(f'a[href="/studies/{study_uid}"]')
        expect(link).to_be_visible(timeout=LIMIT_MS)
        row = app.page.get_by_role("row").filter(has=link)
        expect(row).to_contain_text("Completed", timeout=180_000)
        link.click()
        thalamus = app.page.get_by_role("row").filter(has=app.page.get_by_role("button", name="Thalamus"))
        expect(thalamus).to_contain_text("mL", timeout=LIMIT_MS)
        see_in_ohif(app)

        app.page.get_by_role("button", name="Reject").click()
        app.page.get_by_role("dialog").get_by_label("Reason").fill("motion artefacts")
        app.page.get_by_role("dialog").get_by_role("button", name="Reject").click()
        expect(app.page.get_by_role("list", name="Reviews")).to_contain_text("motion artefacts", timeout=LIMIT_MS)

        (job,) = jobs_of(hospital.study(study_uid))
        wait_until(lambda: hospital.job(job["job_id"])["state"] == "WITHDRAWN", 120, "the rejection to be published")
        expect(app.page.locator("[data-state=WITHDRAWN]").first).to_be_visible(timeout=LIMIT_MS)
    assert [report["status"] for report in hospital.reports(study_uid)] == ["entered-in-error"]


def see_in_ohif(app: App) -> None:
    """Open the study in a tab of its own, with all that was found lying over it."""
    with app.page.context.expect_page() as opened:
        app.page.get_by_role("button", name="Open in OHIF").click()
    viewer = Viewer(opened.value, f"{app.base}/pacs-viewer")
    viewer.wait_for_overlay()
    assert len(viewer.segments()) == STRUCTURES
    viewer.show_slice(MIDDLE)
    viewer.wait_for_pixels(coloured=DRAWN)
    assert (viewer.errors, viewer.outside) == ([], [])
    opened.value.close()


def test_a_model_is_uploaded_proved_activated_and_recalled(
    browser: Browser, hospital: Hospital, tmp_path: Path
) -> None:
    """By an administrator, in the browser; a worker of the node looks it over before it may run."""
    stdin = f"{PASSWORD}\n"
    hospital.node.command("users", "create", ADMIN, "--role", "admin", "--password-stdin", stdin=stdin)
    package = write_package(tmp_path / "package", Package("1.0.0", golden=True))
    with opened_app(browser, hospital.gateway) as app:
        app.log_in(ADMIN)
        app.go("/models")
        app.heading("Models")
        archive = as_zip(package, tmp_path / "package.zip")
        app.page.get_by_label("Archive").set_input_files(archive)
        model = app.page.get_by_role("region").filter(has_text="bright_tissue 1.0.0")
        expect(model.get_by_role("status")).to_contain_text("Verified", timeout=LIMIT_MS)
        model.get_by_role("button", name="Activate").click()
        expect(model.locator("[data-state=active]")).to_be_visible(timeout=LIMIT_MS)

        model.get_by_role("button", name="Recall").click()
        dialog = app.page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Recall")).to_be_disabled()
        dialog.get_by_label("Why it is recalled").fill(REASON)
        dialog.get_by_role("button", name="Recall").click()
        expect(model.locator("[data-state=recalled]")).to_be_visible(timeout=LIMIT_MS)
        assert app.violations() == []
    (event,) = [one for one in audited(hospital) if one["action"].endswith("/recall")]
    assert (event["actor"], event["outcome"]) == (ADMIN, "done")


def audited(hospital: Hospital) -> list[dict[str, Any]]:
    """Give what the administrator has done."""
    with httpx.Client(base_url=hospital.gateway.url, timeout=30) as client:
        login = client.post("/api/auth/login", json={"username": ADMIN, "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {login['access_token']}"
        events: list[dict[str, Any]] = client.get("/api/audit", params={"actor": ADMIN}).json()["items"]
        return events
