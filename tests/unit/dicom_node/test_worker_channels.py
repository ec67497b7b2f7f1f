"""A worker's job whose model reads several series: it waits, runs, is replaced, or says what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicom_node.intake import Intake
from inference.domain.identifiers import JobID
from inference.domain.job import Failure, Hint, JobState, QueueName
from inference.domain.model_spec import Weighting
from inference.domain.study import CompletionEvidence, SeriesRevision
from tests.support.fakes import FixedCatalogue
from tests.support.several_channels import channel, study_uid, with_channels, write_contrast
from tests.support.small_analysis import SPEC, STEP, TRUE_VOLUMES_ML, blocks
from tests.support.synthetic_series import revision_of
from tests.support.work_bench import WorkBench

STUDY = study_uid()
TWO = with_channels(SPEC, T1=Weighting.T1, FLAIR=Weighting.FLAIR)
OPTIONAL = replace(TWO, channels=(*TWO.channels, channel("T2", Weighting.T2, required=False)))
WAIT_SECONDS = 600.0


@pytest.fixture
def two(bench: WorkBench) -> WorkBench:
    """Give a worker's surroundings with a model that reads two series."""
    bench.catalogue = FixedCatalogue([TWO])
    return bench


def arrive(bench: WorkBench, weighting: Weighting, comment: str = "") -> SeriesRevision:
    """Let a series come, or other bytes of it."""
    header = {"PatientComments": comment} if comment else {}
    found = revision_of(
        write_contrast(bench.spool / f"{weighting}{comment}" / "series", weighting, STUDY, blocks() * STEP, header)
    )
    for instance in found.instances:
        bench.add(instance)
    return bench.index.series(found.series_instance_uid, CompletionEvidence.QUIET_TIME)


def take_in(bench: WorkBench, weighting: Weighting, comment: str = "") -> JobID:
    """Let a series come and be closed; give the job that it stands with."""
    revision = arrive(bench, weighting, comment)
    (job_id,) = Intake(bench.index, bench.catalogue).admit(revision)
    return job_id


def test_a_job_waits_for_the_channel_that_can_still_come(two: WorkBench) -> None:
    """It says so, costs no attempt, and is due when the wait ends at the latest; nobody is told that it ended."""
    job = two.infer(take_in(two, Weighting.FLAIR))

    assert (job.state, job.error_code, job.error_message) == (
        JobState.QUEUED,
        "selection.channel_awaited",
        "waiting for T1",
    )
    assert job.next_run_at is not None
    assert (job.next_run_at - two.clock.now()).total_seconds() == WAIT_SECONDS
    assert (job.attempt, job.stages, two.runner.ran, two.notifier.jobs) == (0, (), [], [])
    assert two.infer(job.job_id) == job


def test_a_job_runs_once_every_channel_is_there(two: WorkBench) -> None:
    """With one job for both series, at once, and with its first attempt; the answer is filed with the reference."""
    first = take_in(two, Weighting.FLAIR)
    two.infer(first)
    two.clock.advance(60)
    assert take_in(two, Weighting.T1) == first
    assert two.jobs.due(10) == [Hint(QueueName.INFERENCE, first)]

    job = two.infer(first)

    assert (job.state, job.error_code, job.attempt) == (JobState.DELIVERING, None, 1)
    assert job.result is not None
    found = {m["label"]: m["value"] for m in job.result["measurements"]}  # type: ignore[attr-defined]
    assert {label: found[label] for label in TRUE_VOLUMES_ML} == pytest.approx(TRUE_VOLUMES_ML)
    reference = two.index.study(STUDY).closed[1]
    assert two.results.report(first).source.series_instance_uid == reference.series_instance_uid


def test_a_channel_that_never_comes_is_named(two: WorkBench) -> None:
    """When the wait is over the job and its series end with the reason, and the notifier is told once."""
    job_id = take_in(two, Weighting.FLAIR)
    two.infer(job_id)
    two.clock.advance(WAIT_SECONDS)

    job = two.infer(job_id)

    assert (job.state, job.error_code) == (JobState.REJECTED, "selection.channel_missing")
    assert job.error_message == "the study has no T1; found: FLAIR"
    assert two.decision() == ("rejected", "selection.channel_missing")
    assert [told.job_id for told in two.notifier.jobs] == [job_id]


def test_the_word_that_a_study_is_complete_ends_the_wait(two: WorkBench) -> None:
    """Nobody waits for what is said not to come."""
    job_id = take_in(two, Weighting.FLAIR)
    two.infer(job_id)
    two.clock.advance(1)
    two.index.signal_complete(STUDY, {})

    assert two.infer(job_id).state is JobState.REJECTED


def test_a_job_runs_without_an_optional_channel_when_the_wait_is_over(bench: WorkBench) -> None:
    """But it waits for it as long as for any other."""
    bench.catalogue = FixedCatalogue([OPTIONAL])
    job_id = take_in(bench, Weighting.T1)
    assert take_in(bench, Weighting.FLAIR) == job_id
    assert bench.infer(job_id).error_message == "waiting for T2"
    bench.clock.advance(WAIT_SECONDS)

    assert bench.infer(job_id).state is JobState.DELIVERING


@pytest.mark.parametrize("late", [Weighting.T1, Weighting.FLAIR])
def test_a_later_revision_of_any_channel_makes_a_later_answer(two: WorkBench, late: Weighting) -> None:
    """The earlier job is superseded by the one that read the newer series, whichever of the two it is."""
    first = take_in(two, Weighting.FLAIR)
    assert take_in(two, Weighting.T1) == first
    assert two.infer(first).state is JobState.DELIVERING
    assert two.deliver(first).state is JobState.COMPLETED
    two.clock.advance(60)

    second = take_in(two, late, "late")

    assert second != first
    assert two.infer(second).state is JobState.DELIVERING
    assert two.deliver(second).state is JobState.COMPLETED
    assert len(two.archive.objects) == 6, "other input, other objects"


def test_two_jobs_with_the_same_input_make_the_same_objects(two: WorkBench) -> None:
    """Whatever made two jobs of one study: the archive holds one answer."""
    first = take_in(two, Weighting.T1)
    lease = two.take(first, QueueName.INFERENCE)
    two.clock.advance(1)
    second = take_in(two, Weighting.FLAIR)
    assert second != first
    two.jobs.postpone(lease, Failure("inference.out_of_memory", "no memory left"), two.clock.now())

    for job_id in (first, second):
        assert two.infer(job_id).state is JobState.DELIVERING
        assert two.deliver(job_id).state is JobState.COMPLETED

    assert len(two.archive.objects) == 3
