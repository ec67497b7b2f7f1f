"""The control API as a front end sees it."""

from __future__ import annotations

from typing import Any

import httpx

from inference.errors import PeerUnavailable
from inference.ports import Clock

TERMINAL = frozenset({"COMPLETED", "FAILED", "REJECTED", "CANCELLED"})


class NodeAPI:
    """A client of one node's API.

    Parameters
    ----------
    base_url
        Where the API or its gateway listens.
    clock
        Time, for bounded waits.
    """

    def __init__(self, base_url: str, clock: Clock) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=30.0)
        self._clock = clock

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until every part of the node is ready.

        Raises
        ------
        PeerUnavailable
            If it is not within ``seconds``.
        """
        deadline = self._clock.monotonic() + seconds
        while self._clock.monotonic() < deadline:
            try:
                if self._client.get("/api/health/ready").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            self._clock.wait(0.2)
        raise PeerUnavailable("the node did not become ready")

    def login(self, username: str, password: str) -> None:
        """Log in; later requests carry the token."""
        answer = self._client.post("/api/auth/login", json={"username": username, "password": password})
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def study(self, study_instance_uid: str) -> dict[str, Any]:
        """Give a study with its series, decisions and jobs."""
        return self._get(f"/api/studies/{study_instance_uid}")

    def job(self, job_id: str) -> dict[str, Any]:
        """Give a job with its result and stage times."""
        return self._get(f"/api/jobs/{job_id}")

    @staticmethod
    def jobs_of(study: dict[str, Any]) -> list[dict[str, Any]]:
        """List the jobs of all series of a study."""
        return [job for series in study["series"] for job in series["jobs"]]

    @classmethod
    def decided(cls, study: dict[str, Any]) -> bool:
        """Tell whether every series has its decision and every job has ended."""
        series_decided = bool(study["series"]) and all(one["decision"] for one in study["series"])
        return series_decided and all(job["state"] in TERMINAL for job in cls.jobs_of(study))

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._client.get(path)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body
