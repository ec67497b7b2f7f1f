"""A report as a FHIR R4 transaction: Patient, ImagingStudy, Device, Observations, DiagnosticReport and Provenance.

Every resource is created only if its identifier is not there yet: the same report again changes nothing, not even
what a person has meanwhile made of it (a ``preliminary`` report that was set to ``final`` stays final).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import datetime, time
from typing import Any, Final

from inference.domain.codes import FHIR_SYSTEMS, Code
from inference.domain.result import EvidenceObject, Measurement, Report
from integrations.fhir import identifiers
from integrations.fhir.r4_guard import check_r4

NOTICE: Final = "Research use only. Not for diagnosis. Automatic result, not reviewed by a person."
"""Opens every conclusion."""

_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"
_RADIOLOGY: Final = (
    {"system": FHIR_SYSTEMS["LN"], "code": "LP29684-5", "display": "Radiology"},
    {"system": f"{_TERMINOLOGY}/v2-0074", "code": "RAD", "display": "Radiology"},
)
_GENDERS: Final = {"M": "male", "F": "female", "O": "other"}
_MODALITY: Final = re.compile(r"[A-Z0-9]{2,16}")

Resource = dict[str, Any]


def report_bundle(report: Report) -> Resource:
    """Map a report to a transaction Bundle (FHIR R4 section 3.1.0.11).

    Parameters
    ----------
    report
        What is reported.

    Returns
    -------
    dict
        The Bundle as JSON; the same report gives the same one.

    Raises
    ------
    FHIRRejected
        If the report does not fit FHIR R4; the message says where, not what.
    """
    links = _Links(report)
    observations = [
        _entry(links, f"observation-{position}", _observation(report, measurement, position, links))
        for position, measurement in enumerate(report.measurements)
    ]
    entries = [
        _entry(links, "patient", _patient(report)),
        _entry(links, "device", _device(report)),
        _entry(links, "study", _imaging_study(report, links)),
        *observations,
        _entry(links, "report", _diagnostic_report(report, links)),
        _provenance_entry(report, links),
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    check_r4(bundle)
    return bundle


class _Links:
    """The temporary addresses by which the entries refer to each other; the same for the same report."""

    def __init__(self, report: Report) -> None:
        self._report_uid = report.report_uid

    def url(self, name: str) -> str:
        """Give the bundle-internal address of a resource (``Bundle.entry.fullUrl``)."""
        return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{self._report_uid} {name}')}"

    def to(self, name: str) -> Resource:
        """Give a reference to a resource of the bundle."""
        return {"reference": self.url(name)}


def _entry(links: _Links, name: str, resource: Resource) -> Resource:
    """Create the resource unless its first identifier is there."""
    condition = identifiers.search(resource["identifier"][0])
    request = {"method": "POST", "url": resource["resourceType"], "ifNoneExist": condition}
    return {"fullUrl": links.url(name), "resource": resource, "request": request}


def _patient(report: Report) -> Resource:
    subject = report.subject
    patient: Resource = {
        "resourceType": "Patient",
        "identifier": [identifiers.patient(subject, report.source.study_instance_uid)],
    }
    name = _present({"family": subject.family_name, "given": [subject.given_name] if subject.given_name else None})
    return patient | _present(
        {
            "name": [name] if name else None,
            "gender": _GENDERS.get(subject.sex),
            "birthDate": subject.birth_date,
        }
    )


def _device(report: Report) -> Resource:
    """Describe the model as the device that made the report."""
    model = report.model
    return {
        "resourceType": "Device",
        "identifier": [
            identifiers.model(report),
            {"system": identifiers.MODEL_DIGEST_SYSTEM, "value": model.digest},
        ],
        "status": "active",
        "manufacturer": report.manufacturer,
        "deviceName": [
            {"name": report.model_title, "type": "user-friendly-name"},
            {"name": model.model_id, "type": "model-name"},
        ],
        "type": {"text": "Image analysis software"},
        "version": [{"value": model.version}],
        "note": [{"text": report.intended_use}],
    }


def _imaging_study(report: Report, links: _Links) -> Resource:
    source = report.source
    modality = source.modality if _MODALITY.fullmatch(source.modality) else "OT"
    analysed = {
        "uid": source.series_instance_uid,
        "modality": _modality(modality),
        "numberOfInstances": len(source.instances),
    } | _present({"description": source.series_description})
    study: Resource = {
        "resourceType": "ImagingStudy",
        "identifier": [identifiers.dicom_uid(source.study_instance_uid)],
        "status": "available",
        "modality": [_modality(modality)],
        "subject": links.to("patient"),
        "series": [analysed, *_result_series(report.evidence)],
    }
    if source.accession_number:
        study["identifier"].append(identifiers.accession(source.accession_number))
    return study | _present({"started": _moment(source.started_at), "description": source.study_description})


def _result_series(evidence: Iterable[EvidenceObject]) -> list[Resource]:
    series: dict[str, Resource] = {}
    for item in evidence:
        identity = item.identity
        found = series.setdefault(
            identity.series_instance_uid,
            {"uid": identity.series_instance_uid, "modality": _modality(item.kind), "instance": []},
        )
        sop_class = {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{identity.sop_class_uid}"}
        found["instance"].append({"uid": identity.sop_instance_uid, "sopClass": sop_class})
        found["numberOfInstances"] = len(found["instance"])
    return list(series.values())


def _observation(report: Report, measurement: Measurement, position: int, links: _Links) -> Resource:
    known_as = [identifiers.observation(report, measurement, position)]
    if measurement.tracking_uid:
        known_as.append(identifiers.dicom_uid(measurement.tracking_uid))
    observation: Resource = {
        "resourceType": "Observation",
        "identifier": known_as,
        "status": "preliminary",
        "category": [{"coding": [{"system": f"{_TERMINOLOGY}/observation-category", "code": "imaging"}]}],
        "code": _concept(measurement.quantity, f"{measurement.label}: {measurement.quantity.meaning}"),
        "subject": links.to("patient"),
        "issued": report.produced_at.isoformat(),
        "valueQuantity": {
            "value": round(measurement.value, 4),
            "unit": measurement.unit.meaning,
            "system": FHIR_SYSTEMS["UCUM"],
            "code": measurement.unit.value,
        },
        "bodySite": _concept(measurement.finding, measurement.label),
        "method": {"text": f"{report.model_title} {report.model.version}"},
        "device": links.to("device"),
        "derivedFrom": [links.to("study")],
    }
    return observation | _present({"effectiveDateTime": _moment(report.source.started_at)})


def _diagnostic_report(report: Report, links: _Links) -> Resource:
    diagnostic: Resource = {
        "resourceType": "DiagnosticReport",
        "identifier": [identifiers.dicom_uid(report.report_uid)],
        "status": "preliminary",
        "category": [{"coding": [coding]} for coding in _RADIOLOGY],
        "code": _concept(report.procedure, report.procedure.meaning),
        "subject": links.to("patient"),
        "issued": report.produced_at.isoformat(),
        "imagingStudy": [links.to("study")],
        "conclusion": _conclusion(report),
    }
    results = [links.to(f"observation-{position}") for position in range(len(report.measurements))]
    return diagnostic | _present({"effectiveDateTime": _moment(report.source.started_at), "result": results})


def _conclusion(report: Report) -> str:
    """Say what this is, what was looked for in vain, and what a reader should know."""
    lines = [NOTICE, f"Measured by {report.model_title} {report.model.version} ({report.manufacturer})."]
    if report.absent:
        lines.append(f"Looked for and not found: {', '.join(report.absent)}.")
    if report.warnings:
        lines.append(f"Note: {'; '.join(report.warnings)}.")
    return " ".join(lines)


def _provenance_entry(report: Report, links: _Links) -> Resource:
    """Say what made the report and its DICOM objects, and from what.

    FHIR R4 gives a Provenance no identifier to search for, so it is written under an id of our making, derived from
    the report: "update as create" (FHIR R4 section 3.1.0.4.1).
    """
    objects = [
        {"identifier": identifiers.dicom_uid(item.identity.sop_instance_uid), "display": f"DICOM {item.kind}"}
        for item in report.evidence
    ]
    source_series = {
        "identifier": identifiers.dicom_uid(report.source.series_instance_uid),
        "display": "DICOM series",
    }
    made_by = {"coding": [{"system": f"{_TERMINOLOGY}/provenance-participant-type", "code": "performer"}]}
    provenance_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{report.report_uid} provenance"))
    provenance = {
        "resourceType": "Provenance",
        "id": provenance_id,
        "target": [links.to("report"), *objects],
        "recorded": report.produced_at.isoformat(),
        "agent": [{"type": made_by, "who": links.to("device")}],
        "entity": [
            {"role": "source", "what": links.to("study")},
            {"role": "source", "what": source_series},
        ],
    }
    request = {"method": "PUT", "url": f"Provenance/{provenance_id}"}
    return {"fullUrl": links.url("provenance"), "resource": provenance, "request": request}


def _concept(code: Code, text: str) -> Resource:
    system = FHIR_SYSTEMS.get(code.scheme)
    coding = {"code": code.value, "display": code.meaning} | ({"system": system} if system else {})
    return {"coding": [coding], "text": text}


def _modality(code: str) -> Resource:
    return {"system": FHIR_SYSTEMS["DCM"], "code": code}


def _moment(moment: datetime | None) -> str | None:
    """Write a study's start; exact midnight means that the source gives no time, so only the date is said."""
    if moment is None:
        return None
    return moment.date().isoformat() if moment.time() == time.min else moment.isoformat()


def _present(elements: Resource) -> Resource:
    """Leave out what is empty: FHIR has no empty strings or lists (FHIR R4 section 2.6.2)."""
    return {name: value for name, value in elements.items() if value}
