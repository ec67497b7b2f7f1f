"""Measurements and findings as FHIR R4 Observations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from inference.domain.codes import (
    ABSENT,
    FHIR_SYSTEMS,
    MILLILITRE,
    MILLIMETRE,
    NEOPLASM,
    PERCENT,
    PRESENT,
    PROBABILITY,
    VOLUME,
    Code,
)
from inference.domain.result import Finding, Measurement, Report, TumorDetection
from integrations.fhir import identifiers
from integrations.fhir.elements import TERMINOLOGY, concept, moment, present

Resource = dict[str, Any]

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
        yield f"finding-{position}", _finding(report, finding) | shared
    for position, measurement in enumerate(report.measurements):
        yield f"observation-{position}", _measurement(report, measurement, position) | shared


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


def _finding(report: Report, finding: Finding) -> Resource:
    probability = finding.probability
    components = [] if probability is None else [_component(PROBABILITY, 100 * probability, PERCENT)]
    where = None if finding.place is None else finding.place.centre_lps_mm
    return {
        "identifier": [
            identifiers.of_report(report, finding.tracking_uid),
            identifiers.dicom_uid(finding.tracking_uid),
        ],
        "code": concept(finding.label.type, finding.label.name),
        "valueCodeableConcept": _presence(finding.present),
        "bodySite": concept(report.region, report.region.meaning),
    } | present({"component": [*components, *_location(where)]})


def _measurement(report: Report, measurement: Measurement, position: int) -> Resource:
    known_as = [identifiers.of_report(report, measurement.tracking_uid or f"total-{position}")]
    if measurement.tracking_uid:
        known_as.append(identifiers.dicom_uid(measurement.tracking_uid))
    return {
        "identifier": known_as,
        "code": concept(measurement.quantity, f"{measurement.label}: {measurement.quantity.meaning}"),
        "valueQuantity": _quantity(measurement.value, measurement.unit),
        "bodySite": concept(measurement.finding, measurement.label),
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
