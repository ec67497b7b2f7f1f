"""What happened to a job, and where its time went."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from inference.domain.identifiers import JobID
from inference.domain.job import Failure, JobState, QueueName
from integrations.persistence.deliveries import SQLDeliveryLog
from integrations.persistence.tables import job_stages
from integrations.persistence.times import to_column
from tests.support.control_api import ControlAPI
from tests.support.fakes import NOON


def _stage(api: ControlAPI, job_id: str, stage: str, start: float, seconds: float, attempt: int = 1) -> None:
    at = to_column(NOON + timedelta(seconds=start))
    row = {"job_id": job_id, "stage": stage, "attempt": attempt, "started_at": at, "seconds": seconds}
    with api.engine.begin() as connection:
        connection.execute(job_stages.insert().values(row))


def _worked(api: ControlAPI) -> str:
    """Give a job that was analysed at the second attempt."""
    job_id = api.has_job(0, JobState.DELIVERING)
    _stage(api, job_id, "volume", 2, 1)
    _stage(api, job_id, "volume", 10, 1, attempt=2)
    _stage(api, job_id, "infer", 11, 3, attempt=2)
    api.clock.advance(20)
    return job_id


def _deliver(api: ControlAPI, job_id: str) -> None:
    """Let one destination have the result and another one refuse it, a third be down."""
    lease = api.services.jobs.claim(JobID(job_id), QueueName.DELIVERY, "worker-1", 120)
    assert lease is not None
    log = SQLDeliveryLog(api.engine, api.clock)
    arrived, refused, waiting = log.plan(lease, "result", ["pacs", "old-pacs", "research"])
    api.clock.advance(5)
    log.done(lease, arrived)
    log.put_off(lease, refused, Failure("delivery.peer_refused", "no"), None)
    log.put_off(lease, waiting, Failure("delivery.peer_unavailable", "no answer"), NOON + timedelta(hours=1))


def _phases(document: dict[str, Any]) -> list[tuple[str, str, int | None, float | None]]:
    return [(phase["kind"], phase["name"], phase["attempt"], phase["seconds"]) for phase in document["phases"]]


def test_the_timeline_shows_waits_stages_and_deliveries(api: ControlAPI) -> None:
    """Without a gap where nobody worked, so that a person sees at a glance what took long."""
    job_id = _worked(api)
    _deliver(api, job_id)

    document = api.get(f"/api/jobs/{job_id}/timeline").json

    assert _phases(document) == [
        ("wait", "queue", 1, 2.0),
        ("stage", "volume", 1, 1.0),
        ("wait", "pause", 2, 7.0),
        ("stage", "volume", 2, 1.0),
        ("stage", "infer", 2, 3.0),
        ("delivery", "pacs", 1, 5.0),
        ("delivery", "old-pacs", 1, 5.0),
        ("delivery", "research", 1, None),
    ]
    assert document["seconds"] == 25.0


def test_a_job_that_nobody_has_looked_at_has_no_phases(api: ControlAPI) -> None:
    """It waits; since when is known, until when is not."""
    document = api.get(f"/api/jobs/{api.has_job(0, JobState.QUEUED)}/timeline").json

    assert (document["phases"], document["seconds"]) == ([], 0.0)


def test_the_log_tells_what_happened_in_order(api: ControlAPI) -> None:
    """From the rows that say so: stages, errands, why they failed, and how the job stands now."""
    job_id = _worked(api)
    _deliver(api, job_id)

    events = api.get(f"/api/jobs/{job_id}/logs").json["events"]

    assert [(event["name"], event["detail"], event["destination"]) for event in events] == [
        ("created", "run 0 with brain_structures 1.0.0", None),
        ("stage", "volume", None),
        ("stage", "volume", None),
        ("stage", "infer", None),
        ("delivery", "result ordered", "pacs"),
        ("delivery", "result ordered", "old-pacs"),
        ("delivery", "result ordered", "research"),
        ("delivery", "result arrived", "pacs"),
        ("delivery", "result failed", "old-pacs"),
        ("delivery", "result waits", "research"),
        ("state", "DELIVERING", None),
    ]
    assert [event["code"] for event in events[-3:]] == ["delivery.peer_refused", "delivery.peer_unavailable", None]
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)


def test_the_log_tells_what_people_said(api: ControlAPI) -> None:
    """Who, when, what and why."""
    job_id = api.has_job(1, result={"measurements": []})
    api.clock.advance(120)
    order = {"verdict": "reject", "reason": "motion artefacts"}
    assert api.post(f"/api/jobs/{job_id}/review", order, role="radiologist").status_code == 202

    events = api.get(f"/api/jobs/{job_id}/logs").json["events"]

    said = [(event["name"], event["by"], event["message"]) for event in events[1:3]]
    assert said == [("review", "radiologist", "motion artefacts"), ("withdrawn", "radiologist", "motion artefacts")]


def test_the_log_of_a_failure_ends_with_its_reason(api: ControlAPI) -> None:
    """The last line says why nothing came of it."""
    job_id = api.has_job(1, JobState.FAILED, attempt=3, error_code="inference.out_of_memory", error_message="no room")

    last = api.get(f"/api/jobs/{job_id}/logs").json["events"][-1]

    assert (last["detail"], last["attempt"], last["code"], last["message"]) == (
        *("FAILED", 3),
        *("inference.out_of_memory", "no room"),
    )


def test_the_log_names_no_patient(api: ControlAPI) -> None:
    """It is what a person would send to whoever is to help."""
    api.has_study(patient_id="SECRET-77", patient_name="SECRET^NAME", accession_number="SECRET-A")
    job_id = _worked(api)

    assert "SECRET" not in api.get(f"/api/jobs/{job_id}/logs").get_data(as_text=True)
    assert "SECRET" not in api.get(f"/api/jobs/{job_id}/timeline").get_data(as_text=True)


def test_a_job_that_is_not_there_has_no_history(api: ControlAPI) -> None:
    """It is simply not there."""
    for part in ("timeline", "logs"):
        assert api.get(f"/api/jobs/{'0' * 32}/{part}").json["code"] == "job.not_found"
