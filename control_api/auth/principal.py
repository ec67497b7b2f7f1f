"""Who asks: somebody who is logged in, or a program with a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from flask import g, has_request_context
from werkzeug.local import LocalProxy

_KEY: Final = "principal"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as the gate found out.

    Parameters
    ----------
    username
        Name of the account or of the service account.
    role
        What they are now, whatever their token says; ``service`` for a program.
    scopes
        What a program may do; empty for people.
    session_id
        The session of somebody who is logged in; empty for a program.
    """

    username: str
    role: str
    scopes: frozenset[str] = frozenset()
    session_id: str = ""


def remember(principal: Principal) -> None:
    """Keep who asks, for the rest of the request."""
    g.principal = principal


def principal() -> Principal | None:
    """Give who asks; None where the gate has let somebody pass whom it does not know."""
    return cast("Principal | None", g.get(_KEY)) if has_request_context() else None


def _known() -> Principal:
    found = principal()
    if found is None:
        raise RuntimeError("this view serves people whom the gate does not know; it must not ask who they are")
    return found


current_user: Principal = cast("Principal", LocalProxy(_known))
"""Who asks, in a view that is not public."""
