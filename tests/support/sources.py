"""Sources with the defects that real ones have, as options for ``tests.support.synthetic_series``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian
from pydicom.valuerep import PersonName

from tests.support.synthetic_series import SeriesOptions

HANGUL_NAME: Final = "Hong^Gildong=洪^吉洞=홍^길동"
EUC_KR_NAME: Final = "홍^길동".encode("euc_kr")

TYPE_2: Final = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)


def korean(data_set: Dataset, _index: int) -> None:
    """Name the usual Korean character set, which highdicom refuses."""
    data_set.SpecificCharacterSet = ["", "ISO 2022 IR 149"]
    data_set.PatientName = HANGUL_NAME
    data_set.StudyDescription = "뇌 검사"


def nameless_charset(data_set: Dataset, _index: int) -> None:
    """Hold raw EUC-KR bytes and name no character set."""
    del data_set.SpecificCharacterSet
    data_set.PatientName = PersonName(EUC_KR_NAME)
    data_set.add_new(0x00081030, "LO", "뇌 검사".encode("euc_kr"))


def no_frame_of_reference(data_set: Dataset, _index: int) -> None:
    """Lack the frame of reference."""
    del data_set.FrameOfReferenceUID
    del data_set.PositionReferenceIndicator


def defects(data_set: Dataset, _index: int) -> None:
    """Hold values that break their VR or their enumeration, and private elements."""
    referenced = Dataset()
    referenced.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    referenced.ReferencedSOPInstanceUID = "1.2.03.4"
    data_set.ReferencedStudySequence = DicomSequence([referenced])
    data_set.ProcedureCodeSequence = DicomSequence([Dataset()])
    for tag, vr, value in (
        (0x00080030, "TM", "25:00:00"),
        (0x00081030, "LO", "x" * 80),
        (0x00091001, "LO", "private"),
        (0x00100030, "DA", "19991350"),
        (0x00100040, "CS", "m"),
        (0x00101010, "AS", "45"),
        (0x00101030, "DS", "70.12345678901234567"),
        (0x001021C0, "US", 9),
    ):
        data_set.add_new(tag, vr, value)


def backslashes(data_set: Dataset, _index: int) -> None:
    """Have backslashes in free text, which makes several values of it."""
    data_set.StudyDescription = ["Head", "Neck"]
    data_set.PatientName = ["Doe^Jane", "Roe"]


def frame_of_reference_with_leading_zero(data_set: Dataset, _index: int) -> None:
    """Name a frame of reference that breaks the grammar of UIDs (PS3.5 section 9.1)."""
    data_set.FrameOfReferenceUID = "1.2.03.4"


def seoul_time(data_set: Dataset, _index: int) -> None:
    """Give the time zone."""
    data_set.TimezoneOffsetFromUTC = "+0900"


VARIANTS: Final[Mapping[str, SeriesOptions]] = {
    "plain": SeriesOptions(),
    "korean": SeriesOptions(edit=korean),
    "no character set, EUC-KR": SeriesOptions(edit=nameless_charset),
    "missing type 2": SeriesOptions(header=dict.fromkeys(TYPE_2)),
    "no frame of reference": SeriesOptions(edit=no_frame_of_reference),
    "implicit VR": SeriesOptions(transfer_syntax_uid=ImplicitVRLittleEndian),
    "broken values": SeriesOptions(edit=defects),
    "time zone": SeriesOptions(edit=seoul_time),
    "one slice missing": SeriesOptions(omit=frozenset({2})),
    "over-long description": SeriesOptions(header={"SeriesDescription": "d" * 64, "PatientAge": "045Y"}),
    "over-long identifiers": SeriesOptions(header={"AccessionNumber": "A" * 20, "StudyID": "S" * 20}),
    "backslashes": SeriesOptions(edit=backslashes),
    "frame of reference with leading zero": SeriesOptions(edit=frame_of_reference_with_leading_zero),
    "CT": SeriesOptions(sop_class_uid=CTImageStorage, header={"Modality": "CT"}),
}
"""What every encoder must take."""
