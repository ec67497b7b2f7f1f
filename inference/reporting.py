"""Gathering what a report server is told; plain data, so that it can wait for its server on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydicom.dataset import Dataset

from inference.domain.artifact import DicomArtifact
from inference.domain.identifiers import UID
from inference.domain.model_inputs import ModelInputs
from inference.domain.result import EvidenceObject, Report, SourceSeries
from inference.encoding.objects import EncodingInput
from inference.encoding.source import describe_series, describe_subject, normalise


def build_report(
    inputs: ModelInputs, headers: Mapping[UID, Dataset], source: EncodingInput, artifacts: Sequence[DicomArtifact]
) -> Report:
    """Gather the report.

    Parameters
    ----------
    inputs
        The series of the run.
    headers
        A header of each of them, by Series Instance UID.
    source
        What was encoded.
    artifacts
        The objects that came of it.
    """
    spec, result = source.spec, source.result
    normal = normalise(headers[inputs.reference.series_instance_uid])
    return Report(
        report_uid=source.uids.report(),
        subject=describe_subject(normal),
        source=describe_series(inputs.reference, normal),
        model=spec.reference,
        model_title=spec.title,
        manufacturer=spec.manufacturer,
        intended_use=spec.intended_use,
        procedure=spec.publication.procedure,
        region=spec.publication.region,
        measurements=tuple(segment.volume for segment in result.segments) + result.totals,
        absent=tuple(label.name for label in result.absent),
        evidence=tuple(EvidenceObject(a.kind.value, a.identity, a.sha256) for a in artifacts),
        warnings=source.volume.warnings,
        produced_at=source.produced_at,
        task=spec.task,
        findings=result.findings,
        tumor=result.task,
        further_sources=_further(inputs, headers),
    )


def _further(inputs: ModelInputs, headers: Mapping[UID, Dataset]) -> tuple[SourceSeries, ...]:
    """Describe the series of the further channels, each once."""
    others = {series.series_instance_uid: series for series in inputs.series}
    del others[inputs.reference.series_instance_uid]
    return tuple(describe_series(series, normalise(headers[uid])) for uid, series in others.items())
