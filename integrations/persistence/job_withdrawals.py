"""What the recall of a model means for its jobs, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, update

from inference.domain.deployment import DeploymentEvent
from inference.domain.identifiers import JobID
from inference.domain.job import REFUSAL, WITHDRAWAL, Failure, JobState, ModelReference, QueueName
from inference.errors import ModelRecalled
from integrations.persistence.deliveries import begin_anew
from integrations.persistence.deployments import find_recall
from integrations.persistence.job_hints import WAITING
from integrations.persistence.job_rows import model_of, owe_hint
from integrations.persistence.job_writes import reason_columns
from integrations.persistence.tables import jobs
from integrations.persistence.times import to_column

BATCH: Final = 100
"""Jobs that one transaction orders the withdrawal of."""

_PUBLISHED: Final = (
    JobState.DELIVERING,
    JobState.COMPLETED,
    JobState.REVIEWING,
    JobState.FAILED,
    JobState.CANCELLED,
)
"""States in which an archive may hold a result, or a part of it, that is not on its way out already."""


@dataclass(frozen=True, slots=True)
class Order:
    """The order to withdraw what a model made.

    Parameters
    ----------
    model
        Which version.
    reason
        Why.
    at
        When it was recalled, aware.
    now
        When it is ordered, aware.
    """

    model: ModelReference
    reason: str
    at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Ordered:
    """What one batch came to.

    Parameters
    ----------
    jobs
        Whose results are withdrawn now.
    last
        Where the next batch begins; None after the last.
    """

    jobs: tuple[JobID, ...]
    last: str | None


def refuse_recalled(connection: Connection, model: ModelReference | None) -> None:
    """Return only for a model that was not recalled.

    Raises
    ------
    ModelRecalled
    """
    recall = find_recall(connection, model)
    if recall is not None:
        raise ModelRecalled(_message(recall.model, recall.reason))


def withdraw_batch(connection: Connection, order: Order, after: str) -> Ordered:
    """Order the withdrawal of the next results of a model, and end what has not begun.

    Parameters
    ----------
    connection
        A transaction; the rows are locked until it ends.
    order
        Whose and why.
    after
        Where the last batch ended, empty at the beginning.
    """
    concerned = or_(jobs.c.state.in_(WAITING), and_(jobs.c.state.in_(_PUBLISHED), jobs.c.shadow.is_(False)))
    statement = select(jobs).where(*is_of(order.model), jobs.c.job_id > after, concerned)
    rows = connection.execute(statement.order_by(jobs.c.job_id).limit(BATCH).with_for_update()).all()
    withdrawn = tuple(JobID(row.job_id) for row in rows if _withdraw(connection, row, order))
    return Ordered(withdrawn, rows[-1].job_id if len(rows) == BATCH else None)


def is_withdrawn(row: Row[Any]) -> bool:
    """Tell whether the withdrawal of a job's result was ordered."""
    return WITHDRAWAL in (row.result or {})


def withdrawing(connection: Connection, row: Row[Any], now: datetime) -> dict[str, Any]:
    """Give what changes in a job that is to be delivered and whose model was recalled since; nothing otherwise.

    However the order to withdraw and the end of an inference, or a person's retry, cross each other: nothing of a
    recalled model is delivered.
    """
    publishes = row.state in (JobState.DELIVERING, JobState.REVIEWING) and REFUSAL not in (row.result or {})
    recall = find_recall(connection, model_of(row)) if publishes else None
    if recall is None:
        return {}
    owe_hint(connection, JobID(row.job_id), QueueName.DELIVERY, now)
    return _changes(row, _order(recall, now))


def _withdraw(connection: Connection, row: Row[Any], order: Order) -> bool:
    """Change one job; tell whether a result is withdrawn."""
    if row.state in WAITING:
        failure = Failure(ModelRecalled.code, _message(order.model, order.reason))
        changes: dict[str, Any] = {"state": JobState.FAILED, **reason_columns(failure)}
    elif row.result is None or REFUSAL in row.result:  # there was nothing to publish, or only that there is nothing
        return False
    else:
        changes = _changes(row, order)
        begin_anew(connection, JobID(row.job_id), order.now)
        owe_hint(connection, JobID(row.job_id), QueueName.DELIVERY, order.now)
    values = {**changes, "next_run_at": None, "updated_at": to_column(order.now)}
    connection.execute(update(jobs).where(jobs.c.job_id == row.job_id).values(values))
    return row.state not in WAITING


def _changes(row: Row[Any], order: Order) -> dict[str, Any]:
    """Keep the first order where there is one, so that what is made of it stays the same; a lease stays, too.

    Whoever holds it learns at the next write that it is worth nothing, and until it expires nobody else begins: what
    is being published at this moment is withdrawn after it is there.
    """
    note = {"reason": order.reason, "at": order.at.isoformat()}
    result = {WITHDRAWAL: note, **row.result}
    return {"state": JobState.WITHDRAWING, "result": result, "error_code": None, "error_message": None}


def _order(recall: DeploymentEvent, now: datetime) -> Order:
    return Order(recall.model, recall.reason, recall.at, now)


def _message(model: ModelReference, reason: str) -> str:
    return f"model {model.model_id} {model.version} was recalled: {reason}"


def is_of(model: ModelReference) -> tuple[ColumnElement[bool], ...]:
    """Give the conditions on a row of ``jobs`` that it is of a version of a model."""
    return (
        jobs.c.model_id == model.model_id,
        jobs.c.model_version == model.version,
        jobs.c.model_digest == model.digest,
    )


def known_models(connection: Connection) -> Sequence[ModelReference]:
    """List every version of a model that a job was made for, in order."""
    columns = (jobs.c.model_id, jobs.c.model_version, jobs.c.model_digest)
    statement = select(*columns).where(jobs.c.model_id != "").distinct().order_by(*columns)
    return [ModelReference(*row) for row in connection.execute(statement)]
