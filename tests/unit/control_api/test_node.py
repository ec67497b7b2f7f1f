"""Health, status and models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from control_api.readiness import check, disk_probe
from inference.domain.identifiers import UID, JobID
from inference.domain.job import Failure, Hint, JobState, QueueName
from inference.domain.model_spec import Deployment
from inference.errors import StoreUnavailable
from integrations.persistence.deliveries import SQLDeliveryLog
from tests.support.control_api import BRAIN, STUDY, ControlAPI
from tests.support.fakes import NOON


def _works() -> None:
    pass


def _store_away() -> None:
    raise StoreUnavailable("the database cannot be reached")


def _odd() -> None:
    raise ZeroDivisionError("secret")


def test_liveness_asks_nothing(api: ControlAPI) -> None:
    """A process whose database is away is alive: restarting it would not help."""
    api.probes["database"] = _store_away

    assert api.client.get("/api/health/live").json == {"status": "alive"}


def test_readiness_names_every_part(api: ControlAPI) -> None:
    """An operator sees at once which part is away; one does not hide the others."""
    api.probes.update(database=_store_away, queue=_works, disk=_odd)

    answer = api.client.get("/api/health/ready")

    assert answer.status_code == 503
    assert answer.json == {
        "status": "not ready",
        "parts": [
            {"name": "database", "ready": False, "detail": "the database cannot be reached"},
            {"name": "queue", "ready": True, "detail": None},
            {"name": "disk", "ready": False, "detail": "does not answer as it should"},
        ],
    }


def test_a_node_whose_parts_work_is_ready(api: ControlAPI) -> None:
    """Then, and only then, 200."""
    api.probes["queue"] = _works

    answer = api.client.get("/api/health/ready")

    assert (answer.status_code, answer.json["status"]) == (200, "ready")


@pytest.mark.parametrize(("reserve_bytes", "ready"), [(0, True), (1 << 62, False)])
def test_the_disk_must_have_its_reserve(tmp_path: Path, reserve_bytes: int, ready: bool) -> None:
    """A full disk is known before the first instance is refused."""
    [part] = check({"disk": disk_probe(tmp_path, reserve_bytes)})

    assert part.ready is ready


def test_status_shows_the_node_at_a_glance(api: ControlAPI) -> None:
    """Jobs by state, what arrives, queues, models, disk."""
    api.has_study()
    api.has_series(receiving=True)
    api.has_series(UID(f"{STUDY}.5"))
    api.has_job(1)
    api.has_job(2)
    api.has_job(3, JobState.FAILED)
    api.queue.enqueue(Hint(QueueName.DELIVERY, JobID("0" * 32)))

    document = api.get("/api/node/status").json

    assert (document["version"], document["ae_title"]) == ("9.8.7", "NEURONOVA")
    assert document["jobs"] == {state.value: 0 for state in JobState} | {"COMPLETED": 2, "FAILED": 1}
    assert (document["receiving_series"], document["queues"]) == (1, {"inference": 0, "delivery": 1})
    assert document["models"] == [{"id": BRAIN.model_id, "version": BRAIN.version, "digest": BRAIN.digest}]
    assert 0 < document["disk"]["free_bytes"] < document["disk"]["total_bytes"]


def test_models_show_their_card_and_what_is_broken(api: ControlAPI) -> None:
    """A reader learns what a model is for, what it finds, and why a package is missing; never where files lie."""
    document = api.get("/api/models").json

    [card] = document["models"]
    assert {card[name] for name in ("id", "version", "digest")} == {BRAIN.model_id, BRAIN.version, BRAIN.digest}
    assert all(card[name] for name in ("title", "intended_use", "licence", "manufacturer"))
    assert (card["deployment"], card["task"]) == ("active", "segmentation")
    assert [(channel["modality"], channel["sequence"], channel["required"]) for channel in card["channels"]] == [
        ("MR", "T1", True)
    ]
    assert {label["type"]["scheme"] for label in card["labels"]} == {"SCT"}
    assert all(label["min_volume_ml"] < label["max_volume_ml"] for label in card["labels"])
    assert document["broken"] == [{"package": "odd", "reason": "weights.sha256: field required"}]
    assert "onnx" not in str(document)


def test_every_version_is_listed_and_only_active_ones_are_the_nodes(api: ControlAPI) -> None:
    """A person sees what could run beside what does; at a glance only what answers counts."""
    (spec,) = api.catalogue.models
    others = {Deployment.SHADOW: "1.1.0", Deployment.INACTIVE: "0.9.0", Deployment.RECALLED: "0.8.0"}
    versions = [
        replace(spec, deployment=deployment, reference=replace(BRAIN, version=version))
        for deployment, version in others.items()
    ]
    api.catalogue.models = [spec, *versions]

    listed = {card["version"]: card["deployment"] for card in api.get("/api/models").json["models"]}

    assert listed == {BRAIN.version: "active", "1.1.0": "shadow", "0.9.0": "inactive", "0.8.0": "recalled"}
    assert [model["version"] for model in api.get("/api/node/status").json["models"]] == [BRAIN.version]


def test_jobs_in_shadow_are_counted_apart(api: ControlAPI) -> None:
    """A trial that fails must not look like a failure of the service, nor a good one like its work."""
    api.has_job(1)
    api.has_job(2, JobState.FAILED, shadow=True)

    status = api.get("/api/node/status").json
    metrics = api.client.get("/metrics").get_data(as_text=True)

    assert (status["jobs"]["COMPLETED"], status["jobs"]["FAILED"]) == (1, 0)
    assert (status["shadow_jobs"]["COMPLETED"], status["shadow_jobs"]["FAILED"]) == (0, 1)
    assert 'node_jobs{state="FAILED"} 0.0' in metrics
    assert 'node_shadow_jobs{state="FAILED"} 1.0' in metrics


def test_metrics_show_every_reason_for_which_nothing_was_analysed(api: ControlAPI) -> None:
    """Before a job was made, and after; what is being received has no decision yet, and shadows do not count."""
    api.has_study()
    for number, (decision, code) in enumerate(
        [("analysed", None), ("rejected", "geometry.gap"), ("rejected", "geometry.gap"), (None, None)]
    ):
        uid = UID(f"{STUDY}.{number}")
        api.has_series(uid, decision=decision, reason_code=code, receiving=decision is None)
    api.has_job(1, JobState.REJECTED, error_code="result.implausible")
    api.has_job(2, JobState.FAILED, error_code="encoding.failed")
    api.has_job(3, JobState.FAILED, error_code="encoding.failed", shadow=True)
    api.has_job(4, JobState.COMPLETED)

    lines = api.client.get("/metrics").get_data(as_text=True).splitlines()

    assert sorted(line for line in lines if line.startswith(("node_series{", "node_ended_jobs{"))) == [
        'node_ended_jobs{code="encoding.failed"} 1.0',
        'node_ended_jobs{code="result.implausible"} 1.0',
        'node_series{reason="analysed"} 1.0',
        'node_series{reason="geometry.gap"} 2.0',
    ]


def test_metrics_show_jobs_and_queues(api: ControlAPI) -> None:
    """Prometheus reads numbers and no names; a queue that is away leaves only its own number out."""
    api.has_job(1, JobState.FAILED)
    api.queue.enqueue(Hint(QueueName.DELIVERY, JobID("0" * 32)))

    text = api.client.get("/metrics").get_data(as_text=True)
    api.queue.away = True
    without_queue = api.client.get("/metrics").get_data(as_text=True)

    assert 'node_jobs{state="FAILED"} 1.0' in text
    assert 'node_queue_depth{queue="delivery"} 1.0' in text
    assert "node_queue_depth{" not in without_queue
    assert 'node_jobs{state="FAILED"} 1.0' in without_queue


def test_status_is_shown_while_the_queue_is_away(api: ControlAPI) -> None:
    """An operator looks at the status most when something is away."""
    api.queue.away = True

    assert api.get("/api/node/status").json["queues"] == {"inference": None, "delivery": None}


def test_metrics_show_what_has_not_arrived(api: ControlAPI) -> None:
    """By destination: a person sees at a glance which archive keeps results waiting."""
    job_id = api.has_job(1, JobState.DELIVERING)
    lease = api.services.jobs.claim(JobID(job_id), QueueName.DELIVERY, "worker-1", 120)
    assert lease is not None
    log = SQLDeliveryLog(api.engine, api.services.clock)
    arrived, waiting, refused = log.plan(lease, "result", ["pacs", "research", "old-pacs"])
    log.done(lease, arrived)
    log.put_off(lease, waiting, Failure("delivery.peer_unavailable", "no answer"), NOON)
    log.put_off(lease, refused, Failure("delivery.peer_refused", "no"), None)

    lines = api.client.get("/metrics").get_data(as_text=True).splitlines()

    assert sorted(line for line in lines if line.startswith("node_deliveries{")) == [
        'node_deliveries{destination="old-pacs",state="failed"} 1.0',
        'node_deliveries{destination="research",state="pending"} 1.0',
    ]
