"""Stand-ins for the core's ports: real behaviour in memory, under a test's control.

There is no fake job store or study index: SQLite is cheap enough to use the real ones (``tests.support.databases``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock

from inference.domain.artifact import DicomArtifact
from inference.domain.deployment import DeploymentEvent
from inference.domain.identifiers import UID, JobID
from inference.domain.job import Hint, Job, ModelReference, QueueName
from inference.domain.model_spec import Deployment, ModelSpec
from inference.domain.result import Report
from inference.domain.review import Review
from inference.errors import JobNotFound, ModelNotFound, ModelRecalled, NodeError, NotCommitted
from inference.ports import (
    ArchiveCounter,
    ArtifactSink,
    Clock,
    DeploymentLog,
    JobQueue,
    ModelCatalogue,
    Notifier,
    ReportSink,
    ResultStore,
    UIDSource,
)

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
"""The time at which a FixedClock starts."""


class FixedClock(Clock):
    """A clock that stands until a test moves it; waiting moves it too, and returns at once.

    Parameters
    ----------
    start
        The first time of day, aware.
    """

    def __init__(self, start: datetime = NOON) -> None:
        self._now = start
        self._monotonic = 1000.0
        self._lock = Lock()
        self.waits: list[float] = []

    def now(self) -> datetime:
        """Give the time of day."""
        return self._now

    def monotonic(self) -> float:
        """Give seconds that only ``advance`` and ``wait`` move."""
        return self._monotonic

    def wait(self, seconds: float) -> None:
        """Move on by ``seconds`` and note it in ``waits``."""
        self.waits.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move both times on."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._monotonic += seconds

    def jump_to(self, now: datetime) -> None:
        """Set the time of day alone, as an operator or NTP does."""
        self._now = now


class CountingUIDSource(UIDSource):
    """Identifiers 1, 2, 3, … so that tests can name them."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = Lock()

    def job_id(self) -> JobID:
        """Give the next number as 32 hexadecimal digits."""
        return JobID(f"{self._next():032x}")

    def token(self) -> str:
        """Give the next number as a word."""
        return f"token-{self._next()}"

    def _next(self) -> int:
        with self._lock:
            self._count += 1
            return self._count


class RecordingQueue(JobQueue):
    """Keeps every hint in ``hints``; raises ``failure`` instead while one is set."""

    def __init__(self) -> None:
        self.hints: list[Hint] = []
        self.failure: NodeError | None = None

    def enqueue(self, hint: Hint) -> None:
        """Keep one hint."""
        if self.failure is not None:
            raise self.failure
        self.hints.append(hint)

    def depth(self, queue: QueueName) -> int:
        """Count the hints kept for one queue."""
        return sum(hint.queue is queue for hint in self.hints)

    def take(self) -> Hint | None:
        """Take the oldest hint out, as a worker would."""
        return self.hints.pop(0) if self.hints else None


class FakeArtifactSink(ArtifactSink):
    """An archive in memory.

    ``failures`` are raised by the next calls, one each; while ``commits`` is False nothing is confirmed.
    """

    def __init__(self) -> None:
        self.objects: dict[UID, DicomArtifact] = {}
        self.deliveries = 0
        self.failures: list[NodeError] = []
        self.commits = True

    def deliver(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Keep the objects; the first bytes under a UID win, as in Orthanc."""
        self._fail_as_told()
        self.deliveries += 1
        for artifact in artifacts:
            self.objects.setdefault(artifact.identity.sop_instance_uid, artifact)

    def confirm(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Return only when every object is held with the same bytes."""
        self._fail_as_told()
        for artifact in artifacts:
            held = self.objects.get(artifact.identity.sop_instance_uid)
            if not self.commits or held is None or held.sha256 != artifact.sha256:
                raise NotCommitted("the archive does not show the object")

    def _fail_as_told(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


class FakeReportSink(ReportSink):
    """A report server in memory; ``failures`` are raised by the next calls, one each."""

    def __init__(self) -> None:
        self.reports: dict[UID, Report] = {}
        self.withdrawn: dict[UID, str] = {}
        self.reviews: dict[UID, Review] = {}
        self.calls = 0
        self.failures: list[NodeError] = []

    def store(self, report: Report) -> str:
        """Keep the report under its UID."""
        self._count_or_fail()
        self.reports[report.report_uid] = report
        return f"DiagnosticReport/{report.report_uid}"

    def review(self, report: Report, review: Review) -> str:
        """Keep the report, and its last review."""
        self._count_or_fail()
        self.reports[report.report_uid] = report
        self.reviews[report.report_uid] = review
        return f"DiagnosticReport/{report.report_uid}"

    def withdraw(self, report: Report, reason: str) -> None:
        """Note the reason of a report that is kept."""
        self._count_or_fail()
        if report.report_uid in self.reports:
            self.withdrawn[report.report_uid] = reason

    def _count_or_fail(self) -> None:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)


class MemoryResultStore(ResultStore):
    """Results in memory."""

    def __init__(self) -> None:
        self._kept: dict[JobID, tuple[tuple[DicomArtifact, ...], Report]] = {}
        self.manifests: dict[JobID, Mapping[str, object]] = {}

    def save(
        self, job_id: JobID, artifacts: Sequence[DicomArtifact], report: Report, manifest: Mapping[str, object]
    ) -> None:
        """Keep a job's results, replacing earlier ones."""
        self._kept[job_id] = (tuple(artifacts), report)
        self.manifests[job_id] = manifest

    def artifacts(self, job_id: JobID) -> Sequence[DicomArtifact]:
        """Give the DICOM results of a job."""
        return self._of(job_id)[0]

    def report(self, job_id: JobID) -> Report:
        """Give the report of a job."""
        return self._of(job_id)[1]

    def _of(self, job_id: JobID) -> tuple[tuple[DicomArtifact, ...], Report]:
        if job_id not in self._kept:
            raise JobNotFound("the job has no results here")
        return self._kept[job_id]


@dataclass
class FakeCounter(ArchiveCounter):
    """An archive that counts as it is told.

    Parameters
    ----------
    counts
        Instances per Series Instance UID; None for a series it cannot say.
    asked
        The series it was asked about, in order.
    """

    counts: Mapping[UID, int] = field(default_factory=dict)
    asked: list[UID] = field(default_factory=list)

    def count(self, study_instance_uid: UID, series_instance_uid: UID) -> int | None:
        """Give the count of a series."""
        self.asked.append(series_instance_uid)
        return self.counts.get(series_instance_uid)


@dataclass
class FixedCatalogue(ModelCatalogue):
    """A catalogue of given models, each deployed as its ``deployment`` says."""

    models: Sequence[ModelSpec] = ()

    def all(self) -> Sequence[ModelSpec]:
        """List the models in order of id."""
        return sorted(self.models, key=lambda spec: spec.reference.model_id)

    def active(self) -> Sequence[ModelSpec]:
        """List the models that run."""
        return [spec for spec in self.all() if spec.deployment in {Deployment.ACTIVE, Deployment.SHADOW}]

    def get(self, model_id: str) -> ModelSpec:
        """Give the active version of a model."""
        for spec in self.models:
            if spec.reference.model_id == model_id and spec.deployment is Deployment.ACTIVE:
                return spec
        raise ModelNotFound(f"no model {model_id}")

    def exactly(self, reference: ModelReference) -> ModelSpec:
        """Give one version."""
        for spec in self.models:
            if spec.reference == reference:
                if spec.deployment is Deployment.RECALLED:
                    raise ModelRecalled(f"{reference.model_id} was recalled")
                return spec
        raise ModelNotFound(f"no model {reference.model_id} {reference.version}")


@dataclass
class MemoryDeploymentLog(DeploymentLog):
    """Decisions in memory."""

    kept: list[DeploymentEvent] = field(default_factory=list)

    def record(self, event: DeploymentEvent) -> None:
        """Append an event."""
        self.kept.append(event)

    def events(self) -> Sequence[DeploymentEvent]:
        """List all events."""
        return tuple(self.kept)


@dataclass
class RecordingNotifier(Notifier):
    """Keeps the jobs it was told of; calls ``on_job`` for each where set."""

    jobs: list[Job] = field(default_factory=list)
    on_job: Callable[[Job], None] | None = None

    def job_ended(self, job: Job) -> None:
        """Keep the job."""
        self.jobs.append(job)
        if self.on_job is not None:
            self.on_job(job)
