"""The straight line from a complete series to checked objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, timedelta, tzinfo
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind
from inference.domain.job import StageTime
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ModelSpec, OutputKind, Plausibility, SliceRule, Weighting
from inference.domain.study import SeriesRevision
from inference.errors import DeviceOutOfMemory, ImplausibleResult, LeaseLost, NodeError, Stage, UnsupportedGeometry
from inference.pipeline import Analysis, Surroundings, analyse
from inference.ports import ModelRunner
from tests.support.fakes import NOON, FixedClock
from tests.support.function_runner import FunctionRunner
from tests.support.model_packages import make_spec
from tests.support.several_channels import study_uid, with_channels, write_contrast
from tests.support.small_analysis import SPEC, STEP, TRUE_VOLUMES_ML, ThresholdRunner, blocks, write_blocks
from tests.support.synthetic_series import SeriesOptions, revision_of

STAGES = [Stage.VOLUME, Stage.PREPROCESS, Stage.INFER, Stage.POSTPROCESS, Stage.MEASURE, Stage.ENCODE]


WITH_FLAIR = with_channels(SPEC, T1=Weighting.T1, FLAIR=Weighting.FLAIR)


class Line:
    """A line over one series, with what it tells of itself.

    Parameters
    ----------
    series
        The series.
    """

    def __init__(self, series: SeriesRevision) -> None:
        self.series = series
        self.clock = FixedClock()
        self.threshold = ThresholdRunner(on_run=lambda: self.clock.advance(2.5))
        self.runner: ModelRunner = self.threshold
        self.times: list[StageTime] = []
        self.stop_after: tuple[Stage, NodeError] | None = None
        self.zone: tzinfo = UTC

    def analyse(self, spec: ModelSpec = SPEC, attempt: int = 1) -> Analysis:
        """Run it."""
        surroundings = Surroundings(self.runner, self.clock, self._note, zone=self.zone)
        return analyse(ModelInputs(self.series), spec, surroundings, attempt)

    def _note(self, time: StageTime) -> None:
        self.times.append(time)
        if self.stop_after is not None and time.stage is self.stop_after[0]:
            raise self.stop_after[1]


@pytest.fixture
def line(tmp_path: Path) -> Line:
    """Give a line over the blocks."""
    return Line(revision_of(write_blocks(tmp_path)))


def test_what_was_drawn_is_what_comes_out(line: Line) -> None:
    """Label map, measurements, objects and report all say the same of the source."""
    analysis = line.analyse()

    np.testing.assert_array_equal(analysis.result.labels, blocks())
    measured = {measurement.label: measurement.value for measurement in analysis.report.measurements}
    assert {label: measured[label] for label in TRUE_VOLUMES_ML} == pytest.approx(TRUE_VOLUMES_ML)
    assert [artifact.kind for artifact in analysis.artifacts] == ["SEG", "SR", "KOS"]
    evidence = [(entry.kind, entry.identity, entry.sha256) for entry in analysis.report.evidence]
    assert evidence == [(a.kind.value, a.identity, a.sha256) for a in analysis.artifacts]
    assert analysis.report.source.instances == tuple(i.identity for i in line.series.instances)
    assert analysis.report.model == SPEC.reference


def test_every_stage_is_told_in_order_with_its_time(line: Line) -> None:
    """The times are the clock's, and the manifest has them all."""
    analysis = line.analyse(attempt=3)

    assert [(time.stage, time.attempt) for time in line.times] == [(stage, 3) for stage in STAGES]
    assert [time.seconds for time in line.times] == [0, 0, 2.5, 0, 0, 0]
    assert [entry["stage"] for entry in analysis.manifest["stages"]] == STAGES  # type: ignore[attr-defined]


def test_identities_are_shared_and_derived(line: Line) -> None:
    """The same input gives the same objects; SEG, SR and report carry the same tracking identity."""
    first, second = line.analyse(), line.analyse()
    assert [a.identity for a in first.artifacts] == [a.identity for a in second.artifacts]
    assert first.report.report_uid == second.report.report_uid
    seg = dcmread(BytesIO(first.artifacts[0].content))
    in_seg = [segment.TrackingUID for segment in seg.SegmentSequence]
    assert in_seg == [m.tracking_uid for m in first.report.measurements if m.tracking_uid]


def test_a_result_is_dated_by_the_completion_of_its_series(line: Line) -> None:
    """A re-run makes the same bytes, because an archive keeps what it has; offline the clock decides."""
    completed = NOON - timedelta(days=3)
    assert line.analyse().report.produced_at == NOON
    line.series = replace(line.series, completed_at=completed)
    first = line.analyse()
    line.clock.advance(3600)
    second = line.analyse()
    assert first.report.produced_at == second.report.produced_at == completed
    assert [a.sha256 for a in first.artifacts] == [a.sha256 for a in second.artifacts]


def test_a_missing_slice_is_told_to_the_reader(tmp_path: Path) -> None:
    """A warning of the volume reaches report and manifest."""
    analysis = Line(revision_of(write_blocks(tmp_path, SeriesOptions(omit=frozenset({6}))))).analyse()
    assert "slice" in " ".join(analysis.report.warnings)
    assert analysis.manifest["warnings"] == list(analysis.report.warnings)


@pytest.mark.parametrize("largest_mm", [0.019, 0.15])
def test_uneven_slices_that_the_model_accepts_come_out_whole(tmp_path: Path, largest_mm: float) -> None:
    """They are treated as even, and the check of what was encoded knows how far they are not."""
    shifts = np.random.default_rng(5).uniform(-largest_mm, largest_mm, len(blocks()))

    def shifted(data_set: Dataset, index: int) -> None:
        data_set.ImagePositionPatient[2] += round(float(shifts[index]), 6)

    (channel,) = SPEC.channels
    tolerant = replace(channel, selection=replace(channel.selection, slices=SliceRule(spacing_deviation=0.2)))
    line = Line(revision_of(write_blocks(tmp_path, SeriesOptions(edit=shifted))))
    analysis = line.analyse(replace(SPEC, channels=(tolerant,)))
    np.testing.assert_array_equal(analysis.result.labels, blocks())
    assert [artifact.kind for artifact in analysis.artifacts] == ["SEG", "SR", "KOS"]


def test_absent_structures_are_named(line: Line) -> None:
    """Looked for and not found is an answer."""
    line.threshold.classes = 4
    analysis = line.analyse(replace(SPEC, labels=make_spec(labels=3).labels))
    assert analysis.report.absent == ("Structure 3",)
    assert {m.label for m in analysis.report.measurements} >= TRUE_VOLUMES_ML.keys()


@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_an_observer_stops_the_line_between_two_stages(line: Line, stage: Stage) -> None:
    """A cancelled job or a lost lease ends it where it is."""
    line.stop_after = (stage, LeaseLost("somebody else holds the job now"))
    with pytest.raises(LeaseLost):
        line.analyse()
    assert [time.stage for time in line.times] == STAGES[: STAGES.index(stage) + 1]
    assert bool(line.threshold.ran) == (STAGES.index(stage) >= STAGES.index(Stage.INFER))


def test_an_implausible_result_is_not_encoded(line: Line) -> None:
    """No object exists of a result that is refused."""
    with pytest.raises(ImplausibleResult):
        line.analyse(replace(SPEC, plausibility=Plausibility((100.0, 200.0), ())))
    assert line.times[-1].stage is Stage.MEASURE


def test_the_stage_that_fails_is_timed_too(line: Line) -> None:
    """A person sees where the time went and where it ended."""
    line.threshold.failures = [DeviceOutOfMemory("no memory left")]
    with pytest.raises(DeviceOutOfMemory):
        line.analyse()
    assert [(time.stage, time.seconds) for time in line.times][-1] == (Stage.INFER, 2.5)


def test_a_series_that_is_no_volume_never_reaches_the_network(tmp_path: Path) -> None:
    """The named reason comes first."""
    line = Line(revision_of(write_blocks(tmp_path, SeriesOptions(omit=frozenset({4, 5, 6})))))
    with pytest.raises(UnsupportedGeometry):
        line.analyse()
    assert line.threshold.ran == []


class TestSeveralChannels:
    """A model that is given two series of a study."""

    @pytest.fixture
    def inputs(self, tmp_path: Path) -> ModelInputs:
        """Give a study whose T1 shows the first structure, and whose FLAIR the second."""
        t1 = write_contrast(tmp_path / "t1", Weighting.T1, study_uid(), (blocks() == 1) * 100)
        flair = write_contrast(tmp_path / "flair", Weighting.FLAIR, study_uid(), (blocks() == 2) * 50)
        return ModelInputs(revision_of(t1), (revision_of(flair),))

    def analyse(self, inputs: ModelInputs, spec: ModelSpec = WITH_FLAIR) -> Analysis:
        """Run the line with what a network would say of the two brightnesses."""
        runner = FunctionRunner(lambda channels: np.stack([0 * channels[:, 0] + 20, *np.moveaxis(channels, 1, 0)], 1))
        return analyse(inputs, spec, Surroundings(runner, FixedClock(), lambda _: None))

    def test_each_shows_what_the_other_does_not(self, inputs: ModelInputs) -> None:
        """The result lies on the first, and report and manifest name both."""
        analysis = self.analyse(inputs)
        np.testing.assert_array_equal(analysis.result.labels, blocks())
        assert analysis.report.source.series_instance_uid == inputs.reference.series_instance_uid
        others = [source.series_instance_uid for source in analysis.report.further_sources]
        assert others == [inputs.series[1].series_instance_uid]
        assert list(analysis.manifest["input"]["channels"]) == ["T1", "FLAIR"]  # type: ignore[index]

    def test_a_channel_that_the_study_lacks_is_told(self, inputs: ModelInputs) -> None:
        """The answer is another one, under other identifiers, and the reader knows why."""
        first, *others = WITH_FLAIR.channels
        spec = replace(WITH_FLAIR, channels=(first, replace(others[0], required=False)))
        alone = self.analyse(ModelInputs(inputs.reference, (None,)), spec)
        np.testing.assert_array_equal(alone.result.labels, blocks() == 1)
        assert any("FLAIR" in warning for warning in alone.report.warnings)
        assert alone.manifest["warnings"] == list(alone.report.warnings)
        assert alone.report.report_uid != self.analyse(inputs, spec).report.report_uid

    def test_it_is_dated_by_the_last_series(self, inputs: ModelInputs) -> None:
        """Before that, nobody could have had it."""
        early, late = NOON - timedelta(days=3), NOON - timedelta(days=2)
        (flair,) = inputs.series[1:]
        dated = ModelInputs(replace(inputs.reference, completed_at=early), (replace(flair, completed_at=late),))
        assert self.analyse(dated).report.produced_at == late


LABELS = 2 * np.ones(1, dtype=np.int64)
ANSWERS: Mapping[OutputKind, Callable[[np.ndarray], np.ndarray | tuple[np.ndarray, ...]]] = {
    OutputKind.LABEL_MAP: lambda image: np.rint(image[:, 0] / STEP).astype(np.int64),
    OutputKind.SIGMOID: lambda image: np.concatenate([image > 50, image > 150], axis=1).astype(np.float32),
    OutputKind.SIGMOID_LOGITS: lambda image: np.concatenate([image - 50, image - 150], axis=1),
    OutputKind.CLASSIFICATION: lambda image: np.array([[0.25, 0.75]], dtype=np.float32),
    OutputKind.CLASSIFICATION_LOGITS: lambda image: np.array([[0, 0, 3]], dtype=np.float32),
    OutputKind.DETECTION: lambda image: (np.full((1, 3), 5.0), np.full(1, 0.75), LABELS),
}
"""What a network of each kind would say of the blocks."""


@pytest.mark.parametrize("kind", ANSWERS, ids=str)
def test_every_kind_of_answer_becomes_objects_and_a_report(line: Line, kind: OutputKind) -> None:
    """Drawn, classified or detected: the second label is found, and what was made was checked."""
    outputs = ("boxes", "scores", "values") if kind is OutputKind.DETECTION else ("said",)
    spec = replace(SPEC, output=kind, graph=replace(SPEC.graph, outputs=outputs))
    line.runner = FunctionRunner(ANSWERS[kind])
    analysis = line.analyse(spec)
    kinds = [artifact.kind for artifact in analysis.artifacts]
    with_place = ["KOS"] if kind.segments or kind is OutputKind.DETECTION else []
    assert kinds == [*(["SEG", "SR"] if kind.segments else ["SR"]), *with_place]
    if kind.segments:
        assert [segment.voxel_count for segment in analysis.result.segments][-1] == 2 * 3 * 4
    else:
        assert [finding.label.value for finding in analysis.report.findings if finding.present] == [2]


def test_times_are_the_sites_where_the_source_does_not_say(line: Line) -> None:
    """Most scanners name no offset: times of source and result must be of one zone, else results sort wrongly."""
    seoul = ZoneInfo("Asia/Seoul")
    line.zone = seoul

    analysis = line.analyse()

    (sr,) = (dcmread(BytesIO(a.content)) for a in analysis.artifacts if a.kind is ArtifactKind.SR)
    expected = analysis.report.produced_at
    assert expected.utcoffset() == timedelta(hours=9)
    assert (sr.ContentDate, sr.ContentTime) == (expected.strftime("%Y%m%d"), expected.strftime("%H%M%S.%f"))
    assert "TimezoneOffsetFromUTC" not in sr
    started_at = analysis.report.source.started_at
    assert started_at is not None
    assert started_at.utcoffset() == timedelta(hours=9)
    line.zone = UTC
    assert line.analyse().report.report_uid != analysis.report.report_uid
