"""``dicom-node infer``: a folder of DICOM in, result objects and one JSON document out; no network, no database.

The JSON document is a stable contract (docs/infer.md); it carries measurements and identifiers of the caller's own
files and is printed for the caller only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dicom_node.folder_scan import scan
from dicom_node.summary import answer
from dicom_node.verdicts import failure_of
from inference.channels import Assignment, Candidate, assign
from inference.domain.artifact import ArtifactKind, DicomArtifact
from inference.domain.charsets import NOTHING_CONFIGURED, CharacterSets
from inference.domain.delivery import Order
from inference.domain.identifiers import UID
from inference.domain.job import ModelReference, StageTime
from inference.domain.model_spec import Deployment, ModelSpec
from inference.domain.result import Measurement, Report
from inference.domain.series_header import SeriesHeader
from inference.domain.study import SeriesRevision
from inference.errors import StoreUnavailable
from inference.pipeline import Surroundings, analyse
from inference.ports import Clock, ModelCatalogue, ModelRunner
from inference.reading import describe_revision
from inference.selection import select
from integrations.fhir.mapping import report_bundle

WRITTEN: Final = Order(frozenset({ArtifactKind.SEG, ArtifactKind.SR}))
"""What is written beside the FHIR bundle."""


@dataclass(frozen=True, slots=True)
class OfflineNode:
    """What an offline run needs.

    Parameters
    ----------
    catalogue
        The models.
    runner
        Runs them.
    clock
        Time.
    charsets
        What is assumed of files that name no character set.
    """

    catalogue: ModelCatalogue
    runner: ModelRunner
    clock: Clock
    charsets: CharacterSets = NOTHING_CONFIGURED


def infer_folder(folder: Path, out: Path, node: OfflineNode) -> tuple[dict[str, Any], Sequence[str]]:
    """Analyse every series of a folder with every model that wants it.

    A model with several channels runs once for each study; what the folder lacks will not come any more.

    Parameters
    ----------
    folder
        DICOM files, searched recursively; only read.
    out
        Where SEG, SR and FHIR bundles go, one folder per series and model.
    node
        Models, runner and clock.

    Returns
    -------
    document : dict
        ``{"series": [...]}``: one entry per series and matching model, or one with the reason of its rejection.
    notes : list of str
        Files that were skipped and why, for a person.

    Raises
    ------
    StoreUnavailable
        If the results cannot be written.
    """
    found = scan(folder)
    _make_folder(out)
    described = [(series, _describe(series, node.charsets)) for series in found.series]
    candidates = [Candidate(series, header) for series, header in described if isinstance(header, SeriesHeader)]
    work = _Work(candidates, out, node)
    entries = [entry for series, header in described for entry in _decide(series, header, work)]
    return {"series": entries}, [f"{skipped.path.name}: {skipped.reason}" for skipped in found.skipped]


@dataclass(frozen=True, eq=False)
class _Work:
    """What there is to do, and what was done for whole studies already.

    Parameters
    ----------
    candidates
        The series that could be read.
    out, node
        As given.
    studies
        Outcomes by study and model.
    """

    candidates: Sequence[Candidate]
    out: Path
    node: OfflineNode
    studies: dict[tuple[UID, ModelReference], dict[str, Any]] = field(default_factory=dict)


def _describe(series: SeriesRevision, charsets: CharacterSets) -> SeriesHeader | Exception:
    try:
        return describe_revision(series, charsets)
    except Exception as error:  # noqa: BLE001 - the command's border: one series must not cost the others
        return error


def _decide(series: SeriesRevision, header: SeriesHeader | Exception, work: _Work) -> list[dict[str, Any]]:
    if isinstance(header, Exception):
        return [_entry(series, None, _rejected(header))]
    answering = [spec for spec in work.node.catalogue.active() if spec.deployment is Deployment.ACTIVE]
    selection = select(header, answering)
    if selection.refusal is not None:
        return [_entry(series, header, _rejected(selection.refusal))]
    return [_entry(series, header, _outcome(series, spec, work)) for spec in selection.matches]


def _outcome(series: SeriesRevision, spec: ModelSpec, work: _Work) -> dict[str, Any]:
    """Give what a model says of a series; what one says of a study stands with its first channel's series."""
    if len(spec.channels) == 1:
        return _run(Assignment(spec.channels, (series,)), spec, work)
    key = series.study_instance_uid, spec.reference
    if key not in work.studies:
        in_study = [found for found in work.candidates if found.series.study_instance_uid == key[0]]
        work.studies[key] = _run(assign(spec.channels, in_study), spec, work)
    outcome = work.studies[key]
    if outcome["channels"][spec.channels[0].name] == series.series_instance_uid:
        return outcome
    return {**outcome, "answer": None, "measurements": [], "artifacts": [], "timings_s": {}}


def _run(assignment: Assignment, spec: ModelSpec, work: _Work) -> dict[str, Any]:
    times: list[StageTime] = []
    about = {
        "model": {"id": spec.reference.model_id, "version": spec.reference.version, "digest": spec.reference.digest},
        "channels": {
            channel.name: series.series_instance_uid if series else None
            for channel, series in zip(assignment.channels, assignment.series, strict=True)
        },
    }
    try:
        inputs = assignment.inputs()
        node = work.node
        surroundings = Surroundings(node.runner, node.clock, times.append, node.charsets, order=WRITTEN)
        analysis = analyse(inputs, spec, surroundings)
    except Exception as error:  # noqa: BLE001 - the command's border: one series must not cost the others
        return _rejected(error) | about | {"timings_s": _timings(times)}
    folder = work.out / f"{inputs.reference.series_instance_uid}_{spec.reference.model_id}"
    return {
        "decision": "analysed",
        "reason": None,
        **about,
        "answer": answer(analysis.report),
        "measurements": [_measurement(m) for m in analysis.report.measurements],
        "artifacts": _write(folder, analysis.artifacts, analysis.report if spec.publication.fhir else None),
        "timings_s": _timings(times),
    }


def _write(folder: Path, artifacts: Sequence[DicomArtifact], report: Report | None) -> list[dict[str, Any]]:
    _make_folder(folder)
    written: list[dict[str, Any]] = []
    for artifact in artifacts:
        path = folder / f"{artifact.kind.value.lower()}.dcm"
        _write_file(path, artifact.content)
        written.append(
            {"kind": artifact.kind.value, "path": str(path), "sop_instance_uid": artifact.identity.sop_instance_uid}
        )
    if report is not None:
        bundle = folder / "fhir.json"
        _write_file(bundle, json.dumps(report_bundle(report), ensure_ascii=False, indent=1).encode())
        written.append({"kind": "FHIR", "path": str(bundle), "sop_instance_uid": None})
    return written


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(error) from error


def _write_file(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise _not_writable(error) from error


def _not_writable(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"the folder for results cannot be written ({type(error).__name__})")


def _entry(series: SeriesRevision, header: SeriesHeader | None, outcome: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "series_uid": series.series_instance_uid,
        "description": header.series_description if header else "",
        "modality": header.modality if header else "",
        "instances": len(series.instances),
        **outcome,
    }


def _rejected(error: Exception) -> dict[str, Any]:
    failure = failure_of(error)
    return {
        "decision": "rejected",
        "reason": {"code": failure.code, "message": failure.message},
        "model": None,
        "channels": {},
        "answer": None,
        "measurements": [],
        "artifacts": [],
        "timings_s": {},
    }


def _measurement(measurement: Measurement) -> dict[str, Any]:
    return {
        "label": measurement.label,
        "code": measurement.finding.value,
        "value": round(measurement.value, 3),
        "unit": measurement.unit.value,
    }


def _timings(times: Sequence[StageTime]) -> dict[str, float]:
    return {time.stage.value: round(time.seconds, 3) for time in times}
