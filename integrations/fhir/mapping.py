"""A report as a FHIR R4 transaction: Patient, ImagingStudy, Device, Observations, DiagnosticReport and Provenance.

Every resource is created only if its identifier is not there yet: the same report again changes nothing, not even
what a person has meanwhile made of it (a ``preliminary`` report that was set to ``final`` stays final).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final

from inference.domain.codes import FHIR_SYSTEMS, NEOPLASM, Code
from inference.domain.result import EvidenceObject, Finding, NameGroup, Report, SourceSeries, Subject, TumorDetection
from integrations.fhir import identifiers
from integrations.fhir.elements import TERMINOLOGY, concept, moment, present
from integrations.fhir.observations import observations
from integrations.fhir.r4_guard import check_r4

NOTICE: Final = "Research use only. Not for diagnosis. Automatic result, not reviewed by a person."
"""Opens every conclusion."""

_RADIOLOGY: Final = (
    {"system": FHIR_SYSTEMS["LN"], "code": "LP29684-5", "display": "Radiology"},
    {"system": f"{TERMINOLOGY}/v2-0074", "code": "RAD", "display": "Radiology"},
)
_REPRESENTATION: Final = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
"""Says of a HumanName whether it is alphabetic, ideographic or phonetic."""

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
    about = {"subject": links.to("patient"), "device": links.to("device"), "derivedFrom": [links.to("study")]}
    found = dict(observations(report, about))
    entries = [
        _entry(links, "patient", _patient(report)),
        _entry(links, "device", _device(report)),
        _entry(links, "study", _imaging_study(report, links)),
        *(_entry(links, name, observation) for name, observation in found.items()),
        _entry(links, "report", _diagnostic_report(report, links, list(found))),
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


def _imaging_study(report: Report, links: _Links) -> Resource:
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
        found = series.setdefault(
            identity.series_instance_uid,
            {"uid": identity.series_instance_uid, "modality": _modality(item.kind), "instance": []},
        )
        sop_class = {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{identity.sop_class_uid}"}
        found["instance"].append({"uid": identity.sop_instance_uid, "sopClass": sop_class})
        found["numberOfInstances"] = len(found["instance"])
    return list(series.values())


def _diagnostic_report(report: Report, links: _Links, results: Sequence[str]) -> Resource:
    diagnostic: Resource = {
        "resourceType": "DiagnosticReport",
        "identifier": [identifiers.dicom_uid(report.report_uid)],
        "status": "preliminary",
        "category": [{"coding": [coding]} for coding in _RADIOLOGY],
        "code": concept(report.procedure, report.procedure.meaning),
        "subject": links.to("patient"),
        "issued": report.produced_at.isoformat(),
        "imagingStudy": [links.to("study")],
        "conclusion": _conclusion(report),
    }
    return diagnostic | present(
        {
            "effectiveDateTime": moment(report.source.started_at),
            "result": [links.to(name) for name in results],
            "conclusionCode": _conclusion_codes(report),
        }
    )


def _conclusion(report: Report) -> str:
    """Say what this is, what was found, what was looked for in vain, and what a reader should know."""
    lines = [NOTICE, f"Measured by {report.model_title} {report.model.version} ({report.manufacturer})."]
    if report.tumor is not None:
        lines.append(_tumor_sentence(report.tumor))
    lines += [_finding_sentence(finding) for finding in report.findings]
    if report.absent:
        lines.append(f"Looked for and not found: {', '.join(report.absent)}.")
    if report.warnings:
        lines.append(f"Note: {'; '.join(report.warnings)}.")
    return " ".join(lines)


def _tumor_sentence(tumor: TumorDetection) -> str:
    if not tumor.tumor_detected:
        return f"No tumour found ({_probability(tumor.confidence)})."
    return f"Tumour found: {tumor.volume_ml:.1f} mL, {_probability(tumor.confidence)}."


def _finding_sentence(finding: Finding) -> str:
    known = "" if finding.probability is None else f", {_probability(finding.probability)}"
    return f"{finding.tracking_id}: {'present' if finding.present else 'absent'}{known}."


def _probability(probability: float) -> str:
    return f"probability {round(100 * probability, 1):g} %"


def _conclusion_codes(report: Report) -> list[Resource]:
    """Code what was found, each once; a model that looks for findings and has none says so in words."""
    found: dict[Code, str] = {}
    if report.tumor is not None and report.tumor.tumor_detected:
        found[NEOPLASM] = "Tumour"
    for finding in report.findings:
        if finding.present:
            found.setdefault(finding.label.type, finding.label.name)
    if not found and (report.tumor is not None or report.findings):
        return [{"text": "No finding"}]
    return [concept(code, name) for code, name in found.items()]


def _provenance_entry(report: Report, links: _Links) -> Resource:
    """Say what made the report and its DICOM objects, and from what.

    FHIR R4 gives a Provenance no identifier to search for, so it is written under an id of our making, derived from
    the report: "update as create" (FHIR R4 section 3.1.0.4.1).
    """
    objects = [
        {"identifier": identifiers.dicom_uid(item.identity.sop_instance_uid), "display": f"DICOM {item.kind}"}
        for item in report.evidence
    ]
    source_series = [
        {
            "role": "source",
            "what": {"identifier": identifiers.dicom_uid(series.series_instance_uid), "display": "DICOM series"},
        }
        for series in (report.source, *report.further_sources)
    ]
    made_by = {"coding": [{"system": f"{TERMINOLOGY}/provenance-participant-type", "code": "performer"}]}
    provenance_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{report.report_uid} provenance"))
    provenance = {
        "resourceType": "Provenance",
        "id": provenance_id,
        "target": [links.to("report"), *objects],
        "recorded": report.produced_at.isoformat(),
        "agent": [{"type": made_by, "who": links.to("device")}],
        "entity": [{"role": "source", "what": links.to("study")}, *source_series],
    }
    request = {"method": "PUT", "url": f"Provenance/{provenance_id}"}
    return {"fullUrl": links.url("provenance"), "resource": provenance, "request": request}


def _modality(code: str) -> Resource:
    return {"system": FHIR_SYSTEMS["DCM"], "code": code}
