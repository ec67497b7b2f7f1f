"""A report as a FHIR R4 transaction: Patient, ImagingStudy, Device, Observations, DiagnosticReport and Provenance.

Every resource is created only if its identifier is not there yet: the same report again changes nothing, not even
what a person has meanwhile made of it (a ``preliminary`` report that was set to ``final`` stays final).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from inference.domain.codes import FHIR_SYSTEMS
from inference.domain.result import EvidenceObject, NameGroup, Report, SourceSeries, Subject
from integrations.fhir import identifiers, provenance
from integrations.fhir.diagnostic_report import diagnostic_report
from integrations.fhir.elements import moment, present
from integrations.fhir.links import Links
from integrations.fhir.observations import observations
from integrations.fhir.r4_guard import check_r4

_REPRESENTATION: Final = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
"""Says of a HumanName whether it is alphabetic, ideographic or phonetic."""

_GENDERS: Final = {"M": "male", "F": "female", "O": "other"}
_MODALITIES: Final = {"SEG": "SEG", "SR": "SR", "KOS": "KO"}
"""Modality of the objects of a result by their kind, as far as FHIR's value set has it; else OT, as for pictures."""
_MODALITY: Final = re.compile(r"[A-Z0-9]{2,16}")

Resource = dict[str, Any]


def report_bundle(
    report: Report, patient_systems: Mapping[str, str] = identifiers.NO_SYSTEMS, order: str | None = None
) -> Resource:
    """Map a report to a transaction Bundle (FHIR R4 section 3.1.0.11).

    Parameters
    ----------
    report
        What is reported.
    patient_systems
        FHIR system of PatientID by its issuer, ``""`` for no issuer, where the site has systems of its own.
    order
        Reference to the ServiceRequest that asked for the study; None where it is not known.

    Returns
    -------
    dict
        The Bundle as JSON; the same report gives the same one.

    Raises
    ------
    FHIRRejected
        If the report does not fit FHIR R4; the message says where, not what.
    """
    links = Links(report.report_uid)
    about = {"subject": links.to("patient"), "device": links.to("device"), "derivedFrom": [links.to("study")]}
    found = dict(observations(report, about))
    entries = [
        _entry(links, "patient", _patient(report, patient_systems)),
        _entry(links, "device", _device(report)),
        _entry(links, "study", _imaging_study(report, links)),
        *(_entry(links, name, observation) for name, observation in found.items()),
        _entry(links, "report", diagnostic_report(report, links, list(found), order)),
        provenance.made(report, links),
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    check_r4(bundle)
    return bundle


def _entry(links: Links, name: str, resource: Resource) -> Resource:
    """Create the resource unless its first identifier is there."""
    condition = identifiers.search(resource["identifier"][0])
    request = {"method": "POST", "url": resource["resourceType"], "ifNoneExist": condition}
    return {"fullUrl": links.url(name), "resource": resource, "request": request}


def _patient(report: Report, systems: Mapping[str, str]) -> Resource:
    subject = report.subject
    return patient_of(subject, identifiers.patient(subject, report.source.study_instance_uid, systems))


def patient_of(subject: Subject, identifier: Resource) -> Resource:
    """Map a patient to a Patient.

    Parameters
    ----------
    subject
        As the source names them.
    identifier
        Under which they are found again.
    """
    patient: Resource = {"resourceType": "Patient", "identifier": [identifier]}
    return patient | present(
        {
            "name": _names(subject) or None,
            "gender": _GENDERS.get(subject.sex),
            "birthDate": subject.birth_date,
        }
    )


def _names(subject: Subject) -> list[Resource]:
    """Give every component group of the name; which is which is said unless it is a single alphabetic one."""
    groups = subject.names or (NameGroup("ABC", subject.family_name, subject.given_name),)
    plain = [group.representation for group in groups] == ["ABC"]
    return [name for group in groups if (name := _name(group, says_how=not plain))]


def _name(group: NameGroup, *, says_how: bool) -> Resource:
    name = present(
        {
            "family": group.family,
            "given": [part for part in (group.given, group.middle) if part] or None,
            "prefix": [group.prefix] if group.prefix else None,
            "suffix": [group.suffix] if group.suffix else None,
        }
    )
    if name and says_how:
        return {"extension": [{"url": _REPRESENTATION, "valueCode": group.representation}], **name}
    return name


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


def _imaging_study(report: Report, links: Links) -> Resource:
    source = report.source
    analysed = [_source_series(series) for series in (source, *report.further_sources)]
    kinds = {series["modality"]["code"]: series["modality"] for series in analysed}
    study: Resource = {
        "resourceType": "ImagingStudy",
        "identifier": [identifiers.dicom_uid(source.study_instance_uid)],
        "status": "available",
        "modality": list(kinds.values()),
        "subject": links.to("patient"),
        "series": [*analysed, *_result_series(report.evidence)],
    }
    if source.accession_number:
        study["identifier"].append(identifiers.accession(source.accession_number))
    return study | present({"started": moment(source.started_at), "description": source.study_description})


def _source_series(source: SourceSeries) -> Resource:
    modality = source.modality if _MODALITY.fullmatch(source.modality) else "OT"
    return {
        "uid": source.series_instance_uid,
        "modality": _modality(modality),
        "numberOfInstances": len(source.instances),
    } | present({"description": source.series_description})


def _result_series(evidence: Iterable[EvidenceObject]) -> list[Resource]:
    series: dict[str, Resource] = {}
    for item in evidence:
        identity = item.identity
        modality = _modality(_MODALITIES.get(item.kind, "OT"))
        found = series.setdefault(
            identity.series_instance_uid,
            {
                "uid": identity.series_instance_uid,
                "modality": modality,
                "instance": [],
            },
        )
        sop_class = {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{identity.sop_class_uid}"}
        found["instance"].append({"uid": identity.sop_instance_uid, "sopClass": sop_class})
        found["numberOfInstances"] = len(found["instance"])
    return list(series.values())


def _modality(code: str) -> Resource:
    return {"system": FHIR_SYSTEMS["DCM"], "code": code}
