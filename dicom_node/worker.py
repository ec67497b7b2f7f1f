"""What a worker does with a hint: claim the job, do its part of the line, and leave a decision.

At-least-once work, effectively-once results: every write names the lease, every output UID is derived from the
input, so a job that is done twice leaves one result (ARCHITECTURE section 4).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from dicom_node.heartbeat import Heartbeat
from dicom_node.inputs import Awaited, InputResolver
from dicom_node.summary import REPORT_WANTED, summary
from dicom_node.verdicts import Verdict, failure_of, verdict
from dicom_node.withdrawals import order_of, rejection_notes
from inference.decoder_pool import DecoderSupply
from inference.domain.artifact import DicomArtifact
from inference.domain.charsets import NOTHING_CONFIGURED, CharacterSets
from inference.domain.job import DELIVERY_STATES, Failure, Hint, Job, JobState, Lease, QueueName, StageTime
from inference.domain.model_spec import ModelSpec
from inference.domain.result import Report
from inference.errors import (
    JobNotFound,
    ModelNotFound,
    NodeError,
    Stage,
    StoreUnavailable,
)
from inference.pipeline import Surroundings, analyse
from inference.ports import (
    ArtifactSink,
    Clock,
    JobStore,
    ModelCatalogue,
    ModelRunner,
    Notifier,
    ReportSink,
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
    archive: ArtifactSink
    reports: ReportSink
    notifier: Notifier
    clock: Clock
    decoders: DecoderSupply | None = None


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
    """

    owner: str
    lease_seconds: float = 120.0
    max_attempts: int = 3
    retry_base_seconds: float = 10.0
    retry_cap_seconds: float = 900.0
    delivery_deadline_hours: float = 72.0
    channel_wait_seconds: float = 600.0
    charsets: CharacterSets = NOTHING_CONFIGURED


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
        observer, charsets = self._observer(lease, heartbeat), self._options.charsets
        surroundings = Surroundings(places.runner, places.clock, observer, charsets, places.decoders)
        analysis = analyse(inputs, spec, surroundings, job.attempt)
        if job.shadow:
            places.jobs.record(lease, {**summary(analysis, spec), "artifacts": []})
        else:
            places.results.save(job.job_id, analysis.artifacts, analysis.report, analysis.manifest)
            places.jobs.deliver(lease, summary(analysis, spec))
        LOG.info("job.analysed", job=job.job_id, shadow=job.shadow)

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
        places, job = self._places, lease.job
        timer = StageTimer(places.clock, job.attempt, self._observer(lease, heartbeat))
        if job.state is JobState.WITHDRAWING:
            self._withdraw(lease, timer)
            return
        artifacts, report = self._kept(job)
        with timer.measure(Stage.DELIVER):
            places.archive.deliver(artifacts)
            places.archive.confirm(artifacts)
        address = None
        if _is_reported(job):
            with timer.measure(Stage.REPORT):
                address = places.reports.store(report)
        places.jobs.complete(lease, address)
        LOG.info("job.completed", job=job.job_id)
        places.notifier.job_ended(places.jobs.get(job.job_id))

    def _withdraw(self, lease: Lease, timer: StageTimer) -> None:
        """Say in archive and report server that the result does not stand; in one also while the other is away."""
        places, job = self._places, lease.job
        artifacts, report = self._kept(job)
        order = order_of(job)
        try:
            with timer.measure(Stage.DELIVER):
                notes = rejection_notes(artifacts, order)
                places.archive.deliver(notes)
                places.archive.confirm(notes)
        finally:
            if _is_reported(job):
                with timer.measure(Stage.REPORT):
                    places.reports.withdraw(report, order.reason)
        places.jobs.withdrawn(lease)
        LOG.info("job.withdrawn", job=job.job_id)
        places.notifier.job_ended(places.jobs.get(job.job_id))

    def _kept(self, job: Job) -> tuple[Sequence[DicomArtifact], Report]:
        """Read the result; one that is not here may be on its way on shared storage, so the deadline decides."""
        results = self._places.results
        try:
            return results.artifacts(job.job_id), results.report(job.job_id)
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
        if wanted is Verdict.REJECT:
            jobs.reject(lease, failure)
        elif wanted is Verdict.RETRY and not self._used_up(lease.job):
            jobs.postpone(lease, failure, self._places.clock.now() + self._delay(lease.job))
            return
        else:
            jobs.fail(lease, failure)
        self._places.notifier.job_ended(jobs.get(lease.job.job_id))

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
        options = self._options
        if job.state in DELIVERY_STATES:
            seconds = max(options.retry_base_seconds, self._delivered_for(job).total_seconds())
        else:
            seconds = options.retry_base_seconds * 2 ** min(job.attempt - 1, 16)
        jitter = random.uniform(0.75, 1.25)  # noqa: S311 - not a secret
        return timedelta(seconds=jitter * min(seconds, options.retry_cap_seconds))


def _is_reported(job: Job) -> bool:
    return bool((job.result or {}).get(REPORT_WANTED, True))
