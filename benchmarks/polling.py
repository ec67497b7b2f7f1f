"""200 clients that poll ``/api/jobs`` with the tag they have, against gunicorn, Redis and MariaDB.

Each opens a connection of its own for every poll and sends the tag of the answer before. What is measured is the
time from connecting to the last byte, first while nothing else runs, then while a worker analyses on all cores and
writes to the same database. Clients, servers and worker share this machine.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import Engine, insert

from benchmarks.processes import PASSWORD, READY_SECONDS, running
from benchmarks.servers import production_environment
from dicom_node.bootstrap import build_users, prepare
from dicom_node.demo.api_client import NodeAPI
from dicom_node.demo.free_port import free_port
from inference.domain.job import JobState
from integrations.persistence.engine import make_engine
from integrations.persistence.tables import jobs, studies
from integrations.persistence.times import to_column
from integrations.settings import child_environment
from integrations.system import SystemClock

CLIENTS: Final = 200
POLL_SECONDS: Final = 2.0
MEASURED_SECONDS: Final = 40.0
WARM_UP_SECONDS: Final = 6.0
ROWS: Final = 2000
PATHS: Final = (
    "/api/jobs",
    "/api/jobs",
    "/api/jobs",
    "/api/jobs?state=COMPLETED&limit=20",
    "/api/jobs?patient_id=P7",
)
"""What they ask; most see the whole list."""


@dataclass
class Tally:
    """What the clients saw.

    Parameters
    ----------
    seconds
        How long each answer took.
    statuses
        How many answers there were of each status.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def note(self, status: int, seconds: float) -> None:
        """Note an answer."""
        self.seconds.append(seconds)
        self.statuses[status] = self.statuses.get(status, 0) + 1


def measure() -> dict[str, Any]:
    """Poll without and with a worker that is busy."""
    with tempfile.TemporaryDirectory() as name, production_environment(Path(name)) as servers:
        port = free_port()
        environment = child_environment({**servers, "NODE_API_PORT": str(port)})
        settings = prepare(environment)
        build_users(settings).create("poller", PASSWORD, "nurse")
        _fill(make_engine(settings))
        with running([sys.executable, "-m", "dicom_node", "api", "--workers", "2"], port, environment):
            api = NodeAPI(f"http://127.0.0.1:{port}", SystemClock())
            api.wait_until_ready(READY_SECONDS)
            token = _token(port)
            quiet = _poll(port, token)
            worker = _busy_worker(environment)
            busy = _poll(port, token)
            done = int(worker.communicate()[0].split()[-1])
    return {
        f"{CLIENTS} clients every {POLL_SECONDS:g} s, nothing else runs": quiet,
        f"{CLIENTS} clients every {POLL_SECONDS:g} s, while a worker analyses": busy | {"analyses meanwhile": done},
    }


def _fill(engine: Engine) -> None:
    """Put studies and jobs there, as a node has after some days."""
    now = SystemClock().now()
    people, made = [], []
    for number in range(ROWS):
        at = to_column(now - timedelta(minutes=number))
        study = f"1.2.826.0.1.3680043.8.498.7.{number}"
        seen = {"first_received_at": at, "last_received_at": at}
        people.append({"study_instance_uid": study, "patient_id": f"P{number % 50}", "patient_name": "A^B", **seen})
        model = {"model_id": "brain_structures", "model_version": "1.0.0", "model_digest": "d" * 64}
        made.append(
            {
                "job_id": f"{number:032x}",
                "study_instance_uid": study,
                "series_instance_uid": f"{study}.1",
                "revision": 1,
                "run": 0,
                "attempt": 1,
                "state": JobState.COMPLETED,
                "result": {"measurements": []},
                "created_at": at,
                "updated_at": at,
                **model,
            }
        )
    with engine.begin() as connection:
        connection.execute(insert(studies), people)
        connection.execute(insert(jobs), made)


def _token(port: int) -> str:
    login = {"username": "poller", "password": PASSWORD}
    token: str = httpx.post(f"http://127.0.0.1:{port}/api/auth/login", json=login).json()["access_token"]
    return token


def _busy_worker(environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start the worker and wait until its model is warm."""
    seconds = str(WARM_UP_SECONDS + MEASURED_SECONDS)
    command = [sys.executable, "-m", "benchmarks.busy_worker", seconds]
    worker = subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    worker.stdout.readline()
    return worker


def _poll(port: int, token: str) -> dict[str, Any]:
    """Poll for a while, and sum up what was seen and what the cache counted."""
    before = _lookups(port)
    tally = asyncio.run(_clients(port, token))
    after = _lookups(port)
    hits, misses = (after[outcome] - before[outcome] for outcome in ("hit", "miss"))
    cuts = statistics.quantiles(tally.seconds, n=100)
    total = sum(tally.statuses.values())
    return {
        "answers": total,
        "answers/s": round(total / MEASURED_SECONDS, 1),
        "p50, ms": round(cuts[49] * 1000, 1),
        "p95, ms": round(cuts[94] * 1000, 1),
        "p99, ms": round(cuts[98] * 1000, 1),
        "most, ms": round(max(tally.seconds) * 1000, 1),
        "cache hit rate, %": round(100 * hits / max(1, hits + misses), 1),
        "not changed (304), %": round(100 * tally.statuses.get(304, 0) / total, 1),
        "neither 200 nor 304": total - tally.statuses.get(200, 0) - tally.statuses.get(304, 0),
    }


def _lookups(port: int) -> dict[str, float]:
    """Read what the cache counted."""
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    counts = {outcome: f'node_read_cache_lookups_total{{outcome="{outcome}"}} ' for outcome in ("hit", "miss")}
    return {
        outcome: next(float(line.removeprefix(start)) for line in lines if line.startswith(start))
        for outcome, start in counts.items()
    }


async def _clients(port: int, token: str) -> Tally:
    tally = Tally()
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(_client(port, token, PATHS[number % len(PATHS)], tally))
    return tally


async def _client(port: int, token: str, path: str, tally: Tally) -> None:
    """Poll as one client does, from a random moment on."""
    clock = SystemClock()
    start, tag = clock.monotonic(), ""
    await asyncio.sleep(random.uniform(0, POLL_SECONDS))
    while clock.monotonic() < start + WARM_UP_SECONDS + MEASURED_SECONDS:
        asked = clock.monotonic()
        status, tag = await _ask(port, token, path, tag)
        took = clock.monotonic() - asked
        if asked > start + WARM_UP_SECONDS:
            tally.note(status, took)
        await asyncio.sleep(max(0.0, POLL_SECONDS - took))


async def _ask(port: int, token: str, path: str, tag: str) -> tuple[int, str]:
    """Ask once on a connection of its own; give the status and the tag."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    known = f"If-None-Match: {tag}\r\n" if tag else ""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{known}\r\n"
    )
    writer.write(request.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    await reader.read()
    writer.close()
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
    return int(head[0].split()[1]), headers.get("etag", "")
