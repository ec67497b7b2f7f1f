"""Peers are asked whether they are there; what came of it is written down, and no password with it."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine

from dicom_node.peer_probes import PeerRounds, ask
from inference.domain.identifiers import AETitle
from inference.domain.node_report import PeerKind
from inference.errors import FHIRUnavailable, HL7Unavailable, NodeError, PeerUnavailable
from integrations.configured_peers import ConfiguredPeer, DICOMTarget, HTTPTarget, TCPTarget
from integrations.http_login import Login
from integrations.persistence.node_reports import SQLPeerLog
from integrations.settings import ArchivePeer
from tests.support.fakes import NOON, FixedClock
from tests.support.free_port import free_port
from tests.support.receiving import receiving

OURS = AETitle("NEURONOVA")
KINDS = [(PeerKind.DICOMWEB, "/studies?limit=1"), (PeerKind.ORTHANC, "/system"), (PeerKind.FHIR, "/metadata")]


class Server:
    """An HTTP server that answers everything with one status, and remembers what it was asked."""

    def __init__(self, status: int) -> None:
        self.asked: list[tuple[str, str | None]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer."""
                server.asked.append((self.path, self.headers.get("Authorization")))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Callable[[int], Server]:
    """Give a maker of servers."""

    def start(status: int) -> Server:
        server = Server(status)
        request.addfinalizer(server.stop)
        return server

    return start


def over_http(kind: PeerKind, url: str) -> ConfiguredPeer:
    """Give a peer of that kind."""
    return ConfiguredPeer("peer", kind, HTTPTarget(url, Login("node", "secret")))


@pytest.mark.parametrize(("kind", "path"), KINDS)
def test_servers_are_asked_for_what_leaves_nothing(serve: Callable[[int], Server], kind: PeerKind, path: str) -> None:
    """By a question that each kind answers to everybody who may log in."""
    server = serve(200)

    assert ask(over_http(kind, server.url))

    ((asked, authorization),) = server.asked
    assert asked == path
    assert authorization is not None


@pytest.mark.parametrize(("kind", "_path"), KINDS)
def test_a_server_that_refuses_cannot_be_used(serve: Callable[[int], Server], kind: PeerKind, _path: str) -> None:
    """The status says why; the password stays out of it."""
    expected = FHIRUnavailable if kind is PeerKind.FHIR else PeerUnavailable

    with pytest.raises(expected, match="HTTP 401") as caught:
        ask(over_http(kind, serve(401).url))

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("peer", "error"),
    [
        (over_http(PeerKind.FHIR, f"http://127.0.0.1:{free_port()}"), FHIRUnavailable),
        (over_http(PeerKind.DICOMWEB, "http://[broken"), PeerUnavailable),
        (ConfiguredPeer("ris", PeerKind.HL7, TCPTarget("127.0.0.1", free_port())), HL7Unavailable),
        (
            ConfiguredPeer(
                "pacs", PeerKind.DICOM, DICOMTarget(ArchivePeer(AETitle("PACS"), "127.0.0.1", free_port()), OURS)
            ),
            PeerUnavailable,
        ),
    ],
    ids=["fhir", "an address that is none", "hl7", "dicom"],
)
def test_a_peer_that_is_away_is_said_so(peer: ConfiguredPeer, error: type[NodeError]) -> None:
    """By an error of ours."""
    with pytest.raises(error):
        ask(peer)


def test_an_archive_answers_c_echo(tmp_path: Path) -> None:
    """Under the title that it knows us by; here it is our own receiver."""
    with receiving(tmp_path / "spool") as archive:
        target = DICOMTarget(ArchivePeer(OURS, "127.0.0.1", archive.port), OURS)

        assert ask(ConfiguredPeer("pacs", PeerKind.DICOM, target)) == "NEURONOVA answers C-ECHO"


PEERS = [
    ConfiguredPeer(name, PeerKind.DICOM, DICOMTarget(ArchivePeer(AETitle(name), "127.0.0.1", 104), OURS))
    for name in ("FIRST", "SECOND")
]


def test_each_answer_is_written_down_with_its_time(sqlite_engine: Engine) -> None:
    """One peer that is away, or that nobody foresaw, does not hide the others."""
    clock = FixedClock()
    log = SQLPeerLog(sqlite_engine, clock)
    third = ConfiguredPeer("THIRD", PeerKind.HL7, TCPTarget("127.0.0.1", 2575))

    def answer(peer: ConfiguredPeer) -> None:
        clock.advance(0.5)
        if peer.name == "FIRST":
            raise PeerUnavailable("no answer")
        if peer.name == "SECOND":
            raise ZeroDivisionError("secret")

    PeerRounds([*PEERS, third], log, clock, answer).round()

    first, second, last = log.all()
    assert (first.failure, first.reachable_at) != (None, NOON)
    assert first.failure is not None
    assert second.failure is not None
    assert [first.failure.code, second.failure.code] == ["delivery.peer_unavailable", "node.unexpected"]
    assert "secret" not in second.failure.message
    assert (last.failure, last.seconds, last.address) == (None, 0.5, "127.0.0.1:2575")
    assert last.reachable_at == last.probed_at


def test_workers_share_the_asking(sqlite_engine: Engine) -> None:
    """What another one asked a moment ago is left out, unless a person wants to know now."""
    clock, asked = FixedClock(), list[str]()
    rounds = PeerRounds(PEERS, SQLPeerLog(sqlite_engine, clock), clock, lambda peer: asked.append(peer.name))

    rounds.round(54)
    clock.advance(30)
    rounds.round(54)
    assert len(asked) == 2
    rounds.round()
    assert len(asked) == 4
    clock.advance(60)
    rounds.round(54)
    assert len(asked) == 6
