"""What a request became, for the view that answers it and for the trail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Request

from control_api.gateway.addresses import check_path, public_root, query_of
from control_api.gateway.ports import Gateway
from control_api.gateway.refusals import not_configured
from control_api.gateway.relay import request_headers
from integrations.upstream.exchange import Answer, Call, Server

MEBIBYTE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Passed:
    """An answer, and what it is an answer to.

    Parameters
    ----------
    answer
        To be given to the client.
    action
        E.g. ``ris.read``.
    target
        What it is about, as in ``Access``.
    """

    answer: Answer
    action: str
    target: str = ""


Passer = Callable[[Gateway, Request, str], Passed]


def configured(server: Server | None) -> Server:
    """Give a server.

    Raises
    ------
    Refusal
        404 where the node has none.
    """
    if server is None:
        raise not_configured()
    return server


def call_of(gateway: Gateway, request: Request, path: str, base: str) -> Call:
    """Make the call of a request without a body; its address is checked.

    Parameters
    ----------
    gateway
        Knows our public address.
    request
        What the client sent.
    path
        Below the server's base, beginning with a slash, or empty.
    base
        Path under which the service is reached here.

    Raises
    ------
    Refusal
        If the address is written as none is passed on.
    """
    check_path(request)
    public_base = public_root(request, gateway.public_url) + base
    return Call(request.method, path, query_of(request), request_headers(request), None, public_base)
