"""Servers behind the gateway under a test's control: one in memory, and one that breaks what HTTP promises."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

from control_api.gateway.ports import Access
from integrations.upstream.exchange import Answer, Call, UpstreamTrouble


@dataclass
class FakeServer:
    """Answers what a test says, and keeps what it was asked.

    Parameters
    ----------
    base_url
        Address that must not be seen outside.
    status, headers, parts
        The answer.
    trouble
        Raised instead, while it is set.
    """

    base_url: str = "http://inside.example:8042/dicom-web"
    status: int = 200
    headers: Sequence[tuple[str, str]] = (("content-type", "application/json"),)
    parts: Iterable[bytes] = (b"[]",)
    trouble: UpstreamTrouble | None = None
    name: str = "archive"
    calls: list[Call] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    closed: int = 0

    def send(self, call: Call) -> Answer:
        """Keep the call, read its body, and answer."""
        self.calls.append(call)
        self.bodies.append(b"".join(call.body or ()))
        if self.trouble is not None:
            raise self.trouble
        return Answer(self.status, self.headers, iter(self.parts), self._close)

    def _close(self) -> None:
        self.closed += 1

    @property
    def last(self) -> Call:
        """The last call."""
        return self.calls[-1]


@dataclass
class FakeTrail:
    """Keeps accesses in memory; ``failure`` is raised while one is set."""

    accesses: list[Access] = field(default_factory=list)
    failure: Exception | None = None

    def record(self, access: Access) -> None:
        """Keep it."""
        if self.failure is not None:
            raise self.failure
        self.accesses.append(access)


@contextmanager
def answering(*answers: bytes, then: Callable[[socket.socket], None] | None = None) -> Iterator[str]:
    """Run a listener that gives each connection one raw answer, the last one again and again; give its address.

    Parameters
    ----------
    answers
        Whole answers, or beginnings of them, as bytes; an empty one hangs up.
    then
        Called with the connection before it is closed.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = list(answers)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(left.pop(0) if len(left) > 1 else left[0])
                    if then is not None:
                        then(connection)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
