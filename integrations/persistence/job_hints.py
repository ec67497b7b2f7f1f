"""Which jobs want a queue message, and what was sent: the outbox and the reaper's questions.

The outbox has one row per job and queue. ``dispatched_at`` is NULL while a message is owed, and the time of the last
message while one is out. A claim sets it back to NULL, so that a worker that dies is noticed as soon as its lease
ends; a message that has no effect is repeated after a while, because a queue may lose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select, update

from inference.domain.job import DELIVERY_STATES, Hint, JobState, QueueName
from integrations.persistence.tables import jobs, outbox

WAITING = (JobState.RECEIVED, JobState.QUEUED)
"""States from which the inference part may be claimed."""


def is_claimable(row: Row[Any], queue: QueueName, now: datetime) -> bool:
    """Tell whether a job may be worked on now (``now`` is naive UTC)."""
    due = row.next_run_at is None or row.next_run_at <= now
    free = row.lease_owner is None or row.lease_expires_at is None or row.lease_expires_at <= now
    if queue is QueueName.DELIVERY:
        return bool(row.state in DELIVERY_STATES and due and free)
    return bool((row.state in WAITING and due) or (row.state == JobState.PROCESSING and free))


def is_exhausted(row: Row[Any], max_attempts: int) -> bool:
    """Tell whether a job's inference part may not be tried again."""
    return bool(row.state not in DELIVERY_STATES and row.attempt >= max_attempts)


def due_rows(
    connection: Connection, now: datetime, sent_before: datetime, limit: int
) -> Sequence[tuple[QueueName, Row[Any]]]:
    """List jobs that want a message, oldest first, each with its queue.

    Parameters
    ----------
    connection
        For reading.
    now
        Naive UTC.
    sent_before
        Messages that were sent before this time and had no effect count as lost.
    limit
        Most rows.
    """
    due = or_(jobs.c.next_run_at.is_(None), jobs.c.next_run_at <= now)
    free = or_(jobs.c.lease_expires_at.is_(None), jobs.c.lease_expires_at <= now)
    inference = and_(
        outbox.c.queue == QueueName.INFERENCE,
        or_(and_(jobs.c.state.in_(WAITING), due), and_(jobs.c.state == JobState.PROCESSING, free)),
    )
    delivery = and_(outbox.c.queue == QueueName.DELIVERY, jobs.c.state.in_(DELIVERY_STATES), due, free)
    statement = (
        select(jobs, outbox.c.queue)
        .join(outbox, outbox.c.job_id == jobs.c.job_id)
        .where(jobs.c.state.in_([*WAITING, JobState.PROCESSING, *DELIVERY_STATES]))  # lets the index be used
        .where(or_(outbox.c.dispatched_at.is_(None), outbox.c.dispatched_at <= sent_before))
        .where(or_(inference, delivery))
        .order_by(jobs.c.created_at, jobs.c.job_id)
        .limit(limit)
    )
    return [(QueueName(row.queue), row) for row in connection.execute(statement)]


def note_hint(connection: Connection, hint: Hint, now: datetime) -> None:
    """Note that a message was sent; not for a job that was claimed meanwhile: when its lease ends it owes another."""
    if hint.queue is QueueName.INFERENCE:
        received = (jobs.c.job_id == hint.job_id, jobs.c.state == JobState.RECEIVED)
        connection.execute(update(jobs).where(*received).values(state=JobState.QUEUED, updated_at=now))
    claimed = select(jobs.c.job_id).where(jobs.c.job_id == hint.job_id, jobs.c.lease_owner.is_not(None))
    if connection.scalar(claimed) is None:
        connection.execute(update(outbox).where(*_row_of(hint)).values(dispatched_at=now))


def forget_hint(connection: Connection, hint: Hint) -> None:
    """Note that a message had its effect: the next one is owed as soon as the job is due again."""
    connection.execute(update(outbox).where(*_row_of(hint)).values(dispatched_at=None))


def _row_of(hint: Hint) -> tuple[Any, ...]:
    return outbox.c.job_id == hint.job_id, outbox.c.queue == hint.queue
