"""What changed last: a fingerprint for those who poll, and rows for those who listen.

A time of change is written before its transaction commits, so changes can become visible in another order than that
of their times: the latest time alone would hide the slower of two. Therefore a fingerprint is made of the latest
several rows, and whoever listens looks back a little with every look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, select

from inference.domain.identifiers import UID, JobID
from inference.domain.job import JobState
from integrations.persistence.tables import jobs, series, studies
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions

LATEST: Final = 64
"""Rows of a fingerprint: more than are ever being written at the same moment. Indexes alone answer the question."""


class Topic(StrEnum):
    """What an answer is about."""

    JOBS = "jobs"
    """Jobs alone."""
    STUDIES = "studies"
    """Studies, series and their jobs."""


@dataclass(frozen=True, slots=True)
class JobChange:
    """A job that changed."""

    job_id: JobID
    study_uid: UID
    state: JobState
    shadow: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class StudyChange:
    """A study of which something arrived, or was decided."""

    study_uid: UID
    at: datetime


Change = JobChange | StudyChange


class ChangeFeed:
    """Questions about changes.

    Parameters
    ----------
    transactions
        The database; every question raises StoreUnavailable where it cannot be asked.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def version(self, topic: Topic) -> str:
        """Give a word that is another one after every change of what a topic is about."""
        with self._transactions.read() as connection:
            found = [_latest(connection, *key) for key in _KEYS[topic]]
        return hashlib.sha256(repr(found).encode()).hexdigest()[:32]

    def since(self, at: datetime, limit: int) -> Sequence[Change]:
        """List what changed at a time or later, oldest first; of a longer list the oldest part."""
        start = to_column(at)
        with self._transactions.read() as connection:
            found: list[Change] = [*_jobs_since(connection, start, limit), *_studies_since(connection, start, limit)]
        return sorted(found, key=lambda change: change.at)[:limit]


_JOB_KEY: Final = (jobs, jobs.c.updated_at, jobs.c.job_id)
_STUDY_TIMES: Final = (
    (studies, studies.c.last_received_at, studies.c.study_instance_uid),
    (studies, studies.c.signalled_at, studies.c.study_instance_uid),
    (series, series.c.completed_at, series.c.study_instance_uid),
)
_KEYS: Final = {
    Topic.JOBS: (_JOB_KEY,),
    Topic.STUDIES: (_JOB_KEY, *_STUDY_TIMES[:2], (series, series.c.completed_at, series.c.series_instance_uid)),
}


def _latest(connection: Connection, table: Table, time: ColumnElement[Any], key: ColumnElement[Any]) -> list[Any]:
    statement: Select[Any] = select(time, key).select_from(table).order_by(time.desc(), key.desc()).limit(LATEST)
    return [tuple(row) for row in connection.execute(statement)]


def _jobs_since(connection: Connection, start: datetime, limit: int) -> Iterable[JobChange]:
    columns = (jobs.c.job_id, jobs.c.study_instance_uid, jobs.c.state, jobs.c.shadow, jobs.c.updated_at)
    statement = select(*columns).where(jobs.c.updated_at >= start).order_by(jobs.c.updated_at).limit(limit)
    for row in connection.execute(statement):
        yield JobChange(
            JobID(row.job_id),
            UID(row.study_instance_uid),
            JobState(row.state),
            bool(row.shadow),
            from_column(row.updated_at),
        )


def _studies_since(connection: Connection, start: datetime, limit: int) -> Iterable[StudyChange]:
    """Give each study once, with the latest of its times."""
    latest: dict[str, datetime] = {}
    for table, time, key in _STUDY_TIMES:
        statement = select(time, key).select_from(table).where(time >= start).order_by(time).limit(limit)
        for at, study_uid in connection.execute(statement):
            latest[study_uid] = max(at, latest.get(study_uid, at))
    return [StudyChange(UID(study_uid), from_column(at)) for study_uid, at in latest.items()]
