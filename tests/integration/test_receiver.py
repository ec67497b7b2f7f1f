"""The receiver against foreign senders: DCMTK's, and ones without manners."""

from __future__ import annotations

import hashlib
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import pytest
from pydicom.filereader import read_file_meta_info
from pydicom.uid import ComprehensiveSRStorage, EncapsulatedPDFStorage, MRImageStorage
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from sqlalchemy import Engine

from dicom_node.application_entity import LARGEST_PDU_BYTES, ReceiverOptions
from dicom_node.contexts import RECEIVED_TRANSFER_SYNTAXES
from dicom_node.handlers import Destination
from dicom_node.receiver import Receiver
from dicom_node.spool import FolderSpool
from inference.domain.identifiers import AETitle
from inference.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from inference.domain.study import CompletionEvidence, StoredInstance
from inference.errors import ConfigurationError
from integrations.persistence.study_index import SQLStudyIndex
from integrations.system import SystemClock
from tests.support.arrivals import data_set_bytes, identities, small_bytes, small_instance, small_series
from tests.support.dcmtk import echoscu, storescu
from tests.support.raw_scu import raw_scu
from tests.support.receiver_process import ReceiverProcess, engine_in, index_in
from tests.support.receiving import OUR_TITLE, Receiving, receiving, running_receiver
from tests.support.shared_data import SHARED, needs_shared
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Receiving]:
    """Run a receiver with an index in memory."""
    with receiving(tmp_path / "spool") as running:
        yield running


def digests_of(paths: list[Path]) -> set[str]:
    """Give the digests of the data sets of files."""
    return {hashlib.sha256(data_set_bytes(path.read_bytes())).hexdigest() for path in paths}


def test_echo(node: Receiving) -> None:
    """DCMTK's echoscu is answered."""
    assert echoscu(node.port).returncode == 0


def test_a_series_from_dcmtk_is_kept_byte_for_byte(node: Receiving, tmp_path: Path) -> None:
    """Every instance arrives with the data set that was sent."""
    paths = small_series(tmp_path / "series", 12)
    storescu(node.port, paths)
    assert node.digests() == digests_of(paths)
    assert len(node.files()) == 12


def test_a_study_sent_twice_changes_nothing(node: Receiving, tmp_path: Path) -> None:
    """The second sending is acknowledged, and neither files nor rows change."""
    paths = small_series(tmp_path / "series", 6)
    storescu(node.port, paths)
    before = ([(path, path.read_bytes()) for path in node.files()], node.index.receiving())
    storescu(node.port, paths)
    assert ([(path, path.read_bytes()) for path in node.files()], node.index.receiving()) == before


def test_only_our_titles_are_answered(node: Receiving) -> None:
    """A caller who wants somebody else is told so (PS3.8 section 9.3.4)."""
    refused = echoscu(node.port, called="STRANGER")
    assert refused.returncode != 0
    assert "Called AE Title Not Recognized" in refused.stderr


def test_allow_lists(tmp_path: Path) -> None:
    """Several called titles are ours, and only listed callers come in."""
    options = ReceiverOptions(
        OUR_TITLE,
        called_ae_titles=frozenset({OUR_TITLE, AETitle("SECOND")}),
        calling_ae_titles=frozenset({AETitle("PACS")}),
    )
    with receiving(tmp_path, options) as node:
        assert echoscu(node.port, called="SECOND", calling="PACS").returncode == 0
        assert echoscu(node.port, called="NEURONOVA", calling="PACS").returncode == 0
        assert "Called AE" in echoscu(node.port, called="THIRD", calling="PACS").stderr
        assert "Calling AE" in echoscu(node.port, calling="STRANGER").stderr


def test_one_association_too_many_is_refused_for_now(tmp_path: Path) -> None:
    """At the limit a sender is told to come back (transient), and those inside are not disturbed."""
    with receiving(tmp_path, ReceiverOptions(OUR_TITLE, maximum_associations=2)) as node:
        with raw_scu(node.port) as first, raw_scu(node.port):
            refused = echoscu(node.port)
            assert "Rejected Transient" in refused.stderr
            assert first.store(small_bytes(), MRImageStorage, small_instance().SOPInstanceUID).Status == 0
        wait_until(lambda: echoscu(node.port).returncode == 0, 10, "a free place")


def test_whole_mixed_studies_are_negotiated(node: Receiving) -> None:
    """Images, SR and PDF are accepted over one association, so that no PACS reports a failed study."""
    with raw_scu(node.port, [MRImageStorage, ComprehensiveSRStorage, EncapsulatedPDFStorage]) as scu:
        assert len(scu.association.accepted_contexts) == 3


def test_who_we_say_we_are(node: Receiving) -> None:
    """The association names our implementation, not the library's."""
    entity = AE()
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", node.port, ae_title="NEURONOVA")
    acceptor = association.acceptor
    association.release()
    assert acceptor.implementation_class_uid == IMPLEMENTATION_CLASS_UID
    assert acceptor.implementation_version_name == IMPLEMENTATION_VERSION_NAME


def test_open_associations_are_known_by_sender(node: Receiving) -> None:
    """The assembler can ask who is still connected."""
    with raw_scu(node.port):
        wait_until(lambda: node.receiver.open_associations("RAWSCU") == 1, 10, "the association")
        assert node.receiver.open_associations("SOMEBODY") == 0
    wait_until(lambda: node.receiver.open_associations("RAWSCU") == 0, 10, "its end")


@needs_shared
def test_every_compressed_encoding_arrives_as_it_was_sent(node: Receiving) -> None:
    """A real slice in each encoding we offer is kept byte for byte: nothing is decoded on the way in."""
    folder = SHARED / "data" / "compressed-ct-slice-all-syntaxes" / "dicom"
    offered = [path for path in sorted(folder.glob("*.dcm")) if _syntax(path) in RECEIVED_TRANSFER_SYNTAXES]
    assert len({_syntax(path) for path in offered}) >= 10
    for path in offered:
        [identity] = identities([path])
        with raw_scu(node.port, [identity.sop_class_uid], [_syntax(path)]) as scu:
            content = data_set_bytes(path.read_bytes())
            response = scu.store(content, identity.sop_class_uid, identity.sop_instance_uid, _syntax(path))
            assert response.Status == 0
    kept = {hashlib.sha256(data_set_bytes(path.read_bytes())).hexdigest() for path in node.files()}
    assert kept == digests_of(offered)


def _syntax(path: Path) -> str:
    return str(read_file_meta_info(path).TransferSyntaxUID)


def test_parallel_associations_of_one_study_lose_nothing(tmp_path: Path, sqlite_engine: Engine) -> None:
    """Four senders at once, with the real index: every instance has its row and its file."""
    paths = small_series(tmp_path / "series", 60)
    index = SQLStudyIndex(sqlite_engine, SystemClock(), tmp_path / "spool")
    with running_receiver(tmp_path / "spool", index) as receiver, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda part: storescu(receiver.port, paths[part::4]), range(4)))
    [series] = index.receiving()
    assert series.instance_count == 60
    revision = index.series(series.series_instance_uid, CompletionEvidence.QUIET_TIME)
    assert {instance.sha256 for instance in revision.instances} == digests_of(paths)
    assert all(instance.path.stat().st_size == instance.size_bytes for instance in revision.instances)


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """After SIGKILL in the middle of an association every acknowledged instance is on disk and in the index.

    The sender then sends everything again, and the series is whole.
    """
    paths = small_series(tmp_path / "series", 300)
    wanted = identities(paths)
    acknowledged: list[str] = []
    with ReceiverProcess(tmp_path) as process:
        sender = Thread(target=_send_until_killed, args=(process.port, paths, acknowledged))
        sender.start()
        wait_until(lambda: len(acknowledged) >= 20, 60, "twenty acknowledgements")
        process.kill()
        sender.join(60)
    assert 20 <= len(acknowledged) < len(paths)
    engine = engine_in(tmp_path)
    index = index_in(tmp_path, engine)
    kept = {i.identity.sop_instance_uid: i for i in _only_series(index)}
    assert set(acknowledged) <= set(kept)
    for instance in kept.values():
        assert hashlib.sha256(data_set_bytes(instance.path.read_bytes())).hexdigest() == instance.sha256
    with ReceiverProcess(tmp_path) as process:
        assert not list((tmp_path / "spool" / "incoming").rglob("*.part"))
        storescu(process.port, paths)
    assert {i.identity for i in _only_series(index)} == set(wanted)
    engine.dispose()


def _only_series(index: SQLStudyIndex) -> list[StoredInstance]:
    [series] = index.receiving()
    return list(index.series(series.series_instance_uid, CompletionEvidence.QUIET_TIME).instances)


def _send_until_killed(port: int, paths: list[Path], acknowledged: list[str]) -> None:
    with raw_scu(port) as scu:
        for path, identity in zip(paths, identities(paths), strict=True):
            content = data_set_bytes(path.read_bytes())
            response = scu.store(content, identity.sop_class_uid, identity.sop_instance_uid)
            if response is None or response.Status != 0:
                return
            acknowledged.append(identity.sop_instance_uid)


def test_a_pdu_that_claims_gigabytes_is_cut_off(node: Receiving) -> None:
    """The connection ends instead of reading what the header claims; the next caller is served."""
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as peer:
        peer.sendall(b"\x01\x00" + (LARGEST_PDU_BYTES + 1).to_bytes(4, "big") + b"\x00" * 1000)
        assert _closed_by_peer(peer)
    assert echoscu(node.port).returncode == 0


def test_a_stalled_peer_is_cut_off(tmp_path: Path) -> None:
    """A header without its body does not hold a place for longer than the timeout."""
    with receiving(tmp_path, ReceiverOptions(OUR_TITLE, acse_timeout_s=1.0)) as node:
        with socket.create_connection(("127.0.0.1", node.port), timeout=20) as peer:
            peer.sendall(b"\x01\x00\x00")
            assert _closed_by_peer(peer)
        assert echoscu(node.port).returncode == 0


def _closed_by_peer(peer: socket.socket) -> bool:
    try:
        while peer.recv(4096):
            pass
    except ConnectionError:
        return True
    return True


def test_nothing_identifying_is_logged_by_the_library(
    node: Receiving, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Even at level DEBUG no name, id or UID of a sent instance is in a log record."""
    caplog.set_level(logging.DEBUG)
    paths = small_series(tmp_path / "series", 2)
    storescu(node.port, paths)
    instance = small_instance()
    for secret in ("Phantom", "TEST-1", instance.StudyInstanceUID, instance.SeriesInstanceUID):
        assert secret not in caplog.text


def test_a_port_that_is_taken_is_a_configuration_error(node: Receiving, tmp_path: Path) -> None:
    """The reason is given, not a traceback of the socket library."""
    second = Receiver(
        ReceiverOptions(OUR_TITLE, port=node.port), Destination(FolderSpool(tmp_path / "b"), node.index)
    )
    with pytest.raises(ConfigurationError, match="cannot listen"):
        second.start()


def test_receivers_may_share_a_port(tmp_path: Path) -> None:
    """With SO_REUSEPORT several receiver processes take associations on one port and share one spool."""
    with receiving(tmp_path, ReceiverOptions(OUR_TITLE, reuse_port=True)) as first:
        options = ReceiverOptions(OUR_TITLE, port=first.port, reuse_port=True)
        with receiving(tmp_path, options) as second:
            assert first.port == second.port
            assert echoscu(first.port).returncode == 0


def test_stopping_lets_a_sender_finish(tmp_path: Path) -> None:
    """An open association may end by itself; what it sends meanwhile is kept."""
    with receiving(tmp_path) as node, raw_scu(node.port) as scu:
        stopping = Event()

        def stop() -> None:
            stopping.set()
            node.receiver.stop(grace_s=10)

        thread = Thread(target=stop)
        thread.start()
        stopping.wait(5)
        assert scu.store(small_bytes(), MRImageStorage, small_instance().SOPInstanceUID).Status == 0
        scu.association.release()
        thread.join(20)
        assert not thread.is_alive()
        assert len(node.files()) == 1
