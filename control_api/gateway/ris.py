"""Searches of the archive in plain JSON, for programs that do not speak DICOM: asked as QIDO-RS, answered by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from pydicom.datadict import tag_for_keyword

from control_api.gateway.passing import MEBIBYTE, configured
from control_api.gateway.ports import Gateway
from inference.domain.identifiers import UID
from integrations.dicomweb.resources import Resource, Service
from integrations.upstream.exchange import Call, Trouble, UpstreamTrouble

LONGEST_RESULT: Final = 64 * MEBIBYTE
MOST_STUDIES_OF_PATIENTS: Final = 1000
"""QIDO-RS knows no patients: they are gathered from as many studies."""

STUDY_FIELDS: Final[Mapping[str, str]] = {
    "study_uid": "StudyInstanceUID",
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "patient_birth_date": "PatientBirthDate",
    "patient_sex": "PatientSex",
    "accession_number": "AccessionNumber",
    "study_date": "StudyDate",
    "study_time": "StudyTime",
    "study_description": "StudyDescription",
    "modalities": "ModalitiesInStudy",
    "series_count": "NumberOfStudyRelatedSeries",
    "instance_count": "NumberOfStudyRelatedInstances",
}
SERIES_FIELDS: Final[Mapping[str, str]] = {
    "series_uid": "SeriesInstanceUID",
    "modality": "Modality",
    "series_number": "SeriesNumber",
    "series_description": "SeriesDescription",
    "body_part": "BodyPartExamined",
    "instance_count": "NumberOfSeriesRelatedInstances",
}
INSTANCE_FIELDS: Final[Mapping[str, str]] = {
    "instance_uid": "SOPInstanceUID",
    "sop_class_uid": "SOPClassUID",
    "instance_number": "InstanceNumber",
    "rows": "Rows",
    "columns": "Columns",
    "frames": "NumberOfFrames",
}
_LISTS: Final = frozenset({"modalities"})

SEARCHED: Final[Mapping[str, str]] = {
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "accession_number": "AccessionNumber",
    "study_description": "StudyDescription",
    "modality": "ModalitiesInStudy",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Parameters
    ----------
    rows
        Entries, with the names of this module.
    next_offset
        Where the next part begins; None at the end.
    """

    rows: Sequence[Mapping[str, Any]]
    next_offset: int | None


def studies(gateway: Gateway, **query: Any) -> Page:
    """Search studies.

    Parameters
    ----------
    gateway
        The servers.
    query
        As ``RISQuerySchema`` reads it.

    Raises
    ------
    Refusal, UpstreamTrouble
        If there is no archive, or it does not answer as one.
    """
    limit, offset = query["limit"], query["offset"]
    asked = {**_matching(query), **_fields(STUDY_FIELDS), "limit": str(limit + 1), "offset": str(offset)}
    rows = list(_search(gateway, Resource(Service.STUDIES), asked, STUDY_FIELDS))
    return Page(rows[:limit], offset + limit if len(rows) > limit else None)


def series(gateway: Gateway, study_uid: UID) -> Page:
    """List the series of a study; raises as ``studies`` does."""
    resource = Resource(Service.SERIES, study_uid)
    return Page(list(_search(gateway, resource, _fields(SERIES_FIELDS), SERIES_FIELDS)), None)


def instances(gateway: Gateway, study_uid: UID, series_uid: UID) -> Page:
    """List the instances of a series; raises as ``studies`` does."""
    resource = Resource(Service.INSTANCES, study_uid, series_uid)
    return Page(list(_search(gateway, resource, _fields(INSTANCE_FIELDS), INSTANCE_FIELDS)), None)


def patients(gateway: Gateway, **query: Any) -> Page:
    """Gather patients from the studies that match; raises as ``studies`` does."""
    limit, offset = query["limit"], query["offset"]
    asked = {**_matching(query), **_fields(STUDY_FIELDS), "limit": str(MOST_STUDIES_OF_PATIENTS)}
    found: dict[str, dict[str, Any]] = {}
    for study in _search(gateway, Resource(Service.STUDIES), asked, STUDY_FIELDS):
        patient = found.setdefault(study["patient_id"], _patient(study))
        patient["study_count"] += 1
        patient["last_study_date"] = max(patient["last_study_date"], study["study_date"])
    rows = sorted(found.values(), key=lambda row: str(row["patient_id"]))
    return Page(rows[offset : offset + limit], offset + limit if len(rows) > offset + limit else None)


def _patient(study: Mapping[str, Any]) -> dict[str, Any]:
    names = ("patient_id", "patient_name", "patient_birth_date", "patient_sex")
    return {**{name: study[name] for name in names}, "study_count": 0, "last_study_date": ""}


def _matching(query: Mapping[str, Any]) -> dict[str, str]:
    """Give what is matched; a name or a description by its beginning."""
    wanted = {keyword: query[name] for name, keyword in SEARCHED.items() if query.get(name)}
    for keyword in ("PatientName", "StudyDescription"):
        if keyword in wanted and "*" not in wanted[keyword]:
            wanted[keyword] += "*"
    first, last = query.get("from_date"), query.get("to_date")
    if first or last:
        wanted["StudyDate"] = "-".join(day.strftime("%Y%m%d") if day else "" for day in (first, last))
    return wanted


def _fields(fields: Mapping[str, str]) -> dict[str, str]:
    return {"includefield": ",".join(fields.values())}


def _search(
    gateway: Gateway, resource: Resource, asked: Mapping[str, str], fields: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    server = configured(gateway.archive)
    query = urlencode(asked, safe=",*")
    answer = server.send(Call("GET", resource.path, query, {"accept": "application/dicom+json"}))
    try:
        body = answer.read(LONGEST_RESULT)
        rows = json.loads(body or b"[]") if answer.status < 300 else []
        return iter([{name: _value(row, name, keyword) for name, keyword in fields.items()} for row in rows])
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        raise UpstreamTrouble(server.name, Trouble.FAILED) from error


def _value(row: Mapping[str, Any], name: str, keyword: str) -> Any:
    """Read an element of the DICOM JSON model (PS3.18 annex F); what is absent is an empty text, list or None."""
    element = row.get(f"{tag_for_keyword(keyword):08X}", {})
    values = [_plain(value) for value in element.get("Value", [])]
    if name in _LISTS:
        return [value for value in values if value]
    if keyword.startswith("Number") or keyword in {"SeriesNumber", "InstanceNumber", "Rows", "Columns"}:
        return int(values[0]) if values else None
    return str(values[0]) if values and values[0] is not None else ""


def _plain(value: Any) -> Any:
    """Give the groups of a name that are there, the first one first."""
    if not isinstance(value, Mapping):
        return value
    return "=".join(str(value[group]) for group in ("Alphabetic", "Ideographic", "Phonetic") if value.get(group))
