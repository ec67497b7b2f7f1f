"""The app in front of every real server: a study arrives in the open worklist, and its result is rejected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from pydicom import dcmread

from dicom_node.demo.phantom import Rendering, write
from tests.support.app import LIMIT_MS, opened_app
from tests.support.dcmtk import storescu
from tests.support.hospital import USER, Hospital, jobs_of
from tests.support.ohif import running_browser
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e


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

        app.page.get_by_role("button", name="Reject").click()
        app.page.get_by_role("dialog").get_by_label("Reason").fill("motion artefacts")
        app.page.get_by_role("dialog").get_by_role("button", name="Reject").click()
        expect(app.page.get_by_role("list", name="Reviews")).to_contain_text("motion artefacts", timeout=LIMIT_MS)

        (job,) = jobs_of(hospital.study(study_uid))
        wait_until(lambda: hospital.job(job["job_id"])["state"] == "WITHDRAWN", 120, "the rejection to be published")
        expect(app.page.locator("[data-state=WITHDRAWN]").first).to_be_visible(timeout=LIMIT_MS)
    assert [report["status"] for report in hospital.reports(study_uid)] == ["entered-in-error"]
