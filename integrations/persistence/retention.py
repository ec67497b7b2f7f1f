"""What has been kept long enough: decided by the database, and never what somebody still waits for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, Connection, Engine, delete, exists, or_, select

from inference.domain.delivery import DeliveryState
from inference.domain.identifiers import UID, JobID
from inference.domain.job import JobState
from inference.ports import Clock
from integrations.persistence.sessions import drop_expired
from integrations.persistence.tables import deliveries, instances, jobs, series, studies
from integrations.persistence.times import to_column
from integrations.persistence.transactions import Transactions

SETTLED: Final = (JobState.COMPLETED, JobState.REJECTED, JobState.CANCELLED, JobState.WITHDRAWN)
"""Jobs that owe nothing to anybody. One that FAILED does: a person looks at it, and may try again."""

_GONE: Final = ".gone"


class SQLRetention:
    """Removes what is old, after a look under lock at whether it may go.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        Time.
    spool_root
        Folder below which received images lie.
    """

    def __init__(self, engine: Engine, clock: Clock, spool_root: Path) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock
        self._root = spool_root

    def forget_expired_sessions(self) -> int:
        """Delete sessions whose last token has expired, and give how many."""
        now = to_column(self._clock.now())
        return self._transactions.write(lambda connection: drop_expired(connection, now))

    def old_studies(self, before: datetime) -> Sequence[UID]:
        """List the studies with images here that all came before a time, and of which everything is settled."""
        with self._transactions.read() as connection:
            rows = connection.execute(select(studies.c.study_instance_uid).where(*_may_go(before)))
            return [UID(row[0]) for row in rows]

    def remove_images(self, study: UID, before: datetime) -> int:
        """Delete the images of a study here, rows and files, and give how many; none if it may not go any more.

        The study stays known with its decisions and jobs; images that are sent again open a new revision.
        """

        def remove(connection: Connection) -> int:
            """Look again, now that nobody adds to the study, and delete.

            Files go first: a row whose file is gone is found again by the next cleaning, a file without a row never.
            An image that arrives at this moment has a new file, whose row waits for this transaction: it stays.
            """
            this = studies.c.study_instance_uid == study
            connection.execute(select(studies.c.study_instance_uid).where(this).with_for_update())
            if connection.execute(select(studies.c.study_instance_uid).where(this, *_may_go(before))).first() is None:
                return 0
            of_study = series.c.study_instance_uid == study
            rows = connection.execute(select(instances.c.id, instances.c.path).join(series).where(of_study)).all()
            removed = [row.id for row in rows if _discard(self._root / row.path, before)]
            for number in removed:
                connection.execute(delete(instances).where(instances.c.id == number))
            return len(removed)

        return self._transactions.write(remove)

    def old_results(self, before: datetime) -> Sequence[JobID]:
        """List the jobs that ended before a time with everything settled, oldest first."""
        with self._transactions.read() as connection:
            rows = connection.execute(select(jobs.c.job_id).where(*_is_settled(before)).order_by(jobs.c.updated_at))
            return [JobID(row[0]) for row in rows]

    def remove_result(self, job_id: JobID, before: datetime, remove: Callable[[JobID], bool]) -> bool:
        """Remove the files of a result, if it may still go; give whether there were any.

        Parameters
        ----------
        job_id
            Whose result.
        before
            As for ``old_results``.
        remove
            Removes them, and says whether there were any; safe to call again.
        """

        def look(connection: Connection) -> bool:
            """Look again, now that nobody changes the job."""
            wanted = select(jobs.c.job_id).where(jobs.c.job_id == job_id, *_is_settled(before))
            row = connection.execute(wanted.with_for_update()).first()
            return row is not None and remove(job_id)

        return self._transactions.write(look)


def _may_go(before: datetime) -> tuple[ColumnElement[bool], ...]:
    of_study = studies.c.study_instance_uid
    time = to_column(before)
    has_images = exists().where(
        series.c.study_instance_uid == of_study, instances.c.series_instance_uid == series.c.series_instance_uid
    )
    is_open = (series.c.receiving, series.c.instance_count > 0)
    is_receiving = exists().where(series.c.study_instance_uid == of_study, *is_open)
    unsettled = or_(jobs.c.state.not_in(SETTLED), jobs.c.updated_at >= time, _owed())
    is_awaited = exists().where(jobs.c.study_instance_uid == of_study, unsettled)
    return (studies.c.last_received_at < time, has_images, ~is_receiving, ~is_awaited)


def _is_settled(before: datetime) -> tuple[ColumnElement[bool], ...]:
    return (jobs.c.state.in_(SETTLED), jobs.c.updated_at < to_column(before), jobs.c.result.is_not(None), ~_owed())


def _owed() -> ColumnElement[bool]:
    """Tell whether a destination lacks something of a job."""
    return exists().where(deliveries.c.job_id == jobs.c.job_id, deliveries.c.state != DeliveryState.DONE)


def _discard(path: Path, before: datetime) -> bool:
    """Delete a file, unless it is newer: then it has just arrived again, and is somebody's acknowledged image.

    It is moved aside before it is looked at, so that what is looked at is what is deleted.
    """
    aside = path.with_name(path.name + _GONE)
    try:
        path.rename(aside)
    except FileNotFoundError:
        aside.unlink(missing_ok=True)
        return True
    if datetime.fromtimestamp(aside.stat().st_mtime, UTC) >= before:
        if not path.exists():
            aside.rename(path)
        return False
    aside.unlink()
    return not path.exists()
