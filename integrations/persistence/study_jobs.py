"""Jobs about a whole study: one job for several series, which stand or fall with it.

Such a job is made for the first series that its model wants; while it has not begun, the others join it. What is
written here is written with the row of the study held, so series that are closed at the same moment form a line: the
first makes the job, the others join it. The row of the study is taken before any row of its series and jobs, here as
in ``arrivals``, and so nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, or_, select, update

from inference.domain.identifiers import UID, JobID
from inference.domain.job import Failure, Job, JobState, Lease, NewJob, QueueName
from inference.errors import ReasonCode
from integrations.persistence.job_hints import WAITING
from integrations.persistence.job_rows import find_job, insert_job, owe_hint
from integrations.persistence.job_writes import ENDED, reason_columns, write_leased
from integrations.persistence.tables import jobs, joined_series, series, studies
from integrations.persistence.times import to_column

OVERTAKEN: Final = Failure(
    ReasonCode.SUPERSEDED, "another series of the study came meanwhile: its job answers for all"
)
"""Why a job ends that was looked at while a series came."""

UNDECIDED: Final = {"decision": "analysed", "reason_code": None, "reason_message": None}
"""What a series says while a job is about it."""


def hold_study(connection: Connection, study_instance_uid: UID) -> None:
    """Keep everybody else from changing a study, its series' decisions and its jobs until the transaction ends."""
    wanted = studies.c.study_instance_uid == study_instance_uid
    connection.execute(select(studies.c.study_instance_uid).where(wanted).with_for_update())


def create_job(connection: Connection, job: NewJob, job_id: JobID, now: datetime) -> JobID:
    """Create a job with its outbox row, or give the one that is there already.

    A job about a study is not made where one of the same model has not begun: the series joins that one, which is
    worked on at once. Series that an earlier job was rejected with, because a channel was missing, stand with the new
    one: they may be the rest of its input.
    """
    if not job.whole_study:
        return insert_job(connection, job, job_id, now)
    hold_study(connection, job.study_instance_uid)
    known = find_job(connection, job)
    if known is not None:
        return known
    waiting = _waiting(connection, job)
    if waiting is not None:
        _join(connection, waiting, job.series_instance_uid, job.revision)
        hasten(connection, waiting, now)
        return waiting
    insert_job(connection, job, job_id, now)
    if not job.shadow:
        _take_along(connection, job, job_id)
    return job_id


def find_job_of(connection: Connection, job: NewJob) -> JobID | None:
    """Give the job that was made for an input, or that its series joined; None where there is neither."""
    known = find_job(connection, job)
    if known is not None or not job.whole_study:
        return known
    about = select(jobs.c.job_id).where(*_rivals(job), decides_on(job.series_instance_uid, job.revision))
    latest = connection.scalar(about.order_by(jobs.c.created_at.desc(), jobs.c.job_id.desc()).limit(1))
    return None if latest is None else JobID(latest)


def standing(connection: Connection, job: Job) -> Sequence[tuple[UID, int]]:
    """List the series, with their revision, that a job decides on: its own and those that joined it."""
    columns = (joined_series.c.series_instance_uid, joined_series.c.revision)
    rows = connection.execute(select(*columns).where(joined_series.c.job_id == job.job_id).order_by(*columns))
    joined = [(UID(row.series_instance_uid), int(row.revision)) for row in rows]
    return [(job.series_instance_uid, job.revision), *joined]


def decides_on(series_instance_uid: UID, revision: int) -> ColumnElement[bool]:
    """Give the condition that a row of ``jobs`` is about a revision of a series, alone or with others."""
    wanted = (joined_series.c.series_instance_uid == series_instance_uid, joined_series.c.revision == revision)
    alone = and_(jobs.c.series_instance_uid == series_instance_uid, jobs.c.revision == revision)
    return or_(alone, jobs.c.job_id.in_(select(joined_series.c.job_id).where(*wanted)))


def put_off(connection: Connection, lease: Lease, waits: Mapping[str, Any], now: datetime) -> None:
    """End the lease of a job whose input is not here yet, unless that was decided on what is no longer true.

    Parameters
    ----------
    connection
        A transaction.
    lease
        The right to do so.
    waits
        The columns of a job that waits.
    now
        Time of the change, aware.

    Raises
    ------
    LeaseLost, JobCancelled, IllegalTransition
    """
    job = lease.job
    hold_study(connection, job.study_instance_uid)
    heir = _waiting(connection, job, is_later(job))
    values = {**ENDED, "updated_at": to_column(now)}
    if heir is None:
        write_leased(connection, lease, JobState.QUEUED, {**values, **waits})
        hasten_if_settled(connection, job.study_instance_uid, now)
        return
    write_leased(connection, lease, JobState.REJECTED, {**values, **reason_columns(OVERTAKEN), "superseded_by": heir})
    for series_instance_uid, revision in standing(connection, job):
        _join(connection, heir, series_instance_uid, revision)


def is_later(job: Job) -> ColumnElement[bool]:
    """Give the condition that a row of ``jobs`` was made after a job."""
    created_at = to_column(job.created_at)
    same_moment = and_(jobs.c.created_at == created_at, jobs.c.job_id > job.job_id)
    return or_(jobs.c.created_at > created_at, same_moment)


def hasten(connection: Connection, job_id: JobID, now: datetime) -> None:
    """Have a job looked at now where it waits for a channel; one that waits after a failure keeps its wait."""
    waits = (jobs.c.job_id == job_id, jobs.c.state.in_(WAITING), jobs.c.error_code == ReasonCode.CHANNEL_AWAITED)
    changed = {"next_run_at": None, "updated_at": to_column(now)}
    if connection.execute(update(jobs).where(*waits).values(changed)).rowcount:
        owe_hint(connection, job_id, QueueName.INFERENCE, now)


def hasten_if_settled(connection: Connection, study_instance_uid: UID, now: datetime) -> None:
    """Have the jobs of a study looked at now that wait for a channel, if nothing more will come: their wait is over.

    That is so once somebody said that the study is complete, nothing came since, and no series of it is open.
    """
    wanted = studies.c.study_instance_uid == study_instance_uid
    study = connection.execute(select(studies).where(wanted)).one_or_none()
    if study is None or not signal_holds(study) or _is_open(connection, study_instance_uid):
        return
    waits = (jobs.c.study_instance_uid == study_instance_uid, jobs.c.whole_study, jobs.c.state.in_(WAITING))
    for (job_id,) in connection.execute(select(jobs.c.job_id).where(*waits)).all():
        hasten(connection, JobID(job_id), now)


def signal_holds(study: Row[Any]) -> bool:
    """Tell whether a study was said to be complete and nothing came since."""
    return study.signalled_at is not None and study.signalled_at >= study.last_received_at


def _is_open(connection: Connection, study_instance_uid: UID) -> bool:
    """Tell whether any series of a study is open, one that was only announced among them."""
    wanted = (series.c.study_instance_uid == study_instance_uid, series.c.receiving)
    return connection.execute(select(series.c.series_instance_uid).where(*wanted).limit(1)).first() is not None


def _rivals(job: NewJob | Job) -> tuple[ColumnElement[bool], ...]:
    """Give the conditions of jobs about the same study with exactly the same model."""
    model = job.model
    return (
        jobs.c.study_instance_uid == job.study_instance_uid,
        jobs.c.whole_study,
        jobs.c.model_id == (model.model_id if model else ""),
        jobs.c.model_version == (model.version if model else ""),
        jobs.c.model_digest == (model.digest if model else ""),
        jobs.c.shadow.is_(job.shadow),
    )


def _waiting(connection: Connection, job: NewJob | Job, *further: ColumnElement[bool]) -> JobID | None:
    """Give the latest job of the same study and model that has not begun, and keep it from beginning."""
    waiting = select(jobs.c.job_id).where(*_rivals(job), jobs.c.state.in_(WAITING), *further)
    latest = waiting.order_by(jobs.c.created_at.desc(), jobs.c.job_id.desc()).limit(1)
    found = connection.scalar(latest.with_for_update())
    return None if found is None else JobID(found)


def _take_along(connection: Connection, job: NewJob, job_id: JobID) -> None:
    """Let the series that were rejected with an earlier job, because a channel was missing, stand with a new one."""
    for row in _left_behind(connection, job):
        _join(connection, job_id, UID(row.series_instance_uid), row.revision)
        present = series.c.series_instance_uid == row.series_instance_uid
        connection.execute(update(series).where(present).values(UNDECIDED))


def _left_behind(connection: Connection, job: NewJob) -> Sequence[Row[Any, Any]]:
    """List the series that say that a channel was missing, and that an earlier job of the model was about."""
    earlier = select(jobs).where(*_rivals(job), jobs.c.error_code == ReasonCode.CHANNEL_MISSING).subquery()
    joined = select(joined_series.c.series_instance_uid).join(earlier, joined_series.c.job_id == earlier.c.job_id)
    statement = select(series.c.series_instance_uid, series.c.revision).where(
        series.c.study_instance_uid == job.study_instance_uid,
        series.c.receiving.is_(False),
        series.c.reason_code == ReasonCode.CHANNEL_MISSING,
        or_(
            series.c.series_instance_uid.in_(select(earlier.c.series_instance_uid)),
            series.c.series_instance_uid.in_(joined),
        ),
    )
    return connection.execute(statement).all()


def _join(connection: Connection, job_id: JobID, series_instance_uid: UID, revision: int) -> None:
    """Note that a revision of a series stands with a job, once."""
    row = {"job_id": job_id, "series_instance_uid": series_instance_uid, "revision": revision}
    known = select(joined_series.c.job_id).where(*(joined_series.c[name] == value for name, value in row.items()))
    if connection.scalar(known) is None:
        connection.execute(insert(joined_series).values(row))
