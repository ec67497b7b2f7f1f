"""Who may do what: roles, and how a view says whom it serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import Flask, request

from integrations.persistence.users import Role

View = TypeVar("View", bound=Callable[..., Any])


EVERYONE: Final = frozenset(Role)
"""Any role, but somebody who is logged in."""
OPERATORS: Final = frozenset({Role.ADMIN, Role.RADIOLOGIST, Role.TECHNICIAN, Role.SERVICE})
"""Those who may start, repeat and stop work."""
REVIEWERS: Final = frozenset({Role.RADIOLOGIST, Role.DOCTOR})
"""Those whose word makes a result final."""
PEOPLE: Final = EVERYONE - {Role.SERVICE}
"""Those who sit before a browser."""
RECORD_READERS: Final = EVERYONE - {Role.TECHNICIAN}
"""Those to whom the medical record may open at all; what of it, the gateway decides."""
PUBLIC: Final[frozenset[Role]] = frozenset()
"""Nobody needs to be logged in."""


def serves(roles: frozenset[Role]) -> Callable[[View], View]:
    """Mark a view with the roles that it serves; a view without a mark serves everyone who is logged in.

    Parameters
    ----------
    roles
        One of the sets above; ``PUBLIC`` demands no token.
    """

    def mark(view: View) -> View:
        """Note on the view whom it serves."""
        view.serves = roles  # type: ignore[attr-defined]
        documented = dict(getattr(view, "_apidoc", {}))
        view._apidoc = documented | {"serves": roles}  # type: ignore[attr-defined]  # noqa: SLF001 - flask-smorest reads it
        return view

    return mark


def roles_of_present_view(app: Flask) -> frozenset[Role]:
    """Give the roles that the view chosen for the present request serves (deny by default: ``EVERYONE``)."""
    view: Any = app.view_functions[request.endpoint or ""]
    method = "get" if request.method == "HEAD" else request.method.lower()
    handler = getattr(getattr(view, "view_class", None), method, view)
    served: frozenset[Role] = getattr(handler, "serves", EVERYONE)
    return served
