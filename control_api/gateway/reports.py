"""FHIR R4, to the report server or to the medical record: streamed, but for what has to be read to be allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from flask import Request

from control_api.gateway import fhir_policy
from control_api.gateway.fhir_policy import Interaction
from control_api.gateway.passing import MEBIBYTE, Passed, call_of, configured
from control_api.gateway.ports import Gateway
from control_api.gateway.refusals import malformed, not_found
from control_api.gateway.relay import CHUNK_BYTES, Renaming, ask, request_body
from integrations.upstream.exchange import Call, Server

MEDIA_TYPE: Final = "application/fhir+json"
FORM: Final = "application/x-www-form-urlencoded"
BASE: Final = "/api/fhir"
EMR_BASE: Final = "/api/emr/fhir"
MOST_RESOURCE_BYTES: Final = 100 * MEBIBYTE
MOST_BUNDLE_BYTES: Final = 16 * MEBIBYTE
"""A transaction is read whole, because each of its entries must be allowed."""
MOST_FORM_BYTES: Final = MEBIBYTE // 16


def pass_on(gateway: Gateway, request: Request, path: str, role: str) -> Passed:
    """Pass a request on to the report server.

    Parameters
    ----------
    gateway
        The servers.
    request
        What the client sent.
    path
        Below the base address.
    role
        Of the account.

    Raises
    ------
    Refusal, UpstreamTrouble
        If nothing is passed on, or nothing comes back.
    """
    return _pass(configured(gateway.reports), call_of(gateway, request, "", BASE), request, path, ("fhir", role))


def pass_on_to_record(gateway: Gateway, request: Request, path: str, role: str) -> Passed:
    """Pass a request on to the medical record's FHIR R4, which takes no bundles.

    Raises
    ------
    Refusal, UpstreamTrouble
        As ``pass_on`` does.
    """
    if not path:
        raise not_found()
    return _pass(configured(gateway.emr_fhir), call_of(gateway, request, "", EMR_BASE), request, path, ("emr", role))


def _pass(server: Server, call: Call, request: Request, path: str, who: tuple[str, str]) -> Passed:
    service, role = who
    allowed = fhir_policy.allow(role, request.method, path, call.query)
    renaming = Renaming(server.base_url, call.public_base)
    headers = {**call.headers, "accept": MEDIA_TYPE}
    fhir_policy.check_search(role, headers.get("if-none-exist", "").rpartition("?")[2])
    body = _body(request, allowed.interaction, role)
    if body is not None:
        headers["content-type"] = FORM if allowed.interaction is Interaction.SEARCH else MEDIA_TYPE
        body = renaming.inwards(body)
    call = replace(call, path=f"/{path}" if path else "", query=allowed.query, headers=headers, body=body)
    return Passed(ask(server, call), f"{service}.{allowed.interaction}", path)


def _body(request: Request, interaction: Interaction, role: str) -> Iterator[bytes] | None:
    if request.method in {"GET", "HEAD"}:
        return None
    if interaction is Interaction.BUNDLE:
        return _checked_bundle(request, role)
    if interaction is Interaction.SEARCH:
        return _checked_form(request, role)
    return request_body(request, MOST_RESOURCE_BYTES)


def _checked_bundle(request: Request, role: str) -> Iterator[bytes]:
    content = _whole(request, MOST_BUNDLE_BYTES)
    try:
        bundle = json.loads(content.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise malformed("the body is no JSON in UTF-8, or says something twice") from error
    fhir_policy.check_bundle(role, bundle)
    return _pieces(content)


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a member that is there twice: the server might go by the other one."""
    if len(members) != len(dict(members)):
        raise ValueError("a member is there twice")
    return dict(members)


def _checked_form(request: Request, role: str) -> Iterator[bytes]:
    content = _whole(request, MOST_FORM_BYTES)
    try:
        fhir_policy.check_search(role, content.decode("ascii"))
    except UnicodeDecodeError as error:
        raise malformed("the body is no form") from error
    return _pieces(content)


def _whole(request: Request, limit: int) -> bytes:
    return b"".join(request_body(request, limit) or ())


def _pieces(content: bytes) -> Iterator[bytes]:
    return (content[start : start + CHUNK_BYTES] for start in range(0, len(content), CHUNK_BYTES))
