"""Sessions, keys, limits and the audit trail as they are deployed: gateway, two worker processes, a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from control_api.auth import cookies
from control_api.request_context import SECURITY_HEADERS
from tests.support.api_process import PASSWORD, start_api
from tests.support.free_port import free_port
from tests.support.nginx_server import Gateway, start_gateway
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.integration

LIMIT = 40
OUR_PAGE = {cookies.PAGE_HEADER: "fetch", "Sec-Fetch-Site": "same-origin"}
LOGIN = {"username": "root", "password": PASSWORD}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Give the gateway of an API that does not count."""
    api = start_api(tmp_path_factory.mktemp("api"), {"root": "admin"})
    gateway = start_gateway(tmp_path_factory.mktemp("gateway"), api.address)
    yield gateway
    gateway.stop()
    api.stop()


@pytest.fixture
def counted(tmp_path: Path, own_redis_server: RedisServer) -> Iterator[Gateway]:
    """Give the gateway of an API that counts in Redis."""
    settings = {"NODE_REDIS_URL": own_redis_server.url, "NODE_RATE_LIMIT": str(LIMIT)}
    api = start_api(tmp_path / "api", {"root": "admin"}, settings)
    (tmp_path / "gateway").mkdir()
    gateway = start_gateway(tmp_path / "gateway", api.address)
    yield gateway
    gateway.stop()
    api.stop()


def test_a_browser_stays_logged_in_through_the_door(door: Gateway) -> None:
    """Its cookie is traded again and again, in every worker; after a logout nothing is left of the session."""
    with httpx.Client(base_url=door.url) as browser:
        answers = [browser.post("/api/auth/login", json=LOGIN | {"refresh": "cookie"})]
        answers += [browser.post("/api/auth/refresh", headers=OUR_PAGE) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 7
        browser.headers["Authorization"] = f"Bearer {answers[-1].json()['access_token']}"

        assert browser.post("/api/auth/logout").status_code == 204

        assert {browser.get("/api/auth/me").status_code for _ in range(6)} == {401}
        assert browser.post("/api/auth/refresh", headers=OUR_PAGE).json()["code"] == "auth.refresh_refused"


def test_racing_with_a_refresh_token_ends_the_session(door: Gateway) -> None:
    """Thief and owner at once, in two processes on one database: no two living successors."""
    tokens = httpx.post(f"{door.url}/api/auth/login", json=LOGIN).json()
    body = {"refresh_token": tokens["refresh_token"]}

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: httpx.post(f"{door.url}/api/auth/refresh", json=body), range(6)))

    assert sorted(answer.status_code for answer in answers)[1:] == [401] * 5
    header = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert httpx.get(f"{door.url}/api/auth/me", headers=header).json()["code"] == "auth.token_revoked"


def test_a_program_comes_through_the_door_and_is_in_the_trail(door: Gateway) -> None:
    """With its key; the trail names the client, whatever address the client claims for itself."""
    with httpx.Client(base_url=door.url, headers={"X-Forwarded-For": "203.0.113.9"}) as admin:
        admin.headers["Authorization"] = f"Bearer {admin.post('/api/auth/login', json=LOGIN).json()['access_token']}"
        admin.post("/api/service-accounts", json={"name": "bridge", "scopes": ["studies:read"]})
        key = admin.post("/api/service-accounts/bridge/keys", json={}).json()["key"]

        for header in ({"X-API-Key": key}, {"Authorization": f"ApiKey {key}"}):
            assert httpx.get(f"{door.url}/api/studies", headers=header).status_code == 200
            assert httpx.get(f"{door.url}/api/jobs", headers=header).status_code == 403
        trail = admin.get("/api/audit").json()["items"][:3]

    assert [event["action"] for event in trail] == [
        "POST /api/service-accounts/{name}/keys",
        "POST /api/service-accounts",
        "POST /api/auth/login",
    ]
    assert {event["client"] for event in trail} == {"127.0.0.1"}
    assert key not in door.log.read_text()


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/swagger", "/api/docs/"),
        ("/swagger/", "/api/docs/"),
        ("/redoc", "/api/redoc/"),
        ("/redoc/", "/api/redoc/"),
        ("/api/schema/", "/api/openapi.json"),
    ],
)
def test_the_guides_names_lead_to_the_documentation(door: Gateway, path: str, place: str) -> None:
    """Relative to the address that the browser knows, which behind another proxy is not ours."""
    answer = httpx.get(door.url + path)

    assert (answer.status_code, answer.headers["Location"]) == (301, place)
    assert httpx.get(door.url + path, follow_redirects=True).status_code == 200


def test_a_client_is_counted_by_all_workers_together(counted: Gateway) -> None:
    """In Redis, so that more processes are no more requests."""
    answers = [httpx.get(f"{counted.url}/api/models") for _ in range(LIMIT + 10)]

    assert [answer.status_code for answer in answers] == [401] * LIMIT + [429] * 10
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].json()["code"] == "http.too_many_requests"
    assert httpx.get(f"{counted.url}/api/health/live").status_code == 200


def test_the_api_answers_while_redis_is_away(counted: Gateway, own_redis_server: RedisServer) -> None:
    """Counting is no reason to be down: each process counts for itself meanwhile."""
    own_redis_server.kill()

    answers = [httpx.get(f"{counted.url}/api/models", timeout=30).status_code for _ in range(2 * LIMIT + 10)]

    assert set(answers) == {401, 429}


def test_the_gateway_says_when_to_come_again(tmp_path: Path) -> None:
    """Its own 429 has what the API's has, and the protecting header fields once."""
    gateway = start_gateway(tmp_path, f"127.0.0.1:{free_port()}")
    try:
        answers = [httpx.post(f"{gateway.url}/api/auth/refresh", json={}) for _ in range(40)]
    finally:
        gateway.stop()

    limited = next(answer for answer in answers if answer.status_code == 429)
    assert limited.headers["Retry-After"] == "10"
    assert {name: limited.headers.get_list(name) for name in SECURITY_HEADERS} == {
        name: [value] for name, value in SECURITY_HEADERS.items()
    }
