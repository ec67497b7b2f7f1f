"""A running node follows what a person decides about models: with the next series, in every process, unrestarted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread

from inference.domain.job import TERMINAL
from tests.support.dcmtk import storescu
from tests.support.hospital import PASSWORD, USER, Node, jobs_of
from tests.support.package_folders import Package, write_package
from tests.support.small_analysis import write_blocks
from tests.support.synthetic_series import SeriesOptions
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

ID = "bright_tissue"
REASON = "it mixes up left and right"


@dataclass
class Embedded:
    """A node without servers, all of whose processes run, and a sender.

    Parameters
    ----------
    node
        Its processes.
    client
        An HTTP client of its API, logged in.
    folder
        For what is sent.
    """

    node: Node
    client: httpx.Client
    folder: Path
    sent: int = field(default=0)

    def models(self, *arguments: str) -> None:
        """Give a command about models."""
        self.node.command("models", *arguments)

    def get(self, path: str) -> Any:
        """Read from the API."""
        answer = self.client.get(path)
        return answer.json() if answer.status_code == httpx.codes.OK else None

    def send(self) -> dict[str, Any]:
        """Send a study of one series, wait until everything about it has ended, and give it."""
        self.sent += 1
        paths = write_blocks(self.folder / f"{self.sent}", SeriesOptions(seed=self.sent))
        storescu(self.node.dicom_port, paths)
        uid = str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)
        wait_until(lambda: self._ended(self.get(f"/api/studies/{uid}")), 60, "the study's decision and jobs")
        study: dict[str, Any] = self.get(f"/api/studies/{uid}")
        return study

    def objects(self) -> list[Path]:
        """List the objects in the node's archive."""
        return list((self.node.folder / "data" / "archive").rglob("*.dcm"))

    def reports(self) -> list[Path]:
        """List the bundles in the node's folder of reports."""
        return list((self.node.folder / "data" / "reports").glob("*.json"))

    @staticmethod
    def _ended(study: dict[str, Any] | None) -> bool:
        if study is None or not all(series["decision"] for series in study["series"]):
            return False
        return all(job["state"] in TERMINAL for job in jobs_of(study))


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    """Run an embedded node."""
    (tmp_path / "node").mkdir()
    settings = {"NODE_QUIET_TIME_S": "0.5", "NODE_SETTLE_TIME_S": "0.2", "NODE_EXECUTION_PROVIDER": "cpu"}
    node = Node(tmp_path / "node", settings)
    node.command("users", "create", USER, "--role", "radiologist", "--password-stdin", stdin=f"{PASSWORD}\n")
    try:
        node.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{node.api_port}", timeout=30) as client:
            login = client.post("/api/auth/login", json={"username": USER, "password": PASSWORD})
            client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            yield Embedded(node, client, tmp_path / "sent")
    finally:
        node.stop()


def versions(study: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Give state and shadow of each version's job."""
    return {job["model"]["version"]: (job["state"], job["shadow"]) for job in jobs_of(study) if job["model"]}


def test_a_running_node_follows(embedded: Embedded, tmp_path: Path) -> None:
    """Added, activated, tried, rolled back, recalled: each decision holds for the study that is sent after it.

    No line of any log names the patient.
    """
    assert versions(embedded.send()) == {}

    embedded.models("add", str(write_package(tmp_path / "first", Package("1.0.0", golden=True))))
    assert versions(embedded.send()) == {}
    embedded.models("activate", ID)
    published = embedded.send()
    assert versions(published) == {"1.0.0": ("COMPLETED", False)}
    objects, reports = len(embedded.objects()), len(embedded.reports())
    assert (objects, reports) == (5, 1)

    embedded.models("add", str(write_package(tmp_path / "second", Package("1.1.0", threshold=0.6, golden=True))))
    embedded.models("shadow", ID, "1.1.0")
    beside = embedded.send()
    assert versions(beside) == {"1.0.0": ("COMPLETED", False), "1.1.0": ("COMPLETED", True)}
    assert (len(embedded.objects()), len(embedded.reports())) == (2 * objects, 2 * reports)

    embedded.models("activate", ID, "1.1.0")
    assert versions(embedded.send()) == {"1.1.0": ("COMPLETED", False)}
    listed = {
        card["version"]: card["deployment"] for card in embedded.get("/api/models")["models"] if card["id"] == ID
    }
    assert listed == {"1.0.0": "inactive", "1.1.0": "active"}
    embedded.models("rollback", ID)
    assert versions(embedded.send()) == {"1.0.0": ("COMPLETED", False)}

    embedded.models("recall", ID, "1.0.0", "--reason", REASON)
    wait_until(lambda: len(embedded.get("/api/jobs?state=WITHDRAWN")["items"]) == 3, 60, "three withdrawals")
    (job,) = (embedded.get(f"/api/jobs/{job['job_id']}") for job in jobs_of(published))
    assert (job["withdrawn"]["reason"], job["valid"], job["measurements"]) == (REASON, False, [])
    assert len(embedded.get("/api/jobs?shadow=true&state=COMPLETED")["items"]) == 1
    assert versions(embedded.send()) == {}
    bundles = [json.loads(path.read_text()) for path in embedded.reports()]
    resources = [entry["resource"] for bundle in bundles for entry in bundle["entry"]]
    found = [resource["status"] for resource in resources if resource["resourceType"] == "DiagnosticReport"]
    assert sorted(found) == ["entered-in-error"] * 3 + ["preliminary"]
    modalities = [str(dcmread(path, stop_before_pixels=True).Modality) for path in embedded.objects()]
    assert {name: modalities.count(name) for name in modalities} == {"SEG": 4, "SR": 4, "OT": 4, "DOC": 4, "KO": 7}
    logs = embedded.node.logs()
    assert '"errand": "withdrawal"' in logs
    assert not any(value in logs for value in ("Phantom^Test", "TEST-1", published["study_uid"]))
