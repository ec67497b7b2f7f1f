"""The notifier that is always there."""

from __future__ import annotations

from dataclasses import replace

import structlog

from inference.domain.identifiers import UID, JobID
from inference.domain.job import Job, JobState, ModelReference
from integrations.notify.log_notifier import LogNotifier
from tests.support.fakes import NOON

JOB = Job(
    job_id=JobID("a" * 32),
    study_instance_uid=UID("1.2.3"),
    series_instance_uid=UID("1.2.4"),
    revision=1,
    model=ModelReference("brain", "1.0.0", "d"),
    run=0,
    state=JobState.FAILED,
    attempt=2,
    error_code="inference.out_of_memory",
    error_message="too little memory",
    created_at=NOON,
    updated_at=NOON,
    next_run_at=None,
    lease_owner=None,
    lease_expires_at=None,
)


def test_the_end_of_a_job_is_one_line() -> None:
    """State, reason and model are there, with or without a model."""
    with structlog.testing.capture_logs() as lines:
        LogNotifier().job_ended(JOB)
        LogNotifier().job_ended(replace(JOB, model=None, state=JobState.REJECTED))

    assert [(line["state"], line["model"]) for line in lines] == [("FAILED", "brain 1.0.0"), ("REJECTED", None)]
    assert lines[0]["code"] == "inference.out_of_memory"
