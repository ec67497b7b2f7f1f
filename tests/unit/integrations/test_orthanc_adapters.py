"""The archive's adapters against peers that answer as they are told."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from inference.domain.identifiers import UID, AETitle
from inference.errors import DeliveryError, NotCommitted, PeerRefused, PeerUnavailable
from integrations.orthanc.find_scu import FindSCUCounter
from integrations.orthanc.folder import FolderArchive
from integrations.orthanc.peer import Peer
from integrations.orthanc.rest import OrthancREST, RESTReadBack
from integrations.orthanc.store_scu import StoreSCUSink
from tests.support.artifacts import artifact

STUDY = UID("1.2.3")


@contextmanager
def scripted_peer(handlers: list[tuple[Any, ...]], refuse_callers: bool = False) -> Iterator[Peer]:
    """Run an SCP with given event handlers."""
    entity = AE(ae_title="ARCHIVE")
    for sop_class in (MRImageStorage, StudyRootQueryRetrieveInformationModelFind):
        entity.add_supported_context(sop_class)
    if refuse_callers:
        entity.require_calling_aet = ["SOMEBODY"]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield Peer(AETitle("ARCHIVE"), "127.0.0.1", server.server_address[1], AETitle("NEURONOVA"), timeout_s=2)
    finally:
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (0xA700, PeerUnavailable),
        (0xA702, PeerUnavailable),
        (0xA900, PeerRefused),
        (0xC000, PeerRefused),
        (0x0110, PeerRefused),
        (0x0124, PeerRefused),
    ],
)
def test_store_failures(status: int, error: type[DeliveryError]) -> None:
    """Out of resources is worth another try; every other failure is final (PS3.4 section B.2.3)."""
    with scripted_peer([(evt.EVT_C_STORE, lambda _event: status)]) as peer, pytest.raises(error):
        StoreSCUSink(peer).deliver([artifact()])


@pytest.mark.parametrize("status", [0x0000, 0xB000, 0xB006, 0xB007])
def test_warnings_are_success(status: int) -> None:
    """A coerced or trimmed object is stored."""
    with scripted_peer([(evt.EVT_C_STORE, lambda _event: status)]) as peer:
        StoreSCUSink(peer).deliver([artifact()])


def test_an_association_that_is_refused_or_breaks_is_worth_another_try() -> None:
    """An administrator will let us in; a peer that hangs up will come back."""
    with scripted_peer([], refuse_callers=True) as peer, pytest.raises(PeerUnavailable):
        StoreSCUSink(peer).deliver([artifact()])

    def hang_up(event: evt.Event) -> int:
        event.assoc.abort()
        return 0

    with scripted_peer([(evt.EVT_C_STORE, hang_up)]) as peer, pytest.raises(PeerUnavailable):
        StoreSCUSink(peer).deliver([artifact(0), artifact(1)])


def test_nothing_to_deliver_calls_nobody() -> None:
    """No artifacts, no association."""
    StoreSCUSink(Peer(AETitle("NOBODY"), "127.0.0.1", 1, AETitle("NEURONOVA"))).deliver([])


def answer_find(status: int, count: Any = None) -> Callable[[evt.Event], Iterator[tuple[int, Dataset | None]]]:
    """Make a C-FIND handler that gives one match, if any, and a status."""

    def handle(_event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        if count is not None:
            match = Dataset()
            match.QueryRetrieveLevel = "SERIES"
            if count != "absent":
                match.NumberOfSeriesRelatedInstances = count
            yield 0xFF00, match
        yield status, None

    return handle


@pytest.mark.parametrize(
    ("status", "count", "expected"),
    [(0x0000, "7", 7), (0x0000, None, 0), (0x0000, "absent", None), (0x0000, "", None), (0xA700, None, None)],
)
def test_counting(status: int, count: str | None, expected: int | None) -> None:
    """A count is given only where the archive gave one; no match is 0; a failure is no answer."""
    with scripted_peer([(evt.EVT_C_FIND, answer_find(status, count))]) as peer:
        assert FindSCUCounter(peer).count(STUDY, STUDY) == expected


def rest_with(answer: Callable[[httpx.Request], httpx.Response]) -> RESTReadBack:
    """Give a read-back whose server answers as told."""
    return RESTReadBack(OrthancREST("http://archive/", httpx.Client(transport=httpx.MockTransport(answer))))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(200, json=[]), NotCommitted),
        (httpx.Response(200, json=[{"ID": "a", "Type": "Patient"}]), NotCommitted),
        (httpx.Response(200, text="<html>"), PeerUnavailable),
        (httpx.Response(200, json={"odd": 1}), PeerUnavailable),
        (httpx.Response(503), PeerUnavailable),
        (httpx.Response(401), PeerRefused),
        (httpx.Response(200, json=[{"ID": "a", "Type": "Instance"}]), PeerRefused),
    ],
)
def test_read_back_failures(answer: httpx.Response, error: type[DeliveryError]) -> None:
    """Whatever the REST API answers ends in one of the named errors."""
    with pytest.raises(error):
        rest_with(lambda _request: answer).confirm([artifact()])


def test_read_back_of_an_archive_that_is_away() -> None:
    """A transport failure is worth another try."""

    def fail(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(PeerUnavailable):
        rest_with(fail).confirm([artifact()])


def test_the_folder_archive(tmp_path: Path) -> None:
    """The same again changes nothing; a file that is missing or torn is noticed and healed."""
    archive = FolderArchive(tmp_path)
    sent = [artifact(0), artifact(1)]
    with pytest.raises(NotCommitted):
        archive.confirm(sent)
    archive.deliver(sent)
    archive.confirm(sent)
    path = archive.path_of(sent[0])
    assert path.read_bytes() == sent[0].content
    changed_at = path.stat().st_mtime_ns
    archive.deliver(sent)
    assert path.stat().st_mtime_ns == changed_at
    path.write_bytes(b"torn")
    with pytest.raises(NotCommitted):
        archive.confirm(sent)
    archive.deliver(sent)
    archive.confirm(sent)


def test_a_folder_archive_that_cannot_be_written(tmp_path: Path) -> None:
    """A file system that refuses is an archive that is away."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PeerUnavailable):
        FolderArchive(tmp_path / "file").deliver([artifact()])


def test_a_silent_archive_holds_up_nobody_for_long() -> None:
    """A host that takes the connection and says nothing is given up after the counter's patience."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        peer = Peer(AETitle("MUTE"), "127.0.0.1", mute.getsockname()[1], AETitle("NEURONOVA"), timeout_s=600)
        assert FindSCUCounter(peer, patience_s=0.5).count(STUDY, STUDY) is None
