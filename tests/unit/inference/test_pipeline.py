"""The straight line from a complete series to checked objects."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from inference.domain.job import StageTime
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ModelSpec, Plausibility
from inference.domain.study import SeriesRevision
from inference.errors import DeviceOutOfMemory, ImplausibleResult, LeaseLost, NodeError, Stage, UnsupportedGeometry
from inference.pipeline import Analysis, Surroundings, analyse
from tests.support.fakes import NOON, FixedClock
from tests.support.model_packages import make_spec
from tests.support.small_analysis import SPEC, TRUE_VOLUMES_ML, ThresholdRunner, blocks, write_blocks
from tests.support.synthetic_series import SeriesOptions, revision_of

STAGES = [Stage.VOLUME, Stage.PREPROCESS, Stage.INFER, Stage.POSTPROCESS, Stage.MEASURE, Stage.ENCODE]


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
        self.runner = ThresholdRunner(on_run=lambda: self.clock.advance(2.5))
        self.times: list[StageTime] = []
        self.stop_after: tuple[Stage, NodeError] | None = None

    def analyse(self, spec: ModelSpec = SPEC, attempt: int = 1) -> Analysis:
        """Run it."""
        return analyse(ModelInputs(self.series), spec, Surroundings(self.runner, self.clock, self._note), attempt)

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
    assert [artifact.kind for artifact in analysis.artifacts] == ["SEG", "SR"]
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


def test_absent_structures_are_named(line: Line) -> None:
    """Looked for and not found is an answer."""
    line.runner.classes = 4
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
    assert bool(line.runner.ran) == (STAGES.index(stage) >= STAGES.index(Stage.INFER))


def test_an_implausible_result_is_not_encoded(line: Line) -> None:
    """No object exists of a result that is refused."""
    with pytest.raises(ImplausibleResult):
        line.analyse(replace(SPEC, plausibility=Plausibility((100.0, 200.0), ())))
    assert line.times[-1].stage is Stage.MEASURE


def test_the_stage_that_fails_is_timed_too(line: Line) -> None:
    """A person sees where the time went and where it ended."""
    line.runner.failures = [DeviceOutOfMemory("no memory left")]
    with pytest.raises(DeviceOutOfMemory):
        line.analyse()
    assert [(time.stage, time.seconds) for time in line.times][-1] == (Stage.INFER, 2.5)


def test_a_series_that_is_no_volume_never_reaches_the_network(tmp_path: Path) -> None:
    """The named reason comes first."""
    line = Line(revision_of(write_blocks(tmp_path, SeriesOptions(omit=frozenset({4, 5, 6})))))
    with pytest.raises(UnsupportedGeometry):
        line.analyse()
    assert line.runner.ran == []
