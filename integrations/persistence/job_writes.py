"""Writing rows of jobs: every change names what it expects to find, or whose right it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from inference.domain.identifiers import JobID
from inference.domain.job import Failure, JobState, Lease, check_transition
from inference.errors import JobCancelled, JobNotFound, LeaseLost
from integrations.persistence.tables import jobs

ENDED: Final[Mapping[str, Any]] = {"lease_owner": None, "lease_expires_at": None, "next_run_at": None}
"""Columns of a job that nobody works on."""


def find(connection: Connection, job_id: JobID) -> Row[Any] | None:
    """Give the row of a job, None where there is none."""
    return connection.execute(select(jobs).where(jobs.c.job_id == job_id)).one_or_none()


def existing(connection: Connection, job_id: JobID) -> Row[Any]:
    """Give the row of a job.

    Raises
    ------
    JobNotFound
        If there is none.
    """
    row = find(connection, job_id)
    if row is None:
        raise JobNotFound("there is no such job")
    return row


def swap(connection: Connection, row: Row[Any], values: Mapping[str, Any]) -> bool:
    """Change a job only if it is still as it was read, and tell whether it was."""
    as_read = (
        jobs.c.job_id == row.job_id,
        jobs.c.state == row.state,
        jobs.c.lease_token == row.lease_token,
        jobs.c.lease_owner.is_not_distinct_from(row.lease_owner),
    )
    return connection.execute(update(jobs).where(*as_read).values(values)).rowcount == 1


def write_leased(connection: Connection, lease: Lease, wanted: JobState | None, values: Mapping[str, Any]) -> None:
    """Write under a lease, moving the job to ``wanted`` where that is given; refuse if anything is not as it was.

    Raises
    ------
    IllegalTransition
        If ``wanted`` may not follow the state in which the job was claimed.
    JobCancelled
        If the job was cancelled meanwhile.
    LeaseLost
        If it changed otherwise: somebody else has it, or its result is being withdrawn.
    """
    if wanted is not None:
        check_transition(lease.job.state, wanted)
    ours = (
        jobs.c.job_id == lease.job.job_id,
        jobs.c.lease_token == lease.token,
        jobs.c.lease_owner == lease.owner,
        jobs.c.state == lease.job.state,
    )
    changed = dict(values) if wanted is None else {**values, "state": wanted}
    if connection.execute(update(jobs).where(*ours).values(changed)).rowcount == 1:
        return
    row = existing(connection, lease.job.job_id)
    if row.lease_token == lease.token and row.state == JobState.CANCELLED:
        raise JobCancelled("the job was cancelled")
    raise LeaseLost("somebody else holds the job now")


def reason_columns(failure: Failure) -> dict[str, str]:
    """Give the columns that say why an attempt ended."""
    return {"error_code": failure.code[:64], "error_message": failure.message[:2000]}
