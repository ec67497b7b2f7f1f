"""The truth about jobs, in SQL: every change of state is one UPDATE that names what it expects to find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, select

from inference.domain.identifiers import JobID
from inference.domain.job import (
    REFUSAL,
    TERMINAL,
    Failure,
    Hint,
    Job,
    JobState,
    Lease,
    ModelReference,
    NewJob,
    QueueName,
    StageTime,
)
from inference.domain.review import Review
from inference.domain.study import InstanceIdentity
from inference.errors import IllegalTransition
from inference.ports import Clock, JobStore, UIDSource
from integrations.persistence.deployments import find_recall
from integrations.persistence.job_consequences import reject_series, supersede
from integrations.persistence.job_hints import due_rows, forget_hint, is_claimable, is_exhausted, note_hint
from integrations.persistence.job_orders import cancel_job, restart_job
from integrations.persistence.job_reviews import find_predecessors, find_repeated, review_job, reviewed_result
from integrations.persistence.job_rows import insert_stage, owe_hint, whole_job
from integrations.persistence.job_withdrawals import (
    Order,
    is_of,
    known_models,
    refuse_recalled,
    withdraw_batch,
    withdrawing,
)
from integrations.persistence.job_writes import ENDED, existing, find, reason_columns, swap, write_leased
from integrations.persistence.study_jobs import create_job, hold_study, put_off
from integrations.persistence.tables import jobs
from integrations.persistence.times import to_column
from integrations.persistence.transactions import Transactions

EXHAUSTED = "job.attempts_exhausted"
"""Code of a job whose workers all died, or whose attempts were used up otherwise."""

CLAIM_LOOKS = 3
"""How often a claim looks at a job that changes while it is being claimed."""


@dataclass(frozen=True, slots=True)
class JobStoreOptions:
    """Limits of the job store.

    Parameters
    ----------
    max_attempts
        Claims of the inference part before a job is FAILED instead of being given out again.
    rehint_seconds
        How long a queue message may stay without effect before another is sent.
    """

    max_attempts: int = 3
    rehint_seconds: float = 60.0


class SQLJobStore(JobStore):
    """A job store in SQLite, MySQL or MariaDB.

    Several machines may use one database; their clocks must agree to within a small part of the lease, as NTP
    keeps them. A clock that jumps can end a lease early; the fencing token then keeps the older worker from
    writing.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        Time of leases and retries.
    uid_source
        Ids of new jobs.
    options
        Limits.
    """

    def __init__(
        self, engine: Engine, clock: Clock, uid_source: UIDSource, options: JobStoreOptions | None = None
    ) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock
        self._uids = uid_source
        self._options = options or JobStoreOptions()

    def create(self, job: NewJob) -> Job:
        """Create a job and its outbox row; give the existing one where input, model and run are the same."""
        job_id, now = self._uids.job_id(), self._clock.now()
        return self.get(self._transactions.write(lambda connection: create_job(connection, job, job_id, now)))

    def get(self, job_id: JobID) -> Job:
        """Give a job with its stage times.

        Raises
        ------
        JobNotFound
            If there is none.
        """
        with self._transactions.read() as connection:
            return whole_job(connection, existing(connection, job_id))

    def claim(self, job_id: JobID, queue: QueueName, owner: str, lease_seconds: float) -> Lease | None:
        """Take the job to work on it; None when it is not due, not claimable or somebody else holds it.

        Claiming on INFERENCE moves RECEIVED or QUEUED to PROCESSING, or takes over a PROCESSING job whose lease
        expired, and counts an attempt; where the attempts are used up the job is FAILED instead. Claiming on
        DELIVERY leaves the state DELIVERING or WITHDRAWING, but what would be delivered of a model that was recalled
        meanwhile is WITHDRAWING from then on. A claim of a job that does not exist is None too: a message may be
        older than the database.
        """
        return self._transactions.write(
            lambda connection: self._claim(connection, Hint(queue, job_id), owner, lease_seconds)
        )

    def _claim(self, connection: Connection, hint: Hint, owner: str, lease_seconds: float) -> Lease | None:
        """Claim by compare-and-set; look again where the row changed in between, for that may have been a note only.

        A worker is often faster than the dispatcher's note that its message was sent (RECEIVED → QUEUED).
        """
        for _ in range(CLAIM_LOOKS):
            row = find(connection, hint.job_id)
            if row is None or not is_claimable(row, hint.queue, to_column(self._clock.now())):
                return None
            if is_exhausted(row, self._options.max_attempts):
                self._exhaust(row, connection)
                return None
            values = self._claimed(row, hint.queue, owner, lease_seconds)
            if self._swap(connection, row, values | withdrawing(connection, row, self._clock.now())):
                forget_hint(connection, hint)
                claimed = whole_job(connection, existing(connection, hint.job_id))
                return Lease(claimed, owner, row.lease_token + 1, taken_over=row.lease_owner is not None)
        return None

    def _claimed(self, row: Row[Any], queue: QueueName, owner: str, lease_seconds: float) -> dict[str, Any]:
        now = self._clock.now()
        values: dict[str, Any] = {
            "lease_owner": owner,
            "lease_token": row.lease_token + 1,
            "lease_expires_at": to_column(now + timedelta(seconds=lease_seconds)),
            "heartbeat_at": to_column(now),
        }
        if queue is QueueName.INFERENCE:
            values |= {"state": JobState.PROCESSING, "attempt": row.attempt + 1}
        return values

    def heartbeat(self, lease: Lease, lease_seconds: float) -> None:
        """Extend the lease, also one that expired and that nobody has taken since.

        Raises
        ------
        LeaseLost
            If it is no longer ours.
        JobCancelled
            If the job was cancelled meanwhile.
        """
        now = self._clock.now()
        values = {
            "heartbeat_at": to_column(now),
            "lease_expires_at": to_column(now + timedelta(seconds=lease_seconds)),
        }
        self._transactions.write(lambda connection: write_leased(connection, lease, None, values))

    def record_stage(self, lease: Lease, stage: StageTime) -> None:
        """Record how long a stage took.

        Raises
        ------
        LeaseLost, JobCancelled
        """
        now = to_column(self._clock.now())

        def record(connection: Connection) -> None:
            """Insert the time, if the lease still stands."""
            write_leased(connection, lease, None, {"heartbeat_at": now, "updated_at": now})
            insert_stage(connection, lease.job.job_id, stage)

        self._transactions.write(record)

    def deliver(self, lease: Lease, result: Mapping[str, object]) -> None:
        """Move PROCESSING → DELIVERING with an outbox row for the delivery queue; ends the lease.

        Raises
        ------
        LeaseLost, JobCancelled
        ModelRecalled
            If the model was recalled meanwhile.
        IllegalTransition
            If the job is in shadow: its result is never delivered.
        """
        if lease.job.shadow:
            raise IllegalTransition("the result of a job in shadow is recorded, not delivered")

        def then(connection: Connection) -> None:
            """Owe the delivery queue a message, unless nothing of the model may be delivered any more."""
            refuse_recalled(connection, lease.job.model)
            owe_hint(connection, lease.job.job_id, QueueName.DELIVERY, self._clock.now())

        values = {"result": dict(result), "error_code": None, "error_message": None}
        self._end(lease, JobState.DELIVERING, values, then)

    def record(self, lease: Lease, result: Mapping[str, object]) -> None:
        """End the job of a model in shadow: PROCESSING → COMPLETED, nothing is delivered; ends the lease.

        Raises
        ------
        LeaseLost, JobCancelled
        ModelRecalled
            If the model was recalled meanwhile.
        IllegalTransition
            If the job is not in shadow: its result must be delivered.
        """
        if not lease.job.shadow:
            raise IllegalTransition("the result of a job that is not in shadow must be delivered")

        def then(connection: Connection) -> None:
            """Mark what this one replaces, unless the model may not run any more."""
            refuse_recalled(connection, lease.job.model)
            supersede(connection, lease.job, self._clock.now())

        values = {"result": dict(result), "error_code": None, "error_message": None}
        self._end(lease, JobState.COMPLETED, values, then)

    def complete(self, lease: Lease, report_address: str | None) -> None:
        """Move DELIVERING → COMPLETED; ends the lease; marks jobs of earlier revisions superseded.

        Where a job of a later revision was faster, this one is marked as superseded by it.

        Parameters
        ----------
        lease
            The right to do so.
        report_address
            Where the report is, kept in the job's result under ``report``; None where the model publishes none.

        Raises
        ------
        LeaseLost, JobCancelled, IllegalTransition
        """
        if lease.job.state is not JobState.DELIVERING:
            raise IllegalTransition(f"a job that is {lease.job.state} has not been delivered")
        result = {**(lease.job.result or {}), "report": report_address}
        values = {"result": result, "error_code": None, "error_message": None}
        self._end(
            lease, JobState.COMPLETED, values, lambda connection: supersede(connection, lease.job, self._clock.now())
        )

    def refuse(self, lease: Lease, failure: Failure) -> None:
        """Move PROCESSING → DELIVERING with the reason, so that a note of it is sent; ends the lease.

        The reason becomes the series' as with ``reject``.

        Raises
        ------
        LeaseLost, JobCancelled, IllegalTransition
        """

        def then(connection: Connection) -> None:
            """Owe the delivery queue a message."""
            reject_series(connection, lease.job, failure)
            owe_hint(connection, lease.job.job_id, QueueName.DELIVERY, self._clock.now())

        refusal = {REFUSAL: {"code": failure.code, "message": failure.message}}
        self._end(lease, JobState.DELIVERING, {**reason_columns(failure), "result": refusal}, then)

    def review(self, job_id: JobID, review: Review) -> Job:
        """Take a person's word on a result: COMPLETED → REVIEWING, or → WITHDRAWING where it is rejected.

        Raises
        ------
        JobNotFound
            If there is no such job.
        IllegalTransition
            If it has no published result that stands, or an excluded finding is none of its own.
        """
        now = self._clock.now()
        self._transactions.write(lambda connection: review_job(connection, job_id, review, now))
        return self.get(job_id)

    def reviewed(self, lease: Lease, artifacts: Sequence[Mapping[str, object]]) -> None:
        """Move REVIEWING → COMPLETED, with the objects that stand now; ends the lease.

        Raises
        ------
        LeaseLost, IllegalTransition
        """
        result = reviewed_result(lease.job.result or {}, [dict(entry) for entry in artifacts])
        self._end(lease, JobState.COMPLETED, {"result": result, "error_code": None, "error_message": None})

    def repeated(self, job: Job, answer: str) -> Mapping[str, object] | None:
        """Give the result of the latest earlier job about the same if its answer was equal: its objects are these.

        What readers said of it, and whether it was withdrawn, holds for the repetition too.
        """
        with self._transactions.read() as connection:
            return find_repeated(connection, job, answer)

    def predecessors(self, job: Job, answer: str) -> Sequence[InstanceIdentity]:
        """Give the SRs that a new result of a job replaces; none for the first, or where nothing has changed."""
        with self._transactions.read() as connection:
            return find_predecessors(connection, job, answer)

    def reject(self, lease: Lease, failure: Failure) -> None:
        """Move PROCESSING or DELIVERING → REJECTED with the named reason; ends the lease.

        The reason becomes the series' too where no other model's job of the same revision is left.

        Raises
        ------
        LeaseLost, JobCancelled
        IllegalTransition
            If there is a result.
        """
        if lease.job.state is JobState.DELIVERING and REFUSAL not in (lease.job.result or {}):
            raise IllegalTransition("a result that is being delivered cannot be rejected")
        self._end(
            lease,
            JobState.REJECTED,
            reason_columns(failure),
            lambda connection: reject_series(connection, lease.job, failure),
        )

    def fail(self, lease: Lease, failure: Failure) -> None:
        """Move to FAILED; ends the lease.

        Raises
        ------
        LeaseLost, JobCancelled
        """
        self._end(lease, JobState.FAILED, reason_columns(failure))

    def withdraw(self, model: ModelReference, reason: str) -> Sequence[JobID]:
        """Order the withdrawal of every published result of a model, in transactions of some jobs each.

        Asked again it goes on where it was cut off, and gives what is newly ordered: also what could not be withdrawn
        and was FAILED. A worker that is delivering one of them is fenced; its withdrawal begins when its lease ends.
        """
        now = self._clock.now()
        with self._transactions.read() as connection:
            recall = find_recall(connection, model)
        order = Order(model, reason, recall.at if recall else now, now)
        ordered: list[JobID] = []
        after: str | None = ""
        while after is not None:
            batch = self._transactions.write(partial(withdraw_batch, order=order, after=after))
            ordered += batch.jobs
            after = batch.last
        return ordered

    def withdrawn(self, lease: Lease) -> None:
        """Move WITHDRAWING → WITHDRAWN; ends the lease.

        Raises
        ------
        LeaseLost, IllegalTransition
        """
        self._end(lease, JobState.WITHDRAWN, {"error_code": None, "error_message": None})

    def models(self) -> Sequence[ModelReference]:
        """List every version of a model that a job was made for, also those whose package is gone."""
        with self._transactions.read() as connection:
            return known_models(connection)

    def unfinished(self, model: ModelReference) -> int:
        """Count the jobs of a model that have not ended."""
        statement = select(func.count()).select_from(jobs).where(*is_of(model), jobs.c.state.not_in(TERMINAL))
        with self._transactions.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def postpone(self, lease: Lease, failure: Failure, next_run_at: datetime) -> None:
        """Give the job back for a later attempt: PROCESSING → QUEUED, a delivery stays one; ends the lease.

        Raises
        ------
        LeaseLost, JobCancelled
        """
        wanted = JobState.QUEUED if lease.job.state is JobState.PROCESSING else None
        self._end(lease, wanted, {**reason_columns(failure), "next_run_at": to_column(next_run_at)})

    def defer(self, lease: Lease, reason: Failure, next_run_at: datetime) -> None:
        """Give the job back because its input is not here yet: PROCESSING → QUEUED, and the attempt does not count.

        What came to the study while the worker looked is not missed: where nothing more will come the job is due at
        once, and where a series that came made a job of its own, this one ends as superseded by it.

        Raises
        ------
        LeaseLost, JobCancelled, IllegalTransition
        """
        waits = {**reason_columns(reason), "next_run_at": to_column(next_run_at), "attempt": lease.job.attempt - 1}
        now = self._clock.now()
        self._transactions.write(lambda connection: put_off(connection, lease, waits, now))

    def cancel(self, job_id: JobID) -> Job:
        """Stop a job on a person's word; a worker that holds it learns of it at its next write.

        Raises
        ------
        JobNotFound, IllegalTransition
        """
        now = self._clock.now()
        self._transactions.write(lambda connection: cancel_job(connection, job_id, now))
        return self.get(job_id)

    def retry(self, job_id: JobID) -> Job:
        """Give a job another go on a person's word; attempts start anew.

        A FAILED job whose result is on disk goes on with its delivery, or with its withdrawal; any other starts from
        the beginning.

        Raises
        ------
        JobNotFound
            If there is none.
        IllegalTransition
            If the job is at work, done, or of a series that no model wants.
        ModelRecalled
            If its model may not run any more.
        """
        now = self._clock.now()
        self._transactions.write(lambda connection: restart_job(connection, job_id, now))
        return self.get(job_id)

    def due(self, limit: int) -> Sequence[Hint]:
        """List what should be enqueued now, oldest first.

        That is: outbox rows for which no message was sent, attempts whose time has come, expired leases, and jobs
        whose message was sent ``rehint_seconds`` ago and still had no effect, because a queue may lose messages.
        A job whose attempts are used up is moved to FAILED instead (``job.attempts_exhausted``).
        """
        now = self._clock.now()
        before = now - timedelta(seconds=self._options.rehint_seconds)
        with self._transactions.read() as connection:
            rows = due_rows(connection, to_column(now), to_column(before), limit)
        hints = []
        for queue, row in rows:
            if is_exhausted(row, self._options.max_attempts):
                self._transactions.write(partial(self._exhaust, row))
            else:
                hints.append(Hint(queue, JobID(row.job_id)))
        return hints

    def dispatched(self, hint: Hint) -> None:
        """Note that a queue message was sent (RECEIVED → QUEUED)."""
        now = to_column(self._clock.now())
        self._transactions.write(lambda connection: note_hint(connection, hint, now))

    def _exhaust(self, row: Row[Any], connection: Connection) -> None:
        last = f"; the last one ended with {row.error_code}" if row.error_code else ""
        failure = Failure(EXHAUSTED, f"{row.attempt} attempts ended without a result{last}")
        self._swap(connection, row, {"state": JobState.FAILED, **reason_columns(failure), **ENDED})

    def _swap(self, connection: Connection, row: Row[Any], values: Mapping[str, Any]) -> bool:
        return swap(connection, row, {**values, "updated_at": to_column(self._clock.now())})

    def _end(
        self,
        lease: Lease,
        wanted: JobState | None,
        values: Mapping[str, Any],
        then: Callable[[Connection], None] | None = None,
    ) -> None:
        now = to_column(self._clock.now())

        def end(connection: Connection) -> None:
            """End the lease with its outcome and what follows from it."""
            if lease.job.whole_study:
                hold_study(connection, lease.job.study_instance_uid)
            write_leased(connection, lease, wanted, {**ENDED, **values, "updated_at": now})
            if then is not None:
                then(connection)

        self._transactions.write(end)
