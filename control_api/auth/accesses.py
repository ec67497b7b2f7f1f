"""Accesses to data that are elsewhere, as events of the audit trail."""

from __future__ import annotations

from flask import request

from control_api.access import AuditTrail
from control_api.auth import audit
from control_api.gateway.ports import Access, AccessTrail
from control_api.request_context import request_id
from inference.ports import Clock
from integrations.persistence.audit_trail import AuditEvent


class AuditedAccess(AccessTrail):
    """Keeps an event of each access, which says more than the path of the request does.

    Parameters
    ----------
    trail
        Where events are kept.
    clock
        Time of events.
    """

    def __init__(self, trail: AuditTrail, clock: Clock) -> None:
        self._trail = trail
        self._clock = clock

    def record(self, access: Access) -> None:
        """Keep it.

        Raises
        ------
        StoreUnavailable
            If that cannot be done.
        """
        self._trail.record(
            AuditEvent(
                at=self._clock.now(),
                actor=access.actor,
                role=access.role,
                action=access.action,
                object=access.target,
                outcome=audit.outcome_of(access.status),
                status=access.status,
                request_id=request_id() or "",
                client=request.remote_addr or "",
            )
        )
        audit.kept()
