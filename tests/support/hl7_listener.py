"""Real MLLP listeners: hl7apy's server, which checks what it takes, and a bare socket that answers as told."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message

_LONG_TEXT = re.compile(r"(\|FT\|[^|]*\|[^|]*\|[^|]{0,150})[^|]*")


def checked(text: str) -> Message:
    """Parse a message against the tables of HL7 v2.5.1; raise where it does not fit.

    hl7apy takes a text of more than 199 characters in OBX-5 for too long, whatever its data type: it is cut first.
    """
    message = parse_message(_LONG_TEXT.sub(r"\1", text), validation_level=VALIDATION_LEVEL.STRICT)
    message.validate()
    return message


def fields(text: str, name: str) -> list[list[str]]:
    """Give the written fields of each segment of a name; field n is item n, also of MSH."""
    found = [line.split("|") for line in text.split("\r") if line.startswith(f"{name}|")]
    return [["MSH", "|", *one[1:]] for one in found] if name == "MSH" else found


@dataclass
class Listener:
    """A receiver.

    Parameters
    ----------
    port
        Where it listens.
    received
        The messages that it took.
    """

    port: int
    received: list[str] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Listener]:
    """Run hl7apy's server, which checks each ORU^R01 and acknowledges it with AA."""
    listener = Listener(0)

    class Taking(AbstractHandler):  # type: ignore[misc]
        def reply(self) -> str:
            checked(self.incoming_message)
            listener.received.append(self.incoming_message)
            return f"\x0b{acknowledgment(self.incoming_message, 'AA')}\x1c\r"

    server = MLLPServer("127.0.0.1", 0, {"ORU^R01^ORU_R01": (Taking,)}, timeout=10)
    listener.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def answering(*answers: bytes | None) -> Iterator[Listener]:
    """Answer each message with given bytes, in which ``CONTROL-ID`` stands for its own; None is no answer."""
    listener = Listener(0)
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener.port = server.getsockname()[1]
        thread = threading.Thread(target=_answer, args=(server, answers, listener, done))
        thread.start()
        try:
            yield listener
        finally:
            done.set()
            thread.join()


def acknowledgment(message: str, code: str, error: str = "") -> str:
    """Write the acknowledgment of a message, with an error code where there is one."""
    control = fields(message, "MSH")[0][10] if message.startswith("MSH") else message
    err = f"ERR|||{error}^text SENTINEL|E\r" if error else ""
    return f"MSH|^~\\&|RIS||NEURONOVA||20260102||ACK^R01^ACK|1|P|2.5.1\rMSA|{code}|{control}\r{err}"


def _accept(server: socket.socket, done: threading.Event) -> socket.socket | None:
    """Take a connection, or none when the test is over."""
    server.settimeout(0.05)
    while not done.is_set():
        try:
            link, _ = server.accept()
        except TimeoutError:
            continue
        link.settimeout(10)
        return link
    return None


def _answer(
    server: socket.socket, answers: tuple[bytes | None, ...], listener: Listener, done: threading.Event
) -> None:
    for answer in answers:
        link = _accept(server, done)
        if link is None:
            return
        with link:
            content = b""
            while b"\x1c\r" not in content:
                content += link.recv(65536)
            message = content.strip(b"\x0b\x1c\r").decode()
            listener.received.append(message)
            if answer is None:
                done.wait(10)
                continue
            control = fields(message, "MSH")[0][10].encode()
            whole = answer.replace(b"CONTROL-ID", control)
            with suppress(OSError):  # a client that has had enough hangs up
                for start in range(0, len(whole), 40):  # as a slow network would: in pieces
                    link.sendall(whole[start : start + 40])
