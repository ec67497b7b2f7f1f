"""Patients of an Orthanc, by its REST API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from inference.domain.result import Subject
from inference.encoding.repair import parse_date
from inference.encoding.source import name_groups
from integrations.fhir import identifiers
from integrations.fhir.mapping import patient_of
from integrations.orthanc.rest import OrthancREST
from integrations.patients.source import SourcePatient

_AT_ONCE: Final = 100


class OrthancPatients:
    """The patients of an archive; an EMR knows them better, so the archive only fills gaps.

    Parameters
    ----------
    api
        Its REST API.
    systems
        FHIR system of PatientID by its issuer, as reports use it.
    """

    name = "orthanc"
    rules = False

    def __init__(self, api: OrthancREST, systems: Mapping[str, str] = identifiers.NO_SYSTEMS) -> None:
        self._api = api
        self._systems = systems

    def patients(self, since: str) -> Iterator[SourcePatient]:
        """Give the patients of whom something arrived at or after a time, by Orthanc's own clock.

        Raises
        ------
        PeerUnavailable, PeerRefused
        """
        start = 0
        while found := self._api.patients(start, _AT_ONCE):
            start += len(found)
            for patient in found:
                changed = str(patient.get("LastUpdate", ""))
                if changed >= since:
                    yield SourcePatient(self._resource(self._api.first_instance(patient)), changed)

    def _resource(self, header: Mapping[str, Any]) -> dict[str, Any] | None:
        subject = _subject(header)
        if not subject.patient_id:
            return None
        return patient_of(subject, identifiers.patient(subject, "", self._systems))


def _subject(header: Mapping[str, Any]) -> Subject:
    names = name_groups(_text(header, "PatientName"))
    born = parse_date(_text(header, "PatientBirthDate"))
    return Subject(
        patient_id=_text(header, "PatientID"),
        issuer=_text(header, "IssuerOfPatientID"),
        family_name=names[0].family if names else "",
        given_name=names[0].given if names else "",
        birth_date=born.isoformat() if born else "",
        sex=_text(header, "PatientSex"),
        names=names,
    )


def _text(header: Mapping[str, Any], keyword: str) -> str:
    value = header.get(keyword)
    return value.strip(" \0") if isinstance(value, str) else ""
