"""What a worker does with a hint: claim the job, do its part of the line, and leave a decision.

At-least-once work, effectively-once results: every write names the lease, every output UID is derived from the
input, so a job that is done twice leaves one result (ARCHITECTURE section 4).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from dicom_node.heartbeat import Heartbeat
from dicom_node.verdicts import Verdict, verdict
from inference.domain.job import Job, Lease, StageTime
from inference.domain.model_spec import ModelSpec
from inference.domain.study import SeriesRevision
from inference.errors import IncompleteSeries, ModelNotFound, NodeError, ReasonCode, Stage
from inference.pipeline import Analysis, Surroundings, analyse
from inference.ports import (
    ArtifactSink,
    Clock,
    Failure,
    Hint,
    JobStore,
    ModelCatalogue,
    ModelRunner,
    Notifier,
    QueueName,
    ReportSink,
    ResultStore,
    StudyIndex,
)
from inference.timing import StageTimer

LOG = structlog.get_logger(__name__)

UNEXPECTED = "node.unexpected"
"""Code of an exception that no stage translated: a defect of ours, kept visible."""


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
        Exponential back-off between attempts: first wait, longest wait.
    delivery_deadline_hours
        How long delivery is tried before the job is FAILED; its result stays on disk and a person may retry.
    """

    owner: str
    lease_seconds: float = 120.0
    max_attempts: int = 3
    retry_base_seconds: float = 10.0
    retry_cap_seconds: float = 900.0
    delivery_deadline_hours: float = 72.0


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

    def run(self, hint: Hint) -> None:
        """Do the work a hint points at; a hint that is late, repeated or wrong does nothing.

        This is the queue's border: whatever happens in here ends as a state of the job, never as an exception of
        the queue.
        """
        lease = self._places.jobs.claim(hint.job_id, hint.queue, self._options.owner, self._options.lease_seconds)
        if lease is None:
            return
        log = LOG.bind(job=lease.job.job_id, queue=hint.queue.value, attempt=lease.job.attempt)
        log.info("job.claimed")
        part = self._infer if hint.queue is QueueName.INFERENCE else self._deliver
        self._guard(lease, part)
        log.info("job.released", state=self._places.jobs.get(lease.job.job_id).state.value)

    def _guard(self, lease: Lease, part: Callable[[Lease, Heartbeat], None]) -> None:
        heartbeat = Heartbeat(self._places.jobs, lease, self._options.lease_seconds)
        try:
            with heartbeat.beating():
                part(lease, heartbeat)
        except NodeError as error:
            self._settle(lease, Failure(error.code, error.message), verdict(error))
        except Exception as error:  # the worker's border: a defect of ours must not stop the queue
            LOG.exception("job.unexpected", job=lease.job.job_id, error=type(error).__name__)
            self._settle(lease, Failure(UNEXPECTED, f"unexpected {type(error).__name__}"), Verdict.RETRY)

    def _infer(self, lease: Lease, heartbeat: Heartbeat) -> None:
        places, job = self._places, lease.job
        spec = self._spec(job)
        series = self._series(job)

        def on_stage(time: StageTime) -> None:
            heartbeat.check()
            places.jobs.record_stage(lease, time)

        analysis = analyse(series, spec, Surroundings(places.runner, places.clock, on_stage), job.attempt)
        places.results.save(job.job_id, analysis.artifacts, analysis.report, analysis.manifest)
        heartbeat.check()
        places.jobs.deliver(lease, summary(analysis, spec))

    def _series(self, job: Job) -> SeriesRevision:
        """Give the revision that the job was made for; where a later one exists, that one's job answers."""
        series = self._places.index.series(job.series_instance_uid)
        if series.revision != job.revision:
            raise IncompleteSeries(ReasonCode.SUPERSEDED, "late instances came: the later revision's job answers")
        return series

    def _spec(self, job: Job) -> ModelSpec:
        if job.model is None:
            raise ModelNotFound("the job names no model")
        spec = self._places.catalogue.get(job.model.model_id)
        if spec.reference.digest != job.model.digest:
            raise ModelNotFound(f"{job.model.model_id}: the weights this job was made for are not here any more")
        return spec

    def _deliver(self, lease: Lease, heartbeat: Heartbeat) -> None:
        places, job = self._places, lease.job

        def on_stage(time: StageTime) -> None:
            heartbeat.check()
            places.jobs.record_stage(lease, time)

        timer = StageTimer(places.clock, job.attempt, on_stage)
        artifacts = places.results.artifacts(job.job_id)
        with timer.measure(Stage.DELIVER):
            places.archive.deliver(artifacts)
            places.archive.confirm(artifacts)
        with timer.measure(Stage.REPORT):
            address = places.reports.store(places.results.report(job.job_id))
        places.jobs.complete(lease, address)
        places.notifier.job_ended(places.jobs.get(job.job_id))

    def _settle(self, lease: Lease, failure: Failure, wanted: Verdict) -> None:
        LOG.warning("job.attempt_ended", job=lease.job.job_id, code=failure.code, verdict=wanted.value)
        try:
            self._write_outcome(lease, failure, wanted)
        except NodeError as error:
            LOG.warning("job.not_ours", job=lease.job.job_id, code=error.code)

    def _write_outcome(self, lease: Lease, failure: Failure, wanted: Verdict) -> None:
        jobs = self._places.jobs
        if wanted is Verdict.DROP:
            return
        if wanted is Verdict.REJECT:
            jobs.reject(lease, failure)
        elif wanted is Verdict.RETRY and not self._used_up(lease):
            jobs.postpone(lease, failure, self._places.clock.now() + self._delay(lease))
            return
        else:
            jobs.fail(lease, failure)
        self._places.notifier.job_ended(jobs.get(lease.job.job_id))

    def _used_up(self, lease: Lease) -> bool:
        job = self._places.jobs.get(lease.job.job_id)
        encoded = [time.started_at for time in job.stages if time.stage is Stage.ENCODE]
        if job.state.value == "DELIVERING" and encoded:
            waited = self._places.clock.now() - max(encoded)
            return waited > timedelta(hours=self._options.delivery_deadline_hours)
        return job.attempt >= self._options.max_attempts

    def _delay(self, lease: Lease) -> timedelta:
        """Back off exponentially with the number of claims, with jitter so that jobs do not march in step."""
        exponent = min(lease.token - 1, 16)
        seconds = min(self._options.retry_base_seconds * 2**exponent, self._options.retry_cap_seconds)
        return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311 - not a secret


def summary(analysis: Analysis, spec: ModelSpec) -> dict[str, Any]:
    """Say what a job found, as the job row keeps it for the API.

    Parameters
    ----------
    analysis
        The analysis.
    spec
        The model that made it.
    """
    return {
        "measurements": [
            {"label": m.label, "code": m.finding.value, "value": round(m.value, 3), "unit": m.unit.value}
            for m in analysis.report.measurements
        ],
        "artifacts": [
            {
                "kind": artifact.kind.value,
                "sop_instance_uid": artifact.identity.sop_instance_uid,
                "series_instance_uid": artifact.identity.series_instance_uid,
            }
            for artifact in analysis.artifacts
        ],
        "absent": list(analysis.report.absent),
        "warnings": list(analysis.report.warnings),
        "model_title": spec.title,
    }
