"""Delivery to a real Orthanc: it arrives, it is proved to be there, and it is there once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from inference.domain.artifact import DicomArtifact
from inference.domain.delivery import Compression
from inference.domain.identifiers import AETitle
from inference.errors import NotCommitted, PeerRefused, PeerUnavailable
from integrations.orthanc.commitment import StorageCommitment
from integrations.orthanc.commitment_reports import CommitmentReports, ListenAddress
from integrations.orthanc.compression import COMPRESSED_SYNTAXES
from integrations.orthanc.find_scu import FindSCUCounter
from integrations.orthanc.rest import OrthancREST, RESTReadBack
from integrations.orthanc.store_scu import Confirmation, FindReadBack, StoreSCUSink
from integrations.system import RandomUIDSource
from tests.support.artifacts import artifact, byte_image
from tests.support.dcmtk import findscu
from tests.support.free_port import free_port
from tests.support.orthanc_server import OrthancOptions, OrthancServer, running_orthanc
from tests.support.receiving import receiving
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"


@pytest.fixture(scope="module")
def report_port() -> int:
    """Give the port at which Orthanc reports on storage commitment."""
    return free_port()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory, report_port: int) -> Iterator[OrthancServer]:
    """Run one Orthanc for all tests of this module; they use objects of different seeds."""
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), OrthancOptions({"NEURONOVA": report_port})) as server:
        yield server


@pytest.fixture
def reports(report_port: int) -> Iterator[CommitmentReports]:
    """Give where Orthanc reports on storage commitment."""
    reports = CommitmentReports(ListenAddress("127.0.0.1", report_port), AETitle("NEURONOVA"))
    yield reports
    reports.close()


@pytest.fixture(params=["find", "rest", "commitment"])
def confirmation(request: pytest.FixtureRequest, orthanc: OrthancServer, reports: CommitmentReports) -> Confirmation:
    """Give each way to confirm."""
    if request.param == "find":
        return FindReadBack(orthanc.peer())
    if request.param == "rest":
        return RESTReadBack(OrthancREST(orthanc.url, orthanc.client))
    return StorageCommitment(orthanc.peer(), reports, RandomUIDSource())


def test_what_is_delivered_is_confirmed(orthanc: OrthancServer, confirmation: Confirmation) -> None:
    """Nothing is confirmed before it was sent; afterwards it is, and sending it again changes nothing."""
    seed = {"FindReadBack": 11, "RESTReadBack": 12, "StorageCommitment": 13}[type(confirmation).__name__]
    artifacts = [artifact(index, seed) for index in range(2)]
    sink = StoreSCUSink(orthanc.peer(), confirmation)
    with pytest.raises(NotCommitted):
        sink.confirm(artifacts)
    sink.deliver(artifacts[:1])
    with pytest.raises(NotCommitted):
        sink.confirm(artifacts)
    sink.deliver(artifacts)
    sink.confirm(artifacts)
    before = orthanc.statistics()["CountInstances"]
    sink.deliver(artifacts)
    sink.confirm(artifacts)
    assert orthanc.statistics()["CountInstances"] == before


def test_the_archive_holds_what_was_sent(orthanc: OrthancServer) -> None:
    """The data set in Orthanc equals ours, and a foreign tool finds it."""
    sent = artifact(seed=21)
    StoreSCUSink(orthanc.peer()).deliver([sent])
    api = OrthancREST(orthanc.url, orthanc.client)
    orthanc_id = api.find_instance(sent.identity.sop_instance_uid)
    assert orthanc_id is not None
    assert dcmread(BytesIO(api.instance_file(orthanc_id))) == dcmread(BytesIO(sent.content))
    keys = ["QueryRetrieveLevel=IMAGE", f"StudyInstanceUID={sent.identity.study_instance_uid}"]
    keys += [f"SeriesInstanceUID={sent.identity.series_instance_uid}", "SOPInstanceUID"]
    assert sent.identity.sop_instance_uid in findscu(orthanc.dicom_port, keys)


def test_other_content_under_our_uid_is_not_taken_for_ours(orthanc: OrthancServer) -> None:
    """Orthanc answers success and keeps the old bytes; reading back shows it, and no retry could heal it."""
    sink = StoreSCUSink(orthanc.peer(), RESTReadBack(OrthancREST(orthanc.url, orthanc.client)))
    sink.deliver([artifact(seed=31)])
    changed = artifact(seed=31, SeriesDescription="another result")
    sink.deliver([changed])
    with pytest.raises(PeerRefused, match="other content"):
        sink.confirm([changed])


def test_a_class_that_the_archive_does_not_take_is_refused(orthanc: OrthancServer) -> None:
    """Orthanc 1.10 does not know Label Map Segmentation: a final answer, alone and among others."""
    strange = artifact(seed=41, SOPClassUID=LABEL_MAP_SEGMENTATION)
    sink = StoreSCUSink(orthanc.peer())
    with pytest.raises(PeerRefused):
        sink.deliver([strange])
    with pytest.raises(PeerRefused):
        sink.deliver([artifact(1, seed=41), strange])


def test_counts(orthanc: OrthancServer) -> None:
    """The counter gives the archive's count, 0 for a series it does not hold."""
    artifacts = [artifact(index, seed=51) for index in range(3)]
    StoreSCUSink(orthanc.peer()).deliver(artifacts)
    identity = artifacts[0].identity
    counter = FindSCUCounter(orthanc.peer())
    assert counter.count(identity.study_instance_uid, identity.series_instance_uid) == 3
    assert counter.count(identity.study_instance_uid, identity.study_instance_uid) == 0


def test_an_archive_that_is_away(tmp_path: Path) -> None:
    """While it is down everything says so, retryably, and the counter says nothing; later all works."""
    with running_orthanc(tmp_path, OrthancOptions({"NEURONOVA": free_port()})) as server:
        sent = [artifact(seed=61)]
        identity = sent[0].identity
        rest = RESTReadBack(OrthancREST(server.url, server.client))
        reports = CommitmentReports(ListenAddress("127.0.0.1", 0), AETitle("NEURONOVA"))
        commitment = StorageCommitment(server.peer(), reports, RandomUIDSource())
        server.stop()
        with pytest.raises(PeerUnavailable):
            StoreSCUSink(server.peer()).deliver(sent)
        for confirmation in (rest, commitment, FindReadBack(server.peer())):
            with pytest.raises(PeerUnavailable):
                StoreSCUSink(server.peer(), confirmation).confirm(sent)
        assert FindSCUCounter(server.peer()).count(identity.study_instance_uid, identity.series_instance_uid) is None
        server.start()
        sink = StoreSCUSink(server.peer(), rest)
        sink.deliver(sent)
        sink.confirm(sent)
        reports.close()


def test_commitments_of_several_threads_share_one_port(orthanc: OrthancServer, reports: CommitmentReports) -> None:
    """Each thread gets the report on its own transaction, though all come to the same port."""
    sink = StoreSCUSink(orthanc.peer(), StorageCommitment(orthanc.peer(), reports, RandomUIDSource()))
    sink.deliver(there := [artifact(index, seed=81) for index in range(4)])

    def outcome(one: DicomArtifact) -> str:
        try:
            sink.confirm([one])
        except NotCommitted as error:
            return error.message
        return "committed"

    asked = [*there, *(artifact(index, seed=82) for index in range(4))]
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(outcome, asked))
    assert outcomes[:4] == ["committed"] * 4
    assert all("0112 no such object" in message for message in outcomes[4:])


@pytest.mark.parametrize("compression", [Compression.DEFLATED, Compression.RLE])
def test_compressed_objects_are_confirmed(orthanc: OrthancServer, compression: Compression) -> None:
    """Orthanc takes both, and what is read back equals what was made, though it is held in another encoding."""
    seed = {Compression.DEFLATED: 91, Compression.RLE: 92}[compression]
    api = OrthancREST(orthanc.url, orthanc.client)
    sink = StoreSCUSink(orthanc.peer(), RESTReadBack(api), compression)
    sent = [artifact(0, seed), byte_image(1, seed)]
    sink.deliver(sent)
    sink.confirm(sent)
    held = [api.find_instance(one.identity.sop_instance_uid) for one in sent]
    syntaxes = [dcmread(BytesIO(api.instance_file(one or ""))).file_meta.TransferSyntaxUID for one in held]
    wanted = str(COMPRESSED_SYNTAXES[compression])
    assert syntaxes == ([wanted, wanted] if compression is Compression.DEFLATED else [ExplicitVRLittleEndian, wanted])


def test_how_orthanc_serves_a_deflated_image(orthanc: OrthancServer) -> None:
    """The whole object in either encoding; frames decoded, but not as they are stored (docs/destinations.md)."""
    sent = byte_image(0, seed=93)
    StoreSCUSink(orthanc.peer(), compression=Compression.DEFLATED).deliver([sent])
    identity = sent.identity
    address = f"/dicom-web/studies/{identity.study_instance_uid}/series/{identity.series_instance_uid}"
    address += f"/instances/{identity.sop_instance_uid}"

    def ask(path: str, media_type: str) -> int:
        accept = f'multipart/related; type="application/{media_type}'
        return orthanc.client.get(address + path, headers={"Accept": accept}).status_code

    assert ask("", 'dicom"; transfer-syntax=*') == ask("", 'dicom"') == 200
    assert ask("/frames/1", 'octet-stream"') == 200
    assert ask("/frames/1", 'octet-stream"; transfer-syntax=*') == 500


def test_results_are_not_routed_back(tmp_path: Path) -> None:
    """The routing hook sends images, but neither what the node delivered nor SEG and SR of anybody."""
    with (
        receiving(tmp_path / "spool") as node,
        running_orthanc(tmp_path / "orthanc", OrthancOptions({"NEURONOVA": node.port}, routing=True)) as server,
    ):
        StoreSCUSink(server.peer()).deliver([artifact(0, seed=71)])
        foreign = StoreSCUSink(server.peer(calling_ae_title="FOREIGN"))
        foreign.deliver([artifact(1, seed=71, Modality="SEG"), artifact(2, seed=71, Modality="SR")])
        foreign.deliver([image := artifact(3, seed=71)])
        wait_until(lambda: node.index.headers, 30, "the routed image")
        wait_until(lambda: node.receiver.open_associations("ORTHANC") == 0, 30, "the end of the routing association")
        [row] = node.index.rows.values()
        assert list(row.instances) == [image.identity.sop_instance_uid]
