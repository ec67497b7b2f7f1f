"""What the end of a job means for its series and for other jobs of the same series."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, select, update

from inference.domain.job import Failure, Job, JobState
from integrations.persistence.tables import jobs, series


def supersede(connection: Connection, job: Job) -> None:
    """Mark jobs of earlier revisions with the same model as superseded; or this one, if a later one was faster."""
    same = (jobs.c.series_instance_uid == job.series_instance_uid, jobs.c.model_id == _model_id(job))
    later = connection.scalar(
        select(jobs.c.job_id)
        .where(*same, jobs.c.revision > job.revision, jobs.c.state == JobState.COMPLETED)
        .order_by(jobs.c.revision.desc())
        .limit(1)
    )
    if later is not None:
        connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(superseded_by=later))
    else:
        earlier = (*same, jobs.c.revision < job.revision)
        connection.execute(update(jobs).where(*earlier).values(superseded_by=job.job_id))


def reject_series(connection: Connection, job: Job, failure: Failure) -> None:
    """Give a series the reason of its last model's rejection, so that it never ends in silence.

    Nothing changes while another model's job of the revision is not rejected, or a later revision is open.
    """
    revision = (jobs.c.series_instance_uid == job.series_instance_uid, jobs.c.revision == job.revision)
    other = select(jobs.c.job_id).where(*revision, jobs.c.state != JobState.REJECTED).limit(1)
    if connection.scalar(other) is None:
        values = {"decision": "rejected", "reason_code": failure.code[:64], "reason_message": failure.message[:2000]}
        connection.execute(update(series).where(*_present(job)).values(values))


def reopen_decision(connection: Connection, job: Job) -> None:
    """Take a rejection back from a series, because a person wants the job to be tried again."""
    values = {"decision": "analysed", "reason_code": None, "reason_message": None}
    connection.execute(update(series).where(*_present(job)).values(values))


def _present(job: Job) -> tuple[ColumnElement[bool], ...]:
    return (
        series.c.series_instance_uid == job.series_instance_uid,
        series.c.revision == job.revision,
        series.c.receiving.is_(False),
    )


def _model_id(job: Job) -> str:
    return job.model.model_id if job.model else ""
