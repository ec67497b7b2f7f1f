"""The run manifest: what went in, what worked on it and what came out, so that a result can be traced back."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from inference.domain.artifact import DicomArtifact
from inference.domain.job import StageTime
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ModelSpec
from inference.domain.study import SeriesRevision

LIBRARIES: Final = (
    "neuronova-node",
    "numpy",
    "onnxruntime",
    "onnxruntime-gpu",
    "SimpleITK",
    "pydicom",
    "pylibjpeg",
    "pylibjpeg-openjpeg",
    "pyjpegls",
    "python-gdcm",
    "highdicom",
    "contourpy",
)
"""Distributions that can change a result."""

MANIFEST_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one model.

    Parameters
    ----------
    inputs
        What went in.
    spec
        What worked on it.
    provider
        ONNX Runtime execution provider that ran the graph, e.g. ``CPUExecutionProvider``.
    artifacts
        What came out.
    stages
        How long each stage took.
    produced_at
        When the analysis ended.
    options
        Whatever else could change the answer, in a canonical spelling.
    warnings
        What a reader of the result is told.
    """

    inputs: ModelInputs
    spec: ModelSpec
    provider: str
    artifacts: Sequence[DicomArtifact]
    stages: Sequence[StageTime]
    produced_at: datetime
    options: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def run_manifest(run: Run) -> dict[str, object]:
    """Describe a run as plain JSON values.

    It names instances by UID and digest and holds no patient's name or number.
    """
    return {
        "manifest_version": MANIFEST_VERSION,
        "produced_at": run.produced_at.isoformat(),
        "input": _input(run.inputs, run.spec),
        "model": {
            "id": run.spec.reference.model_id,
            "version": run.spec.reference.version,
            "sha256": run.spec.reference.digest,
            "manufacturer": run.spec.manufacturer,
            "licence": run.spec.licence,
            "intended_use": run.spec.intended_use,
        },
        "execution": {
            "provider": run.provider,
            "options": dict(sorted(run.options.items())),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "libraries": library_versions(),
        },
        "stages": [
            {
                "stage": time.stage.value,
                "attempt": time.attempt,
                "started_at": time.started_at.isoformat(),
                "seconds": round(time.seconds, 6),
            }
            for time in run.stages
        ],
        "output": [
            {
                "kind": artifact.kind.value,
                "sop_class_uid": str(artifact.identity.sop_class_uid),
                "sop_instance_uid": str(artifact.identity.sop_instance_uid),
                "series_instance_uid": str(artifact.identity.series_instance_uid),
                "sha256": artifact.sha256,
                "bytes": len(artifact.content),
            }
            for artifact in run.artifacts
        ],
        "warnings": list(run.warnings),
    }


def library_versions() -> dict[str, str]:
    """Give the installed versions of the distributions that can change a result; absent ones are left out."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _input(inputs: ModelInputs, spec: ModelSpec) -> dict[str, object]:
    """List the series by channel, null for one that was missing."""
    series = (inputs.reference, *inputs.others)
    return {
        "study_instance_uid": str(inputs.reference.study_instance_uid),
        "channels": {
            channel.name: _series(one) if one is not None else None
            for channel, one in zip(spec.channels, series, strict=True)
        },
    }


def _series(series: SeriesRevision) -> dict[str, object]:
    """List the instances by UID, with one digest over all of them that tells at a glance whether inputs are equal."""
    instances = sorted(series.instances, key=lambda instance: instance.identity.sop_instance_uid)
    together = hashlib.sha256()
    for instance in instances:
        together.update(f"{instance.identity.sop_instance_uid} {instance.sha256}\n".encode())
    return {
        "series_instance_uid": str(series.series_instance_uid),
        "revision": series.revision,
        "completion_evidence": series.evidence.value,
        "sha256": together.hexdigest(),
        "instances": [
            {
                "sop_instance_uid": str(instance.identity.sop_instance_uid),
                "sha256": instance.sha256,
                "transfer_syntax_uid": str(instance.transfer_syntax_uid),
                "bytes": instance.size_bytes,
            }
            for instance in instances
        ],
    }
