"""The audit trail: who did what, to what, when, from where, and how it ended. Rows are added and never changed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Engine, insert

from inference.ports import Clock
from integrations.persistence.tables import audit_events
from integrations.persistence.times import to_column
from integrations.persistence.transactions import Transactions


class Outcome(StrEnum):
    """How it ended."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that somebody did, or tried to.

    Parameters
    ----------
    at
        When.
    actor
        Name of the account or service account; empty where nobody is known.
    role
        What they were then; ``service`` for a program.
    action
        Method and pattern of the path, e.g. ``POST /api/jobs/{job_id}/retry``.
    object
        Ids of what it was done to, and nothing else about a patient.
    outcome, status
        How it ended, and the HTTP status.
    request_id
        Under which the log has it.
    client
        Address of the client.
    """

    at: datetime
    actor: str
    role: str
    action: str
    object: str
    outcome: Outcome
    status: int
    request_id: str
    client: str


class SQLAuditTrail:
    """The trail in SQLite, MySQL or MariaDB.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        For waits between attempts.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._transactions = Transactions(engine, clock)

    def record(self, event: AuditEvent) -> None:
        """Add an event.

        Raises
        ------
        StoreUnavailable
            If it cannot be kept.
        """
        row = {name: _fitting(name, value) for name, value in asdict(event).items()} | {"at": to_column(event.at)}
        self._transactions.write(lambda connection: connection.execute(insert(audit_events).values(row)))


def _fitting(name: str, value: object) -> object:
    length: int | None = getattr(audit_events.c[name].type, "length", None)
    return value[:length] if isinstance(value, str) and length else value
