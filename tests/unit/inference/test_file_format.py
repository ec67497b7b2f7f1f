"""Files with and without preamble and File Meta are read for what they are."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from inference.file_format import open_file
from tests.support.synthetic_series import encode


def written(syntax: str) -> bytes:
    """Write a small object with preamble and File Meta."""
    data_set = Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.2.3"
    data_set.PatientID, data_set.Rows, data_set.BitsAllocated = "P1", 4, 8
    data_set.PixelData = bytes(16)
    data_set["PixelData"].VR = "OB"
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    encode(data_set, syntax)
    buffer = BytesIO()
    data_set.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


SYNTAXES = {
    ExplicitVRLittleEndian: (False, True),
    ImplicitVRLittleEndian: (True, True),
    ExplicitVRBigEndian: (False, False),
    DeflatedExplicitVRLittleEndian: (False, True),
}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_file_meta_says_how_the_data_set_is_encoded(syntax: str) -> None:
    """All of it is read but the pixels, and the stream is left where these begin."""
    opened = open_file(BytesIO(written(syntax)))
    assert (opened.transfer_syntax_uid, opened.encoding) == (syntax, SYNTAXES[syntax])
    data_set = opened.read()
    assert (data_set.PatientID, data_set.Rows) == ("P1", 4)
    assert "PixelData" not in data_set
    assert opened.stream.read(4) in {b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10"}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_bare_data_set_is_looked_at(syntax: str) -> None:
    """Without File Meta the first element tells how it is encoded."""
    content = written(syntax)
    bare = content[open_file(BytesIO(content)).begins_at :]
    opened = open_file(BytesIO(bare))
    assert (opened.transfer_syntax_uid, opened.begins_at, opened.encoding) == ("", 0, SYNTAXES[syntax])
    assert opened.read().PatientID == "P1"


def test_file_meta_without_a_preamble_counts() -> None:
    """Some tools leave the first 132 bytes out."""
    opened = open_file(BytesIO(written(DeflatedExplicitVRLittleEndian)[132:]))
    assert opened.transfer_syntax_uid == DeflatedExplicitVRLittleEndian
    assert opened.read().PatientID == "P1"


def test_a_preamble_without_file_meta_is_passed_over() -> None:
    """The data set follows at once."""
    content = written(ExplicitVRLittleEndian)
    bare = content[open_file(BytesIO(content)).begins_at :]
    opened = open_file(BytesIO(content[:132] + bare))
    assert (opened.transfer_syntax_uid, opened.begins_at) == ("", 132)
    assert opened.read().PatientID == "P1"


def test_compressed_and_private_encodings_have_their_data_set_in_a_known_one() -> None:
    """Explicit little endian for all that compress pixels; GE's private big endian one is implicit there."""
    meta = written(ExplicitVRLittleEndian)
    opened = open_file(BytesIO(meta))
    assert replace(opened, transfer_syntax_uid=JPEG2000).encoding == (False, True)
    assert replace(opened, transfer_syntax_uid="1.2.840.113619.5.2").encoding == (False, True)


def test_only_what_is_wanted_is_kept() -> None:
    """A list of identifiers needs no more."""
    data_set = open_file(BytesIO(written(ImplicitVRLittleEndian))).read([Tag("PatientID")])
    assert "PatientID" in data_set
    assert "Rows" not in data_set


@pytest.mark.parametrize("content", [b"", b"DICM", bytes(131), b"\x02\x00"])
def test_what_is_no_file_at_all_has_nothing_in_it(content: bytes) -> None:
    """Or is unreadable, which is for the caller to say."""
    opened = open_file(BytesIO(content))
    assert opened.transfer_syntax_uid == ""
