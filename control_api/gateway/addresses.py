"""Addresses as they are written: what could mean one thing here and another behind the gateway is refused."""

from __future__ import annotations

import re
from typing import Final

from flask import Request

from control_api.gateway.refusals import malformed

LONGEST_QUERY: Final = 4096
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,=:@-]*)+")
_QUERY: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?|%\[\]^{}\"<>-]*")
_HOST: Final = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")


def check_path(request: Request) -> None:
    """Return where the path, as it was sent, has nothing in it that is decoded twice or resolved.

    No path that is passed on needs a percent sign: UIDs, FHIR types and ids have plain letters. So encoded slashes
    and dots, backslashes, zero bytes, parameters, parent folders, empty parts and whole addresses end here.

    Raises
    ------
    Refusal
        Otherwise.
    """
    raw = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.path)
    path = raw.partition("?")[0]
    parts = path.split("/")
    if not _PATH.fullmatch(path) or "" in parts[1:-1] or {".", ".."} & {*parts}:
        raise malformed("the path holds percent signs, empty or dotted parts, or is a whole address")


def query_of(request: Request) -> str:
    """Give the query as it was sent.

    Raises
    ------
    Refusal
        If it is long, or holds what a query cannot hold.
    """
    query = request.query_string.decode("latin-1")
    if len(query) > LONGEST_QUERY or not _QUERY.fullmatch(query):
        raise malformed(f"the query is longer than {LONGEST_QUERY} characters, or not encoded as it must be")
    return query


def public_root(request: Request, configured: str | None) -> str:
    """Give the address under which the client reaches the node, without a slash at its end.

    Parameters
    ----------
    request
        Its Host, and the scheme that the door in front of the API names.
    configured
        Wins over what the request says.

    Raises
    ------
    Refusal
        If the Host is none.
    """
    if configured:
        return configured
    if not _HOST.fullmatch(request.host):
        raise malformed("the Host is not a host")
    scheme = "https" if request.headers.get("X-Forwarded-Proto", request.scheme) == "https" else "http"
    return f"{scheme}://{request.host}"
