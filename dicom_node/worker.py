"""What a worker does with a hint: claim the job, do its part of the line, and leave a decision.

At-least-once work, effectively-once results: every write names the lease, every output UID is derived from the
input, so a job that is done twice leaves one result (ARCHITECTURE section 4).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo
from functools import partial
from typing import Any, Final

import structlog

from dicom_node.errands import Destinations, Errands, Kept, model_of, reviews_of
from dicom_node.heartbeat import Heartbeat
from dicom_node.inputs import Awaited, InputResolver
from dicom_node.notes import NoteWriter, is_noted, reason_of
from dicom_node.rounds import Backoff, Outcome, Rounds, Stop
from dicom_node.summary import REPORT_WANTED, artifact_entries, summary
from dicom_node.verdicts import Verdict, failure_of, verdict
from inference.decoder_pool import DecoderSupply
from inference.domain.charsets import NOTHING_CONFIGURED, CharacterSets
from inference.domain.delivery import NOTE, RESULT, WITHDRAWAL, Order
from inference.domain.job import (
    DELIVERY_STATES,
    REVIEWED,
    REVIEWS,
    Failure,
    Hint,
    Job,
    JobState,
    Lease,
    QueueName,
    StageTime,
)
from inference.domain.job import WITHDRAWAL as WITHDRAWN_RESULT
from inference.domain.model_spec import ModelSpec
from inference.encoding.preview import build_preview
from inference.encoding.revision import current, sent_after
from inference.errors import (
    ImplausibleResult,
    JobNotFound,
    ModelNotFound,
    NodeError,
    ReasonCode,
    StoreUnavailable,
)
from inference.pipeline import Analysis, Surroundings, analyse
from inference.ports import (
    Clock,
    DeliveryLog,
    JobStore,
    ModelCatalogue,
    ModelRunner,
    Notifier,
    PreviewStore,
    ResultStore,
    StudyIndex,
)
from inference.timing import StageTimer

LOG = structlog.get_logger(__name__)

DEADLINE: Final = "delivery.deadline"
"""Code of a delivery whose workers all died without a word until its time was over."""


@dataclass(frozen=True, slots=True)
class WorkPlaces:
    """The adapters a worker writes to and reads from."""

    jobs: JobStore
    index: StudyIndex
    catalogue: ModelCatalogue
    runner: ModelRunner
    results: ResultStore
    destinations: Destinations
    deliveries: DeliveryLog
    notifier: Notifier
    clock: Clock
    decoders: DecoderSupply | None = None
    previews: PreviewStore | None = None


@dataclass(frozen=True, slots=True)
class WorkOptions:
    """How a worker behaves.

    Parameters
    ----------
    owner
        Name under which leases are held; unique per process.
    lease_seconds
        Life of a lease without a heartbeat.
    max_attempts
        Attempts of the inference part before a job is FAILED.
    retry_base_seconds, retry_cap_seconds
        Exponential back-off between attempts: first wait, longest wait, both before jitter of a quarter.
    delivery_deadline_hours
        How long delivery is tried before the job is FAILED; its result stays on disk and a person may retry, which
        starts the time anew.
    channel_wait_seconds
        How long after its latest instance a study may still receive a series that a model's channel lacks.
    charsets
        What is assumed of senders that name no character set.
    zone
        Where the site is.
    """

    owner: str
    lease_seconds: float = 120.0
    max_attempts: int = 3
    retry_base_seconds: float = 10.0
    retry_cap_seconds: float = 900.0
    delivery_deadline_hours: float = 72.0
    channel_wait_seconds: float = 600.0
    charsets: CharacterSets = NOTHING_CONFIGURED
    zone: tzinfo = UTC


class Worker:
    """Works on one hint at a time.

    Parameters
    ----------
    places
        The adapters.
    options
        Limits and waits.
    """

    def __init__(self, places: WorkPlaces, options: WorkOptions) -> None:
        self._places = places
        self._options = options
        self._inputs = InputResolver(places.index, places.clock, options.channel_wait_seconds, options.charsets)
        self._notes = NoteWriter(places.index, places.catalogue, options.charsets, options.zone)
        self._errands = Errands(places.destinations, options.zone)
        self._backoff = Backoff(options.retry_base_seconds, options.retry_cap_seconds)
        self._rounds = Rounds(places.deliveries, places.clock, self._backoff)

    def run(self, hint: Hint) -> None:
        """Do the work a hint points at; a hint that is late, repeated or wrong does nothing.

        This is the queue's border: whatever happens in here ends as a state of the job, never as an exception of
        the queue. Where not even the claim can be made, the dispatcher hints at the job again.
        """
        log = LOG.bind(job=hint.job_id, queue=hint.queue.value)
        try:
            lease = self._claim(hint)
        except NodeError as error:
            log.warning("job.not_claimed", code=error.code)
            return
        if lease is None:
            return
        log.info("job.claimed", attempt=lease.job.attempt)
        if self._died_out(lease):
            self._settle(lease, self._overdue(lease.job), Verdict.FAIL)
            return
        self._guard(lease, self._infer if hint.queue is QueueName.INFERENCE else self._deliver)

    def _claim(self, hint: Hint) -> Lease | None:
        options = self._options
        return self._places.jobs.claim(hint.job_id, hint.queue, options.owner, options.lease_seconds)

    def _guard(self, lease: Lease, part: Callable[[Lease, Heartbeat], None]) -> None:
        heartbeat = Heartbeat(self._places.jobs, lease, self._options.lease_seconds)
        try:
            with heartbeat.beating():
                part(lease, heartbeat)
        except NodeError as error:
            self._settle(lease, failure_of(error), verdict(error))
        except Exception as error:  # the worker's border: a defect of ours must not stop the queue
            LOG.exception("job.unexpected", job=lease.job.job_id, error=type(error).__name__)
            self._settle(lease, failure_of(error), Verdict.RETRY)

    def _infer(self, lease: Lease, heartbeat: Heartbeat) -> None:
        places, job = self._places, lease.job
        spec = self._spec(job)
        inputs = self._inputs.resolve(job, spec)
        if isinstance(inputs, Awaited):
            places.jobs.defer(lease, inputs.reason, inputs.until)
            LOG.info("job.deferred", job=job.job_id, code=inputs.reason.code)
            return
        surroundings = Surroundings(
            places.runner,
            places.clock,
            self._observer(lease, heartbeat),
            self._options.charsets,
            places.decoders,
            Order.of(archive.wanted for archive in places.destinations.archives),
            partial(places.jobs.predecessors, job),
            job.created_at,
            self._options.zone,
        )
        analysis = analyse(inputs, spec, surroundings, job.attempt)
        if job.shadow:
            places.jobs.record(lease, {**summary(analysis, spec), "artifacts": []})
        else:
            said = self._what_was_said(job, analysis)
            places.results.save(job.job_id, analysis.artifacts, analysis.report, analysis.manifest)
            places.jobs.deliver(lease, {**summary(analysis, spec), **said})
            self._keep_preview(job, analysis)
        LOG.info("job.analysed", job=job.job_id, shadow=job.shadow)

    def _keep_preview(self, job: Job, analysis: Analysis) -> None:
        """Keep what is shown of a result, once that is on its way: it delays nothing, and may be done without."""
        if self._places.previews is None:
            return
        modality = analysis.report.source.modality
        try:
            parts = build_preview(analysis.volume, analysis.result, analysis.window, modality)
            self._places.previews.save(job.job_id, parts)
        except Exception as error:  # noqa: BLE001 - the worker's border: the result stands without it
            LOG.warning("job.no_preview", job=job.job_id, error=type(error).__name__)

    def _what_was_said(self, job: Job, analysis: Analysis) -> dict[str, object]:
        """Give what readers have said of this very answer before: it holds for the repetition too.

        Raises
        ------
        ImplausibleResult
            REJECTED_BEFORE where they rejected it.
        """
        earlier = self._places.jobs.repeated(job, analysis.answer)
        if earlier is None or REVIEWS not in earlier:
            return {}
        if WITHDRAWN_RESULT in earlier:
            message = "a reader has rejected this very answer before; it is not published again"
            raise ImplausibleResult(message, ReasonCode.REJECTED_BEFORE)
        reviews: Any = earlier[REVIEWS]
        return {REVIEWS: reviews, REVIEWED: len(reviews), "artifacts": earlier["artifacts"]}

    def _observer(self, lease: Lease, heartbeat: Heartbeat) -> Callable[[StageTime], None]:
        """Give what records a stage as it ends, and stops the line where the job is no longer ours."""

        def on_stage(time: StageTime) -> None:
            heartbeat.check()
            self._places.jobs.record_stage(lease, time)

        return on_stage

    def _spec(self, job: Job) -> ModelSpec:
        """Give the version that the job was made for, whatever has been activated since."""
        if job.model is None:
            raise ModelNotFound("the job names no model")
        return self._places.catalogue.exactly(job.model)

    def _deliver(self, lease: Lease, heartbeat: Heartbeat) -> None:
        """Make a round to everybody who does not know yet; what one destination cannot take holds up no other."""
        job = lease.job
        timer = StageTimer(self._places.clock, job.attempt, self._observer(lease, heartbeat))
        errand, stops = self._errand(job)
        outcome = self._rounds.make(lease, errand, stops, timer)
        if outcome.is_done:
            self._finish(lease, outcome)
            LOG.info("job.delivered", job=job.job_id, errand=errand)
            self._places.notifier.job_ended(self._places.jobs.get(job.job_id))
        else:
            self._carry_on(lease, outcome)

    def _errand(self, job: Job) -> tuple[str, list[Stop]]:
        """Give what is brought, and where to."""
        if is_noted(job):
            note = self._notes.write(job)
            return NOTE, [] if note is None else self._errands.note(note)
        kept = self._kept(job)
        if job.state is JobState.WITHDRAWING:
            return WITHDRAWAL, self._errands.withdrawal(job, kept, self._told(job))
        if job.state is JobState.REVIEWING:
            return f"review-{len(reviews_of(job))}", self._errands.review(job, kept, self._told(job))
        return RESULT, self._errands.result(kept)

    def _told(self, job: Job) -> Collection[str]:
        """Name the archives that a result was brought to; of a job older than these rows, all."""
        names = {row.destination for row in self._places.deliveries.of(job.job_id) if row.errand == RESULT}
        return names or {archive.name for archive in self._places.destinations.archives}

    def _finish(self, lease: Lease, outcome: Outcome) -> None:
        """End a job of which everybody knows."""
        jobs, job = self._places.jobs, lease.job
        if is_noted(job):
            jobs.reject(lease, reason_of(job))
        elif job.state is JobState.WITHDRAWING:
            jobs.withdrawn(lease)
        elif job.state is JobState.REVIEWING:
            sent = sent_after(self._kept(job).artifacts, model_of(job), reviews_of(job))
            jobs.reviewed(lease, artifact_entries(current(sent)))
        else:
            first = next(iter(self._places.destinations.reports), "")
            jobs.complete(lease, outcome.address(first))

    def _carry_on(self, lease: Lease, outcome: Outcome) -> None:
        """Leave what a destination still lacks to a later round, as long as there is one and time for it."""
        if outcome.next_run_at is None or self._used_up(lease.job):
            self._settle(lease, outcome.failure, Verdict.FAIL)
        else:
            self._places.jobs.postpone(lease, outcome.failure, outcome.next_run_at)

    def _kept(self, job: Job) -> Kept:
        """Read the result; one that is not here may be on its way on shared storage, so the deadline decides."""
        results = self._places.results
        try:
            report = results.report(job.job_id) if _is_reported(job) else None
            return Kept(results.artifacts(job.job_id), report)
        except JobNotFound as error:
            raise StoreUnavailable("the job's result is not in the folder of results") from error

    def _settle(self, lease: Lease, failure: Failure, wanted: Verdict) -> None:
        log = LOG.bind(job=lease.job.job_id, code=failure.code)
        log.warning("job.attempt_ended", verdict=wanted.value)
        try:
            self._write_outcome(lease, failure, wanted)
        except NodeError as error:
            log.warning("job.outcome_not_written", why=error.code)

    def _write_outcome(self, lease: Lease, failure: Failure, wanted: Verdict) -> None:
        jobs = self._places.jobs
        if wanted is Verdict.DROP:
            return
        if wanted is Verdict.REJECT and self._is_worth_a_note(lease.job, failure):
            jobs.refuse(lease, failure)
            return
        if wanted is Verdict.REJECT:
            jobs.reject(lease, failure)
        elif wanted is Verdict.RETRY and not self._used_up(lease.job):
            jobs.postpone(lease, failure, self._places.clock.now() + self._delay(lease.job))
            return
        else:
            jobs.fail(lease, failure)
        self._places.notifier.job_ended(jobs.get(lease.job.job_id))

    def _is_worth_a_note(self, job: Job, failure: Failure) -> bool:
        """Tell whether readers are told: a later revision tells of itself, and a rejection is their own."""
        takes = self._places.destinations.take_notes and not job.shadow
        told = failure.code in (ReasonCode.SUPERSEDED, ReasonCode.REJECTED_BEFORE)
        return takes and job.state is JobState.PROCESSING and not told

    def _used_up(self, job: Job) -> bool:
        """Tell whether no later attempt may follow: inference is counted, delivery has a deadline."""
        if job.state in DELIVERY_STATES:
            return self._delivered_for(job) > timedelta(hours=self._options.delivery_deadline_hours)
        return job.attempt >= self._options.max_attempts

    def _died_out(self, lease: Lease) -> bool:
        """Tell whether a delivery is overdue and the last worker died at it, so that another would die too.

        An overdue delivery whose last attempt ended in order gets its chance: the node may have been off.
        """
        return lease.taken_over and lease.job.state in DELIVERY_STATES and self._used_up(lease.job)

    def _overdue(self, job: Job) -> Failure:
        why = f"; the last error was: {job.error_message}" if job.error_message else "; its workers died"
        hours = self._options.delivery_deadline_hours
        what = "withdrawn" if job.state is JobState.WITHDRAWING else "delivered"
        return Failure(job.error_code or DEADLINE, f"not {what} within {hours:g} hours{why}")

    def _delivered_for(self, job: Job) -> timedelta:
        now = self._places.clock.now()
        return now - (job.delivering_since or now)

    def _delay(self, job: Job) -> timedelta:
        """Back off exponentially, with jitter so that jobs do not march in step.

        Inference doubles the wait with every attempt. Delivery waits as long as it has been tried already, which
        doubles too, and needs no count.
        """
        if job.state in DELIVERY_STATES:
            return self._backoff.after(self._delivered_for(job))
        return self._backoff.after(
            timedelta(seconds=self._options.retry_base_seconds * 2 ** min(job.attempt - 1, 16))
        )


def _is_reported(job: Job) -> bool:
    return bool((job.result or {}).get(REPORT_WANTED, True))
