"""Bad input over C-STORE: the right status, nothing outside the spool, and the next good object is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ImplicitVRLittleEndian, MRImageStorage

from tests.support.arrivals import small_bytes, small_instance
from tests.support.raw_scu import encoded, raw_scu
from tests.support.receiving import Receiving, receiving

SOP_INSTANCE = str(small_instance().SOPInstanceUID)


@dataclass(frozen=True)
class Attack:
    """One bad C-STORE request on an Explicit VR Little Endian context.

    Parameters
    ----------
    data_set
        The bytes.
    status
        What must be answered.
    sop_instance
        Affected SOP Instance UID of the command.
    """

    data_set: bytes
    status: int
    sop_instance: str = SOP_INSTANCE


def altered(change: Callable[[Dataset], object]) -> bytes:
    """Encode the small instance after a change."""
    data_set = small_instance()
    change(data_set)
    return encoded(data_set)


def traversal(keyword: str) -> bytes:
    """Put a path where a UID belongs."""
    return altered(lambda data_set: setattr(data_set, keyword, "../../../../escaped"))


def deep(levels: int) -> bytes:
    """Nest sequences of undefined length, on top of a good instance."""
    opening = b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00" + b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    return small_bytes() + opening * levels + closing * levels


ATTACKS = {
    "text file": Attack(b"Patient notes, plain text, renamed to .dcm\n" * 20, 0xC000),
    "two bytes": Attack(b"\x08\x00", 0xC000),
    "whole Part 10 file as data set": Attack(b"\x00" * 128 + b"DICM" + small_bytes(), 0xC000),
    "truncated in the pixel data": Attack(small_bytes()[:-40], 0xC000),
    "truncated in the header": Attack(small_bytes()[:200], 0xC000),
    "truncated in an element's header": Attack(small_bytes()[:-132], 0xC000),
    "element that claims 4 GiB": Attack(small_bytes()[:-132] + b"\xe0\x7f\x10\x00OW\x00\x00\xfe\xff\xff\xff", 0xC000),
    "implicit bytes on an explicit context": Attack(encoded(small_instance(), implicit=True) + b"\x00", 0xC000),
    "path as study UID": Attack(traversal("StudyInstanceUID"), 0xC000),
    "path as series UID": Attack(traversal("SeriesInstanceUID"), 0xC000),
    "path as instance UID": Attack(traversal("SOPInstanceUID"), 0xC000, "../../../../escaped"),
    "path as instance UID of the command": Attack(small_bytes(), 0xA900, "../../../../escaped"),
    "absolute path as study UID": Attack(altered(lambda ds: setattr(ds, "StudyInstanceUID", "/tmp/escaped")), 0xC000),
    "no study UID": Attack(altered(lambda ds: delattr(ds, "StudyInstanceUID")), 0xC000),
    "empty series UID": Attack(altered(lambda ds: setattr(ds, "SeriesInstanceUID", "")), 0xC000),
    "UID of 65 characters": Attack(altered(lambda ds: setattr(ds, "StudyInstanceUID", "1." + "2" * 63)), 0xC000),
    "another instance than announced": Attack(small_bytes(1), 0xA900),
    "another class than announced": Attack(
        altered(lambda ds: setattr(ds, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.2")), 0xA900
    ),
    "twenty thousand nested sequences": Attack(deep(20_000), 0xC000),
}

HARMLESS = {
    "no pixel data": altered(lambda ds: delattr(ds, "PixelData")),
    "a hundred thousand characters as name": altered(lambda ds: setattr(ds, "PatientID", "X" * 60_000)),
    "unknown character set": altered(lambda ds: setattr(ds, "SpecificCharacterSet", "ISO_IR 999")),
    "a date that is none": altered(lambda ds: setattr(ds, "StudyDate", "2026-13-99")),
    "an empty sequence": altered(lambda ds: setattr(ds, "RequestAttributesSequence", DicomSequence())),
}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Receiving]:
    """Run a receiver whose spool lies deep in an otherwise empty folder."""
    with receiving(tmp_path / "a" / "b" / "c" / "d" / "spool") as running:
        yield running


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_bad_objects_are_refused_and_disturb_nobody(node: Receiving, tmp_path: Path, attack: Attack) -> None:
    """The right status; no file anywhere, no row; and a good object over the same association is taken."""
    with raw_scu(node.port) as scu:
        response = scu.store(attack.data_set, MRImageStorage, attack.sop_instance)
        assert response.Status == attack.status
        assert response.ErrorComment
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        assert node.index.rows == {}
        assert scu.store(small_bytes(), MRImageStorage, SOP_INSTANCE).Status == 0x0000
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == node.files()
    assert len(files) == 1


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("data_set", HARMLESS.values(), ids=HARMLESS)
def test_odd_objects_are_taken(node: Receiving, data_set: bytes) -> None:
    """What is only odd is kept as it came; selection and volume building will name what is wrong with it."""
    with raw_scu(node.port) as scu:
        assert scu.store(data_set, MRImageStorage, SOP_INSTANCE).Status == 0x0000
    assert len(node.digests()) == 1


def test_identifiers_never_get_into_an_error_comment(node: Receiving) -> None:
    """The comment goes over the network and into the sender's log: no received value is in it."""
    secret = altered(lambda ds: setattr(ds, "StudyInstanceUID", "Doe^Jane"))
    with raw_scu(node.port) as scu:
        comment = scu.store(secret, MRImageStorage, SOP_INSTANCE).ErrorComment
    assert "Doe" not in comment
    assert len(comment) <= 64


def test_bytes_in_another_encoding_than_negotiated(node: Receiving) -> None:
    """An implicit context with explicit bytes is refused or read rightly, never read as rubbish."""
    with raw_scu(node.port, syntaxes=[ImplicitVRLittleEndian]) as scu:
        status = scu.store(small_bytes(), MRImageStorage, SOP_INSTANCE, ImplicitVRLittleEndian).Status
    assert (status, len(node.digests())) in {(0xC000, 0), (0x0000, 1)}
