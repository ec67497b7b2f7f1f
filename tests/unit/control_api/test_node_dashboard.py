"""The dashboard: queues, workers, machines, disk, peers, throughput and stage times, whatever of it is away."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import replace
from datetime import timedelta

import pytest

from control_api import node_views
from control_api.node_views import full_at, percentile
from inference.domain.identifiers import JobID
from inference.domain.job import About, Failure, Hint, JobState, QueueName
from inference.domain.node_report import PeerKind, PeerOutcome, WorkerReport
from inference.errors import QueueUnavailable
from integrations.persistence.node_reports import SQLPeerLog, SQLWorkerRoll
from integrations.persistence.times import to_column
from tests.support.control_api import BRAIN, ControlAPI
from tests.support.fakes import NOON

GPU = {"index": 0, "name": "NVIDIA L4", "driver": "550", "memory_total_mib": 23034, "memory_used_mib": 1}
WORKER = WorkerReport(
    "node:1:abc",
    "inference",
    "node",
    1,
    1,
    "9.8.7",
    NOON - timedelta(hours=1),
    NOON,
    {"cpu_count": 8, "load_1m": 0.5, "provider": "CUDAExecutionProvider", "gpus": [GPU]},
)
Usage = namedtuple("Usage", "total used free")


def says(api: ControlAPI, report: WorkerReport) -> None:
    """Let a worker report."""
    SQLWorkerRoll(api.engine, api.clock).seen(report)


def test_queues_show_messages_and_jobs(api: ControlAPI) -> None:
    """And since when the oldest waits; a queue that is away does not hide what the database knows."""
    api.has_job(1, JobState.QUEUED)
    api.queue.enqueue(Hint(QueueName.INFERENCE, JobID("0" * 32)))
    api.clock.advance(600)

    inference, delivery = api.get("/api/node/queues").json["queues"]
    api.queue.away = True
    away = api.get("/api/node/queues").json["queues"][0]

    assert inference == {
        "name": "inference",
        "depth": 1,
        "waiting": 1,
        "postponed": 0,
        "working": 0,
        "oldest_waiting_at": (NOON + timedelta(minutes=1)).isoformat(),
    }
    assert (delivery["name"], delivery["depth"], delivery["oldest_waiting_at"]) == ("delivery", 0, None)
    assert (away["depth"], away["waiting"]) == (None, 1)


def test_workers_show_what_they_have(api: ControlAPI) -> None:
    """One that fell silent is not alive; one that never reported is known by its lease."""
    says(api, WORKER)
    says(api, replace(WORKER, owner="node:2:def", kind="delivery", seen_at=NOON - timedelta(minutes=5)))
    lease = {"lease_expires_at": to_column(NOON + timedelta(minutes=9)), "heartbeat_at": to_column(NOON)}
    job_id = api.has_job(1, JobState.PROCESSING, lease_owner="node:1:abc", **lease)
    api.has_job(2, JobState.PROCESSING, lease_owner="old:7:xyz", **lease)

    silent, busy, unknown = api.get("/api/node/workers").json["workers"]

    assert (silent["owner"], silent["alive"], silent["silent_seconds"]) == ("node:2:def", False, 300.0)
    assert (busy["kind"], busy["host"], busy["alive"], busy["version"]) == ("inference", "node", True, "9.8.7")
    assert [(job["job_id"], job["model"]["id"], job["state"]) for job in busy["jobs"]] == [
        (job_id, BRAIN.model_id, "PROCESSING")
    ]
    assert (unknown["owner"], unknown["alive"], unknown["kind"], unknown["seen_at"]) == (
        "old:7:xyz",
        False,
        None,
        None,
    )
    assert len(unknown["jobs"]) == 1


def test_devices_show_each_machine_once(api: ControlAPI) -> None:
    """What one worker of it says adds to what another one does."""
    says(api, WORKER)
    says(api, replace(WORKER, owner="node:2:def", kind="delivery", facts={"cpu_count": 8, "load_1m": 0.75}))
    says(api, replace(WORKER, owner="b:1:x", host="b", facts={"provider": None, "provider_fault": "no CUDA"}))

    broken, node = api.get("/api/node/devices").json["devices"]

    assert (broken["host"], broken["provider"], broken["provider_fault"]) == ("b", None, "no CUDA")
    assert (broken["gpus"], broken["memory_total_bytes"]) == ([], None)
    assert (node["provider"], node["provider_fault"], node["cpu_count"]) == ("CUDAExecutionProvider", None, 8)
    assert node["gpus"][0]["name"] == "NVIDIA L4"


def test_the_disk_says_when_it_is_full(api: ControlAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the rate of the last day, results included as they were so far, down to the reserve."""
    monkeypatch.setattr("control_api.node_views.shutil.disk_usage", lambda _: Usage(1000, 400, 600))
    counted = {"spool_bytes": 200, "results_bytes": 100, "counted_at": NOON.isoformat()}
    says(api, replace(WORKER, kind="delivery", facts=counted))
    monkeypatch.setattr(type(api.services.node.queries), "received_bytes", lambda *_: 100)

    document = api.get("/api/node/disk").json

    assert (document["free_bytes"], document["total_bytes"], document["reserve_bytes"]) == (600, 1000, 0)
    assert (document["spool_bytes"], document["results_bytes"]) == (200, 100)
    assert document["counted_at"] == NOON.isoformat()
    assert document["full_at"] == (NOON + timedelta(days=4)).isoformat()


def test_a_disk_that_nothing_fills_is_never_full(api: ControlAPI) -> None:
    """Before a worker has counted, nothing is said of what the node holds."""
    document = api.get("/api/node/disk").json

    assert {document[name] for name in ("spool_bytes", "results_bytes", "counted_at", "full_at")} == {None}
    assert document["received_bytes"] == 0


@pytest.mark.parametrize(
    ("room", "rate", "days"), [(100, 10.0, 10), (0, 10.0, 0), (100, 0.0, None), (1 << 60, 1.0, None)]
)
def test_full_at(room: int, rate: float, days: int | None) -> None:
    """A disk without room is full now; one that would take ages has no date."""
    assert full_at(NOON, room, rate) == (None if days is None else NOON + timedelta(days=days))


def test_peers_show_what_they_answered(api: ControlAPI) -> None:
    """And why they cannot be used, and since when."""
    log = SQLPeerLog(api.engine, api.clock)
    log.note(PeerOutcome("archive", PeerKind.DICOM, "ORTHANC@orthanc:4242", NOON, 0.25, None, NOON))
    failure = Failure("report.fhir_unavailable", "HTTP 503")
    log.note(PeerOutcome("report server", PeerKind.FHIR, "http://hapi:8080/fhir", NOON, 0.5, failure))

    archive, report = api.get("/api/node/peers").json["peers"]

    assert (archive["reachable"], archive["error"], archive["kind"]) == (True, None, "dicom")
    assert report["error"] == {"code": "report.fhir_unavailable", "message": "HTTP 503"}
    assert (report["reachable"], report["reachable_at"], report["seconds"]) == (False, None, 0.5)


def test_peers_are_asked_on_a_persons_word(api: ControlAPI) -> None:
    """By a delivery worker; while the queue is away they are asked in their turn."""
    answer = api.post("/api/node/peers/probe", role="admin")

    (hint,) = api.queue.hints
    assert (answer.status_code, hint.queue, hint.about) == (202, QueueName.DELIVERY, About.PEERS)
    api.queue.failure = QueueUnavailable("away")
    assert api.post("/api/node/peers/probe", role="admin").status_code == 202
    assert api.post("/api/node/peers/probe", role="radiologist").status_code == 403


def test_throughput_is_told_hour_by_hour(api: ControlAPI) -> None:
    """The present hour is the last one."""
    api.has_study(minutes=1)
    api.has_job(1)
    api.clock.advance(30 * 60)

    hours = api.get("/api/node/throughput?hours=3").json["hours"]

    assert [hour["at"] for hour in hours] == [(NOON - timedelta(hours=back)).isoformat() for back in (2, 1, 0)]
    assert [(hour["studies"], hour["jobs"], hour["completed"]) for hour in hours] == [(0, 0, 0), (0, 0, 0), (1, 1, 1)]
    assert len(api.get("/api/node/throughput").json["hours"]) == 24


def test_stages_show_how_long_they_take(api: ControlAPI) -> None:
    """Half, nearly all, and the longest."""
    job_id = api.has_job(1)
    for number in range(1, 101):
        api.has_stage(job_id, "infer", float(number))
    api.has_stage(job_id, "encode", 0.5)

    encode, infer = api.get("/api/node/stages").json["stages"]

    assert (encode["stage"], encode["count"], encode["p50"]) == ("encode", 1, 0.5)
    assert (infer["count"], infer["p50"], infer["p95"], infer["max"]) == (100, 50.0, 95.0, 100.0)
    assert infer["model"]["id"] == BRAIN.model_id


@pytest.mark.parametrize("path", ["throughput", "stages"])
@pytest.mark.parametrize("hours", ["0", "169", "x", "1.5", "-1"])
def test_a_window_has_bounds(api: ControlAPI, path: str, hours: str) -> None:
    """Nobody makes the database read everything."""
    answer = api.get(f"/api/node/{path}?hours={hours}")

    assert (answer.status_code, answer.json["code"]) == (422, "request.invalid")


@pytest.mark.parametrize(("percent", "expected"), [(50, 2.0), (95, 3.0), (100, 3.0), (1, 1.0)])
def test_percentiles_are_values_that_were_measured(percent: int, expected: float) -> None:
    """By nearest rank: no value is made up between two."""
    assert percentile([1.0, 2.0, 3.0], percent) == expected


def test_the_window_of_the_rate_is_a_day() -> None:
    """As the description says."""
    assert timedelta(hours=24) == node_views.RATE_WINDOW
