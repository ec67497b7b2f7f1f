"""Under which identifiers things are found again, so that storing a report twice changes nothing."""

from __future__ import annotations

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
IDENTIFIER_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"


def dicom_uid(uid: str) -> dict[str, Any]:
    """Give the identifier that is a DICOM UID."""
    return {"system": DICOM_UID_SYSTEM, "value": f"urn:oid:{uid}"}


def patient(subject: Subject, study_instance_uid: str) -> dict[str, Any]:
    """Give the patient's identifier; without a PatientID one that holds for this study only."""
    if not subject.patient_id:
        return {"system": STUDY_PATIENT_SYSTEM, "value": f"urn:oid:{study_instance_uid}"}
    issuer = f":{quote(subject.issuer, safe='')}" if subject.issuer else ""
    return {
        "type": {"coding": [{"system": IDENTIFIER_TYPES, "code": "MR"}]},
        "system": f"{PATIENT_ID_SYSTEM}{issuer}",
        "value": subject.patient_id,
    }


def accession(number: str) -> dict[str, Any]:
    """Give the accession number, typed ``ACSN``; it has no system, since the source does not name one."""
    return {"type": {"coding": [{"system": IDENTIFIER_TYPES, "code": "ACSN"}]}, "value": number}


def model(report: Report) -> dict[str, Any]:
    """Give the identifier of the model, exactly."""
    reference = report.model
    return {"system": MODEL_SYSTEM, "value": f"{reference.model_id}/{reference.version}/{reference.digest}"}


def of_report(report: Report, name: str) -> dict[str, Any]:
    """Give the identifier of an Observation by its name in its report, which is a tracking UID where it has one."""
    return {"system": OBSERVATION_SYSTEM, "value": f"{report.report_uid}/{name}"}


def search(identifier: dict[str, Any]) -> str:
    """Write the search for an identifier, escaped (FHIR R4 section 3.1.1.4.3) and percent-encoded."""
    escaped = identifier["value"]
    for character in "\\|,$":
        escaped = escaped.replace(character, f"\\{character}")
    token = f"{identifier['system']}|{escaped}"
    return f"identifier={quote(token, safe='')}"
