"""Who may do what: roles of people, scopes of programs, and how a view says whom it serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from flask import Flask, request

from integrations.persistence.users import Role

View = TypeVar("View", bound=Callable[..., Any])


EVERYONE: Final = frozenset(Role)
"""Any role, but somebody who is logged in."""
PEOPLE: Final = EVERYONE - {Role.SERVICE}
"""Everybody who has logged in, and no program."""
ADMINS: Final = frozenset({Role.ADMIN})
"""Those who decide which models run, see how the node is set up, and say who may come in."""
OPERATORS: Final = frozenset({Role.ADMIN, Role.RADIOLOGIST, Role.TECHNICIAN, Role.SERVICE})
"""Those who may start, repeat and stop work."""
REVIEWERS: Final = frozenset({Role.RADIOLOGIST, Role.DOCTOR})
"""Those whose word makes a result final."""
RECORD_READERS: Final = EVERYONE - {Role.TECHNICIAN}
"""Those to whom the medical record may open at all; what of it, the gateway decides."""
PUBLIC: Final[frozenset[Role]] = frozenset()
"""Nobody needs to be logged in."""

NO_SCOPE: Final = ""
"""A program needs no scope for this: it learns nothing but who it is."""

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""


@dataclass(frozen=True, slots=True)
class Access:
    """Whom a view serves.

    Parameters
    ----------
    roles
        The roles.
    scope
        What a program must be allowed beside that.
    """

    roles: frozenset[Role]
    scope: str

    def allows(self, role: str, scopes: frozenset[str]) -> bool:
        """Say whether somebody may; scopes count for programs only."""
        if role not in self.roles:
            return False
        return role != Role.SERVICE or self.scope == NO_SCOPE or self.scope in scopes


def serves(roles: frozenset[Role], scope: str | None = None) -> Callable[[View], View]:
    """Mark a view with the roles that it serves; a view without a mark serves everyone who is logged in.

    Parameters
    ----------
    roles
        One of the sets above; ``PUBLIC`` demands no token. Programs are served where ``Role.SERVICE`` is in it.
    scope
        What a program needs; by default the name of the blueprint, with ``:read`` for GET and ``:write`` for the
        others, for example ``jobs:write``.
    """

    def mark(view: View) -> View:
        """Note on the view whom it serves."""
        view.serves = roles  # type: ignore[attr-defined]
        view.scope = scope  # type: ignore[attr-defined]
        documented = dict(getattr(view, "_apidoc", {}))
        view._apidoc = documented | {"serves": roles, "scope": scope}  # type: ignore[attr-defined]  # noqa: SLF001 - flask-smorest reads it
        return view

    return mark


def scope_of(blueprint: str, method: str, scope: str | None) -> str:
    """Give the scope that a view needs, by what ``serves`` noted or else by its blueprint and method."""
    if scope is not None:
        return scope
    return f"{blueprint}:{'read' if method.upper() in READING else 'write'}"


def handler_of(app: Flask, endpoint: str, method: str) -> Any:
    """Give the function that answers a method of an endpoint, on which marks like ``serves`` are."""
    view: Any = app.view_functions[endpoint]
    return getattr(getattr(view, "view_class", None), "get" if method == "HEAD" else method.lower(), view)


def access_to(app: Flask, endpoint: str, method: str) -> Access:
    """Give whom a view serves (deny by default: everyone who is logged in, and programs by their scope)."""
    handler = handler_of(app, endpoint, method)
    blueprint = endpoint.rpartition(".")[0]
    scope = scope_of(blueprint, method, getattr(handler, "scope", None))
    return Access(getattr(handler, "serves", EVERYONE), scope)


def present_access(app: Flask) -> Access:
    """Give whom the view chosen for the present request serves."""
    return access_to(app, request.endpoint or "", request.method)


def known_scopes(app: Flask) -> frozenset[str]:
    """Give every scope that some view asks of a program."""
    return frozenset(_scopes(app))


def _scopes(app: Flask) -> Iterator[str]:
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            access = access_to(app, rule.endpoint, method)
            if Role.SERVICE in access.roles and access.scope != NO_SCOPE:
                yield access.scope
