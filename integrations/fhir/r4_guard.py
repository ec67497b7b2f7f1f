"""What the R4B classes let through and an R4 server refuses: required codes, reference targets, blind writes."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from inference.errors import FHIRRejected

_PUBLICATION: Final = frozenset(
    [
        "registered",
        "partial",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "appended",
        "cancelled",
        "entered-in-error",
        "unknown",
    ]
)

REQUIRED_CODES: Final[Mapping[str, frozenset[str]]] = {
    "Patient.gender": frozenset({"male", "female", "other", "unknown"}),
    "ImagingStudy.status": frozenset({"registered", "available", "cancelled", "entered-in-error", "unknown"}),
    "Device.status": frozenset({"active", "inactive", "entered-in-error", "unknown"}),
    "Device.deviceName.type": frozenset(
        {
            "udi-label-name",
            "user-friendly-name",
            "patient-reported-name",
            "manufacturer-name",
            "model-name",
            "other",
        }
    ),
    "Observation.status": _PUBLICATION - {"partial", "appended"},
    "DiagnosticReport.status": _PUBLICATION,
    "DiagnosticReport.presentedForm.contentType": frozenset({"text/html", "application/pdf"}),
    "Provenance.entity.role": frozenset({"derivation", "revision", "quotation", "source", "removal"}),
}
"""Elements with a required binding and the codes allowed (FHIR R4); of media types those that we write."""

_PEOPLE: Final = frozenset({"Practitioner", "PractitionerRole", "Organization", "CareTeam"})

REFERENCE_TARGETS: Final[Mapping[str, frozenset[str]]] = {
    "ImagingStudy.subject": frozenset({"Patient", "Device", "Group"}),
    "Observation.subject": frozenset({"Patient", "Group", "Device", "Location"}),
    "Observation.device": frozenset({"Device", "DeviceMetric"}),
    "Observation.derivedFrom": frozenset(
        {
            "DocumentReference",
            "ImagingStudy",
            "Media",
            "QuestionnaireResponse",
            "Observation",
            "MolecularSequence",
        }
    ),
    "DiagnosticReport.subject": frozenset({"Patient", "Group", "Device", "Location"}),
    "DiagnosticReport.imagingStudy": frozenset({"ImagingStudy"}),
    "DiagnosticReport.result": frozenset({"Observation"}),
    "DiagnosticReport.basedOn": frozenset(
        {"CarePlan", "ImmunizationRecommendation", "MedicationRequest", "NutritionOrder", "ServiceRequest"}
    ),
    "DiagnosticReport.performer": _PEOPLE,
    "DiagnosticReport.resultsInterpreter": _PEOPLE,
    "Observation.bodySite.extension.valueReference": frozenset({"BodyStructure"}),
    "Observation.contained.patient": frozenset({"Patient"}),
    "Provenance.agent.who": frozenset(
        {"Practitioner", "PractitionerRole", "RelatedPerson", "Patient", "Device", "Organization"}
    ),
}
"""Which types an element may refer to (FHIR R4); elements that may refer to any type are not listed."""

RESOURCES: Final = frozenset(
    {"Patient", "ImagingStudy", "Device", "Observation", "DiagnosticReport", "Provenance", "Practitioner"}
)
"""What a report and its review are made of."""

_PLACE: Final = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]{1,64})?$")


def check_r4(bundle: dict[str, Any]) -> None:
    """Check a transaction against the R4B classes and against what these do not know.

    Parameters
    ----------
    bundle
        A transaction Bundle as JSON.

    Raises
    ------
    FHIRRejected
        With the paths that are wrong; values may be patient data and are not told.
    """
    faults = [*_class_faults(bundle)]
    if not faults:
        faults = [*_bundle_faults(bundle), *_resource_faults(bundle)]
    if faults:
        raise FHIRRejected(f"the report does not fit FHIR R4: {'; '.join(faults)}")


def _class_faults(bundle: dict[str, Any]) -> Iterator[str]:
    from fhir.resources.R4B.bundle import Bundle
    from pydantic import ValidationError

    try:
        Bundle.model_validate(bundle)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_context=False, include_url=False):
            yield f"{'.'.join(map(str, fault['loc']))} ({fault['type']})"


def _bundle_faults(bundle: dict[str, Any]) -> Iterator[str]:
    if bundle["type"] != "transaction":
        yield "Bundle.type"
    addresses = [entry.get("fullUrl") for entry in bundle["entry"]]
    if len(set(addresses)) != len(addresses) or None in addresses:
        yield "Bundle.entry.fullUrl"
    for index, entry in enumerate(bundle["entry"]):
        kind, request = entry["resource"]["resourceType"], entry["request"]
        if kind not in RESOURCES:
            yield f"Bundle.entry.{index}.resource ({kind})"
        created = request["method"] == "POST" and request["url"] == kind and request.get("ifNoneExist")
        updated = request["method"] == "PUT" and request["url"].startswith((f"{kind}/", f"{kind}?"))
        if not (created or updated):
            yield f"Bundle.entry.{index}.request (not conditional)"


def _resource_faults(bundle: dict[str, Any]) -> Iterator[str]:
    kinds = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in bundle["entry"]}
    for index, entry in enumerate(bundle["entry"]):
        resource = entry["resource"]
        inner = {f"#{one.get('id')}": one["resourceType"] for one in resource.get("contained", [])}
        for path, value in _walk(resource, resource["resourceType"]):
            if path in REQUIRED_CODES and value not in REQUIRED_CODES[path]:
                yield f"Bundle.entry.{index}.{path} (unknown code)"
            if path.endswith(".reference") and not _may_refer(path, str(value), kinds | inner):
                yield f"Bundle.entry.{index}.{path} (wrong target)"
        yield from (f"Bundle.entry.{index}.{fault}" for fault in _content_faults(resource))


def _may_refer(path: str, address: str, kinds: Mapping[str, str]) -> bool:
    """Tell whether an element may refer to what lies at an address; an address that leads nowhere never may."""
    place = _PLACE.search(address)
    target = kinds.get(address) or (place[1] if place else None)
    allowed = REFERENCE_TARGETS.get(path.removesuffix(".reference"))
    return target is not None and (allowed is None or target in allowed)


def _content_faults(resource: dict[str, Any]) -> Iterator[str]:
    """Check documents against their size and SHA-1, and that a usual range has a limit (obs-3)."""
    for form in resource.get("presentedForm", []):
        if "data" in form:
            content = base64.b64decode(form["data"])
            digest = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()
            if (form.get("size"), form.get("hash")) != (len(content), digest):
                yield "DiagnosticReport.presentedForm (size or hash)"
    for usual in resource.get("referenceRange", []):
        if not {"low", "high", "text"} & set(usual):
            yield "Observation.referenceRange (no limit)"


def _walk(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Yield every leaf with its path; list positions are not part of the path."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _walk(child, f"{path}.{name}")
    elif isinstance(value, list):
        for child in value:
            yield from _walk(child, path)
    else:
        yield path, value
