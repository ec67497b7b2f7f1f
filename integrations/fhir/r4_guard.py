"""What the R4B classes let through and an R4 server refuses: required codes, reference targets, blind writes."""

from __future__ import annotations

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
    "Provenance.entity.role": frozenset({"derivation", "revision", "quotation", "source", "removal"}),
}
"""Elements with a required binding and the codes allowed (FHIR R4)."""

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
    "Provenance.agent.who": frozenset(
        {"Practitioner", "PractitionerRole", "RelatedPerson", "Patient", "Device", "Organization"}
    ),
}
"""Which types an element may refer to (FHIR R4); elements that may refer to any type are not listed."""

RESOURCES: Final = frozenset({"Patient", "ImagingStudy", "Device", "Observation", "DiagnosticReport", "Provenance"})
"""What a report is made of."""


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
        for path, value in _walk(resource, resource["resourceType"]):
            if path in REQUIRED_CODES and value not in REQUIRED_CODES[path]:
                yield f"Bundle.entry.{index}.{path} (unknown code)"
            if path.endswith(".reference"):
                target = kinds.get(value) or str(value).partition("/")[0]
                if target not in REFERENCE_TARGETS.get(path.removesuffix(".reference"), RESOURCES):
                    yield f"Bundle.entry.{index}.{path} (wrong target)"


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
