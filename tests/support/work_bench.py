"""A worker on a real database, with everything around it under a test's control."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from dicom_node.errands import Archive, Destinations
from dicom_node.worker import Worker, WorkOptions, WorkPlaces
from inference.domain.arrival import ArrivalHeader, Decision
from inference.domain.delivery import Wanted
from inference.domain.identifiers import JobID
from inference.domain.job import Hint, Job, Lease, ModelReference, NewJob, QueueName
from inference.domain.model_spec import ModelSpec
from inference.domain.study import CompletionEvidence, SeriesRevision, StoredInstance
from inference.ports import PreviewStore
from integrations.persistence.deliveries import SQLDeliveryLog
from integrations.persistence.job_store import JobStoreOptions, SQLJobStore
from integrations.persistence.study_index import SQLStudyIndex
from integrations.persistence.tables import series as series_table
from tests.support.artifacts import artifact
from tests.support.fakes import (
    CountingUIDSource,
    FakeArtifactSink,
    FakeReportSink,
    FixedCatalogue,
    FixedClock,
    MemoryResultStore,
    RecordingNotifier,
)
from tests.support.reports import make_report
from tests.support.small_analysis import SPEC, ThresholdRunner, write_blocks
from tests.support.spooled_instances import SENDER, SERIES, STUDY
from tests.support.synthetic_series import revision_of

LEASE_SECONDS = 120.0
OPTIONS = WorkOptions(owner="worker-1", lease_seconds=LEASE_SECONDS)


@dataclass
class WorkBench:
    """What a worker works with.

    Parameters
    ----------
    engine
        A migrated database.
    spool
        Folder for series.
    options
        How the worker behaves.
    """

    engine: Engine
    spool: Path
    options: WorkOptions = OPTIONS
    clock: FixedClock = field(default_factory=FixedClock)
    runner: ThresholdRunner = field(default_factory=ThresholdRunner)
    results: MemoryResultStore = field(default_factory=MemoryResultStore)
    archive: FakeArtifactSink = field(default_factory=FakeArtifactSink)
    takes: Wanted = field(default_factory=Wanted)
    notes: bool = False
    further: list[Archive] = field(default_factory=list)
    reports: FakeReportSink = field(default_factory=FakeReportSink)
    notifier: RecordingNotifier = field(default_factory=RecordingNotifier)
    catalogue: FixedCatalogue = field(default_factory=lambda: FixedCatalogue([SPEC]))
    previews: PreviewStore | None = None
    logs: list[MutableMapping[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        store_options = JobStoreOptions(max_attempts=self.options.max_attempts)
        self.jobs = SQLJobStore(self.engine, self.clock, CountingUIDSource(), store_options)
        self.index = SQLStudyIndex(self.engine, self.clock, self.spool)
        self.deliveries = SQLDeliveryLog(self.engine, self.clock)

    @property
    def destinations(self) -> Destinations:
        """Everybody who is told: the archive, further ones, and the report server."""
        first = Archive("archive", self.archive, self.takes, self.notes)
        return Destinations([first, *self.further], {"fhir": self.reports})

    def worker(self) -> Worker:
        """Give a worker as the bench stands."""
        places = WorkPlaces(
            self.jobs, self.index, self.catalogue, self.runner, self.results, self.destinations, self.deliveries,
            self.notifier, self.clock, previews=self.previews,
        )  # fmt: skip
        return Worker(places, self.options)

    def arrive(self, model: ModelReference | None = SPEC.reference) -> JobID:
        """Let a series arrive and be closed with one job."""
        found = revision_of(write_blocks(self.spool))
        for instance in found.instances:
            self.add(instance)
        return self.close(found, model)

    def wanted(self) -> JobID:
        """Give a job without a series behind it, for tests that never look at the series."""
        return self.jobs.create(NewJob(STUDY, SERIES, 1, SPEC.reference)).job_id

    def add(self, instance: StoredInstance) -> None:
        """Let one instance arrive."""
        self.index.add(instance, ArrivalHeader(), SENDER)

    def close(self, found: SeriesRevision, model: ModelReference | None = SPEC.reference) -> JobID:
        """Close the present revision of a series with one job."""
        revision = self.index.series(found.series_instance_uid, CompletionEvidence.QUIET_TIME)
        new = NewJob(revision.study_instance_uid, revision.series_instance_uid, revision.revision, model)
        (job_id,) = self.index.close(revision, Decision(analysed=True, code=None, message=None), [new])
        return job_id

    def run(self, job_id: JobID, queue: QueueName) -> Job:
        """Give the worker a hint, and give the job as it is afterwards."""
        self.worker().run(Hint(queue, job_id))
        return self.jobs.get(job_id)

    def infer(self, job_id: JobID) -> Job:
        """Let the worker do the inference part."""
        return self.run(job_id, QueueName.INFERENCE)

    def deliver(self, job_id: JobID) -> Job:
        """Let the worker do the delivery part."""
        return self.run(job_id, QueueName.DELIVERY)

    def wait_for(self, job_id: JobID) -> None:
        """Let time pass until a postponed job is due."""
        due = self.jobs.get(job_id).next_run_at
        assert due is not None
        self.clock.advance((due - self.clock.now()).total_seconds())

    def take(self, job_id: JobID, queue: QueueName, owner: str = "worker-2") -> Lease:
        """Claim a job in the name of another worker."""
        lease = self.jobs.claim(job_id, queue, owner, LEASE_SECONDS)
        assert lease is not None
        return lease

    def analysed(self, summary: dict[str, object] | None = None) -> JobID:
        """Give a job whose result waits for its delivery, without the time that an analysis takes."""
        job_id = self.wanted()
        lease = self.take(job_id, QueueName.INFERENCE)
        self.results.save(job_id, [artifact()], make_report(), {})
        self.jobs.deliver(lease, summary or {})
        return job_id

    def decision(self) -> tuple[str | None, str | None]:
        """Read the decision on the only series, and its reason."""
        with self.engine.connect() as connection:
            row = connection.execute(select(series_table.c.decision, series_table.c.reason_code)).one()
            return row.decision, row.reason_code


def with_digest(spec: ModelSpec, digest: str) -> ModelSpec:
    """Give a model other weights."""
    return replace(spec, reference=replace(spec.reference, digest=digest))
