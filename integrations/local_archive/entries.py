"""What is kept in memory of a file: its identifiers, and the attributes by which studies and series are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from inference.charsets import settle
from inference.file_format import open_file

Attributes = Mapping[str, Mapping[str, Any]]
"""Elements in the DICOM JSON model (PS3.18 annex F), by eight hexadecimal digits."""

STUDY_KEYWORDS: Final = (
    *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyDescription", "PatientName"),
    *("PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID"),
)
SERIES_KEYWORDS: Final = (
    *("Modality", "SeriesDescription", "SeriesNumber", "SeriesInstanceUID", "SeriesDate", "SeriesTime"),
    *("BodyPartExamined", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime"),
)
INSTANCE_KEYWORDS: Final = (
    *("SOPClassUID", "SOPInstanceUID", "InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames"),
)
"""What is answered to a search on each level (PS3.18 section 10.6.3.3), whether or not it is asked for."""


def _tags(keywords: Sequence[str]) -> tuple[BaseTag, ...]:
    return tuple(Tag(keyword) for keyword in keywords)


_WANTED: Final = _tags((*STUDY_KEYWORDS, *SERIES_KEYWORDS, *INSTANCE_KEYWORDS, "SpecificCharacterSet"))


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive.

    Parameters
    ----------
    path
        Where it is.
    transfer_syntax_uid
        How it is encoded.
    study_uid, series_uid, instance_uid
        What it is.
    study, series, instance
        Attributes of each level; patient data: never log.
    """

    path: Path
    transfer_syntax_uid: str
    study_uid: str
    series_uid: str
    instance_uid: str
    study: Attributes
    series: Attributes
    instance: Attributes


def read_entry(path: Path, charset: str) -> Entry | None:
    """Read what is needed of a file's header; None where it cannot be read or lacks an identifier.

    Parameters
    ----------
    path
        A Part 10 file.
    charset
        Specific Character Set to assume where it names none.
    """
    try:
        with path.open("rb") as file:
            opened = open_file(file)
            data_set = opened.read(_WANTED)
        settle(data_set, charset)
        return _entry(path, opened.transfer_syntax_uid, data_set)
    except Exception:  # noqa: BLE001 - headers made by strangers raise many types; such a file is simply not shown
        return None


def _entry(path: Path, transfer_syntax_uid: str, data_set: Dataset) -> Entry | None:
    study_uid, series_uid, instance_uid = (
        str(data_set.get(f"{level}InstanceUID") or "") for level in ("Study", "Series", "SOP")
    )
    if not (study_uid and series_uid and instance_uid and data_set.get("SOPClassUID")):
        return None
    study, series, instance = (
        _attributes(data_set, keywords) for keywords in (STUDY_KEYWORDS, SERIES_KEYWORDS, INSTANCE_KEYWORDS)
    )
    return Entry(path, transfer_syntax_uid, study_uid, series_uid, instance_uid, study, series, instance)


def _attributes(data_set: Dataset, keywords: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    found = {}
    for tag in _tags(keywords):
        if tag in data_set:
            found[f"{tag:08X}"] = data_set[tag].to_json_dict(None, 1 << 20)
    return found
