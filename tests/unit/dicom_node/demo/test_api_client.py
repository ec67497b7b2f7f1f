"""The demonstration's view of the API: patient at the start, and never at a loss for a word."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dicom_node.demo.api_client import TERMINAL, NodeAPI
from inference.domain import job
from inference.errors import PeerUnavailable
from tests.support.fakes import FixedClock

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that waits at once."""
    return FixedClock()


def api(handler: Handler, clock: FixedClock) -> NodeAPI:
    """Give a client of a handler."""
    return NodeAPI("http://node", clock, httpx.MockTransport(handler))


def refuse(request: httpx.Request) -> httpx.Response:
    """Be a port that nobody listens on."""
    raise httpx.ConnectError("refused", request=request)


def test_it_waits_until_the_node_is_ready(clock: FixedClock) -> None:
    """First nobody listens, then a part is missing, then all is there."""
    answers = [refuse, lambda _: httpx.Response(503), lambda _: httpx.Response(200)]
    asked: list[str] = []

    def node(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return answers.pop(0)(request)

    api(node, clock).wait_until_ready(60)
    assert asked == ["/api/health/ready"] * 3
    assert len(clock.waits) == 2


def test_it_does_not_wait_for_ever(clock: FixedClock) -> None:
    """The bound is kept."""
    with pytest.raises(PeerUnavailable, match="ready"):
        api(refuse, clock).wait_until_ready(60)
    assert 60 <= sum(clock.waits) < 61


def test_a_login_is_carried_on(clock: FixedClock) -> None:
    """Every later request has the token."""

    def node(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/auth/login":
            assert json.loads(request.content) == {"username": "demo", "password": "secret"}
            return httpx.Response(200, json={"access_token": "abc"})
        return httpx.Response(200, json={"path": request.url.path, "token": request.headers["Authorization"]})

    client = api(node, clock)
    client.login("demo", "secret")
    assert client.study("1.2.3") == {"path": "/api/studies/1.2.3", "token": "Bearer abc"}
    assert client.job("ab") == {"path": "/api/jobs/ab", "token": "Bearer abc"}


@pytest.mark.parametrize("handler", [refuse, lambda _: httpx.Response(500)], ids=["away", "broken"])
def test_an_api_that_fails_is_an_error_of_ours(clock: FixedClock, handler: Handler) -> None:
    """A line for a person, not a trace."""
    client = api(handler, clock)
    for ask in (lambda: client.study("1.2.3"), lambda: client.job("ab"), lambda: client.login("demo", "secret")):
        with pytest.raises(PeerUnavailable, match="API"):
            ask()


def study(*series: tuple[str | None, list[str]]) -> dict[str, Any]:
    """Give a study with series of a decision and jobs in states."""
    return {"series": [{"decision": made, "jobs": [{"state": state} for state in states]} for made, states in series]}


@pytest.mark.parametrize(
    ("detail", "decided"),
    [
        (study(), False),
        (study((None, [])), False),
        (study(("analysed", ["QUEUED"])), False),
        (study(("analysed", ["COMPLETED"]), (None, [])), False),
        (study(("analysed", ["COMPLETED", "DELIVERING"])), False),
        (study(("analysed", ["COMPLETED", "FAILED"]), ("rejected", ["REJECTED"])), True),
        (study(("rejected", [])), True),
    ],
)
def test_a_study_is_decided_when_nothing_is_open(detail: dict[str, Any], decided: bool) -> None:
    """Each series has its decision and each job has ended; a study without series has not arrived."""
    assert NodeAPI.decided(detail) is decided


def test_ends_are_those_of_the_node() -> None:
    """The client is a stranger to the code, and must not drift from it."""
    assert {state.value for state in job.TERMINAL} == TERMINAL
