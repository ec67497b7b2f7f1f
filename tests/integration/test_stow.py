"""Delivery by STOW-RS to the DICOMweb plugin of a real Orthanc, and proof by WADO-RS."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from inference.domain.artifact import DicomArtifact
from inference.domain.delivery import Compression
from inference.errors import NotCommitted, PeerRefused, PeerUnavailable
from integrations.dicomweb.client import connect
from integrations.dicomweb.stow import STOWSink
from integrations.orthanc.compression import COMPRESSED_SYNTAXES
from integrations.orthanc.rest import OrthancREST
from integrations.orthanc.store_scu import StoreSCUSink
from tests.support.artifacts import artifact, byte_image
from tests.support.free_port import free_port
from tests.support.orthanc_server import OrthancOptions, OrthancServer, running_orthanc

pytestmark = pytest.mark.integration

LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    """Run one Orthanc for all tests of this module; they use objects of different seeds."""
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), OrthancOptions({"NEURONOVA": free_port()})) as server:
        yield server


def sink_to(server: OrthancServer, compression: Compression = Compression.NONE) -> STOWSink:
    """Give the adapter."""
    return STOWSink(connect(server.dicom_web_url, None, timeout_s=10), compression)


def held(server: OrthancServer, one: DicomArtifact) -> bytes:
    """Give the file that Orthanc keeps of an object."""
    api = OrthancREST(server.url, server.client)
    orthanc_id = api.find_instance(one.identity.sop_instance_uid)
    assert orthanc_id is not None
    return api.instance_file(orthanc_id)


def test_what_is_delivered_is_confirmed(orthanc: OrthancServer) -> None:
    """Nothing is confirmed before it was sent; afterwards it is, and sending it again changes nothing."""
    sink, sent = sink_to(orthanc), [artifact(index, seed=11) for index in range(2)]
    with pytest.raises(NotCommitted):
        sink.confirm(sent)
    sink.deliver(sent[:1])
    with pytest.raises(NotCommitted):
        sink.confirm(sent)
    sink.deliver(sent)
    sink.confirm(sent)
    before = orthanc.statistics()["CountInstances"]
    sink.deliver(sent)
    sink.confirm(sent)
    assert orthanc.statistics()["CountInstances"] == before
    assert dcmread(BytesIO(held(orthanc, sent[0]))) == dcmread(BytesIO(sent[0].content))


def test_a_large_object_is_sent_in_pieces(orthanc: OrthancServer) -> None:
    """More than one megabyte, as a segmentation has."""
    sent = artifact(0, seed=12, EncapsulatedDocument=bytes(range(256)) * 12_000)
    sink = sink_to(orthanc)
    sink.deliver([sent])
    sink.confirm([sent])


@pytest.mark.parametrize("compression", [Compression.DEFLATED, Compression.RLE])
def test_compressed_objects_are_kept_as_they_were_sent(orthanc: OrthancServer, compression: Compression) -> None:
    """Orthanc keeps the bytes of STOW-RS as they come, and gives them back so; the content equals ours."""
    sent = byte_image(0, seed={Compression.DEFLATED: 21, Compression.RLE: 22}[compression])
    sink = sink_to(orthanc, compression)
    sink.deliver([sent])
    sink.confirm([sent])
    kept = held(orthanc, sent)
    assert dcmread(BytesIO(kept)).file_meta.TransferSyntaxUID == COMPRESSED_SYNTAXES[compression]
    if compression is Compression.DEFLATED:
        assert len(kept) < len(sent.content)


def test_other_content_under_our_uid_is_not_taken_for_ours(orthanc: OrthancServer) -> None:
    """Orthanc answers 200 and keeps the old bytes; reading back shows it, and no retry could heal it."""
    sink = sink_to(orthanc)
    sink.deliver([artifact(seed=31)])
    changed = artifact(seed=31, SeriesDescription="another result")
    sink.deliver([changed])
    with pytest.raises(PeerRefused, match="other content"):
        sink.confirm([changed])


def test_a_label_map_arrives_by_this_way_only(orthanc: OrthancServer) -> None:
    """Orthanc 1.10 refuses Label Map Segmentation by C-STORE and takes it by STOW-RS."""
    strange = artifact(seed=41, SOPClassUID=LABEL_MAP_SEGMENTATION)
    with pytest.raises(PeerRefused):
        StoreSCUSink(orthanc.peer()).deliver([strange])
    sink = sink_to(orthanc)
    sink.deliver([strange])
    sink.confirm([strange])


def test_an_address_that_is_not_dicomweb(orthanc: OrthancServer) -> None:
    """A slip in the address is a final answer, not one to repeat for days."""
    sink = STOWSink(connect(orthanc.url + "/nowhere", None, timeout_s=10))
    with pytest.raises(PeerRefused, match="404"):
        sink.deliver([artifact(seed=51)])


def test_an_archive_that_is_away(tmp_path: Path) -> None:
    """While it is down everything says so, retryably; later all works with the same adapter."""
    with running_orthanc(tmp_path, OrthancOptions({})) as server:
        sink, sent = sink_to(server), [artifact(seed=61)]
        server.stop()
        with pytest.raises(PeerUnavailable):
            sink.deliver(sent)
        with pytest.raises(PeerUnavailable):
            sink.confirm(sent)
        server.start()
        sink.deliver(sent)
        sink.confirm(sent)
