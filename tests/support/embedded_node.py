"""A node without servers, all of whose processes run, as ``dicom-node up`` starts them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydicom import dcmread

from inference.domain.job import TERMINAL
from tests.support.dcmtk import storescu
from tests.support.hospital import PASSWORD, USER, Node, jobs_of
from tests.support.small_analysis import write_blocks
from tests.support.synthetic_series import SeriesOptions
from tests.support.waiting import wait_until


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


@contextmanager
def running_embedded(folder: Path, role: str, **changes: str) -> Iterator[Embedded]:
    """Run an embedded node, with one account.

    Parameters
    ----------
    folder
        An empty folder.
    role
        Of the account.
    changes
        Further settings by variable name.
    """
    (folder / "node").mkdir()
    settings = {"NODE_QUIET_TIME_S": "0.5", "NODE_SETTLE_TIME_S": "0.2", "NODE_EXECUTION_PROVIDER": "cpu", **changes}
    node = Node(folder / "node", settings)
    node.command("users", "create", USER, "--role", role, "--password-stdin", stdin=f"{PASSWORD}\n")
    try:
        node.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{node.api_port}", timeout=30) as client:
            login = client.post("/api/auth/login", json={"username": USER, "password": PASSWORD})
            client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            yield Embedded(node, client, folder / "sent")
    finally:
        node.stop()


def versions(study: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Give state and shadow of each version's job."""
    return {job["model"]["version"]: (job["state"], job["shadow"]) for job in jobs_of(study) if job["model"]}
