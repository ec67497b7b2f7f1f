"""What a job found, as its row keeps it for the API and the clinical system."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from inference.domain.artifact import DicomArtifact
from inference.domain.identifiers import UID
from inference.domain.job import ANSWER, REPLACES
from inference.domain.model_spec import ModelSpec
from inference.domain.result import Finding, Measurement, Report, TumorDetection
from inference.domain.study import InstanceIdentity
from inference.pipeline import Analysis

REPORT_WANTED: Final = "report_wanted"
"""Key of a job's result under which the inference part tells the delivery part whether the model reports."""


def summary(analysis: Analysis, spec: ModelSpec) -> dict[str, Any]:
    """Say what a job found.

    Parameters
    ----------
    analysis
        The analysis.
    spec
        The model that made it.

    Returns
    -------
    dict
        JSON values: the answer to the job's task, then what is the same for every task.
    """
    return answer(analysis.report) | {
        "measurements": [_measurement(measurement) for measurement in analysis.report.measurements],
        "artifacts": artifact_entries(analysis.artifacts),
        "absent": list(analysis.report.absent),
        "warnings": list(analysis.report.warnings),
        "model_title": spec.title,
        REPORT_WANTED: spec.publication.fhir,
        ANSWER: analysis.answer,
        REPLACES: [_names(each) for each in analysis.predecessors],
    }


def artifact_entries(artifacts: Iterable[DicomArtifact]) -> list[dict[str, object]]:
    """List objects as a job's result names them, each once.

    Parameters
    ----------
    artifacts
        The objects of a result; one that serves as several encodings of the segmentation is among them as often.
    """
    entries: dict[UID, dict[str, object]] = {
        artifact.identity.sop_instance_uid: {"kind": artifact.kind.value, **_names(artifact.identity)}
        for artifact in artifacts
    }
    return list(entries.values())


def _names(identity: InstanceIdentity) -> dict[str, str]:
    return {
        "sop_instance_uid": str(identity.sop_instance_uid),
        "series_instance_uid": str(identity.series_instance_uid),
        "sop_class_uid": str(identity.sop_class_uid),
    }


def _measurement(measurement: Measurement) -> dict[str, Any]:
    return {
        "label": measurement.label,
        "code": measurement.finding.value,
        "laterality": measurement.laterality.value if measurement.laterality else None,
        "quantity": measurement.quantity.meaning,
        "value": round(measurement.value, 3),
        "unit": measurement.unit.value,
        "usual": measurement.reference_range,
        "tracking_uid": measurement.tracking_uid,
    }


def answer(report: Report) -> dict[str, Any]:
    """Give the answer to the task of a model: what it is and, beyond volumes, what was found.

    Parameters
    ----------
    report
        Of the analysis.
    """
    tumor = {} if report.tumor is None else _tumor(report.tumor)
    findings = {"findings": [_finding(finding) for finding in report.findings]} if report.findings else {}
    return {"task": report.task.value, **tumor, **findings}


def _tumor(tumor: TumorDetection) -> dict[str, Any]:
    """Answer as the clinical system asks: whether, how sure, where in patient coordinates, how large."""
    return {
        "tumor_detected": tumor.tumor_detected,
        "confidence": round(tumor.confidence, 4),
        "location": _location(tumor.location_lps_mm),
        "volume_ml": round(tumor.volume_ml, 3),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    probability = finding.probability
    return {
        "label": finding.label.name,
        "code": finding.label.type.value,
        "present": finding.present,
        "probability": None if probability is None else round(probability, 4),
        "location": _location(finding.place.centre_lps_mm if finding.place else None),
        "tracking_uid": finding.tracking_uid,
    }


def _location(lps_mm: tuple[float, float, float] | None) -> dict[str, float] | None:
    if lps_mm is None:
        return None
    return {axis: round(value, 2) for axis, value in zip("xyz", lps_mm, strict=True)}
