"""Polling and listening as they are deployed: gunicorn with several processes, Redis, MariaDB, and Nginx in front."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Event, Thread

import httpx
import pytest
from sqlalchemy import Engine

from inference.domain.identifiers import UID
from inference.domain.job import Failure, Job, ModelReference, NewJob, QueueName
from integrations.persistence.engine import make_engine
from integrations.persistence.job_store import SQLJobStore
from integrations.persistence.tables import studies
from integrations.persistence.times import to_column
from integrations.persistence.users import SQLUserStore
from integrations.system import RandomUIDSource, SystemClock
from tests.support.api_process import PASSWORD, APIProcess, start_api
from tests.support.mariadb_server import MariaDB
from tests.support.nginx_server import Gateway, start_gateway
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

MODEL = ModelReference("brain_structures", "1.0.0", "d" * 64)
NAME = "SECRETNAME"


@dataclass(frozen=True)
class Node:
    """The API on real servers, and what else works on them."""

    api: APIProcess
    gateway: Gateway
    redis: RedisServer
    engine: Engine
    token: str

    def client(self, **headers: str) -> httpx.Client:
        """Give a client of the gateway that is logged in."""
        return httpx.Client(
            base_url=self.gateway.url, timeout=30, headers={"Authorization": f"Bearer {self.token}", **headers}
        )

    def jobs(self) -> SQLJobStore:
        """Give what a worker writes with, in another process than the API's."""
        return SQLJobStore(self.engine, SystemClock(), RandomUIDSource())

    def has_job(self, number: int) -> Job:
        """Make a job about a study of its own."""
        study = UID(f"1.2.826.0.1.3680043.8.498.55.{number}")
        now = to_column(SystemClock().now())
        row = {"study_instance_uid": study, "patient_name": NAME, "first_received_at": now, "last_received_at": now}
        with self.engine.begin() as connection:
            connection.execute(studies.insert().values(row))
        return self.jobs().create(NewJob(study, UID(f"{study}.1"), 1, MODEL))


@pytest.fixture(scope="module")
def node(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer, mariadb_server: MariaDB
) -> Iterator[Node]:
    """Give the running node."""
    redis_server.client().flushall()
    servers = {
        "NODE_DATABASE_URL": mariadb_server.new_database().render_as_string(hide_password=False),
        "NODE_REDIS_URL": redis_server.url,
        "NODE_QUEUE_SECRET": "q" * 48,
        "NODE_JWT_SECRET": "j" * 48,
        "NODE_EVENT_STREAMS": "1",
    }
    api = start_api(tmp_path_factory.mktemp("api"), {"reader": "nurse"}, servers)
    gateway = start_gateway(tmp_path_factory.mktemp("gateway"), api.address)
    login = httpx.post(f"{api.url}/api/auth/login", json={"username": "reader", "password": PASSWORD})
    yield Node(api, gateway, redis_server, make_engine(api.settings), login.json()["access_token"])
    gateway.stop()
    api.stop()


def _lookups(node: Node) -> dict[str, float]:
    """Read the counts that all processes share; a process tells of its own about once a second."""
    lines = httpx.get(f"{node.api.url}/metrics").text.splitlines()
    found = [line.split() for line in lines if line.startswith("node_read_cache_lookups_total{")]
    return {name.split('"')[1]: float(value) for name, value in found}


def test_an_unchanged_poll_is_answered_by_the_cache(node: Node) -> None:
    """In every process of the server, through the gateway, also where that compresses and so weakens the tag."""
    for number in range(20):
        node.has_job(number)
    client = node.client(**{"Accept-Encoding": "gzip"})
    wait_until(lambda: len(client.get("/api/jobs").json()["items"]) >= 20, 10, "the new jobs in the list")
    first = client.get("/api/jobs")
    before = _lookups(node)

    polls = [client.get("/api/jobs", headers={"If-None-Match": first.headers["ETag"]}) for _ in range(40)]

    assert first.headers["Content-Encoding"] == "gzip"
    assert {poll.status_code for poll in polls} == {304}
    assert {poll.content for poll in polls} == {b""}
    wait_until(lambda: sum(_lookups(node).values()) >= sum(before.values()) + 40, 10, "all lookups in the count")
    after = _lookups(node)
    assert after["hit"] - before["hit"] > 0.8 * 40


def test_what_a_worker_does_is_seen_by_the_next_polls(node: Node) -> None:
    """Within the moment for which a version is believed; each stage and each state."""
    job, jobs, client = node.has_job(100), node.jobs(), node.client()
    path = f"/api/jobs/{job.job_id}"

    def state() -> str:
        return str(client.get(path).json()["state"])

    assert state() == "RECEIVED"
    lease = jobs.claim(job.job_id, QueueName.INFERENCE, "worker", 120)
    assert lease is not None
    wait_until(lambda: state() == "PROCESSING", 5, "the claim")
    tag = client.get(path).headers["ETag"]
    jobs.fail(lease, Failure("encoding.failed", "no room"))

    def answer() -> int:
        return client.get(path, headers={"If-None-Match": tag}).status_code

    wait_until(lambda: answer() == 200, 5, "another answer")
    assert client.get(f"{path}/logs").json()["events"][-1]["code"] == "encoding.failed"


def test_who_orders_something_sees_it_at_once(node: Node) -> None:
    """Whichever process answers: the version is forgotten for all."""
    job, client = node.has_job(200), node.client()
    operator = replace(node, token=_operator(node)).client()
    assert client.get(f"/api/jobs/{job.job_id}").json()["state"] == "RECEIVED"

    assert operator.post(f"/api/jobs/{job.job_id}/cancel").status_code == 202

    assert {client.get(f"/api/jobs/{job.job_id}").json()["state"] for _ in range(8)} == {"CANCELLED"}


def _operator(node: Node) -> str:
    accounts = SQLUserStore(node.engine, SystemClock())
    accounts.create("operator", PASSWORD, "technician")
    login = httpx.post(f"{node.api.url}/api/auth/login", json={"username": "operator", "password": PASSWORD})
    return str(login.json()["access_token"])


def test_redis_holds_no_patient(node: Node) -> None:
    """What is kept there is sealed, and so is under which question."""
    node.has_job(300)
    assert NAME in node.client().get("/api/studies").text

    client = node.redis.client()
    kept = {name: client.get(name) for name in client.scan_iter("neuronova:read:*") if client.type(name) == b"string"}

    assert kept
    assert NAME.encode() not in b"".join([*kept, *filter(None, kept.values())])


class Listener(Thread):
    """Reads one stream of events to its end.

    Parameters
    ----------
    node
        Where.
    last
        The id of the last event that was seen.
    """

    def __init__(self, node: Node, last: str = "") -> None:
        super().__init__()
        self.lines: list[str] = []
        self.ready = Event()
        self._client = node.client(**({"Last-Event-ID": last} if last else {}))

    def run(self) -> None:
        """Listen."""
        with self._client.stream("GET", "/api/events") as answer:
            for line in answer.iter_lines():
                self.lines.append(line)
                if line.startswith("data:"):
                    self.ready.set()

    def told(self) -> list[str]:
        """List the jobs that were told of."""
        values = [json.loads(line.removeprefix("data: ")) for line in self.lines if line.startswith("data:")]
        return [value["job_id"] for value in values if "job_id" in value]


def test_events_are_told_as_they_happen_and_again_to_who_was_away(node: Node) -> None:
    """Through the gateway, without being held back; the stream ends by itself, and the next one misses nothing."""
    listener = Listener(node)
    listener.start()
    assert listener.ready.wait(10)

    first = node.has_job(400)
    wait_until(lambda: first.job_id in listener.told(), 5, "the event while the stream is open")
    listener.join(30)
    assert not listener.is_alive()
    second = node.has_job(401)
    last = next(line for line in reversed(listener.lines) if line.startswith("id: ")).removeprefix("id: ")
    again = Listener(node, last)
    again.start()

    wait_until(lambda: second.job_id in again.told(), 10, "what was missed")
    again.join(30)


def test_streams_leave_threads_for_others(node: Node) -> None:
    """As many listeners as all processes have threads, and still everybody else is answered at once."""
    listeners = [Listener(node) for _ in range(8)]
    for listener in listeners:
        listener.start()

    answered = [node.client().get("/api/jobs").status_code for _ in range(5)]
    for listener in listeners:
        listener.join(30)

    assert answered == [200] * 5
    lives = [listener.lines[0] for listener in listeners]
    assert 1 <= lives.count("retry: 1000") <= 2
    assert lives.count("retry: 5000") == 8 - lives.count("retry: 1000")
