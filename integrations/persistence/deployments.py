"""The log of decisions about models, in SQL: rows are added and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select

from inference.domain.deployment import DeploymentEvent
from inference.domain.job import ModelReference
from inference.domain.model_spec import Deployment
from inference.ports import Clock, DeploymentLog
from integrations.persistence.tables import model_deployments
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions


class SQLDeploymentLog(DeploymentLog):
    """A deployment log in SQLite, MySQL or MariaDB.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        For the short waits between attempts.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._transactions = Transactions(engine, clock)

    def record(self, event: DeploymentEvent) -> None:
        """Append an event.

        Raises
        ------
        StoreUnavailable
            If the database cannot be written.
        """
        values = {
            "at": to_column(event.at),
            "model_id": event.model.model_id,
            "model_version": event.model.version,
            "model_digest": event.model.digest,
            "deployment": event.deployment,
            "actor": event.actor[:64],
            "reason": event.reason[:2000],
        }
        self._transactions.write(lambda connection: connection.execute(insert(model_deployments).values(values)))

    def events(self) -> Sequence[DeploymentEvent]:
        """List all events, oldest first.

        Raises
        ------
        StoreUnavailable
            If the database cannot be read.
        """
        statement = select(model_deployments).order_by(model_deployments.c.id)
        with self._transactions.read() as connection:
            return [_event(row) for row in connection.execute(statement)]


def find_recall(connection: Connection, model: ModelReference | None) -> DeploymentEvent | None:
    """Give the recall of a version, None where it was not recalled."""
    if model is None:
        return None
    wanted = (
        model_deployments.c.model_id == model.model_id,
        model_deployments.c.model_version == model.version,
        model_deployments.c.model_digest == model.digest,
        model_deployments.c.deployment == Deployment.RECALLED,
    )
    statement = select(model_deployments).where(*wanted).order_by(model_deployments.c.id).limit(1)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _event(row)


def _event(row: Row[Any]) -> DeploymentEvent:
    return DeploymentEvent(
        at=from_column(row.at),
        model=ModelReference(row.model_id, row.model_version, row.model_digest),
        deployment=Deployment(row.deployment),
        actor=row.actor,
        reason=row.reason,
    )
