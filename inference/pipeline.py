"""The straight line, in one screen: a complete series and a model in, checked result objects out.

Everything before (receiving, assembling, selecting) and after (delivering, reporting) has side effects and lives at
the doors; what happens in between is this function and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from inference.domain.answer import Segmented
from inference.domain.artifact import DicomArtifact
from inference.domain.job import StageTime
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ModelSpec
from inference.domain.result import AnalysisResult, Report
from inference.domain.volume import Volume
from inference.encoding.equipment import software_version
from inference.encoding.objects import EncodingInput, encode
from inference.errors import Stage
from inference.measure import check_plausible, measure
from inference.ports import Clock, ModelRunner
from inference.postprocess import postprocess
from inference.preprocess import preprocess
from inference.provenance import Run, run_manifest
from inference.reading import read_headers
from inference.reporting import build_report
from inference.timing import StageTimer
from inference.uids import OutputUIDs
from inference.volume_builder import build_volume


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the line needs from outside.

    Parameters
    ----------
    runner
        Runs the model's graph.
    clock
        Time.
    on_stage
        Told of every finished stage; may raise to stop the line (a cancelled job, a lost lease).
    """

    runner: ModelRunner
    clock: Clock
    on_stage: Callable[[StageTime], None]


@dataclass(frozen=True, eq=False)
class Analysis:
    """What came out.

    Parameters
    ----------
    volume
        The source volume.
    result
        Label map and measurements on the source grid.
    artifacts
        Encoded DICOM objects, SEG first.
    report
        What the report server will be told.
    manifest
        What went in, what worked on it and what came out (``inference.provenance``).
    """

    volume: Volume
    result: AnalysisResult
    artifacts: tuple[DicomArtifact, ...]
    report: Report
    manifest: Mapping[str, object]


def analyse(inputs: ModelInputs, spec: ModelSpec, surroundings: Surroundings, attempt: int = 1) -> Analysis:
    """Run one model on the series it wants.

    Parameters
    ----------
    inputs
        The complete series of each channel; their files are read here, and only read.
    spec
        The model.
    surroundings
        Runner, clock and observer.
    attempt
        Number of this attempt, noted with the stage times.

    Returns
    -------
    Analysis
        Objects that passed the check against the result.

    Raises
    ------
    StudyError, ModelError, InferenceError, EncodingError
        The named reason, with its stage.
    """
    series = inputs.reference
    timer = StageTimer(surroundings.clock, attempt, surroundings.on_stage)
    uids = OutputUIDs.derive(series, spec.reference, f"software={software_version()}")
    produced_at = series.completed_at or surroundings.clock.now()
    with timer.measure(Stage.VOLUME):
        headers = read_headers(series.instances)
        volume = build_volume(series, headers)
    with timer.measure(Stage.PREPROCESS):
        network_input = preprocess(volume, spec)
    with timer.measure(Stage.INFER):
        (logits,) = surroundings.runner.run(spec, network_input.tensor)
    with timer.measure(Stage.POSTPROCESS):
        labels = postprocess(logits, network_input.grid, volume.grid, spec)
    with timer.measure(Stage.MEASURE):
        result = measure(Segmented(labels, {}), volume, spec, uids)
        check_plausible(result, spec)
    with timer.measure(Stage.ENCODE):
        source = EncodingInput(volume, headers, result, spec, uids, produced_at)
        artifacts = encode(source)
    providers = surroundings.runner.providers(spec)
    run = Run(series, spec, providers[0], artifacts, timer.times, source.produced_at, warnings=volume.warnings)
    report = build_report(inputs, {series.series_instance_uid: headers[0]}, source, artifacts)
    return Analysis(volume, result, artifacts, report, run_manifest(run))
