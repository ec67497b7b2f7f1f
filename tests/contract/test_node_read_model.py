"""What the dashboard asks the database is answered alike by SQLite and MariaDB."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from control_api.node_queries import NodeReadModel, QueueWork
from inference.domain.identifiers import UID
from inference.domain.job import JobState, ModelReference, QueueName
from inference.domain.verification import Subject
from integrations.persistence.tables import instances
from integrations.persistence.times import to_column
from tests.support.control_api import BRAIN, SERIES, STUDY, ControlAPI
from tests.support.fakes import NOON


@pytest.fixture
def rows(database: Engine, tmp_path: Path) -> ControlAPI:
    """Give a database to put rows into."""
    return ControlAPI(database, tmp_path)


@pytest.fixture
def queries(rows: ControlAPI) -> NodeReadModel:
    """Give the read side of it."""
    return rows.services.node.queries


def at(minutes: float) -> datetime:
    """Give a column's time some minutes after noon."""
    return to_column(NOON + timedelta(minutes=minutes))


def held(by: str, until: float) -> dict[str, Any]:
    """Give the columns of a job that somebody has."""
    return {"lease_owner": by, "lease_expires_at": at(until), "heartbeat_at": at(until - 2)}


def test_jobs_are_counted_by_how_they_stand(rows: ControlAPI, queries: NodeReadModel) -> None:
    """By the same conditions as they are claimed; what a dead worker left is waiting again."""
    now = NOON + timedelta(minutes=60)
    rows.has_job(1, JobState.QUEUED)
    rows.has_job(2, JobState.RECEIVED)
    rows.has_job(3, JobState.QUEUED, next_run_at=at(90))
    rows.has_job(4, JobState.QUEUED, next_run_at=at(50))
    rows.has_job(5, JobState.PROCESSING, **held("host:1:abc", 61))
    rows.has_job(6, JobState.PROCESSING, **held("host:2:def", 59))
    rows.has_job(7, JobState.DELIVERING, **held("host:3:ghi", 61))
    rows.has_job(8, JobState.WITHDRAWING)
    rows.has_job(9, JobState.DELIVERING, next_run_at=at(61))
    rows.has_job(10, JobState.COMPLETED)
    rows.has_job(11, JobState.FAILED)

    work = queries.queue_work(now)

    assert work == {
        QueueName.INFERENCE: QueueWork(4, 1, 1, NOON + timedelta(minutes=1)),
        QueueName.DELIVERY: QueueWork(1, 1, 1, NOON + timedelta(minutes=8)),
    }


def test_an_idle_node_has_nothing_to_do(queries: NodeReadModel) -> None:
    """Both queues are named all the same."""
    assert queries.queue_work(NOON) == {name: QueueWork() for name in QueueName}
    assert list(queries.held_jobs(NOON)) == []
    assert list(queries.verifying()) == []
    assert queries.received_bytes(NOON) == 0
    assert queries.stage_seconds(NOON) == {}


def test_the_jobs_that_workers_have_are_listed(rows: ControlAPI, queries: NodeReadModel) -> None:
    """With model, and until when they have them; a lease that is over is nobody's."""
    rows.has_job(2, JobState.PROCESSING, **held("host:1:abc", 61))
    rows.has_job(1, JobState.DELIVERING, **held("host:2:def", 61))
    rows.has_job(3, JobState.PROCESSING, **held("host:3:ghi", 59))
    rows.has_job(4, JobState.COMPLETED, **held("host:4:jkl", 61))

    found = queries.held_jobs(NOON + timedelta(minutes=60))

    assert [(job.owner, job.model, job.state) for job in found] == [
        ("host:2:def", BRAIN, JobState.DELIVERING),
        ("host:1:abc", BRAIN, JobState.PROCESSING),
    ]
    assert found[0].lease_expires_at == NOON + timedelta(minutes=61)
    assert found[0].heartbeat_at == NOON + timedelta(minutes=59)


def test_looks_at_models_are_listed_while_they_go_on(rows: ControlAPI, queries: NodeReadModel) -> None:
    """By worker."""
    log: Any = rows.services.models.verifications
    asked = log.request(Subject(BRAIN, "a" * 64, "9.8.7"), "admin")
    assert list(queries.verifying()) == []

    claimed = log.claim(asked.verification_id, "host:1:abc", 60)

    assert list(queries.verifying()) == [("host:1:abc", BRAIN)]
    log.finish(claimed, [])
    assert list(queries.verifying()) == []


def test_what_came_is_counted_by_the_hour(rows: ControlAPI, queries: NodeReadModel) -> None:
    """Also over midnight, and with hours in which nothing came; what is older than the window is left out."""
    old, late = UID(f"{STUDY}.9"), UID(f"{STUDY}.8")
    rows.has_study(old, -61)
    rows.has_series(UID(f"{old}.1"), old, first_received_at=at(-61))
    rows.has_study(minutes=10)
    rows.has_series(first_received_at=at(10))
    rows.has_study(late, 12 * 60 + 30)
    rows.has_series(UID(f"{late}.1"), late, first_received_at=at(12 * 60 + 30))
    rows.has_series(UID(f"{late}.2"), late, first_received_at=at(12 * 60 + 59.9))
    rows.has_job(-61)
    rows.has_job(11)
    rows.has_job(12, JobState.FAILED)
    rows.has_job(12 * 60 + 31, JobState.REJECTED)
    rows.has_job(12 * 60 + 32, JobState.PROCESSING)
    rows.has_job(12 * 60 + 33, JobState.REJECTED, model_id="")

    hours = queries.hours(NOON + timedelta(minutes=20), NOON + timedelta(hours=12, minutes=40))

    assert [hour.at for hour in hours] == [NOON + timedelta(hours=number) for number in range(13)]
    told = {(h.at - NOON) // timedelta(hours=1): (h.studies, h.series, h.jobs) for h in hours if h.series}
    assert told == {0: (1, 1, 2), 12: (1, 2, 2)}
    first, *_, last = hours
    assert (first.completed, first.failed, first.rejected) == (1, 1, 0)
    assert (last.completed, last.failed, last.rejected) == (0, 0, 1)


def test_bytes_are_counted_since_they_came(rows: ControlAPI, queries: NodeReadModel) -> None:
    """Whatever came again under the same UID takes room too."""
    rows.has_study(minutes=30)
    rows.has_series()
    for number, (minutes, size) in enumerate([(-1, 100), (1, 20), (30, 3_000_000_000)]):
        rows._insert(
            instances,
            {
                "sop_instance_uid": f"{SERIES}.{number}",
                "series_instance_uid": SERIES,
                "sop_class_uid": "1.2",
                "transfer_syntax_uid": "1.2",
                "sha256": f"{number:064x}",
                "path": "x",
                "size_bytes": size,
                "received_at": at(minutes),
            },
        )

    assert queries.received_bytes(NOON) == 3_000_000_020


def test_stage_times_are_given_by_model(rows: ControlAPI, queries: NodeReadModel) -> None:
    """Of the jobs of the window, whatever became of them."""
    other = ModelReference("tumor", "2.0.0", "e" * 64)
    columns = {"model_id": other.model_id, "model_version": other.version, "model_digest": other.digest}
    old = rows.has_job(-1)
    first, second = rows.has_job(1), rows.has_job(2, JobState.FAILED, **columns)
    for job_id, stage, seconds in (
        (old, "infer", 99.0),
        (first, "infer", 1.5),
        (first, "encode", 0.5),
        (second, "infer", 3),
    ):
        rows.has_stage(job_id, stage, seconds)

    assert queries.stage_seconds(NOON) == {
        (BRAIN, "infer"): [1.5],
        (BRAIN, "encode"): [0.5],
        (other, "infer"): [3.0],
    }
