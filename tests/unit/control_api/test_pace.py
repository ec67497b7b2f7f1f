"""Nobody asks as often as they like; the client is who our own proxies say that it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from control_api.access import RateLimits
from control_api.auth.pace import Pace, paced
from control_api.auth.roles import PUBLIC, serves
from tests.support.control_api import ControlAPI

LOGIN = {"username": "nurse", "password": "wrong"}

APIWith = Callable[..., ControlAPI]


@pytest.fixture
def limited(api_with: APIWith) -> Callable[..., ControlAPI]:
    """Give a maker of APIs with limits, behind some proxies."""
    return lambda proxies=0, **limits: api_with(options={"limits": RateLimits(**limits), "trusted_proxies": proxies})


def _ask(api: ControlAPI, path: str = "/api/models", address: str = "10.0.0.1", **headers: str) -> int:
    return api.client.get(path, headers=headers, environ_base={"REMOTE_ADDR": address}).status_code


def test_whoever_asks_too_often_is_told_when_to_come_again(limited: APIWith) -> None:
    """As a problem document like all others, with the protecting header fields."""
    api = limited(api=3)
    header = api.bearer("nurse")

    answers = [api.client.get("/api/models", headers=header) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].mimetype == "application/problem+json"
    assert answers[-1].json["code"] == "http.too_many_requests"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].headers["X-Content-Type-Options"] == "nosniff"
    assert answers[-1].headers["X-Request-ID"] == answers[-1].json["request_id"]


def test_all_paths_count_together_and_each_client_for_itself(limited: APIWith) -> None:
    """Spreading requests over paths does not help; another client is not slowed down."""
    api = limited(api=2)

    first = [_ask(api, path) for path in ("/api/models", "/api/jobs", "/api/studies")]

    assert first == [401, 401, 429]
    assert _ask(api, address="10.0.0.2") == 401


def test_a_client_with_a_whole_network_is_one_client(limited: APIWith) -> None:
    """Whoever has IPv6 has more addresses than there are requests."""
    api = limited(api=2)

    answers = [_ask(api, address=f"2001:db8:1:2::{number}") for number in range(3)]

    assert answers == [401, 401, 429]
    assert _ask(api, address="2001:db8:1:3::1") == 401


def test_ipv4_clients_of_a_socket_for_both_are_told_apart(limited: APIWith) -> None:
    """Their addresses are written as IPv6, all in one network; one written either way is one client."""
    api = limited(api=2)

    answers = [_ask(api, address=address) for address in ("::ffff:10.0.0.1", "10.0.0.1", "::ffff:10.0.0.1")]

    assert answers == [401, 401, 429]
    assert _ask(api, address="::ffff:10.0.0.2") == 401


def test_what_never_passes_the_gate_counts(limited: APIWith) -> None:
    """Guessing tokens and keys is slowed down like everything else."""
    api = limited(api=2)

    answers = [_ask(api, **{"X-API-Key": f"nnk_{number}"}) for number in range(3)]

    assert answers == [401, 401, 429]


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/refresh"])
def test_logins_are_counted_more_strictly(limited: APIWith, path: str) -> None:
    """Passwords and refresh tokens cannot be tried in numbers; the rest of the API goes on."""
    api = limited(api=100, login=2)
    bodies = {"/api/auth/login": LOGIN, "/api/auth/refresh": {"refresh_token": "guess"}}

    answers = [api.client.post(path, json=bodies[path]).status_code for _ in range(3)]

    assert answers == [401, 401, 429]
    assert api.get("/api/auth/me").status_code == 200


@pytest.mark.parametrize("path", ["/api/health/live", "/api/health/ready", "/metrics", "/"])
def test_health_and_metrics_are_free(limited: APIWith, path: str) -> None:
    """Orchestrators and Prometheus ask on and on, from one address."""
    api = limited(api=1, login=1)

    assert {_ask(api, path) for _ in range(5)} == {200}


def test_pictures_have_a_limit_of_their_own(limited: APIWith) -> None:
    """Turning over the slices of a series is no attack."""
    api = limited(api=1, pictures=3)
    api.app.add_url_rule("/api/slice", "slice", paced(Pace.PICTURES)(serves(PUBLIC)(lambda: "")))

    assert [_ask(api, "/api/slice") for _ in range(4)] == [200, 200, 200, 429]
    assert [_ask(api) for _ in range(2)] == [401, 429]


def test_nobody_is_counted_where_that_is_switched_off(limited: APIWith) -> None:
    """0 is no limit."""
    api = limited(api=0, login=0)

    assert {_ask(api) for _ in range(150)} == {401}


def test_a_storage_that_is_away_stops_neither_the_api_nor_counting(limited: APIWith) -> None:
    """Redis at a port where nobody listens: each process counts for itself."""
    api = limited(api=2, storage="redis://127.0.0.1:1/0")

    assert [_ask(api) for _ in range(3)] == [401, 401, 429]


def test_a_client_cannot_choose_its_address(limited: APIWith) -> None:
    """Without a trusted proxy the header is nobody's word."""
    api = limited(api=2)

    answers = [_ask(api, **{"X-Forwarded-For": f"10.9.9.{number}"}) for number in range(3)]

    assert answers == [401, 401, 429]


def test_behind_a_proxy_the_client_is_whom_it_names(limited: APIWith) -> None:
    """Not the proxy, and nobody whom the client itself named before."""
    api = limited(proxies=1, api=2)

    one = [_ask(api, **{"X-Forwarded-For": f"1.2.3.{number}, 10.0.0.9"}) for number in range(3)]
    other = _ask(api, **{"X-Forwarded-For": "10.0.0.8"})

    assert (one, other) == ([401, 401, 429], 401)


def test_the_audit_trail_names_the_client_and_not_the_proxy(limited: APIWith) -> None:
    """The same address counts and is kept."""
    api = limited(proxies=1)
    header: dict[str, Any] = api.bearer("nurse") | {"X-Forwarded-For": "spoofed, 10.0.0.9"}

    api.client.post(f"/api/jobs/{'0' * 32}/cancel", headers=header)

    assert [event.client for event in api.events()] == ["10.0.0.9"]
