"""Objects in a smaller encoding: the same content, the same UIDs, the same bytes every time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, evt

from inference.domain.artifact import DicomArtifact
from inference.domain.delivery import Compression
from inference.domain.identifiers import AETitle
from inference.errors import NotCommitted
from integrations.orthanc.comparison import same_content
from integrations.orthanc.compression import COMPRESSED_SYNTAXES, compressed
from integrations.orthanc.folder import FolderArchive
from integrations.orthanc.peer import Peer
from integrations.orthanc.store_scu import StoreSCUSink
from tests.support.artifacts import artifact, byte_image

PLAIN = str(ExplicitVRLittleEndian)


def read(content: bytes) -> Dataset:
    """Read a Part 10 file."""
    return dcmread(BytesIO(content))


@pytest.mark.parametrize(
    ("made", "compression", "changes"),
    [
        (artifact(), Compression.NONE, False),
        (artifact(), Compression.DEFLATED, True),
        (byte_image(), Compression.DEFLATED, True),
        (byte_image(), Compression.RLE, True),
        (artifact(), Compression.RLE, False),
    ],
)
def test_nothing_is_lost(made: DicomArtifact, compression: Compression, changes: bool) -> None:
    """UIDs and content stay, the digest is that of the new bytes, and 16-bit pixels are left alone by RLE."""
    small = compressed(made, compression)
    assert (small is not made) == changes
    assert small == compressed(made, compression)
    assert small.sha256 == hashlib.sha256(small.content).hexdigest()
    assert small.identity == made.identity
    assert small.transfer_syntax_uid == (COMPRESSED_SYNTAXES[compression] if changes else PLAIN)
    assert read(small.content).file_meta.TransferSyntaxUID == small.transfer_syntax_uid
    assert read(small.content).SOPInstanceUID == made.identity.sop_instance_uid
    assert (read(small.content).pixel_array == read(made.content).pixel_array).all()
    assert same_content(small.content, made.content)
    assert same_content(made.content, small.content)


def test_deflated_objects_are_smaller() -> None:
    """That is what it is for."""
    made = artifact(PixelData=bytes(8 * 8 * 2))
    assert len(compressed(made, Compression.DEFLATED).content) < len(made.content)


def test_what_is_compressed_already_is_left() -> None:
    """A second time changes nothing."""
    small = compressed(byte_image(), Compression.RLE)
    assert compressed(small, Compression.RLE) is small


@pytest.mark.parametrize("compression", list(Compression))
def test_other_content_is_told_apart_in_every_encoding(compression: Compression) -> None:
    """One other pixel, one other attribute, no pixels, no DICOM."""
    made = byte_image()
    for change in ({"PixelData": bytes(64)}, {"SeriesDescription": "another"}):
        data_set = read(made.content)
        for keyword, value in change.items():
            setattr(data_set, keyword, value)
        buffer = BytesIO()
        data_set.save_as(buffer)
        assert not same_content(compressed(made, compression).content, buffer.getvalue())
    for other in (b"", b"no DICOM", made.content[:200], artifact(1).content):
        assert not same_content(other, compressed(made, compression).content)


def test_an_archive_may_hold_it_without_vrs() -> None:
    """Implicit VR makes OW of bytes that were OB (PS3.5 annex A.1); they are the same."""
    made = byte_image()
    data_set = read(made.content)
    data_set.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    buffer = BytesIO()
    dcmwrite(buffer, data_set, implicit_vr=True, little_endian=True)
    assert same_content(buffer.getvalue(), made.content)


@contextmanager
def archive(received: list[tuple[str, str]], syntaxes: list[str]) -> Iterator[Peer]:
    """Run an archive that takes MR images in given encodings, and notes the UID and encoding of each."""

    def take(event: evt.Event) -> int:
        received.append((event.request.AffectedSOPInstanceUID, event.context.transfer_syntax))
        return 0

    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context(MRImageStorage, syntaxes)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    try:
        yield Peer(AETitle("ARCHIVE"), "127.0.0.1", server.server_address[1], AETitle("NEURONOVA"), timeout_s=2)
    finally:
        server.shutdown()


@pytest.mark.parametrize("compression", [Compression.DEFLATED, Compression.RLE])
def test_the_archive_decides(compression: Compression) -> None:
    """Compressed where it accepts that, plain where it does not; both are proposed."""
    small = str(COMPRESSED_SYNTAXES[compression])
    sent = byte_image()
    for syntaxes, arrives in (([PLAIN, small], small), ([PLAIN], PLAIN)):
        received: list[tuple[str, str]] = []
        with archive(received, syntaxes) as peer:
            StoreSCUSink(peer, compression=compression).deliver([sent])
        assert received == [(sent.identity.sop_instance_uid, arrives)]


def test_a_folder_may_be_compressed(tmp_path: Path) -> None:
    """The same again changes nothing, and a plain file of before is no proof."""
    sent, folder = artifact(), FolderArchive(tmp_path, Compression.DEFLATED)
    FolderArchive(tmp_path).deliver([sent])
    with pytest.raises(NotCommitted):
        folder.confirm([sent])
    folder.deliver([sent])
    folder.confirm([sent])
    assert read(folder.path_of(sent).read_bytes()) == read(sent.content)
