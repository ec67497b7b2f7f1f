"""Reading what the node must know of an instance from its data set, without trusting any of it."""

from __future__ import annotations

from io import BytesIO
from typing import BinaryIO, Final, cast

import pydicom.uid
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator, read_dataset
from pydicom.tag import BaseTag, Tag

from inference.charsets import settle
from inference.deflate import InflatedStream
from inference.domain.arrival import ArrivalHeader
from inference.domain.charsets import LATIN_1
from inference.domain.identifiers import UID
from inference.domain.study import InstanceIdentity
from inference.domain.transfer_syntaxes import DEFLATED
from inference.errors import InstanceUnreadable, SOPClassMismatch
from inference.file_format import counted

MOST_INFLATED_BYTES: Final = 2**29
"""Most bytes that a deflated data set may stand for here, where others wait for the answer: half a second's work."""

_IDENTIFIERS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_WANTED: Final = (
    *_IDENTIFIERS,
    "SpecificCharacterSet",
    "PatientID",
    "PatientName",
    "AccessionNumber",
    "StudyDate",
    "StudyDescription",
    "Modality",
    "SeriesDescription",
    "NumberOfTemporalPositions",
    "ImagesInAcquisition",
    "InConcatenationTotalNumber",
)
_WANTED_TAGS: Final = [Tag(keyword) for keyword in _WANTED]
_LAST_WANTED: Final = max(_WANTED_TAGS)


def read_arrival(
    data_set: bytes, transfer_syntax_uid: UID, charset: str = LATIN_1
) -> tuple[InstanceIdentity, ArrivalHeader]:
    """Parse the identifiers and the few facts that lists and assembly need.

    Parameters
    ----------
    data_set
        The encoded data set as received, without File Meta.
    transfer_syntax_uid
        Its encoding, as negotiated.
    charset
        Specific Character Set to assume where it names none.

    Returns
    -------
    identity : InstanceIdentity
    header : ArrivalHeader
        Patient data: for the database, never for a log.

    Raises
    ------
    InstanceUnreadable
        If the bytes are not one whole data set (cut short, wrongly framed), or a mandatory identifier is missing or
        breaks the UID grammar (PS3.5 section 9.1). pydicom alone reads wrongly framed bytes without a complaint.
    """
    syntax = pydicom.uid.UID(transfer_syntax_uid)
    try:
        check_framing(_open(data_set, transfer_syntax_uid), syntax)
        parsed = read_dataset(
            _open(data_set, transfer_syntax_uid),
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            stop_when=_after_last_wanted,
            specific_tags=_WANTED_TAGS,
        )
        settle(parsed, charset)
        return _identity(parsed), _header(parsed)
    except InstanceUnreadable:
        raise
    except Exception as error:
        raise InstanceUnreadable(f"the data set cannot be parsed ({type(error).__name__})") from error


def check_command(identity: InstanceIdentity, sop_class_uid: str, sop_instance_uid: str) -> None:
    """Compare a data set with the command that announced it (PS3.4 section B.2.3, status A900).

    Parameters
    ----------
    identity
        What the data set says.
    sop_class_uid, sop_instance_uid
        Affected SOP Class UID (0000,0002) and Affected SOP Instance UID (0000,1000).

    Raises
    ------
    SOPClassMismatch
        If either differs.
    """
    if identity.sop_class_uid != sop_class_uid:
        raise SOPClassMismatch("the data set has another SOP Class UID than the command")
    if identity.sop_instance_uid != sop_instance_uid:
        raise SOPClassMismatch("the data set has another SOP Instance UID than the command")


def _after_last_wanted(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return bool(tag > _LAST_WANTED)


def _open(data_set: bytes, transfer_syntax_uid: UID) -> BinaryIO:
    """Give the data set as a stream of elements; a deflated one is inflated as it is read, and so far only."""
    stream: BinaryIO = BytesIO(data_set)
    if transfer_syntax_uid == DEFLATED:
        stream = cast("BinaryIO", InflatedStream(stream, MOST_INFLATED_BYTES))
    return counted(stream, len(data_set))


def check_framing(stream: BinaryIO, syntax: pydicom.uid.UID) -> None:
    """Walk all elements; the last one must end exactly where the bytes end.

    Parameters
    ----------
    stream
        An encoded data set, at its beginning.
    syntax
        Its transfer syntax.

    Raises
    ------
    InstanceUnreadable
        If it does not end there.
    """
    end = 0
    # With defer_size 0 values are skipped, not read, so a value cut short puts the position behind the end.
    elements = data_element_generator(stream, syntax.is_implicit_VR, syntax.is_little_endian, defer_size=0)
    for _element in elements:
        end = stream.tell()
    stream.seek(max(0, end - 1))
    if end == 0 or len(stream.read(2)) != 1:
        raise InstanceUnreadable("the data set is cut short or wrongly framed")


def _identity(parsed: Dataset) -> InstanceIdentity:
    try:
        study, series, instance, sop_class = (UID(_text(parsed, keyword, 65)) for keyword in _IDENTIFIERS)
    except ValueError as error:
        raise InstanceUnreadable("a mandatory identifier is missing or not a valid UID") from error
    return InstanceIdentity(study, series, instance, sop_class)


def _header(parsed: Dataset) -> ArrivalHeader:
    """Gather the facts, cut to what the database can hold (``integrations/persistence/tables.py``)."""
    return ArrivalHeader(
        patient_id=_text(parsed, "PatientID", 255),
        patient_name=_text(parsed, "PatientName", 255),
        accession_number=_text(parsed, "AccessionNumber", 64),
        study_date=_text(parsed, "StudyDate", 32),
        study_description=_text(parsed, "StudyDescription", 255),
        modality=_text(parsed, "Modality", 16),
        series_description=_text(parsed, "SeriesDescription", 255),
        promised_instances=_promise(parsed),
    )


def _promise(parsed: Dataset) -> int | None:
    """Give the number of instances that the header promises for its series, where it promises any.

    A concatenation names its parts (PS3.3 section C.7.6.16.2.2.4). Images in Acquisition (section C.7.6.1) speaks
    of one acquisition, so it says nothing about a series with several temporal positions, and 1 says nothing at all.
    """
    parts = _number(parsed, "InConcatenationTotalNumber")
    if parts is not None:
        return parts
    if (_number(parsed, "NumberOfTemporalPositions") or 1) > 1:
        return None
    images = _number(parsed, "ImagesInAcquisition")
    return images if images is not None and images > 1 else None


def _number(parsed: Dataset, keyword: str) -> int | None:
    text = _text(parsed, keyword, 12)
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) <= 1_000_000 else None


def _text(parsed: Dataset, keyword: str, limit: int) -> str:
    """Give a value as text that any database takes: no NUL, no lone surrogate, no outer blanks, cut to a length."""
    element = parsed.get(keyword)
    text = "" if element is None else str(element)
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "").strip()[:limit]
