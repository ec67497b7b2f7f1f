"""The medical record's own API: patients, encounters, appointments, under names of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from flask import Request

from control_api.gateway.passing import MEBIBYTE, Passed, call_of, configured
from control_api.gateway.ports import Gateway
from control_api.gateway.refusals import forbidden, not_found
from control_api.gateway.relay import ask, request_body
from integrations.persistence.users import Role

BASE: Final = "/api/emr"
MOST_BYTES: Final = MEBIBYTE
_ID: Final = "[A-Za-z0-9-]{1,64}"

_READERS: Final = frozenset({Role.ADMIN, Role.RADIOLOGIST, Role.DOCTOR, Role.NURSE, Role.SERVICE})
_FRONT_DESK: Final = frozenset({Role.DOCTOR, Role.NURSE, Role.SERVICE})
_PHYSICIANS: Final = frozenset({Role.DOCTOR, Role.SERVICE})


@dataclass(frozen=True, slots=True)
class Route:
    """An address of ours and what it is called there.

    Parameters
    ----------
    ours
        Pattern of the path below ``/api/emr``.
    theirs
        Path below the standard API of OpenEMR 7.
    roles
        Who may, by method.
    """

    ours: re.Pattern[str]
    theirs: str
    roles: Mapping[str, frozenset[Role]]


def _route(ours: str, theirs: str, **roles: frozenset[Role]) -> Route:
    return Route(re.compile(ours), theirs, roles)


ROUTES: Final = (
    _route("patients", "/patient", GET=_READERS, POST=_FRONT_DESK),
    _route(f"patients/({_ID})", r"/patient/\1", GET=_READERS, PUT=_FRONT_DESK),
    _route(f"patients/({_ID})/encounters", r"/patient/\1/encounter", GET=_READERS, POST=_PHYSICIANS),
    _route(f"patients/({_ID})/encounters/({_ID})", r"/patient/\1/encounter/\2", GET=_READERS, PUT=_PHYSICIANS),
    _route(f"patients/({_ID})/appointments", r"/patient/\1/appointment", GET=_READERS, POST=_FRONT_DESK),
    _route("appointments", "/appointment", GET=_READERS),
    _route(f"appointments/({_ID})", r"/appointment/\1", GET=_READERS),
)


def pass_on(gateway: Gateway, request: Request, path: str, role: str) -> Passed:
    """Pass a request on.

    Parameters
    ----------
    gateway
        The servers.
    request
        What the client sent.
    path
        Below ``/api/emr``.
    role
        Of the account.

    Raises
    ------
    Refusal, UpstreamTrouble
        If nothing is passed on, or nothing comes back.
    """
    server = configured(gateway.emr_api)
    call = call_of(gateway, request, _theirs(path, request.method, role), BASE)
    headers = {**call.headers, "accept": "application/json"}
    body = None
    if request.method in {"POST", "PUT"}:
        body, headers["content-type"] = request_body(request, MOST_BYTES), "application/json"
    writing = "write" if body is not None else "read"
    return Passed(ask(server, replace(call, headers=headers, body=body)), f"emr.{writing}", path)


def _theirs(path: str, method: str, role: str) -> str:
    reading = "GET" if method == "HEAD" else method
    for route in ROUTES:
        match = route.ours.fullmatch(path)
        if match and reading in route.roles:
            if role not in route.roles[reading]:
                raise forbidden("the role may not do this with the medical record")
            return match.expand(route.theirs)
    raise not_found()
