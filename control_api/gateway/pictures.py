"""DICOMweb: QIDO-RS, WADO-RS and STOW-RS (PS3.18), streamed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from flask import Request

from control_api.gateway import scope
from control_api.gateway.passing import MEBIBYTE, Passed, call_of, configured
from control_api.gateway.ports import Gateway
from control_api.gateway.refusals import not_found
from control_api.gateway.relay import ask, request_body
from inference.domain.identifiers import UID
from integrations.dicomweb.resources import Resource, Service, parse
from integrations.upstream.exchange import Call

BASE: Final = "/dicom-web"
"""Where pictures are: addresses in answers lead here, whichever way they were asked for."""
MOST_STORED_BYTES: Final = 4096 * MEBIBYTE
_JSON: Final = "application/dicom+json"
_COMMA: Final = re.compile("%2c", re.IGNORECASE)


def read(gateway: Gateway, request: Request, path: str, studies: Collection[UID] | None) -> Passed:
    """Search or retrieve.

    Parameters
    ----------
    gateway
        The servers.
    request
        GET or HEAD.
    path
        Below the service's root.
    studies
        Which may be looked at; None: all.

    Raises
    ------
    Refusal, UpstreamTrouble
        If nothing is passed on, or nothing comes back.
    """
    server = configured(gateway.archive)
    resource, call = _resource(path), _call(gateway, request)
    if studies is not None:
        scope.check(resource, call.query, studies)
        call = replace(call, query=scope.narrowed(resource, call.query, studies))
        if resource.is_search:
            call = replace(call, headers={**call.headers, "accept": _JSON})
    answer = ask(server, replace(call, path=resource.path))
    if studies is not None:
        answer = scope.looked_through(answer, resource, studies, server.name)
    return Passed(answer, "ris.search" if resource.is_search else "ris.read", str(resource.study_uid or ""))


def store(gateway: Gateway, request: Request, path: str) -> Passed:
    """Store instances, into a study where one is named.

    Raises
    ------
    Refusal, UpstreamTrouble
        As ``read`` does.
    """
    server = configured(gateway.archive)
    resource = parse(path)
    if resource is None or resource.service not in {Service.STUDIES, Service.OBJECTS} or resource.series_uid:
        raise not_found()
    call = replace(_call(gateway, request), path=resource.path, body=request_body(request, MOST_STORED_BYTES))
    if request.content_length:
        call = replace(call, headers={**call.headers, "content-length": str(request.content_length)})
    return Passed(ask(server, call), "ris.store", str(resource.study_uid or ""))


def _resource(path: str) -> Resource:
    resource = parse(path)
    if resource is None:
        raise not_found()
    return resource


def _call(gateway: Gateway, request: Request) -> Call:
    """Make the call; Orthanc is told our address, for its links, and gets lists with commas that it can read.

    The DICOMweb plugin 1.7 ignores ``includefield`` where its commas are encoded, as OHIF sends them.
    """
    call = call_of(gateway, request, "", BASE)
    query = _COMMA.sub(",", call.query)
    return replace(call, query=query, headers={**call.headers, **_forwarded(call.public_base)})


def _forwarded(public_base: str) -> Mapping[str, str]:
    scheme, _, rest = public_base.partition("://")
    host = rest.partition("/")[0]
    return {"host": host, "forwarded": f"host={host};proto={scheme}"}
