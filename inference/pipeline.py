"""The straight line, in one screen: complete series and a model in, checked result objects out.

Everything before (receiving, assembling, selecting) and after (delivering, reporting) has side effects and lives at
the doors; what happens in between is this function and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import TypeAlias

from inference.decoder_pool import DecoderSupply
from inference.domain.answer import Answer
from inference.domain.artifact import ArtifactKind, DicomArtifact, Segmentation
from inference.domain.charsets import NOTHING_CONFIGURED, CharacterSets
from inference.domain.delivery import Order
from inference.domain.geometry import Grid
from inference.domain.identifiers import UID
from inference.domain.job import StageTime
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ModelSpec
from inference.domain.result import AnalysisResult, Report
from inference.domain.study import InstanceIdentity
from inference.domain.volume import Volume
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.equipment import software_version
from inference.encoding.objects import encode
from inference.encoding.windowing import Window, window_of
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
    order
        Which objects are made, as far as the model publishes them.
    predecessors
        Gives the SRs that a result replaces, by the digest of all that its answer follows from.
    ordered_at
        When the run was ordered, aware; None where that does not matter.
    zone
        Where the site is: what times of sources mean that do not say, and in what those of their results are given.
    """

    runner: ModelRunner
    clock: Clock
    on_stage: Callable[[StageTime], None]
    charsets: CharacterSets = NOTHING_CONFIGURED
    decoders: DecoderSupply | None = None
    order: Order = field(default_factory=Order)
    predecessors: Callable[[str], Sequence[InstanceIdentity]] = lambda _: ()
    ordered_at: datetime | None = None
    zone: tzinfo = UTC


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
    window
        Which values of the volume are black and white where it is shown.
    answer
        Digest of all that the answer follows from: equal for a repetition, another for a changed result.
    predecessors
        The SRs that the result replaces.
    """

    volume: Volume
    result: AnalysisResult
    artifacts: tuple[DicomArtifact, ...]
    report: Report
    manifest: Mapping[str, object]
    window: Window
    answer: str = ""
    predecessors: Sequence[InstanceIdentity] = ()


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
    produced_at = (_completed_at(inputs) or surroundings.clock.now()).astimezone(surroundings.zone)
    uids = OutputUIDs.derive(inputs, spec.reference, options_of(charset, surroundings.zone))
    headers, volume, given = _prepare(inputs, spec, surroundings, timer)
    answer = _ask(given, volume.grid, spec, surroundings, timer)
    del given  # as large as all channels; what follows needs it no more
    with timer.measure(Stage.MEASURE):
        result = measure(answer, volume, spec, uids)
        check_plausible(result, spec)
    with timer.measure(Stage.ENCODE):
        data_sets = [header.data_set for header in headers[inputs.reference.series_instance_uid]]
        predecessors = surroundings.predecessors(uids.answer)
        source = EncodingInput(volume, data_sets, result, spec, uids, produced_at, surroundings.order, predecessors)
        artifacts = encode(source)
        window = window_of(volume, data_sets)
    provider, *_ = surroundings.runner.providers(spec)
    run = Run(inputs, spec, provider, artifacts, timer.times, produced_at, warnings=volume.warnings)
    report = build_report(inputs, {uid: each[0].data_set for uid, each in headers.items()}, source, artifacts)
    report = replace(report, ordered_at=surroundings.ordered_at)
    return Analysis(volume, result, artifacts, report, run_manifest(run), window, uids.answer, predecessors)


def options_of(charset: str, zone: tzinfo) -> str:
    """Spell what changes the bytes of the objects besides source and model.

    UTC is not named, as it was before sites had zones.

    Parameters
    ----------
    charset
        What is assumed of the source.
    zone
        Where the site is.
    """
    named = f"software={software_version()} charset={charset}"
    return named if zone is UTC else f"{named} zone={zone}"


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


def _ask(given: NetworkInput, grid: Grid, spec: ModelSpec, surroundings: Surroundings, timer: StageTimer) -> Answer:
    """Give what the network says, on the source grid."""
    with timer.measure(Stage.INFER):
        outputs = run_over(given.tensor, spec, surroundings.runner)
    with timer.measure(Stage.POSTPROCESS):
        keep = _needs_probabilities(spec, surroundings.order)
        return postprocess(outputs, given.grid, grid, spec, keep_probabilities=keep)


def _needs_probabilities(spec: ModelSpec, order: Order) -> bool:
    """Tell whether anybody is sent them voxel by voxel; they are as large as the volume, once for each label."""
    maps = spec.publication.parametric_map and ArtifactKind.PM in order.kinds
    return maps or (spec.publication.seg and Segmentation.FRACTIONAL in order.segmentations)
