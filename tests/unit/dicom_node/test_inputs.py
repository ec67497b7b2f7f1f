"""A job's model gets its series, waits for what can still come, or is told what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from dicom_node.inputs import RECHECK_SECONDS, Awaited, InputResolver
from inference.domain.arrival import ArrivalHeader, Decision
from inference.domain.identifiers import UID, JobID
from inference.domain.job import Job, JobState
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ModelSpec, Weighting
from inference.domain.study import CompletionEvidence, SeriesRevision
from inference.errors import IncompleteSeries, ReasonCode, StudyNotFound
from tests.support.fakes import NOON, FixedClock
from tests.support.memory_index import MemoryIndex
from tests.support.model_packages import make_spec
from tests.support.several_channels import channel, study_uid, with_channels, write_contrast
from tests.support.spooled_instances import SENDER
from tests.support.synthetic_series import revision_of

STUDY = study_uid()
WAIT_SECONDS = 600.0
ONE = make_spec()
TWO = with_channels(ONE, T1=Weighting.T1, FLAIR=Weighting.FLAIR)
OPTIONAL = replace(TWO, channels=(*TWO.channels, channel("T2", Weighting.T2, required=False)))


@dataclass
class Bench:
    """A resolver on an index to which series arrive."""

    folder: Path
    clock: FixedClock = field(default_factory=FixedClock)

    def __post_init__(self) -> None:
        self.index = MemoryIndex(self.clock)

    def arrive(self, weighting: Weighting, name: str = "", *, close: bool = True) -> SeriesRevision:
        """Let a series come."""
        paths = write_contrast(self.folder / f"{weighting}{name}", weighting, STUDY)
        for instance in revision_of(paths).instances:
            self.index.add(instance, ArrivalHeader(), SENDER)
        uid = revision_of(paths).series_instance_uid
        if close:
            self.index.close(self.index.series(uid), Decision(analysed=True, code=None, message=None), [])
        return self.index.series(uid)

    def resolve(self, spec: ModelSpec, series: SeriesRevision | None = None) -> ModelInputs | Awaited:
        """Resolve a job that was made for a series, by default one that it does not need."""
        series = series or SeriesRevision(STUDY, UID("1.2.3"), 1, (), CompletionEvidence.SIGNAL)
        return InputResolver(self.index, self.clock, WAIT_SECONDS).resolve(job_of(series, spec), spec)

    def waits(self, spec: ModelSpec) -> Awaited:
        """Resolve a job that must wait."""
        found = self.resolve(spec)
        assert isinstance(found, Awaited)
        assert found.reason.code == ReasonCode.CHANNEL_AWAITED
        return found

    def found(self, spec: ModelSpec) -> list[UID | None]:
        """Resolve a job that need not wait, and give the series of its channels."""
        inputs = self.resolve(spec)
        assert isinstance(inputs, ModelInputs)
        return [one and one.series_instance_uid for one in (inputs.reference, *inputs.others)]


def job_of(series: SeriesRevision, spec: ModelSpec) -> Job:
    """Give a job for a series, as the store would."""
    return Job(
        JobID("1" * 32), series.study_instance_uid, series.series_instance_uid, series.revision, spec.reference, 0,
        JobState.PROCESSING, 1, None, None, NOON, NOON, None, "worker", NOON,
    )  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Give an index without a series."""
    return Bench(tmp_path)


# One channel


def test_a_model_with_one_channel_gets_the_series_of_its_job(bench: Bench) -> None:
    """Whatever it is: who ordered it for this series wants this series."""
    series = bench.arrive(Weighting.FLAIR)
    bench.arrive(Weighting.T1)
    assert bench.resolve(ONE, series) == ModelInputs(series)


def test_a_later_revision_has_a_job_of_its_own(bench: Bench) -> None:
    """The job of the earlier one must not answer with what it was not made for."""
    series = bench.arrive(Weighting.T1)
    with pytest.raises(IncompleteSeries) as caught:
        bench.resolve(ONE, replace(series, revision=2))
    assert caught.value.code == ReasonCode.SUPERSEDED


def test_a_series_whose_images_were_removed_is_not_run_on(bench: Bench) -> None:
    """Retention took them: the job ends with a reason that says what to do, at once."""
    series = bench.arrive(Weighting.T1)
    bench.index.rows[series.series_instance_uid].instances.clear()
    with pytest.raises(IncompleteSeries) as caught:
        bench.resolve(ONE, series)
    assert caught.value.code == ReasonCode.INCOMPLETE


# Several channels


def test_a_study_with_every_channel_is_not_waited_for(bench: Bench) -> None:
    """Each channel gets its series at once, whatever else comes and in whatever order they came."""
    flair, t1 = bench.arrive(Weighting.FLAIR), bench.arrive(Weighting.T1)
    bench.arrive(Weighting.T2, close=False)
    assert bench.found(TWO) == [t1.series_instance_uid, flair.series_instance_uid]


def test_the_revision_that_is_there_is_taken(bench: Bench) -> None:
    """A job about a study is not about the revision that it was made for."""
    flair, t1 = bench.arrive(Weighting.FLAIR), bench.arrive(Weighting.T1)
    assert bench.resolve(TWO, replace(flair, revision=7)) == ModelInputs(t1, (flair,))


@pytest.mark.parametrize(
    ("here", "message"),
    [
        ([Weighting.FLAIR], "waiting for T1, T2"),
        ([Weighting.T1, Weighting.FLAIR], "waiting for T2"),
        ([Weighting.T2], "waiting for T1, FLAIR"),
    ],
)
def test_what_can_still_come_is_waited_for_by_name(bench: Bench, here: list[Weighting], message: str) -> None:
    """Optional channels too, until the study has been silent for the whole wait."""
    for weighting in here:
        bench.arrive(weighting)
    bench.clock.advance(100)
    awaited = bench.waits(OPTIONAL)
    assert awaited.reason.message == message
    assert awaited.until == NOON + timedelta(seconds=WAIT_SECONDS)


def test_the_wait_begins_anew_with_each_instance(bench: Bench) -> None:
    """What arrives shows that the study is not complete, whatever it is."""
    bench.arrive(Weighting.T1)
    bench.clock.advance(500)
    bench.arrive(Weighting.T2)
    assert bench.waits(TWO).until == bench.clock.now() + timedelta(seconds=WAIT_SECONDS)


def test_a_channel_that_is_still_open_is_waited_for(bench: Bench) -> None:
    """A series that is being received is no input yet, and its study is looked at again however long that takes."""
    bench.arrive(Weighting.T1)
    bench.arrive(Weighting.FLAIR, close=False)
    assert bench.waits(TWO).until == NOON + timedelta(seconds=WAIT_SECONDS)
    bench.clock.advance(WAIT_SECONDS + 1)
    bench.index.signal_complete(STUDY, {})
    awaited = bench.waits(TWO)
    assert awaited.reason.message == "waiting for FLAIR"
    assert awaited.until == bench.clock.now() + timedelta(seconds=RECHECK_SECONDS)


def end_of_wait(bench: Bench) -> None:
    bench.clock.advance(WAIT_SECONDS)


def signal(bench: Bench) -> None:
    bench.index.signal_complete(STUDY, {})


@pytest.mark.parametrize("ends", [end_of_wait, signal])
def test_a_wait_that_is_over_names_what_is_missing(bench: Bench, ends: Callable[[Bench], None]) -> None:
    """By time or by somebody's word; and what was found."""
    bench.arrive(Weighting.FLAIR)
    bench.arrive(Weighting.T2)
    assert bench.waits(TWO)
    ends(bench)
    with pytest.raises(IncompleteSeries) as caught:
        bench.resolve(TWO)
    assert (caught.value.code, caught.value.message) == (
        ReasonCode.CHANNEL_MISSING,
        "the study has no T1; found: FLAIR",
    )


@pytest.mark.parametrize("ends", [end_of_wait, signal])
def test_a_model_runs_without_an_optional_channel(bench: Bench, ends: Callable[[Bench], None]) -> None:
    """But not before it is known that it will not come."""
    flair, t1 = bench.arrive(Weighting.FLAIR), bench.arrive(Weighting.T1)
    assert bench.waits(OPTIONAL)
    ends(bench)
    assert bench.found(OPTIONAL) == [t1.series_instance_uid, flair.series_instance_uid, None]


def test_a_series_that_cannot_be_read_is_none(bench: Bench) -> None:
    """It has a reason of its own, and must not keep the study from its own."""
    bench.arrive(Weighting.FLAIR)
    damaged = bench.arrive(Weighting.T1, "a")
    damaged.instances[3].path.unlink()
    assert bench.waits(TWO).reason.message == "waiting for T1"
    good = bench.arrive(Weighting.T1, "b")
    assert bench.found(TWO)[0] == good.series_instance_uid


def test_a_study_that_is_gone_is_said_so(bench: Bench) -> None:
    """It is no missing channel."""
    with pytest.raises(StudyNotFound):
        bench.resolve(TWO)
