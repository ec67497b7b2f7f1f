"""Take over from a source what a result must carry, in a form that encoders and checkers accept.

Sources lie: Korean studies name a character set that highdicom refuses, attributes of type 2 are missing, dates are
not dates. A source is therefore decoded and repaired once, here, before anything is built from it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timezone, tzinfo
from typing import Final

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import BaseTag

from inference.domain.result import NameGroup, SourceSeries, Subject
from inference.domain.study import SeriesRevision
from inference.encoding.libraries import LIBRARY_ERRORS, silence
from inference.encoding.repair import parse_date, parse_offset, parse_time, repair

UTF8: Final = "ISO_IR 192"
"""The character set of everything the node writes."""

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
"""Attributes of the Patient and General Study modules that must be present, though they may be empty (PS3.3 C.7)."""

ENUMERATED: Final[Mapping[str, Collection[object]]] = {
    "PatientSex": ("M", "F", "O"),
    "PatientSexNeutered": ("ALTERED", "UNALTERED"),
    "SmokingStatus": ("YES", "NO", "UNKNOWN"),
    "PregnancyStatus": (1, 2, 3, 4),
    "QualityControlSubject": ("YES", "NO"),
    "PatientIdentityRemoved": ("YES", "NO"),
}
"""Enumerated values of the same modules; anything else is as good as absent (PS3.3 C.7.1.1, C.7.2.2)."""

_REPRESENTATIONS: Final = ("ABC", "IDE", "SYL")
_COMPONENTS: Final = 5
"""Family name, given name, middle name, prefix, suffix (PS3.5 section 6.2.1.1)."""

_IDENTITY: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_LEFT_OUT: Final = frozenset(
    tag_for_keyword(keyword)
    for keyword in ("SpecificCharacterSet", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
)


def normalise(data_set: Dataset) -> Dataset:
    """Copy a header, decoded to ``ISO_IR 192`` and repaired.

    Private and bulk elements and the functional groups of frames are left out, so are values that are empty or cannot
    be read; attributes of type 2 are present. Names and identifiers keep their text.

    Parameters
    ----------
    data_set
        Header of a source instance, as ``inference.headers`` reads it; not changed.
    """
    with silence():
        normal = _copy(data_set)
    normal.SpecificCharacterSet = UTF8
    for keyword, allowed in ENUMERATED.items():
        if normal.get(keyword) not in allowed and keyword in normal:
            del normal[keyword]
    for keyword in TYPE_2:
        if keyword not in normal or normal[keyword].value is None:
            setattr(normal, keyword, "")
    for keyword in _IDENTITY:
        if keyword in data_set:
            setattr(normal, keyword, data_set[keyword].value)
    return normal


def describe_subject(data_set: Dataset) -> Subject:
    """Say whom a series is about.

    Parameters
    ----------
    data_set
        A normalised header.
    """
    names = name_groups(str(data_set.PatientName))
    born = parse_date(str(data_set.PatientBirthDate))
    return Subject(
        patient_id=str(data_set.PatientID).strip(),
        issuer=str(data_set.get("IssuerOfPatientID") or "").strip(),
        family_name=names[0].family if names else "",
        given_name=names[0].given if names else "",
        birth_date=born.isoformat() if born else "",
        sex=str(data_set.PatientSex),
        names=names,
    )


def describe_series(series: SeriesRevision, data_set: Dataset, site: tzinfo = UTC) -> SourceSeries:
    """Say what was analysed, as a report cites it.

    Parameters
    ----------
    series
        The source.
    data_set
        A normalised header of it.
    site
        Zone of its times, where it does not say.
    """
    return SourceSeries(
        study_instance_uid=series.study_instance_uid,
        series_instance_uid=series.series_instance_uid,
        accession_number=str(data_set.AccessionNumber).strip(),
        study_id=str(data_set.StudyID).strip(),
        study_description=str(data_set.get("StudyDescription") or ""),
        series_description=str(data_set.get("SeriesDescription") or ""),
        modality=str(data_set.get("Modality") or ""),
        started_at=_started_at(data_set, site),
        instances=tuple(instance.identity for instance in series.instances),
    )


def zone_of(data_set: Dataset) -> timezone | None:
    """Give the zone in which the source's dates and times are, None where it does not say (PS3.3 C.12.1.1.8)."""
    return parse_offset(str(data_set.get("TimezoneOffsetFromUTC") or ""))


def _started_at(data_set: Dataset, site: tzinfo) -> datetime | None:
    day = parse_date(str(data_set.StudyDate))
    if day is None:
        return None
    moment = parse_time(str(data_set.StudyTime)) or datetime.min.time()
    return datetime.combine(day, moment, zone_of(data_set) or site)


def name_groups(name: str) -> tuple[NameGroup, ...]:
    """Split a name into its component groups: alphabetic, ideographic, phonetic; what is beyond them is none.

    Parameters
    ----------
    name
        A value of VR PN (PS3.5 section 6.2.1), decoded.
    """
    return tuple(
        NameGroup(representation, *(part.strip() for part in group.split("^")[:_COMPONENTS]))
        for representation, group in zip(_REPRESENTATIONS, name.split("="), strict=False)
        if group.strip("^ ")
    )


def _copy(data_set: Dataset) -> Dataset:
    copied = Dataset()
    for tag in sorted(data_set.keys()):
        element = None if _left_out(tag) else _read(data_set, tag)
        if element is None:
            continue
        if element.VR == "SQ":
            items = [item for item in (_copy(item) for item in element.value or ()) if len(item)]
            repaired = DataElement(tag, "SQ", DicomSequence(items)) if items else None
        else:
            repaired = repair(element)
        if repaired is not None and not repaired.is_empty:
            copied.add(repaired)
    return copied


def _left_out(tag: BaseTag) -> bool:
    return tag.is_private or tag.element == 0 or tag in _LEFT_OUT or tag.group in (0x0002, 0x7FE0, 0xFFFC)


def _read(data_set: Dataset, tag: BaseTag) -> DataElement | None:
    try:
        return data_set[tag]
    except LIBRARY_ERRORS:
        return None
