"""STOW-RS and WADO-RS against a server that answers as it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Event, Thread

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import DicomArtifact
from inference.domain.delivery import Compression
from inference.domain.transfer_syntaxes import DEFLATED
from inference.errors import DeliveryError, NotCommitted, PeerRefused, PeerUnavailable
from integrations.dicomweb.client import connect
from integrations.dicomweb.stow import STOWSink
from integrations.http_login import Login
from tests.support.artifacts import artifact


@dataclass
class Answer:
    """What the server says."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/dicom+json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """What the server was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ToldServer:
    """A server on a free port; ``asked`` keeps every request."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        self.answer = answer
        told = self

        class Handler(BaseHTTPRequestHandler):
            """Answers every request."""

            def do_GET(self) -> None:
                self._reply()

            def do_POST(self) -> None:
                self._reply()

            def log_message(self, *_arguments: object) -> None:
                """Keep quiet."""

            def _reply(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                told.asked.append(Asked(self.command, self.path, dict(self.headers), body))
                answer = told.answer(told.asked[-1])
                self.send_response(answer.status)
                for name, value in {"Content-Type": answer.content_type, **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self.server.server_address[1]}/dicom-web"


@pytest.fixture
def server() -> Iterator[ToldServer]:
    """Run a server that says 200 and nothing else until a test tells it otherwise."""
    told = ToldServer(lambda _asked: Answer())
    told.thread.start()
    yield told
    told.server.shutdown()
    told.server.server_close()


def sink_to(server: ToldServer, compression: Compression = Compression.NONE, timeout_s: float = 5) -> STOWSink:
    """Give the adapter."""
    return STOWSink(connect(server.url, Login("ada", "secret"), timeout_s), compression)


def response(one: DicomArtifact, reason: int | None, instance: str | None = None) -> bytes:
    """Give a Store Instances Response in DICOM JSON; a failure where there is a reason."""
    item = Dataset()
    item.ReferencedSOPClassUID = str(one.identity.sop_class_uid)
    item.ReferencedSOPInstanceUID = instance or str(one.identity.sop_instance_uid)
    answer = Dataset()
    if reason is None:
        answer.ReferencedSOPSequence = [item]
    else:
        item.FailureReason = reason
        answer.FailedSOPSequence = [item]
    return json.dumps(answer.to_json_dict()).encode()


def parts(content: bytes, boundary: str = "b") -> Answer:
    """Give a multipart answer with one object."""
    body = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + content
    body += f"\r\n--{boundary}--".encode()
    return Answer(200, body, f'multipart/related; type="application/dicom"; boundary={boundary}')


def test_a_request_as_the_standard_wants_it(server: ToldServer) -> None:
    """One POST an object, with the login, and an answer in JSON is asked for."""
    one = artifact()
    server.answer = lambda _asked: Answer(200, response(one, None))
    sink_to(server).deliver([one, one])
    assert [(asked.method, asked.path) for asked in server.asked] == [("POST", "/dicom-web/studies")] * 2
    headers = server.asked[0].headers
    assert headers["Content-Type"].startswith('multipart/related; type="application/dicom"')
    assert headers["Accept"] == "application/dicom+json"
    assert headers["Authorization"].startswith("Basic ")
    assert one.content in server.asked[0].body


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (200, None, None),
        (202, 0xB000, None),
        (202, 0xB006, None),
        (409, 0x0111, None),
        (202, 0x0111, None),
        (409, 0xB00E, None),
        (409, 0x0110, PeerRefused),
        (202, 0x0122, PeerRefused),
        (200, 0xA900, PeerRefused),
        (409, 0xC000, PeerRefused),
        (409, 0xA700, PeerUnavailable),
    ],
)
def test_what_is_said_about_the_object_counts(
    server: ToldServer, status: int, reason: int | None, error: type[DeliveryError] | None
) -> None:
    """Warnings and what is there already are success; a failure is named by its number."""
    one = artifact()
    server.answer = lambda _asked: Answer(status, response(one, reason))
    if error is None:
        sink_to(server).deliver([one])
    else:
        with pytest.raises(error, match=f"0x{reason:04X}"):
            sink_to(server).deliver([one])
    assert len(server.asked) == 1


def test_what_is_said_about_another_object_does_not_count(server: ToldServer) -> None:
    """Only ours decides."""
    one = artifact()
    server.answer = lambda _asked: Answer(202, response(one, 0x0110, instance="1.2.3"))
    sink_to(server).deliver([one])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(500), PeerUnavailable),
        (Answer(503), PeerUnavailable),
        (Answer(429), PeerUnavailable),
        (Answer(408), PeerUnavailable),
        (Answer(400), PeerRefused),
        (Answer(401), PeerRefused),
        (Answer(409), PeerRefused),
        (Answer(409, b"<html>", "text/html"), PeerRefused),
        (Answer(415), PeerRefused),
        (Answer(302, headers={"Location": "/login"}), PeerRefused),
        (Answer(200, b"{not JSON"), PeerUnavailable),
        (Answer(200, b'{"00081198": {"vr": "SQ", "Value": 7}}'), PeerUnavailable),
        (Answer(200, b"[]"), PeerUnavailable),
    ],
)
def test_what_else_a_server_may_say(server: ToldServer, answer: Answer, error: type[DeliveryError]) -> None:
    """Whatever it answers ends in one of the named errors, after one request: the node repeats by itself."""
    server.answer = lambda _asked: answer
    with pytest.raises(error):
        sink_to(server).deliver([artifact()])
    assert len(server.asked) == 1


def test_a_silent_server_is_given_up(server: ToldServer) -> None:
    """The timeout is ours, not the library's."""
    held = Event()

    def wait(_asked: Asked) -> Answer:
        held.wait(5)
        return Answer()

    server.answer = wait
    with pytest.raises(PeerUnavailable):
        sink_to(server, timeout_s=0.2).deliver([artifact()])
    held.set()


def test_a_server_that_does_not_take_compressed_objects_gets_them_plain(server: ToldServer) -> None:
    """STOW-RS negotiates nothing, so the refusal decides."""
    one = artifact()
    server.answer = lambda asked: Answer(200 if one.content in asked.body else 415)
    sink_to(server, Compression.DEFLATED).deliver([one])
    assert [DEFLATED.encode() in asked.body for asked in server.asked] == [True, False]


def test_what_is_read_back_is_compared(server: ToldServer) -> None:
    """Equal content confirms, other content is refused; the stored encoding is asked for."""
    one = artifact()
    server.answer = lambda _asked: parts(one.content)
    sink_to(server).confirm([one])
    identity = one.identity
    asked = server.asked[0]
    assert asked.path == (
        f"/dicom-web/studies/{identity.study_instance_uid}/series/{identity.series_instance_uid}"
        f"/instances/{identity.sop_instance_uid}"
    )
    assert asked.headers["Accept"] == 'multipart/related; type="application/dicom"; transfer-syntax=*'
    server.answer = lambda _asked: parts(artifact(SeriesDescription="another").content)
    with pytest.raises(PeerRefused, match="other content"):
        sink_to(server).confirm([one])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(404), NotCommitted),
        (Answer(410), NotCommitted),
        (Answer(403), PeerRefused),
        (Answer(500), PeerUnavailable),
        (Answer(200, b"<html>", "text/html"), PeerUnavailable),
        (Answer(200, b"--b--", "multipart/related; boundary=b"), PeerUnavailable),
        (parts(b"no DICOM at all"), PeerUnavailable),
        (parts(artifact().content[:300]), PeerRefused),
    ],
)
def test_what_cannot_be_read_back(server: ToldServer, answer: Answer, error: type[DeliveryError]) -> None:
    """Nothing is confirmed, whatever the server answers."""
    server.answer = lambda _asked: answer
    with pytest.raises(error):
        sink_to(server).confirm([artifact()])


def test_the_password_is_not_shown() -> None:
    """A login may stand in a traceback."""
    assert "secret" not in repr(Login("ada", "secret"))


def test_the_library_sends_what_we_made(server: ToldServer) -> None:
    """It writes the data set anew; the bytes are the same."""
    one = artifact(3)
    sink_to(server).deliver([one])
    start = server.asked[0].body.index(b"\x00" * 128 + b"DICM")
    sent = server.asked[0].body[start : start + len(one.content)]
    assert sent == one.content
    assert dcmread(BytesIO(sent)).SOPInstanceUID == one.identity.sop_instance_uid
