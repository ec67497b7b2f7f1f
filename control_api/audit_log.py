"""Reading the audit trail, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, or_, select

from control_api.records import Cursor, Listing
from integrations.persistence.audit_trail import AuditEvent, Outcome
from integrations.persistence.tables import audit_events
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events to list; None means any. ``action`` and ``object`` are parts of the texts."""

    actor: str | None = None
    role: str | None = None
    action: str | None = None
    object: str | None = None
    outcome: Outcome | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditLog:
    """Questions about the audit trail.

    Parameters
    ----------
    transactions
        The database.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def list_events(self, wanted: AuditFilter, limit: int, after: Cursor | None = None) -> Listing[AuditEvent]:
        """List events, newest first.

        Raises
        ------
        StoreUnavailable
            If the database cannot be asked.
        """
        statement = select(audit_events).where(*_conditions(wanted), *_beyond(after))
        newest_first = statement.order_by(audit_events.c.at.desc(), audit_events.c.id.desc()).limit(limit + 1)
        with self._transactions.read() as connection:
            rows = list(connection.execute(newest_first))
        last = rows[limit - 1] if len(rows) > limit else None
        beyond = None if last is None else Cursor(from_column(last.at), str(last.id))
        return Listing(tuple(_event(row) for row in rows[:limit]), beyond)


def _conditions(wanted: AuditFilter) -> list[Any]:
    table = audit_events.c
    exactly = {"actor": wanted.actor, "role": wanted.role, "outcome": wanted.outcome, "request_id": wanted.request_id}
    conditions = [table[name] == value for name, value in exactly.items() if value is not None]
    parts = {"action": wanted.action, "object": wanted.object}
    conditions += [table[name].contains(value, autoescape=True) for name, value in parts.items() if value is not None]
    conditions += [] if wanted.since is None else [table.at >= to_column(wanted.since)]
    return conditions + ([] if wanted.until is None else [table.at <= to_column(wanted.until)])


def _beyond(after: Cursor | None) -> list[Any]:
    if after is None:
        return []
    at, number = to_column(after.at), int(after.key) if after.key.isdecimal() else 0
    return [or_(audit_events.c.at < at, and_(audit_events.c.at == at, audit_events.c.id < number))]


def _event(row: Row[Any]) -> AuditEvent:
    return AuditEvent(
        from_column(row.at),
        row.actor,
        row.role,
        row.action,
        row.object,
        Outcome(row.outcome),
        row.status,
        row.request_id,
        row.client,
    )
