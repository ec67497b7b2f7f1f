"""Gathering what a report server is told; plain data, so that it can wait for its server on disk."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact
from inference.domain.identifiers import UID
from inference.domain.model_inputs import ModelInputs
from inference.domain.result import AnalysisResult, EvidenceObject, Measurement, Report, SourceSeries
from inference.domain.study import SeriesRevision
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.note import NoteSubject
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
    site = source.produced_at.tzinfo or UTC
    normal = normalise(headers[inputs.reference.series_instance_uid])
    return Report(
        report_uid=source.uids.report(),
        subject=describe_subject(normal),
        source=describe_series(inputs.reference, normal, site),
        model=spec.reference,
        model_title=spec.title,
        manufacturer=spec.manufacturer,
        intended_use=spec.intended_use,
        procedure=spec.publication.procedure,
        region=spec.publication.region,
        measurements=_measurements(result),
        absent=tuple(label.sided_name for label in result.absent),
        evidence=tuple(_evidence(each) for each in artifacts if source.order.is_named(each)),
        warnings=source.volume.warnings,
        produced_at=source.produced_at,
        task=spec.task,
        findings=result.findings,
        tumor=result.task,
        further_sources=_further(inputs, headers, site),
        lineage_uid=source.uids.lineage(),
        pdf_base64=_page(artifacts),
    )


def build_refusal_report(series: SeriesRevision, subject: NoteSubject, note: DicomArtifact) -> Report:
    """Gather what a report server is told of a series that was not analysed.

    Parameters
    ----------
    series
        The series.
    subject
        What the note says.
    note
        The object that says it in the archive.
    """
    spec, normal = subject.spec, normalise(subject.header)
    return Report(
        report_uid=subject.uids.report(),
        subject=describe_subject(normal),
        source=describe_series(series, normal, subject.produced_at.tzinfo or UTC),
        model=spec.reference,
        model_title=spec.title,
        manufacturer=spec.manufacturer,
        intended_use=spec.intended_use,
        procedure=spec.publication.procedure,
        region=spec.publication.region,
        measurements=(),
        absent=(),
        evidence=(_evidence(note),),
        warnings=(),
        produced_at=subject.produced_at,
        task=spec.task,
        lineage_uid=subject.uids.lineage(),
        refusal=subject.refusal,
    )


def _measurements(result: AnalysisResult) -> tuple[Measurement, ...]:
    """List the volume of each structure, then what else was measured of it, then the totals."""
    of_structures = (each for segment in result.segments for each in (segment.volume, *segment.diameters))
    return (*of_structures, *result.totals)


def _evidence(artifact: DicomArtifact) -> EvidenceObject:
    return EvidenceObject(artifact.kind.value, artifact.identity, artifact.sha256)


def _page(artifacts: Sequence[DicomArtifact]) -> str:
    """Give the one-page report, base64; empty where none was made."""
    page = next((artifact for artifact in artifacts if artifact.kind is ArtifactKind.PDF), None)
    if page is None:
        return ""
    held = dcmread(BytesIO(page.content))
    return base64.b64encode(held.EncapsulatedDocument[: held.EncapsulatedDocumentLength]).decode("ascii")


def _further(inputs: ModelInputs, headers: Mapping[UID, Dataset], site: tzinfo) -> tuple[SourceSeries, ...]:
    """Describe the series of the further channels, each once."""
    others = {series.series_instance_uid: series for series in inputs.series}
    del others[inputs.reference.series_instance_uid]
    return tuple(describe_series(series, normalise(headers[uid]), site) for uid, series in others.items())
