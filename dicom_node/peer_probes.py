"""Asking the servers that the node talks to whether they are there, without leaving anything in them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Final, Protocol

import httpx
import structlog
from pynetdicom.presentation import build_context

from dicom_node.verdicts import UNEXPECTED
from inference.domain.identifiers import AETitle
from inference.domain.job import Failure
from inference.domain.node_report import PeerKind, PeerOutcome
from inference.errors import FHIRUnavailable, HL7Unavailable, NodeError, PeerRefused, PeerUnavailable
from inference.ports import Clock
from integrations.configured_peers import ConfiguredPeer, DICOMTarget, HTTPTarget, TCPTarget
from integrations.http_login import Login
from integrations.orthanc.peer import Peer, associated
from integrations.settings import ArchivePeer

VERIFICATION: Final = "1.2.840.10008.1.1"
"""Verification SOP Class (PS3.4 annex A)."""

PATIENCE_SECONDS: Final = 10.0
"""Longest wait for each step of an answer."""

Ask = Callable[[ConfiguredPeer], object]
"""Returns when a peer can be used; raises when it cannot."""


class PeerLog(Protocol):
    """Where answers are kept."""

    def note(self, outcome: PeerOutcome) -> None:
        """Write down what came of asking a peer."""

    def keep_only(self, names: Collection[str]) -> None:
        """Forget peers of other names."""

    def all(self) -> Sequence[PeerOutcome]:
        """List the last answers."""


def ask(peer: ConfiguredPeer) -> str:
    """Ask a peer whether it is there.

    Parameters
    ----------
    peer
        Whom.

    Returns
    -------
    str
        What it answered.

    Raises
    ------
    PeerUnavailable, FHIRUnavailable, HL7Unavailable
        If it cannot be used.
    """
    match peer.target:
        case DICOMTarget(archive, calling):
            return echo(archive, calling)
        case TCPTarget(host, port):
            return takes_connections(host, port)
        case HTTPTarget(url, login):
            return _over_http(peer.kind, url, login)


def echo(peer: ArchivePeer, calling: AETitle) -> str:
    """Ask an application entity by C-ECHO.

    Raises
    ------
    PeerUnavailable
        If it takes no association from us, or does not answer with success.
    """
    address = Peer(peer.ae_title, peer.host, peer.port, calling, PATIENCE_SECONDS)
    try:
        with associated(address, [build_context(VERIFICATION)]) as association:
            status = association.send_c_echo()
    except (PeerUnavailable, PeerRefused) as error:
        message = f"{peer.ae_title} at {peer.host}:{peer.port} takes no association from {calling}"
        raise PeerUnavailable(message) from error
    if status.get("Status") != 0x0000:
        raise PeerUnavailable(f"{peer.ae_title} did not answer C-ECHO with success")
    return f"{peer.ae_title} answers C-ECHO"


def search(url: str, login: Login | None) -> str:
    """Ask a DICOMweb server for one study: whether it may be stored to is known only when something is stored.

    Raises
    ------
    PeerUnavailable
        If it does not answer a search.
    """
    _expect_success(_get(f"{url}/studies", login, {"limit": "1"}))
    return "answers a search"


def takes_connections(host: str, port: int) -> str:
    """Open a connection and close it.

    Raises
    ------
    HL7Unavailable
        If nobody listens.
    """
    try:
        with socket.create_connection((host, port), timeout=PATIENCE_SECONDS):
            return "takes connections"
    except OSError as error:
        raise HL7Unavailable(f"takes no connection ({type(error).__name__})") from error


def _over_http(kind: PeerKind, url: str, login: Login | None) -> str:
    if kind is PeerKind.DICOMWEB:
        return search(url, login)
    if kind is PeerKind.ORTHANC:
        _expect_success(_get(f"{url}/system", login, {}))
        return "says what it is"
    try:
        _expect_success(_get(f"{url}/metadata", login, {}))
    except PeerUnavailable as error:
        raise FHIRUnavailable(error.message) from error
    return "says what it can do"


def _expect_success(answer: httpx.Response) -> None:
    if answer.status_code not in (httpx.codes.OK, httpx.codes.NO_CONTENT):
        raise PeerUnavailable(f"HTTP {answer.status_code}")


def _get(url: str, login: Login | None, parameters: dict[str, str]) -> httpx.Response:
    auth = (login.user, login.password) if login is not None else None
    try:
        return httpx.get(url, params=parameters, auth=auth, timeout=PATIENCE_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PeerUnavailable(f"does not answer ({type(error).__name__})") from error


class PeerRounds:
    """Asks every peer again and again, and writes down what came of it.

    Parameters
    ----------
    peers
        Whom.
    log
        Where.
    clock
        When, and how long it took.
    ask
        How.
    """

    def __init__(self, peers: Sequence[ConfiguredPeer], log: PeerLog, clock: Clock, ask: Ask = ask) -> None:
        self._peers = peers
        self._log = log
        self._clock = clock
        self._ask = ask

    def round(self, older_than_seconds: float = 0.0) -> None:
        """Ask every peer whose last answer is older than that; several workers share the asking this way.

        Raises
        ------
        StoreUnavailable
            If the answers cannot be kept.
        """
        self._log.keep_only([peer.name for peer in self._peers])
        since = self._clock.now() - timedelta(seconds=older_than_seconds)
        fresh = {outcome.name for outcome in self._log.all() if outcome.probed_at > since}
        for peer in self._peers:
            if peer.name not in fresh:
                self._log.note(self._outcome(peer))

    def _outcome(self, peer: ConfiguredPeer) -> PeerOutcome:
        at, begun = self._clock.now(), self._clock.monotonic()
        failure = self._failure(peer)
        took = self._clock.monotonic() - begun
        return PeerOutcome(peer.name, peer.kind, str(peer.target), at, took, failure, at if failure is None else None)

    def _failure(self, peer: ConfiguredPeer) -> Failure | None:
        try:
            self._ask(peer)
        except NodeError as error:
            return Failure(error.code, error.message)
        except Exception as error:  # noqa: BLE001 - the worker's border: one peer must not hide the others
            structlog.get_logger(__name__).warning("peer.failed", peer=peer.name, error=type(error).__name__)
            return Failure(UNEXPECTED, f"it could not be asked ({type(error).__name__})")
        return None
