"""What a person orders of a job: that it stops, or begins anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from inference.domain.identifiers import JobID
from inference.domain.job import REFUSAL, TERMINAL, JobState, QueueName, check_transition
from inference.errors import IllegalTransition
from integrations.persistence.deliveries import begin_anew, forget
from integrations.persistence.job_consequences import reopen_decision
from integrations.persistence.job_reviews import is_under_review
from integrations.persistence.job_rows import job_of, model_of, owe_hint
from integrations.persistence.job_withdrawals import is_withdrawn, refuse_recalled
from integrations.persistence.job_writes import ENDED, existing, swap
from integrations.persistence.times import to_column


def cancel_job(connection: Connection, job_id: JobID, now: datetime) -> None:
    """Stop a job as it stands now.

    Raises
    ------
    JobNotFound, IllegalTransition
    """
    row = existing(connection, job_id)
    check_transition(JobState(row.state), JobState.CANCELLED)
    _swap_or_refuse(connection, row, {"state": JobState.CANCELLED, **ENDED, "updated_at": to_column(now)})


def restart_job(connection: Connection, job_id: JobID, now: datetime) -> None:
    """Start a job anew as it stands now: with its delivery or withdrawal where its result is on disk.

    Raises
    ------
    JobNotFound, IllegalTransition, ModelRecalled
    """
    row = existing(connection, job_id)
    state = JobState(row.state)
    if state not in TERMINAL:  # a worker may move some of these to QUEUED, a person may not
        raise IllegalTransition(f"a job that is {state} has not ended")
    delivers = state is JobState.FAILED and row.result is not None
    wanted = _where_it_stopped(row) if delivers else JobState.QUEUED
    check_transition(state, wanted)
    if not row.model_id:
        raise IllegalTransition("no model wants this series: start a job with a model instead")
    if not delivers:
        refuse_recalled(connection, model_of(row))
    values = {"state": wanted, "attempt": 0, "error_code": None, "error_message": None, **ENDED}
    kept = {} if delivers else {"result": None}
    _swap_or_refuse(connection, row, {**values, **kept, "updated_at": to_column(now)})
    if delivers:
        begin_anew(connection, job_id, now)
    else:
        forget(connection, job_id)
    owe_hint(connection, job_id, QueueName.DELIVERY if delivers else QueueName.INFERENCE, now)
    if state is JobState.REJECTED or (not delivers and REFUSAL in (row.result or {})):
        reopen_decision(connection, job_of(row))


def _where_it_stopped(row: Row[Any]) -> JobState:
    if is_withdrawn(row):
        return JobState.WITHDRAWING
    return JobState.REVIEWING if is_under_review(row.result) else JobState.DELIVERING


def _swap_or_refuse(connection: Connection, row: Row[Any], values: Mapping[str, Any]) -> None:
    if not swap(connection, row, values):
        raise IllegalTransition("the job changed at the same moment; look at it again")
