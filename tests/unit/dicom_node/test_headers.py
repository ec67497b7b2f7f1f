"""What is read of an arriving instance, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from dicom_node.headers import check_command, read_arrival
from inference.domain.identifiers import UID
from inference.errors import InstanceUnreadable, SOPClassMismatch
from tests.support.arrivals import SYNTAX, identity_of, small_bytes, small_instance
from tests.support.raw_scu import encoded

IMPLICIT = UID(ImplicitVRLittleEndian)


def changed(**attributes: Any) -> Dataset:
    """Give a small instance with attributes changed; None removes one."""
    data_set = small_instance()
    for keyword, value in attributes.items():
        if value is None:
            delattr(data_set, keyword)
        else:
            setattr(data_set, keyword, value)
    return data_set


@pytest.mark.parametrize(("syntax", "implicit"), [(SYNTAX, False), (IMPLICIT, True)])
def test_identifiers_and_facts(syntax: UID, implicit: bool) -> None:
    """Identifiers and the facts for lists are read in both little-endian encodings."""
    data_set = small_instance()
    identity, header = read_arrival(encoded(data_set, implicit), syntax)
    assert identity == identity_of(data_set)
    assert (header.patient_id, header.patient_name) == ("TEST-1", "Phantom^Test")
    assert (header.modality, header.series_description, header.study_date) == ("MR", "t1_mprage_sag", "20260102")
    assert header.promised_instances is None


def test_character_sets_are_decoded() -> None:
    """A Korean name arrives as text, not as bytes of its character set."""
    data_set = changed(SpecificCharacterSet=["", "ISO 2022 IR 149"])
    data_set.PatientName = "Hong^Gildong=洪^吉洞=홍^길동"
    _, header = read_arrival(encoded(data_set), SYNTAX)
    assert header.patient_name == "Hong^Gildong=洪^吉洞=홍^길동"


@pytest.mark.parametrize(
    ("attributes", "promised"),
    [
        ({"ImagesInAcquisition": 192}, 192),
        ({"ImagesInAcquisition": 1}, None),
        ({"ImagesInAcquisition": 30, "NumberOfTemporalPositions": 10}, None),
        ({"ImagesInAcquisition": 30, "NumberOfTemporalPositions": 1}, 30),
        ({"InConcatenationTotalNumber": 3}, 3),
        ({}, None),
    ],
)
def test_promises(attributes: dict[str, int], promised: int | None) -> None:
    """A promise is taken only where the header speaks of the whole series."""
    _, header = read_arrival(encoded(changed(**attributes)), SYNTAX)
    assert header.promised_instances == promised


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
@pytest.mark.parametrize("value", [None, "", "../../etc/evil", "1.2.03", "1." + "2" * 63, ["1.2.3", "1.2.4"]])
def test_identifiers_must_obey_the_grammar(keyword: str, value: Any) -> None:
    """A missing, empty, multiple, malformed or hostile identifier is refused (PS3.5 section 9.1)."""
    with pytest.raises(InstanceUnreadable):
        read_arrival(encoded(changed(**{keyword: value})), SYNTAX)


@pytest.mark.parametrize("cut", [1, 7, 8, 100])
def test_a_truncated_data_set_is_refused(cut: int) -> None:
    """Bytes that end inside an element are no data set, however small the loss."""
    with pytest.raises(InstanceUnreadable):
        read_arrival(small_bytes()[:-cut], SYNTAX)


@pytest.mark.parametrize("data_set", [b"", b"\x00" * 6, b"This is a text file and no DICOM.\n" * 40])
def test_bytes_that_are_no_data_set_are_refused(data_set: bytes) -> None:
    """Pydicom parses rubbish without complaint; the framing check does not."""
    with pytest.raises(InstanceUnreadable):
        read_arrival(data_set, SYNTAX)


def test_a_wrongly_declared_encoding_is_refused() -> None:
    """Little-endian bytes on a big-endian context cannot be understood."""
    with pytest.raises(InstanceUnreadable):
        read_arrival(small_bytes(), UID(ExplicitVRBigEndian))


def test_texts_fit_any_database() -> None:
    """Over-long values are cut to the columns, and NULs do not get in."""
    _, header = read_arrival(encoded(changed(PatientID="X" * 300 + "\x00")), SYNTAX)
    assert header.patient_id == "X" * 255


@given(st.binary(max_size=400), st.sampled_from([SYNTAX, IMPLICIT, UID(ExplicitVRBigEndian)]))
def test_no_bytes_raise_anything_else(data_set: bytes, syntax: UID) -> None:
    """Whatever is sent ends in identifiers or in InstanceUnreadable."""
    try:
        read_arrival(data_set, syntax)
    except InstanceUnreadable:
        return


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_no_damage_raises_anything_else(position: int, damage: bytes) -> None:
    """The same holds for a good data set with damaged bytes."""
    good = small_bytes()
    try:
        read_arrival(good[:position] + damage + good[position + len(damage) :], SYNTAX)
    except InstanceUnreadable:
        return


def test_the_command_must_agree() -> None:
    """The data set must be the one that the command announced (PS3.4 section B.2.3)."""
    identity = identity_of(small_instance())
    check_command(identity, identity.sop_class_uid, identity.sop_instance_uid)
    with pytest.raises(SOPClassMismatch):
        check_command(identity, "1.2.840.10008.5.1.4.1.1.2", identity.sop_instance_uid)
    with pytest.raises(SOPClassMismatch):
        check_command(identity, identity.sop_class_uid, "1.2.3")
