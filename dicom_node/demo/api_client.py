"""The control API as a front end sees it."""

from __future__ import annotations

from typing import Any

import httpx

from inference.domain.job import TERMINAL
from inference.errors import PeerUnavailable
from inference.ports import Clock


class NodeAPI:
    """A client of one node's API.

    Parameters
    ----------
    base_url
        Where the API or its gateway listens.
    clock
        Time, for bounded waits.
    transport
        How requests travel; over the network by default.
    """

    def __init__(self, base_url: str, clock: Clock, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=30.0, transport=transport)
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
        """Log in; later requests carry the token.

        Raises
        ------
        PeerUnavailable
            If the API does not answer, or not with success.
        """
        tokens = self._ask("POST", "/api/auth/login", {"username": username, "password": password})
        self._client.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    def study(self, study_instance_uid: str) -> dict[str, Any]:
        """Give a study with its series, decisions and jobs.

        Raises
        ------
        PeerUnavailable
            If the API does not answer, or not with success.
        """
        return self._ask("GET", f"/api/studies/{study_instance_uid}")

    def job(self, job_id: str) -> dict[str, Any]:
        """Give a job with its result and stage times.

        Raises
        ------
        PeerUnavailable
            If the API does not answer, or not with success.
        """
        return self._ask("GET", f"/api/jobs/{job_id}")

    @staticmethod
    def jobs_of(study: dict[str, Any]) -> list[dict[str, Any]]:
        """List the jobs of all series of a study."""
        return [job for series in study["series"] for job in series["jobs"]]

    @classmethod
    def decided(cls, study: dict[str, Any]) -> bool:
        """Tell whether every series has its decision and every job has ended."""
        series_decided = bool(study["series"]) and all(one["decision"] for one in study["series"])
        return series_decided and all(job["state"] in TERMINAL for job in cls.jobs_of(study))

    def _ask(self, method: str, path: str, content: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            answer = self._client.request(method, path, json=content)
        except httpx.TransportError as error:
            raise PeerUnavailable(f"the node's API does not answer ({type(error).__name__})") from error
        if not answer.is_success:
            raise PeerUnavailable(f"the node's API answers {answer.status_code}")
        body: dict[str, Any] = answer.json()
        return body
