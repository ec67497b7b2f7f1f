"""Under which identifiers things are found again, so that storing a report twice changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from inference.domain.result import Report, Subject

DICOM_UID_SYSTEM: Final = "urn:dicom:uid"
"""System of identifiers that are DICOM UIDs; their values are ``urn:oid:`` and the UID (FHIR R4 ImagingStudy)."""
PATIENT_ID_SYSTEM: Final = "urn:neuronova:patient-id"
"""System of PatientID; the issuer, where the source names one, is appended: a number means a patient only there."""
STUDY_PATIENT_SYSTEM: Final = "urn:neuronova:patient-of-study"
"""System of a patient whom the source does not identify: known only as the patient of one study."""
MODEL_SYSTEM: Final = "urn:neuronova:model"
MODEL_DIGEST_SYSTEM: Final = "urn:neuronova:model-digest"
OBSERVATION_SYSTEM: Final = "urn:neuronova:observation"
LINEAGE_SYSTEM: Final = "urn:neuronova:lineage"
"""System of what all reports of one model on one series share."""
USER_SYSTEM: Final = "urn:neuronova:user"
"""System of the accounts of the people who review."""
NO_SYSTEMS: Final[Mapping[str, str]] = MappingProxyType({})
IDENTIFIER_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"


def dicom_uid(uid: str) -> dict[str, Any]:
    """Give the identifier that is a DICOM UID."""
    return {"system": DICOM_UID_SYSTEM, "value": f"urn:oid:{uid}"}


def patient(subject: Subject, study_instance_uid: str, systems: Mapping[str, str] = NO_SYSTEMS) -> dict[str, Any]:
    """Give the patient's identifier; without a PatientID one that holds for this study only.

    Parameters
    ----------
    subject
        The patient.
    study_instance_uid
        The study.
    systems
        FHIR system by IssuerOfPatientID, ``""`` for no issuer, where the site has systems of its own.
    """
    if not subject.patient_id:
        return {"system": STUDY_PATIENT_SYSTEM, "value": f"urn:oid:{study_instance_uid}"}
    issuer = f":{quote(subject.issuer, safe='')}" if subject.issuer else ""
    system = systems.get(subject.issuer, f"{PATIENT_ID_SYSTEM}{issuer}")
    return {
        "type": {"coding": [{"system": IDENTIFIER_TYPES, "code": "MR"}]},
        "system": system,
        "value": subject.patient_id,
    }


def accession(number: str) -> dict[str, Any]:
    """Give the accession number, typed ``ACSN``; it has no system, since the source does not name one."""
    return {"type": {"coding": [{"system": IDENTIFIER_TYPES, "code": "ACSN"}]}, "value": number}


def model(report: Report) -> dict[str, Any]:
    """Give the identifier of the model, exactly."""
    reference = report.model
    return {"system": MODEL_SYSTEM, "value": f"{reference.model_id}/{reference.version}/{reference.digest}"}


def of_diagnostic_report(report: Report) -> list[dict[str, Any]]:
    """Give the identifiers of a DiagnosticReport: its own, valid since its run was ordered, and its lineage's."""
    own = dicom_uid(report.report_uid) | {"period": {"start": report.succession.isoformat()}}
    return [own] if report.lineage_uid is None else [own, lineage(report.lineage_uid)]


def lineage(uid: str) -> dict[str, Any]:
    """Give the identifier that a report shares with those it replaces and those that replace it."""
    return {"system": LINEAGE_SYSTEM, "value": uid}


def user(name: str) -> dict[str, Any]:
    """Give the identifier of a person who reviews."""
    return {"system": USER_SYSTEM, "value": name}


def of_report(report: Report, name: str) -> dict[str, Any]:
    """Give the identifier of an Observation by its name in its report (``integrations.standing``)."""
    return {"system": OBSERVATION_SYSTEM, "value": f"{report.report_uid}/{name}"}


def search(*identifiers: dict[str, Any]) -> str:
    """Write the search for any of some identifiers, escaped (FHIR R4 section 3.1.1.4.3) and percent-encoded."""
    tokens = (f"{one['system']}|{escape(one['value'])}" for one in identifiers)
    return f"identifier={quote(','.join(tokens), safe='')}"


def escape(value: str) -> str:
    """Escape the characters that mean something in a search (FHIR R4 section 3.1.1.4.3)."""
    for character in "\\|,$":
        value = value.replace(character, f"\\{character}")
    return value
