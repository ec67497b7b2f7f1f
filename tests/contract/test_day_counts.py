"""The counts of a day and the summary that is made of them, on SQLite and on MariaDB."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, insert

from dicom_node.daily_summary import SPAN, DailySummary, Disk, Facts, SummaryPlaces, text
from inference.domain.job import JobState
from integrations.notify.notification import Channel
from integrations.persistence.day_counts import DayCounts, OwedDelivery, SQLDayCounts
from integrations.persistence.notifications import SQLNotificationOutbox
from integrations.persistence.periodic_runs import SQLTurns
from integrations.persistence.tables import deliveries, jobs, studies
from integrations.persistence.times import to_column
from tests.support.fakes import NOON, FixedClock

FAILED, COMPLETED, REJECTED = JobState.FAILED, JobState.COMPLETED, JobState.REJECTED
LONG_AGO = NOON - timedelta(days=3)


class Day:
    """Rows of a day."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.clock = FixedClock()
        self.number = 0

    def job(self, state: JobState, code: str | None = None, **columns: Any) -> str:
        """Put a job there."""
        self.number += 1
        now = to_column(self.clock.now())
        row = {
            "job_id": f"{self.number:032x}",
            "study_instance_uid": "1.2",
            "series_instance_uid": "1.2.3",
            "revision": 1,
            "run": self.number,
            "model_id": "brain",
            "model_version": "1.0.0",
            "model_digest": "d" * 64,
            "state": state.value,
            "error_code": code,
            "error_message": "Doe^Jane",
            "created_at": now,
            "updated_at": now,
        }
        with self.engine.begin() as connection:
            connection.execute(insert(jobs).values(**(row | columns)))
        return str(row["job_id"])

    def owes(self, job_id: str, destination: str, state: str = "pending") -> None:
        """Put a delivery there."""
        row = {"job_id": job_id, "errand": "result", "destination": destination, "state": state, "attempts": 1}
        with self.engine.begin() as connection:
            connection.execute(insert(deliveries).values(**row, created_at=to_column(LONG_AGO)))

    def study(self, uid: str, at: Any = NOON) -> None:
        """Put a study there."""
        times = {"first_received_at": to_column(at), "last_received_at": to_column(at)}
        with self.engine.begin() as connection:
            connection.execute(insert(studies).values(study_instance_uid=uid, patient_name="Doe^Jane", **times))


@pytest.fixture
def day(database: Engine) -> Day:
    """Give a day with something of everything."""
    day = Day(database)
    day.study("1.1")
    day.study("1.2", LONG_AGO)
    day.job(COMPLETED)
    day.job(COMPLETED, model_id="tumor")
    day.job(REJECTED, "geometry.gap")
    day.job(REJECTED, "geometry.gap")
    day.job(COMPLETED, shadow=True)
    day.job(REJECTED, "selection.no_model", model_id="")
    day.job(COMPLETED, updated_at=to_column(LONG_AGO))
    day.owes(day.job(FAILED, "delivery.peer_unavailable"), "archive", "failed")
    delivering = day.job(JobState.DELIVERING, updated_at=to_column(LONG_AGO))
    day.owes(delivering, "fhir")
    day.owes(delivering, "archive", "done")
    return day


def test_a_day_is_counted(day: Day) -> None:
    """By state, model and reason; shadows, series without a model and other days do not count."""
    counts = SQLDayCounts(day.engine, day.clock).since(NOON - SPAN)
    assert counts.studies == 1
    assert counts.ended == {"COMPLETED": 2, "REJECTED": 2, "FAILED": 1}
    assert counts.by_model == {
        ("brain", "COMPLETED"): 1,
        ("tumor", "COMPLETED"): 1,
        ("brain", "REJECTED"): 2,
        ("brain", "FAILED"): 1,
    }
    assert counts.reasons == {"geometry.gap": 2, "delivery.peer_unavailable": 1}
    assert [(one.model, one.code) for one in counts.failures] == [("brain", "delivery.peer_unavailable")]
    assert counts.unfinished == 1
    assert counts.owed == [OwedDelivery("archive", 1, LONG_AGO), OwedDelivery("fhir", 1, LONG_AGO)]


def test_a_summary_is_written_once_a_day(day: Day, tmp_path: Path) -> None:
    """It waits in the outbox like any other news, and holds nothing of a patient."""
    outbox = SQLNotificationOutbox(day.engine, day.clock, [Channel("email", frozenset())])
    turns = SQLTurns(day.engine, day.clock)
    turn = turns.begin("sync_patients", "a")
    assert turn is not None
    turns.finish(
        turn, {"orthanc": {"created": 3, "updated": 0, "failed": {"report.fhir_rejected": 1}, "error": None}}
    )
    places = SummaryPlaces(SQLDayCounts(day.engine, day.clock), outbox, turns, day.clock, tmp_path)
    summary = DailySummary(places, "email", "sync_patients", ZoneInfo("Asia/Seoul"))

    assert summary.write("2026-01-02") == {"failed": 1}
    summary.write("2026-01-02")

    (told,) = outbox.claim(5)
    written = told.content["text"]
    assert told.content["subject"] == "NeuroNova Node: 2 completed, 1 failed (2026-01-02)"
    for line in (
        "From 2026-01-01 21:00 to 2026-01-02 21:00",
        "Studies received: 1",
        "Jobs ended: 5; not ended yet: 1",
        "  brain REJECTED: 2",
        "  geometry.gap: 2",
        f"  {8:032x}  brain  delivery.peer_unavailable",
        "  archive: 1, the oldest since 2025-12-30 21:00",
        "Notifications given up: 0",
        "  orthanc: created 3, report.fhir_rejected 1",
    ):
        assert line in written.splitlines(), line
    assert "Doe" not in written
    assert "GiB free" in written


def test_a_quiet_day_says_so() -> None:
    """Silence would not tell whether the node is there."""
    quiet = Facts(DayCounts(0, {}, {}, {}, [], 0, []), Disk(2**30, 2**32), 0, None)
    lines = text(quiet, NOON - SPAN, NOON, ZoneInfo("UTC")).splitlines()
    assert "Jobs ended: 0; not ended yet: 0" in lines
    assert lines.count("  none") == 5
    assert "Disk: 1.0 GiB free (25 %)" in lines
