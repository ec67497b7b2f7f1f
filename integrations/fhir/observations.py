"""Measurements and findings as FHIR R4 Observations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from inference.domain.codes import (
    ABSENT,
    FHIR_SYSTEMS,
    FINDING,
    MILLILITRE,
    MILLIMETRE,
    NEOPLASM,
    PERCENT,
    PRESENT,
    PROBABILITY,
    VOLUME,
    Code,
)
from inference.domain.phrases import sided
from inference.domain.result import Finding, Measurement, Report, TumorDetection
from integrations import report_text
from integrations.fhir import identifiers
from integrations.fhir.elements import TERMINOLOGY, concept, moment, present
from integrations.standing import measurement_name

Resource = dict[str, Any]

_BODY_STRUCTURE: Final = "http://hl7.org/fhir/StructureDefinition/bodySite"

LOCATION: Final = tuple(
    Code(f"location-{axis}", "99NEURONOVA", f"Location {axis}, towards {direction}")
    for axis, direction in (("x", "the patient's left"), ("y", "the back"), ("z", "the head"))
)
"""Patient coordinates of the middle (PS3.3 section C.7.6.2.1.1); FHIR R4 has no element for them."""


def observations(report: Report, links: Resource) -> Iterator[tuple[str, Resource]]:
    """Give the Observations of a report, each with a name that is its own within the report.

    The answer of a tumour job first, then what was classified or detected, then the measurements.

    Parameters
    ----------
    report
        What is reported.
    links
        References to patient, device and study: the elements that all Observations have.
    """
    shared = _shared(report) | links
    if report.tumor is not None:
        yield "tumor", _tumor(report, report.tumor) | shared
    for position, finding in enumerate(report.findings):
        yield f"finding-{position}", _finding(report, finding, links["subject"]) | shared
    for position, measurement in enumerate(report.measurements):
        known_as = _known_as(report, measurement, position)
        yield f"observation-{position}", _measurement(measurement, links["subject"]) | known_as | shared


def _shared(report: Report) -> Resource:
    return {
        "resourceType": "Observation",
        "status": "preliminary",
        "category": [{"coding": [{"system": f"{TERMINOLOGY}/observation-category", "code": "imaging"}]}],
        "issued": report.produced_at.isoformat(),
        "method": {"text": f"{report.model_title} {report.model.version}"},
    } | present({"effectiveDateTime": moment(report.source.started_at)})


def _tumor(report: Report, tumor: TumorDetection) -> Resource:
    """Say whether there is a tumour, how sure that is, how large and where."""
    components = [_component(PROBABILITY, 100 * tumor.confidence, PERCENT)]
    if tumor.tumor_detected:
        components.append(_component(VOLUME, tumor.volume_ml, MILLILITRE))
    return {
        "identifier": [identifiers.of_report(report, "tumor")],
        "code": concept(NEOPLASM, "Tumour"),
        "valueCodeableConcept": _presence(tumor.tumor_detected),
        "bodySite": concept(report.region, report.region.meaning),
        "component": [*components, *_location(tumor.location_lps_mm)],
    }


def _finding(report: Report, finding: Finding, subject: Resource) -> Resource:
    probability, label = finding.probability, finding.label
    components = [] if probability is None else [_component(PROBABILITY, 100 * probability, PERCENT)]
    where = None if finding.place is None else finding.place.centre_lps_mm
    site = label.site(report.region)
    return {
        "identifier": [
            identifiers.of_report(report, finding.tracking_uid),
            identifiers.dicom_uid(finding.tracking_uid),
        ],
        "code": concept(label.type, label.name),
        "valueCodeableConcept": _presence(finding.present),
        **_at(site, sided(site.meaning, label.laterality), label.laterality, subject),
    } | present({"component": [*components, *_location(where)]})


def _known_as(report: Report, measurement: Measurement, position: int) -> Resource:
    known_as = [identifiers.of_report(report, measurement_name(measurement, position))]
    if measurement.tracking_uid:
        known_as.append(identifiers.dicom_uid(measurement.tracking_uid))
    return {"identifier": known_as}


def _measurement(measurement: Measurement, subject: Resource) -> Resource:
    """Give a number; what it was measured of is its site or, of what is no structure itself, a component."""
    side, site = measurement.laterality, measurement.site
    code = concept(measurement.quantity, f"{measurement.sided_name}: {measurement.quantity.meaning}")
    observation = {"code": code, "valueQuantity": _quantity(measurement.value, measurement.unit)}
    finding = concept(measurement.finding, measurement.label)
    if site is None:
        where = _at(measurement.finding, measurement.sided_name, side, subject)
    else:
        what = {"code": concept(FINDING, FINDING.meaning), "valueCodeableConcept": finding}
        where = _at(site, sided(site.meaning, side), side, subject) | {"component": [what]}
    return observation | where | _usual(measurement)


def _at(site: Code, name: str, side: Code | None, subject: Resource) -> Resource:
    """Say where something is, and on which side.

    An Observation of FHIR R4 has no element for the side: a contained BodyStructure says it, named by the extension
    that R4 has for this.
    """
    if side is None:
        return {"bodySite": concept(site, name)}
    structure = {
        "resourceType": "BodyStructure",
        "id": "site",
        "location": concept(site, site.meaning),
        "locationQualifier": [concept(side, side.meaning)],
        "patient": subject,
    }
    where = {"extension": [{"url": _BODY_STRUCTURE, "valueReference": {"reference": "#site"}}]}
    return {"contained": [structure], "bodySite": where | concept(site, name)}


def _usual(measurement: Measurement) -> Resource:
    """Give the usual range and where the value lies; nothing where the model states none."""
    usual = measurement.reference_range
    if usual is None:
        return {}
    low, high = (_quantity(limit, measurement.unit) for limit in usual)
    meaning = {"system": f"{TERMINOLOGY}/referencerange-meaning", "code": "normal", "display": "Normal Range"}
    code, display = report_text.interpretation(measurement.value, usual)
    where = {"system": f"{TERMINOLOGY}/v3-ObservationInterpretation", "code": code, "display": display}
    return {
        "interpretation": [{"coding": [where], "text": display}],
        "referenceRange": [{"low": low, "high": high, "type": {"coding": [meaning]}}],
    }


def _presence(found: bool) -> Resource:
    code = PRESENT if found else ABSENT
    return concept(code, code.meaning)


def _location(lps_mm: tuple[float, float, float] | None) -> list[Resource]:
    if lps_mm is None:
        return []
    return [_component(axis, value, MILLIMETRE) for axis, value in zip(LOCATION, lps_mm, strict=True)]


def _component(what: Code, value: float, unit: Code) -> Resource:
    return {"code": concept(what, what.meaning), "valueQuantity": _quantity(value, unit)}


def _quantity(value: float, unit: Code) -> Resource:
    return {
        "value": round(value, 4),
        "unit": unit.meaning,
        "system": FHIR_SYSTEMS["UCUM"],
        "code": unit.value,
    }
