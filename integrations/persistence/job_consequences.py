"""What the end of a job means for its series and for other jobs about the same."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, not_, or_, select, update

from inference.domain.identifiers import UID
from inference.domain.job import REFUSAL, Failure, Job, JobState
from integrations.persistence.study_jobs import UNDECIDED, decides_on, is_later, standing
from integrations.persistence.tables import jobs, series
from integrations.persistence.times import to_column


def supersede(connection: Connection, job: Job, now: datetime) -> None:
    """Mark earlier jobs with the same model as superseded; or this one, if a later one was faster.

    A result that is published and one that is only recorded do not replace each other.
    """
    same = about_the_same(job)
    later = connection.scalar(
        select(jobs.c.job_id)
        .where(*same, _replaces(job), jobs.c.state == JobState.COMPLETED)
        .order_by(jobs.c.created_at.desc(), jobs.c.revision.desc())
        .limit(1)
    )
    if later is not None:
        replaced = {"superseded_by": later, "updated_at": to_column(now)}
        connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(replaced))
    else:
        earlier = (*same, _is_replaced_by(job))
        replaces = {"superseded_by": job.job_id, "updated_at": to_column(now)}
        connection.execute(update(jobs).where(*earlier).values(replaces))


def about_the_same(job: Job) -> tuple[ColumnElement[bool], ...]:
    """Give the conditions of jobs of any version of the same model about the same series, or study."""
    return (jobs.c.model_id == _model_id(job), jobs.c.shadow.is_(job.shadow), *_subject(job))


def _subject(job: Job) -> tuple[ColumnElement[bool], ...]:
    """Give the conditions of jobs about the same: one series, or the study."""
    if job.whole_study:
        return jobs.c.whole_study, jobs.c.study_instance_uid == job.study_instance_uid
    return jobs.c.whole_study.is_(False), jobs.c.series_instance_uid == job.series_instance_uid


def _replaces(job: Job) -> ColumnElement[bool]:
    """Give the condition of jobs that were made later, of the same input or of newer.

    Those about a study count by their time alone: each is made because its input changed.
    """
    same_input = and_(jobs.c.revision == job.revision, is_later(job))
    return is_later(job) if job.whole_study else or_(jobs.c.revision > job.revision, same_input)


def _is_replaced_by(job: Job) -> ColumnElement[bool]:
    earlier = and_(not_(is_later(job)), jobs.c.job_id != job.job_id)
    if job.whole_study:
        return earlier
    return or_(jobs.c.revision < job.revision, and_(jobs.c.revision == job.revision, earlier))


def reject_series(connection: Connection, job: Job, failure: Failure) -> None:
    """Give a series the reason of its last model's rejection, so that it never ends in silence.

    Nothing changes while another model's job of the revision is not rejected, or a later revision is open. A model in
    shadow has no say.
    """
    if job.shadow:
        return
    values = {"decision": "rejected", "reason_code": failure.code[:64], "reason_message": failure.message[:2000]}
    for series_instance_uid, revision in standing(connection, job):
        about = (decides_on(series_instance_uid, revision), jobs.c.shadow.is_(False), jobs.c.job_id != job.job_id)
        others = connection.execute(select(jobs.c.state, jobs.c.result).where(*about)).all()
        if all(state == JobState.REJECTED or REFUSAL in (result or {}) for state, result in others):
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
