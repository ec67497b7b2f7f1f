"""The inference part of a worker: every way in which an attempt can end, on a real job store."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from dicom_node.housekeeping import Dispatcher
from inference.domain.artifact import ArtifactKind
from inference.domain.identifiers import JobID
from inference.domain.job import Failure, Hint, Job, JobState, QueueName
from inference.domain.model_spec import Plausibility
from inference.domain.result import Refusal
from inference.errors import (
    DeviceOutOfMemory,
    ImplausibleResult,
    NonFiniteOutput,
    PeerUnavailable,
    Stage,
    StoreUnavailable,
)
from tests.support.fakes import FixedCatalogue, RecordingQueue
from tests.support.small_analysis import SPEC, TRUE_VOLUMES_ML, blocks, write_blocks
from tests.support.synthetic_series import SeriesOptions, revision_of
from tests.support.work_bench import LEASE_SECONDS, WorkBench, with_digest

INFERENCE, DELIVERY = QueueName.INFERENCE, QueueName.DELIVERY
NAN = Failure("inference.non_finite", "the output holds NaN")
IMPLAUSIBLE = replace(SPEC, plausibility=Plausibility((0.0, 0.5), ()))
"""What it finds is more than can be true."""
STAGES = [Stage.VOLUME, Stage.PREPROCESS, Stage.INFER, Stage.POSTPROCESS, Stage.MEASURE, Stage.ENCODE]


def nothing_was_published(bench: WorkBench) -> bool:
    """Tell whether archive and report server are untouched."""
    return not bench.archive.objects and bench.reports.calls == 0


def wait_seconds(bench: WorkBench, job: Job) -> float:
    """Give the time until a postponed job is due."""
    assert job.next_run_at is not None
    return (job.next_run_at - bench.clock.now()).total_seconds()


# What goes well


def test_a_series_becomes_a_result_that_waits_for_its_delivery(bench: WorkBench) -> None:
    """The job is DELIVERING with what was found and the time of every stage; nothing is published yet."""
    job = bench.infer(bench.arrive())

    assert job.state is JobState.DELIVERING
    assert job.result is not None
    found = {m["label"]: m["value"] for m in job.result["measurements"]}  # type: ignore[attr-defined]
    assert {label: found[label] for label in TRUE_VOLUMES_ML} == pytest.approx(TRUE_VOLUMES_ML)
    assert [artifact["kind"] for artifact in job.result["artifacts"]] == ["SEG", "SR", "KOS"]  # type: ignore[attr-defined]
    assert [(time.stage, time.attempt) for time in job.stages] == [(stage, 1) for stage in STAGES]
    assert [artifact.kind for artifact in bench.results.artifacts(job.job_id)] == ["SEG", "SR", "KOS"]
    assert bench.results.report(job.job_id).model == SPEC.reference
    assert bench.results.manifests[job.job_id]["model"]
    assert nothing_was_published(bench)
    assert bench.notifier.jobs == []
    assert bench.jobs.due(10) == [Hint(DELIVERY, job.job_id)]


def test_the_second_hint_for_the_same_job_does_nothing(bench: WorkBench) -> None:
    """A queue may repeat any message, and a message may be older than the database."""
    job_id = bench.arrive()
    first = bench.infer(job_id)

    assert bench.infer(job_id) == first
    bench.worker().run(Hint(INFERENCE, JobID("f" * 32)))
    assert len(bench.runner.ran) == 1


# Another attempt


def test_attempts_are_spaced_out_and_used_up(bench: WorkBench) -> None:
    """The wait doubles from attempt to attempt, within the jitter; the last failure is the job's."""
    job_id = bench.arrive()
    bench.runner.failures = [DeviceOutOfMemory("no memory left") for _ in range(3)]

    for attempt, base in ((1, 10.0), (2, 20.0)):
        job = bench.infer(job_id)
        assert (job.state, job.error_code, job.attempt) == (JobState.QUEUED, "inference.out_of_memory", attempt)
        assert 0.75 * base <= wait_seconds(bench, job) <= 1.25 * base
        assert bench.infer(job_id) == job
        bench.wait_for(job_id)

    job = bench.infer(job_id)
    assert (job.state, job.error_code, job.attempt) == (JobState.FAILED, "inference.out_of_memory", 3)
    assert job.error_message == "no memory left"
    assert [told.state for told in bench.notifier.jobs] == [JobState.FAILED]
    assert bench.results.manifests == {}


def test_a_later_attempt_may_succeed(bench: WorkBench) -> None:
    """What an earlier attempt ended with is forgotten; its stage times are not."""
    job_id = bench.arrive()
    bench.runner.failures = [DeviceOutOfMemory("no memory left")]
    bench.infer(job_id)
    bench.wait_for(job_id)

    job = bench.infer(job_id)

    assert (job.state, job.error_code, job.attempt) == (JobState.DELIVERING, None, 2)
    assert [time.stage for time in job.stages if time.attempt == 1] == [Stage.VOLUME, Stage.PREPROCESS, Stage.INFER]
    assert [time.stage for time in job.stages if time.attempt == 2] == STAGES


def test_the_wait_has_a_longest(bench: WorkBench) -> None:
    """However many attempts there are, a device that comes back is noticed within the cap and its jitter."""
    bench = replace(bench, options=replace(bench.options, max_attempts=50, retry_cap_seconds=60.0))
    job_id = bench.arrive()
    waits = []
    for _ in range(8):
        bench.runner.failures = [DeviceOutOfMemory("no memory left")]
        waits.append(wait_seconds(bench, bench.infer(job_id)))
        bench.wait_for(job_id)

    assert all(45 <= wait <= 75 for wait in waits[3:])
    assert any(one != other for one, other in pairwise(waits[3:])), "jobs must not march in step"


def test_a_persons_retry_starts_the_waits_anew(bench: WorkBench) -> None:
    """Whoever asks for another go does not inherit the longest wait of the attempts before."""
    job_id = bench.arrive()
    bench.runner.failures = [NonFiniteOutput(NAN.message), DeviceOutOfMemory("no memory left")]
    assert bench.infer(job_id).state is JobState.FAILED
    for _ in range(5):
        bench.jobs.retry(job_id)
        bench.jobs.cancel(job_id)
        bench.jobs.retry(job_id)
        bench.jobs.fail(bench.take(job_id, INFERENCE), NAN)
    bench.jobs.retry(job_id)

    assert wait_seconds(bench, bench.infer(job_id)) <= 12.5


def test_a_defect_of_ours_is_visible_and_tried_again(bench: WorkBench) -> None:
    """An exception nobody translated keeps its own code, tells nothing of its text, and does not stop the worker."""
    job_id = bench.arrive()
    bench.runner.failures = [ZeroDivisionError("Phantom^Test")]

    job = bench.infer(job_id)

    assert (job.state, job.error_code) == (JobState.QUEUED, "node.unexpected")
    assert job.error_message == "unexpected ZeroDivisionError"
    assert [entry["error"] for entry in bench.logs if entry["log_level"] == "error"] == ["ZeroDivisionError"]


def test_a_poisonous_job_ends(bench: WorkBench) -> None:
    """A job that always fails is worked on as often as is allowed, then stays FAILED and owes no message."""
    job_id = bench.arrive()
    queue = RecordingQueue()
    bench.runner.failures = [ZeroDivisionError() for _ in range(10)]

    for _ in range(10):
        Dispatcher(bench.jobs, queue).tick()
        while (hint := queue.take()) is not None:
            bench.worker().run(hint)
        bench.clock.advance(3600)

    job = bench.jobs.get(job_id)
    assert (job.state, job.error_code, job.attempt) == (JobState.FAILED, "node.unexpected", 3)
    assert len(bench.runner.ran) == 3


# Refused


@pytest.mark.parametrize(
    "plausibility",
    [
        Plausibility((0.0, 0.5), ()),
        Plausibility((0.0, 1e6), ((1, 2, 0.0, 1.0),)),
        Plausibility((0.0, 1e6), (), ((1, 2, 2.0, 9.0),)),
    ],
    ids=["total", "ratio", "contrast"],
)
def test_an_implausible_result_is_a_reason_and_no_number(bench: WorkBench, plausibility: Plausibility) -> None:
    """The series says why it has no result, and neither numbers nor objects exist anywhere."""
    bench.catalogue = FixedCatalogue([replace(SPEC, plausibility=plausibility)])

    job = bench.infer(bench.arrive())

    assert (job.state, job.error_code, job.result) == (JobState.REJECTED, "result.implausible", None)
    assert bench.decision() == ("rejected", "result.implausible")
    assert bench.results.manifests == {}
    assert [told.job_id for told in bench.notifier.jobs] == [job.job_id]


def test_damaged_pixels_are_the_series_reason(bench: WorkBench) -> None:
    """What stands in the file decides, not what stood in the header at arrival."""
    job_id = bench.arrive()
    path = sorted(bench.spool.glob("*.dcm"))[5]
    path.write_bytes(path.read_bytes()[:-100])

    job = bench.infer(job_id)

    assert job.state is JobState.REJECTED
    assert job.error_code is not None
    assert job.error_code.startswith("pixel.")
    assert bench.decision() == ("rejected", job.error_code)
    assert bench.runner.ran == []


def test_late_instances_leave_the_answer_to_their_own_job(bench: WorkBench) -> None:
    """The job of an overtaken revision ends by name; the series, which is open again, is not rejected with it."""
    job_id = bench.arrive()
    late = revision_of(write_blocks(bench.spool / "late", SeriesOptions(header={"PatientComments": "late"})))
    bench.add(late.instances[0])

    job = bench.infer(job_id)

    assert (job.state, job.error_code) == (JobState.REJECTED, "series.superseded")
    assert bench.runner.ran == []
    second = bench.close(late)
    assert bench.infer(second).state is JobState.DELIVERING
    assert bench.decision() == ("analysed", None)


# Failed at once


def test_a_job_runs_with_the_weights_it_was_made_for_or_not_at_all(bench: WorkBench) -> None:
    """Other weights under the same name would give an answer that nobody asked for."""
    job_id = bench.arrive()
    bench.catalogue = FixedCatalogue([with_digest(SPEC, "1" * 64)])

    job = bench.infer(job_id)

    assert (job.state, job.error_code, job.attempt) == (JobState.FAILED, "model.not_found", 1)
    assert bench.runner.ran == []


@pytest.mark.parametrize("named", [True, False], ids=["model gone", "no model named"])
def test_a_job_without_a_model_fails(bench: WorkBench, named: bool) -> None:
    """It is visible as FAILED, and not tried again."""
    job_id = bench.arrive(SPEC.reference if named else None)
    bench.catalogue = FixedCatalogue([])

    job = bench.infer(job_id)

    assert (job.state, job.error_code) == (JobState.FAILED, "model.not_found")
    assert bench.jobs.due(10) == []


def test_an_error_that_repeating_cannot_heal_ends_the_job(bench: WorkBench) -> None:
    """No second attempt is made."""
    bench.runner.failures = [NonFiniteOutput(NAN.message)]
    job = bench.infer(bench.arrive())
    assert (job.state, job.error_code, job.attempt) == (JobState.FAILED, "inference.non_finite", 1)


# No longer ours


@pytest.mark.parametrize("failure", [None, ImplausibleResult("too large"), ZeroDivisionError()], ids=str)
def test_a_lost_lease_leaves_no_trace(bench: WorkBench, failure: Exception | None) -> None:
    """Another worker took the job: this one saves nothing, hands nothing on, and does not judge the job."""
    job_id = bench.arrive()

    def lose() -> None:
        bench.clock.advance(LEASE_SECONDS + 1)
        bench.take(job_id, INFERENCE)

    bench.runner.on_run = lose
    bench.runner.failures = [failure] if failure else []

    job = bench.infer(job_id)

    assert (job.state, job.lease_owner, job.attempt, job.error_code) == (JobState.PROCESSING, "worker-2", 2, None)
    assert bench.results.manifests == {}
    assert bench.notifier.jobs == []


def test_a_cancelled_job_stops_between_two_stages(bench: WorkBench) -> None:
    """A person's word holds: the stage at hand ends, nothing after it begins, nothing is saved."""
    job_id = bench.arrive()
    bench.runner.on_run = lambda: bench.jobs.cancel(job_id)

    job = bench.infer(job_id)

    assert job.state is JobState.CANCELLED
    assert [time.stage for time in job.stages] == [Stage.VOLUME, Stage.PREPROCESS]
    assert bench.results.manifests == {}
    assert bench.jobs.due(10) == []


def test_a_job_cancelled_at_the_very_end_is_not_delivered(bench: WorkBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between saving and handing on is the last moment at which a person may stop it."""
    job_id = bench.arrive()
    save = bench.results.save

    def save_and_cancel(*arguments: object) -> None:
        save(*arguments)  # type: ignore[arg-type]
        bench.jobs.cancel(job_id)

    monkeypatch.setattr(bench.results, "save", save_and_cancel)

    assert bench.infer(job_id).state is JobState.CANCELLED
    assert bench.jobs.due(10) == []
    assert nothing_was_published(bench)


# The world around is away


def away(*_: object) -> None:
    """Be a database or disk that cannot be used."""
    raise StoreUnavailable("the database cannot be used at the moment")


def test_a_database_that_is_away_is_no_exception_of_the_queue(
    bench: WorkBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that cannot be made is given up quietly; the dispatcher hints at the job again."""
    job_id = bench.arrive()
    with monkeypatch.context() as patch:
        patch.setattr(bench.jobs, "claim", away)
        bench.worker().run(Hint(INFERENCE, job_id))

    assert bench.jobs.due(10) == [Hint(INFERENCE, job_id)]


@pytest.mark.parametrize("method", ["record_stage", "deliver", "get"])
def test_a_database_that_goes_away_costs_an_attempt_and_nothing_else(
    bench: WorkBench, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Whatever cannot be written, the worker goes on, and the job is done by a later attempt."""
    job_id = bench.arrive()
    with monkeypatch.context() as patch:
        patch.setattr(bench.jobs, method, away)
        patch.setattr(bench.jobs, "postpone", away)
        bench.worker().run(Hint(INFERENCE, job_id))
    bench.clock.advance(LEASE_SECONDS + 1)

    assert bench.infer(job_id).state is JobState.DELIVERING


def test_a_full_disk_is_tried_again(bench: WorkBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that cannot be kept is not handed on."""
    job_id = bench.arrive()
    with monkeypatch.context() as patch:
        patch.setattr(bench.results, "save", away)
        job = bench.infer(job_id)

    assert (job.state, job.error_code) == (JobState.QUEUED, "job.store_unavailable")


def test_the_bench_sees_what_it_draws() -> None:
    """The truth that these tests compare with is that of the drawing."""
    counts = {f"Structure {value}": (blocks() == value).sum() * 8 / 1000 for value in (1, 2)}
    assert counts == pytest.approx(TRUE_VOLUMES_ML)


# Notes


@pytest.fixture
def told(bench: WorkBench) -> WorkBench:
    """Give a bench whose archive is told of what was not analysed."""
    return replace(bench, notes=True)


def test_a_rejection_is_told_where_readers_look(told: WorkBench) -> None:
    """The series has its reason at once; the job ends once archive and report server have the note."""
    job_id = told.arrive()
    told.catalogue = FixedCatalogue([IMPLAUSIBLE])

    waiting = told.infer(job_id)

    assert (waiting.state, waiting.error_code) == (JobState.DELIVERING, "result.implausible")
    assert told.decision() == ("rejected", "result.implausible")
    job = told.deliver(job_id)
    assert (job.state, job.error_code) == (JobState.REJECTED, "result.implausible")
    (note,) = told.archive.objects.values()
    assert note.kind is ArtifactKind.SR
    (report,) = told.reports.reports.values()
    assert report.refusal == Refusal("result.implausible", waiting.error_message or "")
    assert [entry.identity for entry in report.evidence] == [note.identity]


def test_a_note_waits_for_its_archive_as_a_result_does(told: WorkBench) -> None:
    """And is the same object when it is sent again."""
    job_id = told.arrive()
    told.catalogue = FixedCatalogue([IMPLAUSIBLE])
    told.infer(job_id)
    told.archive.commits = False
    assert told.deliver(job_id).state is JobState.DELIVERING
    assert told.reports.calls == 0

    told.archive.commits = True
    told.wait_for(job_id)

    assert told.deliver(job_id).state is JobState.REJECTED
    assert (len(told.archive.objects), told.reports.calls) == (1, 1)


def test_an_overtaken_revision_is_not_told(told: WorkBench) -> None:
    """The later revision tells what there is to tell."""
    job_id = told.arrive()
    late = revision_of(write_blocks(told.spool / "late", SeriesOptions(header={"PatientComments": "late"})))
    told.add(late.instances[0])

    assert told.infer(job_id).state is JobState.REJECTED
    assert told.archive.objects == {}


def test_nobody_is_told_who_did_not_ask(told: WorkBench) -> None:
    """An archive without a wish for notes gets none, nor does the report server."""
    quiet = replace(told, notes=False)
    job_id = quiet.arrive()
    quiet.catalogue = FixedCatalogue([IMPLAUSIBLE])

    assert quiet.infer(job_id).state is JobState.REJECTED
    assert (quiet.archive.objects, quiet.reports.calls) == ({}, 0)


def test_the_reason_outlives_the_trouble_with_its_note(told: WorkBench) -> None:
    """What is said in the end is why nothing was analysed, not why that took long to tell."""
    job_id = told.arrive()
    told.catalogue = FixedCatalogue([IMPLAUSIBLE])
    told.infer(job_id)
    told.archive.failures = [PeerUnavailable("no answer")]
    assert told.deliver(job_id).error_code == "delivery.peer_unavailable"
    told.wait_for(job_id)

    job = told.deliver(job_id)

    assert (job.state, job.error_code) == (JobState.REJECTED, "result.implausible")
    assert told.decision() == ("rejected", "result.implausible")


def test_no_note_is_sent_of_what_has_changed_meanwhile(told: WorkBench) -> None:
    """The later revision has a job of its own, and perhaps a result."""
    job_id = told.arrive()
    told.catalogue = FixedCatalogue([IMPLAUSIBLE])
    told.infer(job_id)
    late = revision_of(write_blocks(told.spool / "late", SeriesOptions(header={"PatientComments": "late"})))
    told.add(late.instances[0])

    assert told.deliver(job_id).state is JobState.REJECTED
    assert (told.archive.objects, told.reports.calls) == ({}, 0)


def test_who_takes_no_notes_any_more_gets_none(told: WorkBench) -> None:
    """A note that waits is forgotten, and the job ends."""
    job_id = told.arrive()
    told.catalogue = FixedCatalogue([IMPLAUSIBLE])
    told.infer(job_id)
    told.notes = False

    assert told.deliver(job_id).state is JobState.REJECTED
    assert (told.archive.objects, told.reports.calls) == ({}, 0)
