"""What goes to a server behind the gateway and what comes back, streamed both ways, and how it may fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol


class Trouble(Enum):
    """Why there is no answer that could be passed on."""

    UNREACHABLE = auto()
    TIMEOUT = auto()
    FAILED = auto()
    BUSY = auto()
    REDIRECTED = auto()
    LOGIN_REFUSED = auto()
    RESTING = auto()


class UpstreamTrouble(Exception):
    """A server behind the gateway gave no answer that could be passed on.

    Parameters
    ----------
    server
        What it is called, for people.
    trouble
        What happened.
    retry_after_s
        When to ask again, where that is known.
    """

    def __init__(self, server: str, trouble: Trouble, retry_after_s: int | None = None) -> None:
        super().__init__(f"{server}: {trouble.name.lower()}")
        self.server = server
        self.trouble = trouble
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it is passed on; path and query were checked by whoever made it.

    Parameters
    ----------
    method
        HTTP method.
    path
        Below the server's base address: empty, or beginning with a slash.
    query
        Encoded, without its question mark.
    headers
        All that is sent beside what the connection needs.
    body
        Parts of the body, or None.
    public_base
        Address under which the client reaches this service, for links in answers.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Iterable[bytes] | None = field(default=None, repr=False)
    public_base: str = ""


def _nothing() -> None:
    """Close what needs no closing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body has not been read.

    Parameters
    ----------
    status
        HTTP status, below 500.
    headers
        Names in lower case, and values.
    chunks
        The body as it comes.
    close
        Ends the exchange; must be called, however much of the body was read.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    chunks: Iterator[bytes]
    close: Callable[[], None] = _nothing

    def header(self, name: str) -> str:
        """Give the value of a header, empty where it is not there."""
        return next((value for key, value in self.headers if key == name), "")

    def read(self, limit: int) -> bytes:
        """Give the whole body and close.

        Raises
        ------
        OverflowError
            If it is longer than ``limit`` bytes.
        """
        try:
            body = bytearray()
            for chunk in self.chunks:
                body += chunk
                if len(body) > limit:
                    raise OverflowError(f"the answer has more than {limit} bytes")
            return bytes(body)
        finally:
            self.close()


class Server(Protocol):
    """Somebody who answers calls."""

    @property
    def name(self) -> str:
        """What it is called, for people."""

    @property
    def base_url(self) -> str:
        """The address that must not be seen outside; empty where there is none."""

    def send(self, call: Call) -> Answer:
        """Ask; raises ``UpstreamTrouble`` where there is no answer to pass on."""
