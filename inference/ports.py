"""What the core asks of the world: Protocols named by role; adapters elsewhere are named by technology."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.domain.arrival import Arrival, ArrivalHeader, Decision, ReceivingSeries
from inference.domain.artifact import DicomArtifact
from inference.domain.delivery import Delivery
from inference.domain.deployment import DeploymentEvent
from inference.domain.identifiers import UID, AETitle, JobID
from inference.domain.job import Failure, Hint, Job, Lease, ModelReference, NewJob, QueueName, StageTime
from inference.domain.model_spec import ModelSpec
from inference.domain.result import Report
from inference.domain.review import Review
from inference.domain.study import (
    CompletionEvidence,
    InstanceIdentity,
    SeriesRevision,
    StoredInstance,
    StudyContents,
)

Tensor = NDArray[np.generic]


class Clock(Protocol):
    """Time, so that nothing else reads it."""

    def now(self) -> datetime:
        """Give the time of day, aware, in UTC."""

    def monotonic(self) -> float:
        """Give seconds that never jump; only differences mean something."""

    def wait(self, seconds: float) -> None:
        """Let the given time pass."""


class UIDSource(Protocol):
    """Fresh identifiers, for things that are not derived from their input."""

    def job_id(self) -> JobID:
        """Give a new job id."""

    def token(self) -> str:
        """Give a new unguessable token."""


class StudySpool(Protocol):
    """Where received instances are kept, byte for byte."""

    def store(self, identity: InstanceIdentity, transfer_syntax_uid: UID, data_set: bytes) -> StoredInstance:
        """Keep one instance durably: bytes fsynced, file renamed into place, folder fsynced.

        Parameters
        ----------
        identity
            Identifiers of the instance, already parsed.
        transfer_syntax_uid
            Encoding of ``data_set``.
        data_set
            The encoded data set, exactly as received.

        Raises
        ------
        SpoolFull
            If there is no room.
        """


class StudyIndex(Protocol):
    """The database's record of what arrived."""

    def add(self, instance: StoredInstance, header: ArrivalHeader, calling_ae: AETitle) -> Arrival:
        """Commit one instance; only then may the sender be told success.

        The same bytes again are a DUPLICATE and change nothing. Other bytes under a known SOP Instance UID are
        CHANGED. NEW and CHANGED instances open the next revision of a series that was closed.

        Raises
        ------
        SpoolFull
            If the database cannot be written.
        """

    def receiving(self) -> Sequence[ReceivingSeries]:
        """List the series that are still open."""

    def series(self, series_instance_uid: UID, evidence: CompletionEvidence | None = None) -> SeriesRevision:
        """Give the present revision of a series with its instances (the newest bytes of each).

        Parameters
        ----------
        series_instance_uid
            Which one.
        evidence
            What is about to close it; None for a closed series, whose evidence is on record.

        Raises
        ------
        StudyNotFound
            If the series is not known.
        """

    def study(self, study_instance_uid: UID) -> StudyContents:
        """Give the closed series of a study and whether more may come.

        Raises
        ------
        StudyNotFound
            If the study is not known.
        """

    def signal_complete(self, study_instance_uid: UID, expected: Mapping[UID, int]) -> None:
        """Record that a study is said to be complete.

        Parameters
        ----------
        study_instance_uid
            The study.
        expected
            Instances per series, as far as the signal names them; a series with more to come stays open.

        Raises
        ------
        StudyNotFound
            If the study is not known.
        """

    def close(self, series: SeriesRevision, decision: Decision, jobs: Sequence[NewJob]) -> Sequence[JobID]:
        """Declare a series complete and create its jobs with their outbox rows, in one transaction.

        If an instance arrived since ``series`` was read, nothing happens and no job is returned: the series
        stays open.
        """

    def held(self, sop_instance_uids: Collection[UID]) -> Mapping[UID, UID]:
        """Give the SOP Class UID of each instance that is kept here; what is not here is left out.

        Parameters
        ----------
        sop_instance_uids
            Which ones.

        Raises
        ------
        StoreUnavailable
            If the database cannot be read.
        """


class JobStore(Protocol):
    """The truth about jobs. Every state change is compare-and-set; a write under a lost lease is refused."""

    def create(self, job: NewJob) -> Job:
        """Create a job and its outbox row; give the existing one where input, model and run are the same."""

    def get(self, job_id: JobID) -> Job:
        """Give a job with its stage times.

        Raises
        ------
        JobNotFound
            If there is none.
        """

    def claim(self, job_id: JobID, queue: QueueName, owner: str, lease_seconds: float) -> Lease | None:
        """Take the job to work on it; None when it is not due, not claimable or somebody else holds it.

        Claiming on INFERENCE moves RECEIVED or QUEUED to PROCESSING and counts an attempt; claiming on DELIVERY
        leaves the state DELIVERING.
        """

    def heartbeat(self, lease: Lease, lease_seconds: float) -> None:
        """Extend the lease.

        Raises
        ------
        LeaseLost
            If it is no longer ours.
        JobCancelled
            If the job was cancelled meanwhile.
        """

    def record_stage(self, lease: Lease, stage: StageTime) -> None:
        """Record how long a stage took."""

    def deliver(self, lease: Lease, result: Mapping[str, object]) -> None:
        """Move PROCESSING → DELIVERING with an outbox row for the delivery queue; ends the lease.

        Raises
        ------
        LeaseLost
            If the lease is no longer ours.
        """

    def complete(self, lease: Lease, report_address: str | None) -> None:
        """Move DELIVERING → COMPLETED; ends the lease; marks jobs of earlier revisions superseded.

        Parameters
        ----------
        lease
            The right to do so.
        report_address
            Where the report is, kept in the job's result under ``report``; None where the model publishes none.
        """

    def reject(self, lease: Lease, failure: Failure) -> None:
        """Move PROCESSING or DELIVERING → REJECTED with the named reason, also on the series; ends the lease."""

    def refuse(self, lease: Lease, failure: Failure) -> None:
        """Move PROCESSING → DELIVERING with the reason, also on the series, to send a note; ends the lease."""

    def review(self, job_id: JobID, review: Review) -> Job:
        """Take a person's word on a result: COMPLETED → REVIEWING, or → WITHDRAWING where it is rejected.

        Raises
        ------
        JobNotFound, IllegalTransition
        """

    def reviewed(self, lease: Lease, artifacts: Sequence[Mapping[str, object]]) -> None:
        """Move REVIEWING → COMPLETED; ends the lease.

        Parameters
        ----------
        lease
            The right to do so.
        artifacts
            The objects that stand now, as they are listed in the job's result.
        """

    def repeated(self, job: Job, answer: str) -> Mapping[str, object] | None:
        """Give the result of the latest earlier job about the same if its answer was equal: its objects are these."""

    def predecessors(self, job: Job, answer: str) -> Sequence[InstanceIdentity]:
        """Give the SRs that a new result of a job replaces; none for the first, or where nothing has changed.

        Parameters
        ----------
        job
            The job.
        answer
            Digest of all that its answer follows from.
        """

    def fail(self, lease: Lease, failure: Failure) -> None:
        """Move to FAILED; ends the lease."""

    def defer(self, lease: Lease, reason: Failure, next_run_at: datetime) -> None:
        """Give the job back, as its input is not here yet: PROCESSING → QUEUED, and the attempt does not count."""

    def record(self, lease: Lease, result: Mapping[str, object]) -> None:
        """End the job of a model in shadow: PROCESSING → COMPLETED, nothing is delivered; ends the lease."""

    def withdraw(self, model: ModelReference, reason: str) -> Sequence[JobID]:
        """Order the withdrawal of every published result of a model, with outbox rows for the delivery queue.

        COMPLETED, DELIVERING, FAILED and CANCELLED jobs that have a result become WITHDRAWING; jobs that have not
        begun are FAILED; those in PROCESSING end by themselves when they ask for their model. Shadow jobs have
        published nothing and stay. Asked again, it gives only what is newly ordered.
        """

    def withdrawn(self, lease: Lease) -> None:
        """Move WITHDRAWING → WITHDRAWN; ends the lease."""

    def models(self) -> Sequence[ModelReference]:
        """List every version of a model that a job was made for, also those whose package is gone."""

    def unfinished(self, model: ModelReference) -> int:
        """Count the jobs of a model that have not ended."""

    def postpone(self, lease: Lease, failure: Failure, next_run_at: datetime) -> None:
        """Give the job back for a later attempt: PROCESSING → QUEUED, DELIVERING stays; ends the lease."""

    def cancel(self, job_id: JobID) -> Job:
        """Stop a job on a person's word.

        Raises
        ------
        JobNotFound, IllegalTransition
        """

    def retry(self, job_id: JobID) -> Job:
        """Give a job another go on a person's word; attempts start anew.

        Raises
        ------
        JobNotFound, IllegalTransition
        """

    def due(self, limit: int) -> Sequence[Hint]:
        """List what should be enqueued now: undispatched outbox rows, due retries, and expired leases.

        A job whose lease expired with its attempts used up is moved to FAILED instead (``job.attempts_exhausted``).
        """

    def dispatched(self, hint: Hint) -> None:
        """Note that a queue message was sent (RECEIVED → QUEUED)."""


class DeliveryLog(Protocol):
    """What of a job has arrived where; a row for each errand and destination."""

    def plan(self, lease: Lease, errand: str, destinations: Sequence[str]) -> Sequence[Delivery]:
        """Give the rows of an errand in the order of the destinations, made where they are not there yet.

        Raises
        ------
        LeaseLost, JobCancelled
        """

    def done(self, lease: Lease, delivery: Delivery, address: str | None = None) -> None:
        """Note that a destination has it.

        Raises
        ------
        LeaseLost, JobCancelled
        """

    def put_off(self, lease: Lease, delivery: Delivery, failure: Failure, next_run_at: datetime | None) -> None:
        """Note why an attempt failed, and when the next one is; None for never.

        Raises
        ------
        LeaseLost, JobCancelled
        """

    def of(self, job_id: JobID) -> Sequence[Delivery]:
        """List all rows of a job, oldest first."""


class JobQueue(Protocol):
    """Hints to workers; may lose or repeat any message."""

    def enqueue(self, hint: Hint) -> None:
        """Send one hint."""

    def depth(self, queue: QueueName) -> int:
        """Count waiting messages."""


class ModelCatalogue(Protocol):
    """The model packages of this node, several versions of one side by side."""

    def active(self) -> Sequence[ModelSpec]:
        """List the models that run on what arrives, active and in shadow, in order of id."""

    def get(self, model_id: str) -> ModelSpec:
        """Give the active version of a model.

        Raises
        ------
        ModelNotFound
            If no version is active.
        """

    def exactly(self, reference: ModelReference) -> ModelSpec:
        """Give one version of a model by its digest, also one that is not active.

        Raises
        ------
        ModelNotFound
            If it is not in the catalogue.
        ModelRecalled
            If it was recalled.
        """


class DeploymentLog(Protocol):
    """Which models were activated, put in shadow, deactivated and recalled, by whom and why."""

    def record(self, event: DeploymentEvent) -> None:
        """Append an event."""

    def events(self) -> Sequence[DeploymentEvent]:
        """List all events, oldest first."""


class ModelRunner(Protocol):
    """Runs a model's graph."""

    def run(self, spec: ModelSpec, tensor: Tensor) -> tuple[Tensor, ...]:
        """Run one batch through the graph.

        Parameters
        ----------
        spec
            The model; its weights are verified and loaded once and kept warm.
        tensor
            (batch, channels, D, H, W), or (batch, channels, H, W) for ``Layout.SLICE``, of the model's precision.

        Returns
        -------
        tuple of ndarray
            The graph's outputs in the manifest's order.

        Raises
        ------
        WeightsMismatch, ModelContractViolated, DeviceUnavailable, DeviceOutOfMemory, NonFiniteOutput
        """

    def providers(self, spec: ModelSpec) -> tuple[str, ...]:
        """Name the execution providers on which a model runs, first choice first, for provenance.

        Raises
        ------
        WeightsMismatch, ModelContractViolated, DeviceUnavailable, DeviceOutOfMemory
        """


class ResultStore(Protocol):
    """Where results wait for delivery, and stay for the API."""

    def save(
        self, job_id: JobID, artifacts: Sequence[DicomArtifact], report: Report, manifest: Mapping[str, object]
    ) -> None:
        """Keep a job's results durably, replacing what an earlier attempt left.

        Parameters
        ----------
        job_id
            The job.
        artifacts
            Its DICOM objects.
        report
            What the report server will be told.
        manifest
            The run manifest (``inference.provenance``), JSON values.
        """

    def artifacts(self, job_id: JobID) -> Sequence[DicomArtifact]:
        """Give the DICOM results of a job.

        Raises
        ------
        JobNotFound
            If there are none.
        """

    def report(self, job_id: JobID) -> Report:
        """Give the report of a job.

        Raises
        ------
        JobNotFound
            If there is none.
        """


class PreviewStore(Protocol):
    """Keeps what is shown of a result before, or instead of, opening a viewer."""

    def save(self, job_id: JobID, parts: Sequence[bytes]) -> None:
        """Keep the preview of a job, replacing an earlier one.

        Raises
        ------
        StoreUnavailable
            If it cannot be written.
        """

    def find(self, job_id: JobID) -> Path | None:
        """Give the file of a job's preview; None where there is none here."""


class ArtifactSink(Protocol):
    """An archive for DICOM results."""

    def deliver(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Send the objects; sending one that is there already is success.

        Raises
        ------
        PeerUnavailable, PeerRefused
        """

    def confirm(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Return only when the archive holds every object durably.

        Raises
        ------
        NotCommitted, PeerUnavailable
        """


class ReportSink(Protocol):
    """A server for reports."""

    def withdraw(self, report: Report, reason: str) -> None:
        """Mark a stored report and its observations ``entered-in-error``; one that is not there is no error.

        Raises
        ------
        FHIRUnavailable, FHIRConflict, FHIRRejected
        """

    def store(self, report: Report) -> str:
        """Store the report effectively once and give its address; it replaces an earlier one of its lineage.

        Raises
        ------
        FHIRUnavailable, FHIRConflict, FHIRRejected
        """

    def review(self, report: Report, review: Review) -> str:
        """Give a stored report the status that a person's review gives it, and give its address.

        Parameters
        ----------
        report
            As it was stored; it is stored first where it is not there.
        review
            Accepts it or amends it; a rejected one is withdrawn.

        Raises
        ------
        FHIRUnavailable, FHIRConflict, FHIRRejected
        """


class ArchiveCounter(Protocol):
    """Asks the archive how many instances of a series it holds."""

    def count(self, study_instance_uid: UID, series_instance_uid: UID) -> int | None:
        """Give NumberOfSeriesRelatedInstances, or None when the archive cannot say."""


class Notifier(Protocol):
    """Tells somebody that a job ended."""

    def job_ended(self, job: Job) -> None:
        """Notify; must not raise."""
