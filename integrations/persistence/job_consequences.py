"""What the end of a job means for its series and for other jobs about the same."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, not_, select, update

from inference.domain.identifiers import UID
from inference.domain.job import Failure, Job, JobState
from integrations.persistence.study_jobs import UNDECIDED, decides_on, is_later, standing
from integrations.persistence.tables import jobs, series


def supersede(connection: Connection, job: Job) -> None:
    """Mark jobs of earlier revisions with the same model as superseded; or this one, if a later one was faster.

    A result that is published and one that is only recorded do not replace each other.
    """
    same = (jobs.c.model_id == _model_id(job), jobs.c.shadow.is_(job.shadow), *_subject(job))
    later = connection.scalar(
        select(jobs.c.job_id)
        .where(*same, _replaces(job), jobs.c.state == JobState.COMPLETED)
        .order_by(jobs.c.created_at.desc(), jobs.c.revision.desc())
        .limit(1)
    )
    if later is not None:
        connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(superseded_by=later))
    else:
        earlier = (*same, _is_replaced_by(job))
        connection.execute(update(jobs).where(*earlier).values(superseded_by=job.job_id))


def _subject(job: Job) -> tuple[ColumnElement[bool], ...]:
    """Give the conditions of jobs about the same: one series, or the study."""
    if job.whole_study:
        return jobs.c.whole_study, jobs.c.study_instance_uid == job.study_instance_uid
    return jobs.c.whole_study.is_(False), jobs.c.series_instance_uid == job.series_instance_uid


def _replaces(job: Job) -> ColumnElement[bool]:
    """Give the condition of jobs with newer input; about a study every job is made because its input changed."""
    return is_later(job) if job.whole_study else jobs.c.revision > job.revision


def _is_replaced_by(job: Job) -> ColumnElement[bool]:
    if job.whole_study:
        return and_(not_(is_later(job)), jobs.c.job_id != job.job_id)
    return jobs.c.revision < job.revision


def reject_series(connection: Connection, job: Job, failure: Failure) -> None:
    """Give a series the reason of its last model's rejection, so that it never ends in silence.

    Nothing changes while another model's job of the revision is not rejected, or a later revision is open. A model in
    shadow has no say.
    """
    if job.shadow:
        return
    values = {"decision": "rejected", "reason_code": failure.code[:64], "reason_message": failure.message[:2000]}
    for series_instance_uid, revision in standing(connection, job):
        about = (decides_on(series_instance_uid, revision), jobs.c.shadow.is_(False))
        other = select(jobs.c.job_id).where(*about, jobs.c.state != JobState.REJECTED).limit(1)
        if connection.scalar(other) is None:
            present = _present(series_instance_uid, revision)
            connection.execute(update(series).where(*present).values(values))


def reopen_decision(connection: Connection, job: Job) -> None:
    """Take a rejection back from a series, because a person wants the job to be tried again."""
    if job.shadow:
        return
    for series_instance_uid, revision in standing(connection, job):
        connection.execute(update(series).where(*_present(series_instance_uid, revision)).values(UNDECIDED))


def _present(series_instance_uid: UID, revision: int) -> tuple[ColumnElement[bool], ...]:
    return (
        series.c.series_instance_uid == series_instance_uid,
        series.c.revision == revision,
        series.c.receiving.is_(False),
    )


def _model_id(job: Job) -> str:
    return job.model.model_id if job.model else ""
