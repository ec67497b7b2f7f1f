"""Rows of jobs and their outbox: what the study index and the job store both write and read."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from inference.domain.identifiers import UID, JobID
from inference.domain.job import (
    DELIVERY_STATES,
    REFUSAL,
    Job,
    JobState,
    ModelReference,
    NewJob,
    QueueName,
    StageTime,
)
from inference.errors import Stage
from integrations.persistence.tables import job_stages, jobs, outbox
from integrations.persistence.times import from_column, to_column


def find_job(connection: Connection, job: NewJob) -> JobID | None:
    """Give the job with the same input, model and run, or None."""
    model = job.model
    found = connection.scalar(
        select(jobs.c.job_id).where(
            jobs.c.series_instance_uid == job.series_instance_uid,
            jobs.c.revision == job.revision,
            jobs.c.model_id == (model.model_id if model else ""),
            jobs.c.model_version == (model.version if model else ""),
            jobs.c.model_digest == (model.digest if model else ""),
            jobs.c.run == job.run,
        )
    )
    return None if found is None else JobID(found)


def insert_job(connection: Connection, job: NewJob, job_id: JobID, now: datetime) -> JobID:
    """Create a job with its outbox row; give the existing one where input, model and run are the same.

    A job that is born REJECTED gets no outbox row: there is nothing to do for it, unless a note is wanted.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        If a concurrent transaction made the same job first; repeating the transaction finds it.
    """
    existing = find_job(connection, job)
    if existing is not None:
        return existing
    model, (code, message) = job.model, job.rejection or (None, None)
    connection.execute(
        insert(jobs).values(
            job_id=job_id,
            study_instance_uid=job.study_instance_uid,
            series_instance_uid=job.series_instance_uid,
            revision=job.revision,
            model_id=model.model_id if model else "",
            model_version=model.version if model else "",
            model_digest=model.digest if model else "",
            run=job.run,
            shadow=job.shadow,
            whole_study=job.whole_study,
            state=_first_state(job),
            result={REFUSAL: {"code": code, "message": message}} if job.noted else None,
            error_code=code,
            error_message=message,
            created_at=to_column(now),
            updated_at=to_column(now),
        )
    )
    if job.rejection is None:
        owe_hint(connection, job_id, QueueName.INFERENCE, now)
    elif job.noted:
        owe_hint(connection, job_id, QueueName.DELIVERY, now)
    return job_id


def _first_state(job: NewJob) -> JobState:
    if job.rejection is None:
        return JobState.RECEIVED
    return JobState.DELIVERING if job.noted else JobState.REJECTED


def owe_hint(connection: Connection, job_id: JobID, queue: QueueName, now: datetime) -> None:
    """Note in the outbox that a queue message must be sent for a job, and since when.

    There is one row per job and queue; ``dispatched_at`` says when the last message left, and is NULL while one
    is owed.
    """
    values = {"created_at": to_column(now), "dispatched_at": None}
    owed = update(outbox).where(outbox.c.job_id == job_id, outbox.c.queue == queue).values(values)
    if connection.execute(owed).rowcount == 0:
        connection.execute(insert(outbox).values(job_id=job_id, queue=queue, **values))


def whole_job(connection: Connection, row: Row[Any]) -> Job:
    """Read a job with its stage times and the time since which it is delivered or withdrawn."""
    job_id = JobID(row.job_id)
    job = job_of(row, stages_of(connection, job_id))
    if job.state not in DELIVERY_STATES:
        return job
    ordered = select(outbox.c.created_at).where(outbox.c.job_id == job_id, outbox.c.queue == QueueName.DELIVERY)
    return replace(job, delivering_since=from_column(connection.scalar(ordered)))


def model_of(row: Row[Any]) -> ModelReference | None:
    """Read the model of a row of ``jobs``; None where no model wanted the series."""
    return ModelReference(row.model_id, row.model_version, row.model_digest) if row.model_id else None


def job_of(row: Row[Any], stages: tuple[StageTime, ...] = ()) -> Job:
    """Read a row of ``jobs``."""
    return Job(
        job_id=JobID(row.job_id),
        study_instance_uid=UID(row.study_instance_uid),
        series_instance_uid=UID(row.series_instance_uid),
        revision=row.revision,
        model=model_of(row),
        run=row.run,
        state=JobState(row.state),
        attempt=row.attempt,
        error_code=row.error_code,
        error_message=row.error_message,
        created_at=from_column(row.created_at),
        updated_at=from_column(row.updated_at),
        next_run_at=from_column(row.next_run_at),
        lease_owner=row.lease_owner,
        lease_expires_at=from_column(row.lease_expires_at),
        result=row.result,
        stages=stages,
        shadow=row.shadow,
        whole_study=row.whole_study,
    )


def stages_of(connection: Connection, job_id: JobID) -> tuple[StageTime, ...]:
    """Read the stage times of a job, in the order in which they were recorded."""
    rows = connection.execute(select(job_stages).where(job_stages.c.job_id == job_id).order_by(job_stages.c.id))
    return tuple(StageTime(Stage(row.stage), row.attempt, from_column(row.started_at), row.seconds) for row in rows)


def insert_stage(connection: Connection, job_id: JobID, stage: StageTime) -> None:
    """Record how long a stage of a job took."""
    connection.execute(
        insert(job_stages).values(
            job_id=job_id,
            stage=stage.stage,
            attempt=stage.attempt,
            started_at=to_column(stage.started_at),
            seconds=stage.seconds,
        )
    )
