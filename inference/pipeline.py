"""The straight line, in one screen: complete series and a model in, checked result objects out.

Everything before (receiving, assembling, selecting) and after (delivering, reporting) has side effects and lives at
the doors; what happens in between is this function and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from inference.decoder_pool import DecoderSupply
from inference.domain.answer import Answer
from inference.domain.artifact import DicomArtifact
from inference.domain.charsets import NOTHING_CONFIGURED, CharacterSets
from inference.domain.geometry import Grid
from inference.domain.identifiers import UID
from inference.domain.job import StageTime
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ModelSpec
from inference.domain.result import AnalysisResult, Report
from inference.domain.volume import Volume
from inference.encoding.equipment import software_version
from inference.encoding.objects import EncodingInput, encode
from inference.errors import Stage
from inference.headers import InstanceHeader
from inference.measure import check_plausible, measure
from inference.ports import Clock, ModelRunner
from inference.postprocess import postprocess
from inference.preprocess import NetworkInput, preprocess
from inference.provenance import Run, run_manifest
from inference.reporting import build_report
from inference.source_volumes import channel_volumes, read_sources
from inference.tiling import run_over
from inference.timing import StageTimer
from inference.uids import OutputUIDs

Headers: TypeAlias = Mapping[UID, Sequence[InstanceHeader]]


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
    charsets
        What is assumed of sources that name no character set.
    decoders
        Where children for compressed frames come from; by default they start with each series.
    """

    runner: ModelRunner
    clock: Clock
    on_stage: Callable[[StageTime], None]
    charsets: CharacterSets = NOTHING_CONFIGURED
    decoders: DecoderSupply | None = None


@dataclass(frozen=True, eq=False)
class Analysis:
    """What came out.

    Parameters
    ----------
    volume
        The reference channel, on whose grid the result lies.
    result
        What the model says of it.
    artifacts
        Encoded DICOM objects, a SEG first where something was drawn.
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
    timer = StageTimer(surroundings.clock, attempt, surroundings.on_stage)
    charset = surroundings.charsets.of(inputs.reference.calling_ae)
    uids = OutputUIDs.derive(inputs, spec.reference, f"software={software_version()} charset={charset}")
    produced_at = _completed_at(inputs) or surroundings.clock.now()
    headers, volume, given = _prepare(inputs, spec, surroundings, timer)
    answer = _ask(given, volume.grid, spec, surroundings.runner, timer)
    del given  # as large as all channels; what follows needs it no more
    with timer.measure(Stage.MEASURE):
        result = measure(answer, volume, spec, uids)
        check_plausible(result, spec)
    with timer.measure(Stage.ENCODE):
        data_sets = [header.data_set for header in headers[inputs.reference.series_instance_uid]]
        source = EncodingInput(volume, data_sets, result, spec, uids, produced_at)
        artifacts = encode(source)
    provider, *_ = surroundings.runner.providers(spec)
    run = Run(inputs, spec, provider, artifacts, timer.times, produced_at, warnings=volume.warnings)
    report = build_report(inputs, {uid: each[0].data_set for uid, each in headers.items()}, source, artifacts)
    return Analysis(volume, result, artifacts, report, run_manifest(run))


def _completed_at(inputs: ModelInputs) -> datetime | None:
    """Give when the last of the series was complete."""
    return max((series.completed_at for series in inputs.series if series.completed_at), default=None)


def _prepare(
    inputs: ModelInputs, spec: ModelSpec, surroundings: Surroundings, timer: StageTimer
) -> tuple[Headers, Volume, NetworkInput]:
    """Read the series; only the reference, with what is to be said of all channels, outlives this."""
    with timer.measure(Stage.VOLUME):
        sources = read_sources(inputs, spec, surroundings.charsets, surroundings.decoders)
    with timer.measure(Stage.PREPROCESS):
        channels = channel_volumes(sources, spec)
        given = preprocess(channels.volumes, spec)
    return sources.headers, replace(sources.reference, warnings=channels.warnings), given


def _ask(given: NetworkInput, grid: Grid, spec: ModelSpec, runner: ModelRunner, timer: StageTimer) -> Answer:
    """Give what the network says, on the source grid."""
    with timer.measure(Stage.INFER):
        outputs = run_over(given.tensor, spec, runner)
    with timer.measure(Stage.POSTPROCESS):
        return postprocess(outputs, given.grid, grid, spec)
