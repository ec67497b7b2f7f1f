"""Who did what: every request that changes something, and every read that is marked, leaves an event."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Final, Protocol, TypeVar

import structlog
from flask import Flask, Response, g, request

from control_api.auth.principal import principal
from control_api.auth.roles import PUBLIC, READING, handler_of, present_access
from control_api.problems import of_node_error
from control_api.request_context import request_id
from control_api.services import services
from inference.errors import StoreUnavailable
from integrations.persistence.audit_trail import AuditEvent, Outcome

View = TypeVar("View", bound=Callable[..., Any])

_CONVERTER: Final = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_FIRST_ERROR, _FIRST_FAULT_OF_OURS = 400, 500


def audited(view: View) -> View:
    """Mark a view that reads, and whose use is kept all the same: it shows patient data of other systems."""
    view.audited = True  # type: ignore[attr-defined]
    return view


def about(*objects: object) -> None:
    """Say what the present request is about, where its path does not: ids only, nothing else of a patient."""
    g.audit_object = " ".join(str(one) for one in objects)


def by(username: str, role: str = "") -> None:
    """Say who is behind the present request, where the gate does not know: somebody who logs in."""
    g.audit_actor, g.audit_role = username, str(role)


def refused() -> None:
    """Say that the present request is a refusal, though its answer is a redirection."""
    g.audit_outcome = Outcome.REFUSED


def not_worth_it() -> None:
    """Say that the present request is no attempt at anything, so that nobody has to read of it."""
    g.audit_kept = True


def install(app: Flask) -> None:
    """Keep an event of every request that is worth one, when it is answered.

    What cannot be kept is not answered: the event goes to the log, and the answer becomes 503.
    """

    def keep(response: Response) -> Response:
        """Keep the event."""
        if not _is_kept(app, response):
            return response
        event = replace(_event(response.status_code), object=_object(response))
        try:
            services().audit.record(event)
        except StoreUnavailable as error:
            _tell_the_log(event)
            response.close()
            return of_node_error(error).response()
        return response

    app.after_request(keep)


class Access(Protocol):
    """What a view says of an access to data that are elsewhere."""

    @property
    def actor(self) -> str:
        """Who."""

    @property
    def role(self) -> str:
        """What they are."""

    @property
    def action(self) -> str:
        """What, e.g. ``ris.read``."""

    @property
    def target(self) -> str:
        """Ids of what it was done to."""

    @property
    def status(self) -> int:
        """HTTP status of the answer."""


class RequestTrail:
    """Keeps what views say of accesses, in the place of the one event that their request would leave."""

    def record(self, access: Access) -> None:
        """Keep an access at once, before anything of it is answered.

        Raises
        ------
        StoreUnavailable
            If it cannot be kept; the log has it then, and the view must not answer.
        """
        event = replace(
            _event(access.status), actor=access.actor, role=access.role, action=access.action, object=access.target
        )
        try:
            services().audit.record(event)
        except StoreUnavailable:
            _tell_the_log(event)
            raise
        g.audit_kept = True


def _tell_the_log(event: AuditEvent) -> None:
    structlog.get_logger(__name__).error("audit.not_kept", **{**asdict(event), "at": event.at.isoformat()})


def _is_kept(app: Flask, response: Response) -> bool:
    if request.endpoint is None or response.status_code == 429 or g.get("audit_kept", False):
        return False
    handler = handler_of(app, request.endpoint, request.method)
    if request.method in READING and not getattr(handler, "audited", False):
        return False
    return principal() is not None or present_access(app).roles == PUBLIC


def _event(status: int) -> AuditEvent:
    who = principal()
    return AuditEvent(
        at=services().clock.now(),
        actor=who.username if who else g.get("audit_actor", ""),
        role=who.role if who else g.get("audit_role", ""),
        action=f"{request.method} {_pattern()}",
        object="",
        outcome=g.get("audit_outcome") or _outcome(status),
        status=status,
        request_id=request_id() or "",
        client=request.remote_addr or "",
    )


def _pattern() -> str:
    """Give the path as OpenAPI writes it, without what was in it this time."""
    return _CONVERTER.sub(r"{\1}", request.url_rule.rule if request.url_rule else "")


def _object(response: Response) -> str:
    """Give what the view said, else the ids in the path, else the id of what was made."""
    said: str | None = g.get("audit_object")
    if said is not None:
        return said
    in_path = " ".join(str(value) for value in (request.view_args or {}).values())
    place, _, query = response.headers.get("Location", "").partition("?")
    return in_path or query or place.rpartition("/")[2]


def _outcome(status: int) -> Outcome:
    if status < _FIRST_ERROR:
        return Outcome.DONE
    return Outcome.REFUSED if status < _FIRST_FAULT_OF_OURS else Outcome.FAILED
