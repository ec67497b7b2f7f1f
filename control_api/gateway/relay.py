"""Passing a request on and its answer back, without ever holding a whole body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from flask import Request, Response

from integrations.upstream.exchange import Answer, Call, Server
from integrations.upstream.rewriting import replaced

CHUNK_BYTES: Final = 1 << 16
CONDITIONS: Final = frozenset({"if-match", "if-none-match", "if-modified-since", "if-none-exist", "prefer"})
REQUEST_HEADERS: Final = frozenset({"accept", "content-type"}) | CONDITIONS
"""What a client may say to a server behind the gateway; who it is, is none of that server's business."""
RESPONSE_HEADERS: Final = frozenset(
    {"content-type", "content-length", "content-location", "location", "etag", "last-modified", "allow"}
)
"""What such a server may say to a client: no cookies, no names of programs, nothing about the connection."""
_TEXTUAL: Final = ("json", "xml", "text/")
_ADDRESSES: Final = frozenset({"location", "content-location"})


def request_headers(request: Request) -> dict[str, str]:
    """Give the headers of a request that are passed on."""
    return {name.lower(): value for name, value in request.headers.items() if name.lower() in REQUEST_HEADERS}


def request_body(request: Request, limit: int) -> Iterator[bytes] | None:
    """Give the body of a request as it comes, None where there is none.

    Parameters
    ----------
    request
        Nothing of its body may have been read.
    limit
        Bytes after which Flask answers 413.
    """
    request.max_content_length = limit
    if not request.content_length and not request.environ.get("wsgi.input_terminated"):
        return None
    return _read(request)


def _read(request: Request) -> Iterator[bytes]:
    while chunk := request.stream.read(CHUNK_BYTES):
        yield chunk


@dataclass(frozen=True, slots=True)
class Renaming:
    """An address that must not be seen on the other side, and the one that stands for it there."""

    inside: str
    outside: str

    def outwards(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Rewrite an answer's body."""
        return replaced(chunks, self.inside, self.outside)

    def inwards(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Make addresses of ours relative; HAPI takes one of its own for that of a stranger, unless it is told."""
        return replaced(chunks, f"{self.outside}/", "")


def ask(server: Server, call: Call) -> Answer:
    """Ask a server; in its answer only what may pass is left, and our address stands for its own."""
    answer = server.send(call)
    fields = [(name, value) for name, value in answer.headers if name in RESPONSE_HEADERS]
    if not server.base_url:
        return Answer(answer.status, fields, answer.chunks, answer.close)
    renaming = Renaming(server.base_url, call.public_base)
    fields = [(name, _renamed(name, value, renaming)) for name, value in fields]
    if not any(part in answer.header("content-type") for part in _TEXTUAL):
        return Answer(answer.status, fields, answer.chunks, answer.close)
    fields = [(name, value) for name, value in fields if name != "content-length"]
    return Answer(answer.status, fields, renaming.outwards(answer.chunks), answer.close)


def _renamed(name: str, value: str, renaming: Renaming) -> str:
    return value.replace(renaming.inside, renaming.outside) if name in _ADDRESSES else value


def respond(answer: Answer) -> Response:
    """Give an answer to the client as it comes; whoever closes the connection ends the exchange behind it."""
    response = Response(answer.chunks, answer.status)  # not direct_passthrough, which forgets to close
    response.headers.clear()
    response.headers.extend(answer.headers)
    response.headers["Cache-Control"] = "no-store"
    response.call_on_close(answer.close)
    return response
