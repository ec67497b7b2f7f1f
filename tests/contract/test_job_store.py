"""What every job store must do, on SQLite and on MariaDB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import URL, Connection, Engine, Row, func, select

from inference.domain.arrival import ArrivalHeader, Decision
from inference.domain.identifiers import UID, JobID
from inference.domain.job import (
    DELIVERY_STATES,
    TRANSITIONS,
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
from inference.domain.review import Review, Verdict
from inference.domain.study import CompletionEvidence
from inference.errors import IllegalTransition, JobCancelled, JobNotFound, LeaseLost, Stage, StoreUnavailable
from integrations.persistence.engine import engine_for
from integrations.persistence.job_store import JobStoreOptions, SQLJobStore
from integrations.persistence.study_index import SQLStudyIndex
from integrations.persistence.tables import jobs, outbox, series
from tests.support.fakes import NOON, CountingUIDSource, FixedClock
from tests.support.spooled_instances import SENDER, SERIES, STUDY, arriving

INFERENCE, DELIVERY = QueueName.INFERENCE, QueueName.DELIVERY
MODEL = ModelReference("brain-structures", "1.0.0", "d" * 64)
OTHER_MODEL = ModelReference("lesions", "1.0.0", "e" * 64)
NEW = NewJob(STUDY, SERIES, 1, MODEL)
PROBLEM = Failure("inference.out_of_memory", "the device had too little memory")
REASON = Failure("geometry.gap", "a slice is missing")
ACCEPTED = Review(Verdict.ACCEPT, "kim", "Kim^Min", "City hospital", NOON)
ROOT = Path("spool").absolute()


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that the test moves."""
    return FixedClock()


@pytest.fixture
def store(database: Engine, clock: FixedClock) -> SQLJobStore:
    """Give an empty store with two attempts."""
    return SQLJobStore(database, clock, CountingUIDSource(), JobStoreOptions(max_attempts=2, rehint_seconds=60))


@pytest.fixture
def index(database: Engine, clock: FixedClock) -> SQLStudyIndex:
    """Give the index of the same database."""
    return SQLStudyIndex(database, clock, ROOT)


@pytest.fixture
def job(store: SQLJobStore) -> Job:
    """Give a job nobody has looked at yet."""
    return store.create(NEW)


def claimed(store: SQLJobStore, job: Job, queue: QueueName = INFERENCE, owner: str = "worker-1") -> Lease:
    """Claim a job for two minutes."""
    lease = store.claim(job.job_id, queue, owner, 120)
    assert lease is not None
    return lease


def delivering(store: SQLJobStore, job: Job) -> Lease:
    """Bring a job to its delivery, and claim that."""
    store.deliver(claimed(store, job), {"measurements": [{"value": 1.5}]})
    return claimed(store, job, DELIVERY)


def put_into(store: SQLJobStore, job: Job, state: JobState) -> None:
    """Bring a job into a state by the store's own means."""
    if state is JobState.QUEUED:
        store.dispatched(Hint(INFERENCE, job.job_id))
    elif state is JobState.PROCESSING:
        claimed(store, job)
    elif state is JobState.DELIVERING:
        store.deliver(claimed(store, job), {})
    elif state is JobState.COMPLETED:
        store.complete(delivering(store, job), "DiagnosticReport/1")
    elif state is JobState.FAILED:
        store.fail(claimed(store, job), PROBLEM)
    elif state is JobState.REJECTED:
        store.reject(claimed(store, job), REASON)
    elif state is JobState.CANCELLED:
        store.cancel(job.job_id)
    elif state is JobState.WITHDRAWING:
        store.deliver(claimed(store, job), {})
        store.withdraw(MODEL, "it mixes up left and right")
    elif state is JobState.REVIEWING:
        put_into(store, job, JobState.COMPLETED)
        store.review(job.job_id, ACCEPTED)
    elif state is JobState.WITHDRAWN:
        put_into(store, job, JobState.WITHDRAWING)
        store.withdrawn(claimed(store, job, DELIVERY))
    assert store.get(job.job_id).state is state


def owed(engine: Engine, job: Job, queue: QueueName) -> int:
    """Count the outbox rows of a job that owe a message."""
    rows = select(func.count()).select_from(outbox)
    with engine.connect() as connection:
        wanted = (outbox.c.job_id == job.job_id, outbox.c.queue == queue, outbox.c.dispatched_at.is_(None))
        return int(connection.scalar(rows.where(*wanted)) or 0)


# Creating


def test_a_new_job_is_received(store: SQLJobStore, database: Engine, clock: FixedClock) -> None:
    """A new job is RECEIVED, has all it was made of, and owes a message."""
    made = store.create(NEW)

    assert (made.state, made.attempt, made.model, made.run) == (JobState.RECEIVED, 0, MODEL, 0)
    assert (made.study_instance_uid, made.series_instance_uid, made.revision) == (STUDY, SERIES, 1)
    assert made.created_at == made.updated_at == clock.now()
    assert store.get(made.job_id) == made
    assert owed(database, made, INFERENCE) == 1


def test_the_same_input_makes_one_job(store: SQLJobStore, job: Job) -> None:
    """Input, model and run name a job; another run, revision, version or digest is another job."""
    assert store.create(NEW) == job
    others = {
        store.create(NewJob(STUDY, SERIES, 1, MODEL, run=1)).job_id,
        store.create(NewJob(STUDY, SERIES, 2, MODEL)).job_id,
        store.create(NewJob(STUDY, SERIES, 1, OTHER_MODEL)).job_id,
        store.create(NewJob(STUDY, SERIES, 1, replace(MODEL, version="1.1.0"))).job_id,
    }
    assert len(others | {job.job_id}) == 5


def test_the_same_input_at_once_makes_one_job(store: SQLJobStore, database: Engine) -> None:
    """Eight threads that create the same job get the same one."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: store.create(NEW).job_id, range(8)))

    assert len(set(made)) == 1
    with database.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(jobs)) == 1
        assert connection.scalar(select(func.count()).select_from(outbox)) == 1


def test_a_job_that_is_not_there(store: SQLJobStore) -> None:
    """An unknown id is an error for a person, and nothing to do for a worker."""
    nobody = JobID("0" * 32)

    assert store.claim(nobody, INFERENCE, "worker-1", 60) is None
    store.dispatched(Hint(INFERENCE, nobody))
    for ask in (store.get, store.cancel, store.retry):
        with pytest.raises(JobNotFound):
            ask(nobody)


# Claiming


def test_a_claim_counts_an_attempt(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """The worker gets the job PROCESSING, with a token and an end of the lease."""
    lease = claimed(store, job)

    assert (lease.owner, lease.token, lease.job.attempt) == ("worker-1", 1, 1)
    assert lease.job == store.get(job.job_id)
    assert (lease.job.state, lease.job.lease_owner) == (JobState.PROCESSING, "worker-1")
    assert lease.job.lease_expires_at == clock.now() + timedelta(seconds=120)


@pytest.mark.parametrize("round_number", range(5))
def test_of_eight_claims_one_wins(store: SQLJobStore, job: Job, round_number: int) -> None:
    """However many workers get the same message at the same moment, exactly one works on the job."""
    together = Barrier(8)

    def claim(number: int) -> Lease | None:
        together.wait()
        return store.claim(job.job_id, INFERENCE, f"worker-{number}", 60)

    with ThreadPoolExecutor(8) as pool:
        won = [lease for lease in pool.map(claim, range(8)) if lease is not None]

    (lease,) = won
    found = store.get(job.job_id)
    assert (found.lease_owner, found.attempt, lease.token) == (lease.owner, 1, 1)


@pytest.mark.integration
def test_a_claim_survives_the_note_that_its_message_was_sent(mariadb_engine: Engine, clock: FixedClock) -> None:
    """A worker may be faster than the dispatcher's note (RECEIVED → QUEUED): it must still get the job.

    SQLite has one writer at a time and cannot interleave the two.
    """
    dispatcher = SQLJobStore(mariadb_engine, clock, CountingUIDSource())
    job = dispatcher.create(NEW)

    class Overtaken(SQLJobStore):
        """Reads the job, and is overtaken before it writes."""

        def _swap(self, connection: Connection, row: Row[Any], values: Mapping[str, Any]) -> bool:
            if row.state == JobState.RECEIVED:
                dispatcher.dispatched(Hint(INFERENCE, job.job_id))
            return super()._swap(connection, row, values)

    lease = Overtaken(mariadb_engine, clock, CountingUIDSource()).claim(job.job_id, INFERENCE, "worker-1", 60)

    assert lease is not None
    assert (lease.job.state, lease.job.attempt) == (JobState.PROCESSING, 1)


@pytest.mark.parametrize("state", [s for s in JobState if s not in {JobState.RECEIVED, JobState.QUEUED}])
def test_only_waiting_jobs_are_claimed(store: SQLJobStore, job: Job, state: JobState) -> None:
    """A late or repeated message for a job that is past its inference does nothing."""
    put_into(store, job, state)

    assert store.claim(job.job_id, INFERENCE, "worker-2", 60) is None
    if state not in DELIVERY_STATES:
        assert store.claim(job.job_id, DELIVERY, "worker-2", 60) is None


def test_a_delivery_is_claimed_once_and_counts_no_attempt(store: SQLJobStore, job: Job) -> None:
    """Delivery has a lease of its own, and leaves state and attempts as they are."""
    store.deliver(claimed(store, job), {})

    lease = claimed(store, job, DELIVERY, "worker-2")

    assert (lease.job.state, lease.job.attempt, lease.token) == (JobState.DELIVERING, 1, 2)
    assert store.claim(job.job_id, DELIVERY, "worker-3", 60) is None


def test_a_delivery_knows_since_when_it_is_wanted(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """From the end of the inference, whatever is tried in between; from a person's retry on, anew."""
    assert claimed(store, job).job.delivering_since is None
    clock.advance(121)
    ordered = clock.now()
    lease = delivering(store, job)
    assert lease.job.delivering_since == ordered

    store.postpone(lease, PROBLEM, clock.now())
    clock.advance(3600)
    lease = claimed(store, job, DELIVERY)
    assert lease.job.delivering_since == store.get(job.job_id).delivering_since == ordered

    store.fail(lease, PROBLEM)
    assert store.get(job.job_id).delivering_since is None
    assert store.retry(job.job_id).delivering_since == clock.now()


def test_a_claim_tells_whether_the_last_worker_vanished(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """A lease that expired says that somebody died at this job; one that was handed back does not."""
    lease = delivering(store, job)
    assert not lease.taken_over
    clock.advance(121)
    lease = claimed(store, job, DELIVERY)
    assert lease.taken_over

    store.postpone(lease, PROBLEM, clock.now())

    assert not claimed(store, job, DELIVERY).taken_over


def test_an_expired_lease_goes_to_the_next_worker(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """After the lease has expired another worker may claim, and nothing the old one writes is taken."""
    old = claimed(store, job)
    assert store.claim(job.job_id, INFERENCE, "worker-2", 120) is None
    clock.advance(121)

    new = claimed(store, job, owner="worker-2")

    assert (new.token, new.job.attempt) == (2, 2)
    before = store.get(job.job_id)
    for write in every_write(store, old):
        with pytest.raises(LeaseLost):
            write()
    assert store.get(job.job_id) == before


def every_write(store: SQLJobStore, lease: Lease) -> list[Callable[[], None]]:
    """Give all that may be written under an inference lease."""
    return [
        lambda: store.heartbeat(lease, 60),
        lambda: store.record_stage(lease, StageTime(Stage.INFER, 1, NOON, 1.0)),
        lambda: store.deliver(lease, {}),
        lambda: store.reject(lease, REASON),
        lambda: store.fail(lease, PROBLEM),
        lambda: store.postpone(lease, PROBLEM, NOON),
        lambda: store.defer(lease, PROBLEM, NOON),
    ]


def test_a_lease_that_ended_writes_nothing_more(store: SQLJobStore, job: Job) -> None:
    """Once a worker has handed the job on, its lease is worth nothing, even before the next claim."""
    lease = claimed(store, job)
    store.deliver(lease, {})

    for write in every_write(store, lease):
        with pytest.raises(LeaseLost):
            write()
    assert store.get(job.job_id).state is JobState.DELIVERING


def test_the_same_worker_is_fenced_too(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """The token counts, not the name: a worker that lost its lease and claimed again cannot mix the two."""
    old = claimed(store, job)
    clock.advance(121)
    new = claimed(store, job)

    with pytest.raises(LeaseLost):
        store.deliver(old, {})
    store.deliver(new, {})


def test_a_heartbeat_keeps_the_job(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """A job whose worker lives is not given to another."""
    lease = claimed(store, job)
    for _ in range(3):
        clock.advance(100)
        store.heartbeat(lease, 120)

    assert store.claim(job.job_id, INFERENCE, "worker-2", 60) is None
    assert store.due(10) == []


def test_a_lease_nobody_took_may_be_renewed(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """A clock that jumps ends no work by itself: the token decides, and it is still ours."""
    lease = claimed(store, job)
    clock.advance(3600)

    store.heartbeat(lease, 120)

    assert store.claim(job.job_id, INFERENCE, "worker-2", 60) is None


def test_used_up_attempts_end_the_job(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """A job that killed its worker twice is FAILED, not tried a third time, whoever notices first."""
    for _ in range(2):
        claimed(store, job)
        clock.advance(121)

    assert store.claim(job.job_id, INFERENCE, "worker-3", 120) is None

    found = store.get(job.job_id)
    assert (found.state, found.error_code, found.lease_owner) == (JobState.FAILED, "job.attempts_exhausted", None)


# What workers write


def test_stage_times_are_kept_in_order(store: SQLJobStore, job: Job) -> None:
    """Each stage of each attempt is there, to the microsecond."""
    lease = claimed(store, job)
    times = tuple(
        StageTime(stage, 1, NOON + timedelta(microseconds=number + 1), 0.25 * number)
        for number, stage in enumerate((Stage.VOLUME, Stage.INFER, Stage.ENCODE))
    )
    for time in times:
        store.record_stage(lease, time)

    assert store.get(job.job_id).stages == times


def test_a_result_is_handed_to_delivery(store: SQLJobStore, database: Engine, job: Job) -> None:
    """The result, the new state and the owed message are one transaction; the lease ends."""
    store.deliver(claimed(store, job), {"measurements": [{"label": "Thalamus", "value": 6.1}]})

    found = store.get(job.job_id)
    assert found.state is JobState.DELIVERING
    assert found.result == {"measurements": [{"label": "Thalamus", "value": 6.1}]}
    assert (found.lease_owner, found.lease_expires_at) == (None, None)
    assert owed(database, job, DELIVERY) == 1


def test_a_completed_job_knows_its_report(store: SQLJobStore, job: Job) -> None:
    """The address of the report joins the result, and the job is over."""
    store.complete(delivering(store, job), "DiagnosticReport/7")

    found = store.get(job.job_id)
    assert (found.state, found.error_code, found.lease_owner) == (JobState.COMPLETED, None, None)
    assert found.result == {"measurements": [{"value": 1.5}], "report": "DiagnosticReport/7"}
    assert store.due(10) == []


def test_an_inference_lease_completes_nothing(store: SQLJobStore, job: Job) -> None:
    """What the table of transitions forbids is refused, also under a good lease."""
    with pytest.raises(IllegalTransition):
        store.complete(claimed(store, job), "DiagnosticReport/7")
    assert store.get(job.job_id).state is JobState.PROCESSING


def test_a_delivery_lease_rejects_nothing(store: SQLJobStore, job: Job) -> None:
    """A result that is on disk cannot become a named reason any more."""
    with pytest.raises(IllegalTransition):
        store.reject(delivering(store, job), REASON)


def test_a_refused_job_is_rejected_once_its_note_is_sent(store: SQLJobStore, index: SQLStudyIndex, job: Job) -> None:
    """It is DELIVERING with its reason, owes the delivery queue a message, and keeps the reason to the end."""
    store.refuse(claimed(store, job), REASON)

    waiting = store.get(job.job_id)
    assert (waiting.state, waiting.error_code) == (JobState.DELIVERING, REASON.code)
    assert waiting.result == {"refusal": {"code": REASON.code, "message": REASON.message}}
    assert store.due(10) == [Hint(DELIVERY, job.job_id)]
    store.reject(claimed(store, job, DELIVERY), REASON)
    ended = store.get(job.job_id)
    assert (ended.state, ended.error_code, ended.error_message) == (JobState.REJECTED, REASON.code, REASON.message)


def test_a_recall_leaves_a_note_alone(store: SQLJobStore, job: Job) -> None:
    """That a series was not analysed stays true, whatever becomes of the model."""
    store.refuse(claimed(store, job), REASON)

    assert store.withdraw(MODEL, "it mixes up left and right") == []
    assert claimed(store, job, DELIVERY).job.state is JobState.DELIVERING


def test_a_job_may_be_born_with_a_note(store: SQLJobStore) -> None:
    """What the intake rejects is told too, where somebody wants to know."""
    born = store.create(replace(NEW, rejection=(REASON.code, REASON.message), noted=True))

    assert (born.state, born.error_code) == (JobState.DELIVERING, REASON.code)
    assert store.due(10) == [Hint(DELIVERY, born.job_id)]


def test_a_failure_keeps_its_reason(store: SQLJobStore, job: Job) -> None:
    """A person reads code and message."""
    store.fail(claimed(store, job), PROBLEM)

    found = store.get(job.job_id)
    assert (found.state, found.error_code, found.error_message) == (JobState.FAILED, PROBLEM.code, PROBLEM.message)


def test_a_postponed_job_waits(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """A postponed inference is QUEUED, says why, and is neither due nor claimable before its time."""
    later = clock.now() + timedelta(seconds=30)
    store.postpone(claimed(store, job), PROBLEM, later)

    found = store.get(job.job_id)
    assert (found.state, found.error_code, found.next_run_at) == (JobState.QUEUED, PROBLEM.code, later)
    assert store.due(10) == []
    assert store.claim(job.job_id, INFERENCE, "worker-2", 60) is None

    clock.advance(30)

    assert store.due(10) == [Hint(INFERENCE, job.job_id)]
    assert claimed(store, job).job.attempt == 2


def test_a_postponed_delivery_waits(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """A postponed delivery stays DELIVERING, with its result, and is due at its time."""
    store.postpone(
        delivering(store, job), Failure("delivery.peer_unavailable", "no answer"), clock.now() + timedelta(hours=1)
    )
    assert store.due(10) == []
    assert store.claim(job.job_id, DELIVERY, "worker-2", 60) is None

    clock.advance(3600)

    assert store.due(10) == [Hint(DELIVERY, job.job_id)]
    assert claimed(store, job, DELIVERY).job.result == {"measurements": [{"value": 1.5}]}


# Rejection and the series


def closed(index: SQLStudyIndex, *models: ModelReference, number: int = 1) -> list[JobID]:
    """Let an instance arrive and close the series with a job for each model."""
    index.add(arriving(number, ROOT), ArrivalHeader(), SENDER)
    revision = index.series(SERIES, CompletionEvidence.QUIET_TIME)
    new = [NewJob(STUDY, SERIES, revision.revision, model) for model in models]
    return list(index.close(revision, Decision(analysed=True, code=None, message=None), new))


def decision(engine: Engine) -> tuple[str | None, str | None]:
    """Read the series' decision and its reason."""
    with engine.connect() as connection:
        row = connection.execute(select(series.c.decision, series.c.reason_code)).one()
        return row.decision, row.reason_code


def test_a_rejection_is_the_series_reason(store: SQLJobStore, index: SQLStudyIndex, database: Engine) -> None:
    """Where the only model rejects the series, the series says why; a retry takes it back."""
    (job_id,) = closed(index, MODEL)

    store.reject(claimed(store, store.get(job_id)), REASON)
    assert store.get(job_id).state is JobState.REJECTED
    assert decision(database) == ("rejected", "geometry.gap")

    store.retry(job_id)
    assert decision(database) == ("analysed", None)


def test_a_series_that_another_model_analyses_is_analysed(
    store: SQLJobStore, index: SQLStudyIndex, database: Engine
) -> None:
    """One model's rejection is its job's; the last model's is the series'."""
    first, second = (store.get(job_id) for job_id in closed(index, MODEL, OTHER_MODEL))

    store.reject(claimed(store, first), REASON)
    assert decision(database) == ("analysed", None)

    store.reject(claimed(store, second), Failure("geometry.missing", "no positions"))
    assert decision(database) == ("rejected", "geometry.missing")


def test_an_old_revision_says_nothing_of_the_new(store: SQLJobStore, index: SQLStudyIndex, database: Engine) -> None:
    """A rejection that comes after a late instance does not decide on the revision that is open now."""
    (job_id,) = closed(index, MODEL)
    lease = claimed(store, store.get(job_id))
    index.add(arriving(2, ROOT), ArrivalHeader(), SENDER)

    store.reject(lease, REASON)

    assert decision(database) == (None, None)


def superseded_by(engine: Engine, job: Job) -> str | None:
    """Read what replaced a job's result."""
    with engine.connect() as connection:
        found: str | None = connection.scalar(select(jobs.c.superseded_by).where(jobs.c.job_id == job.job_id))
        return found


def test_a_later_revision_supersedes(store: SQLJobStore, database: Engine, job: Job) -> None:
    """The earlier revision's job of the same model is marked, the other model's is not."""
    store.complete(delivering(store, job), "r/1")
    other = store.create(NewJob(STUDY, SERIES, 1, OTHER_MODEL))
    later = store.create(NewJob(STUDY, SERIES, 2, MODEL))

    store.complete(delivering(store, later), "r/2")

    assert superseded_by(database, job) == later.job_id
    assert superseded_by(database, other) is superseded_by(database, later) is None


def test_to_be_superseded_is_a_change(store: SQLJobStore, clock: FixedClock, job: Job) -> None:
    """Who follows what changes by its time learns of it; so with every stage, which is shown with the job."""
    store.complete(delivering(store, job), "r/1")
    clock.advance(60)
    later = store.create(NewJob(STUDY, SERIES, 2, MODEL))
    lease = claimed(store, later)
    clock.advance(60)
    store.record_stage(lease, StageTime(Stage.INFER, 1, clock.now(), 1.0))
    at_stage = store.get(later.job_id).updated_at
    store.deliver(lease, {})

    store.complete(claimed(store, later, DELIVERY), "r/2")

    assert (store.get(job.job_id).updated_at, at_stage) == (clock.now(), clock.now())


def test_an_earlier_revision_that_is_slower_is_superseded(store: SQLJobStore, database: Engine, job: Job) -> None:
    """Which job ends first does not matter: the later revision counts."""
    later = store.create(NewJob(STUDY, SERIES, 2, MODEL))
    store.complete(delivering(store, later), "r/2")

    store.complete(delivering(store, job), "r/1")

    assert superseded_by(database, job) == later.job_id
    assert superseded_by(database, later) is None


# What people do


@pytest.mark.parametrize("state", list(JobState))
def test_cancel_follows_the_table(store: SQLJobStore, job: Job, state: JobState) -> None:
    """A job that may become CANCELLED does; another says that it cannot and stays as it is."""
    put_into(store, job, state)

    if JobState.CANCELLED in TRANSITIONS[state]:
        assert store.cancel(job.job_id).state is JobState.CANCELLED
        assert store.due(10) == []
    else:
        with pytest.raises(IllegalTransition):
            store.cancel(job.job_id)
        assert store.get(job.job_id).state is state


def test_a_worker_learns_of_a_cancellation(store: SQLJobStore, job: Job) -> None:
    """Whatever the worker of a cancelled job writes is refused by name."""
    lease = claimed(store, job)
    store.cancel(job.job_id)

    for write in every_write(store, lease):
        with pytest.raises(JobCancelled):
            write()
    assert store.get(job.job_id).state is JobState.CANCELLED


def test_a_cancelled_job_that_runs_again_is_not_the_old_workers(store: SQLJobStore, job: Job) -> None:
    """After cancel and retry the old worker's lease is lost, although nobody has claimed the job yet."""
    lease = claimed(store, job)
    store.cancel(job.job_id)
    store.retry(job.job_id)

    with pytest.raises(LeaseLost):
        store.deliver(lease, {})


@pytest.mark.parametrize("state", list(JobState))
def test_retry_follows_the_table(store: SQLJobStore, database: Engine, job: Job, state: JobState) -> None:
    """A job that ended without result starts anew; one that is at work or done cannot."""
    put_into(store, job, state)

    if state in {JobState.FAILED, JobState.CANCELLED, JobState.REJECTED}:
        found = store.retry(job.job_id)
        assert (found.state, found.attempt, found.error_code) == (JobState.QUEUED, 0, None)
        assert owed(database, job, INFERENCE) == 1
        assert claimed(store, job).job.attempt == 1
    else:
        with pytest.raises(IllegalTransition):
            store.retry(job.job_id)
        assert store.get(job.job_id).state is state


def test_a_failed_delivery_is_delivered_again(store: SQLJobStore, database: Engine, job: Job) -> None:
    """A result that is on disk is not computed again."""
    store.fail(delivering(store, job), Failure("delivery.peer_refused", "the archive said no"))

    found = store.retry(job.job_id)

    assert (found.state, found.result) == (JobState.DELIVERING, {"measurements": [{"value": 1.5}]})
    assert store.due(10) == [Hint(DELIVERY, job.job_id)]


def test_a_cancelled_delivery_starts_from_the_beginning(store: SQLJobStore, job: Job) -> None:
    """The table lets a CANCELLED job become QUEUED only; its old result is not shown meanwhile."""
    delivering(store, job)
    store.cancel(job.job_id)

    found = store.retry(job.job_id)

    assert (found.state, found.result) == (JobState.QUEUED, None)


def test_a_series_without_a_model_cannot_be_retried(store: SQLJobStore) -> None:
    """There is nothing to run: the person is told so."""
    born = NewJob(STUDY, SERIES, 1, None, rejection=("selection.no_model", "no model wants this series"))
    made = store.create(born)

    assert (made.state, made.error_code, made.model) == (JobState.REJECTED, "selection.no_model", None)
    with pytest.raises(IllegalTransition):
        store.retry(made.job_id)


# Hints


def test_a_new_job_is_due_until_a_message_was_sent(store: SQLJobStore, job: Job) -> None:
    """The outbox row is due, and after the message the job is QUEUED and not due."""
    hint = Hint(INFERENCE, job.job_id)
    assert store.due(10) == store.due(10) == [hint]

    store.dispatched(hint)

    assert store.due(10) == []
    assert store.get(job.job_id).state is JobState.QUEUED


def test_a_lost_message_is_sent_again(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """A message without effect is repeated once per interval, for inference and for delivery."""
    hint = Hint(INFERENCE, job.job_id)
    store.dispatched(hint)
    clock.advance(59)
    assert store.due(10) == []
    clock.advance(1)
    assert store.due(10) == [hint]
    store.dispatched(hint)
    assert store.due(10) == []

    store.deliver(claimed(store, job), {})
    hint = Hint(DELIVERY, job.job_id)
    store.dispatched(hint)
    assert store.due(10) == []
    clock.advance(60)
    assert store.due(10) == [hint]


def test_an_expired_lease_is_due_at_once(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """A dead worker's job is due as soon as its lease has ended, however recent the last message is."""
    store.dispatched(Hint(INFERENCE, job.job_id))
    store.claim(job.job_id, INFERENCE, "worker-1", 5)
    store.dispatched(Hint(INFERENCE, job.job_id))  # the dispatcher notes the message after the worker took it
    clock.advance(4)
    assert store.due(10) == []
    clock.advance(1)
    assert store.due(10) == [Hint(INFERENCE, job.job_id)]


def test_an_expired_delivery_is_due_and_never_exhausted(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """Delivery goes on however often its worker dies: the result is there."""
    delivering(store, job)
    for number in range(5):
        clock.advance(121)
        assert store.due(10) == [Hint(DELIVERY, job.job_id)]
        claimed(store, job, DELIVERY, f"worker-{number}")
    assert store.get(job.job_id).state is JobState.DELIVERING


def test_the_reaper_ends_a_poison_job(store: SQLJobStore, job: Job, clock: FixedClock) -> None:
    """A job whose attempts are used up is FAILED by the next look, is seen, and is never due again."""
    store.postpone(claimed(store, job), PROBLEM, clock.now())
    claimed(store, job)
    clock.advance(121)

    assert store.due(10) == []

    found = store.get(job.job_id)
    assert (found.state, found.error_code) == (JobState.FAILED, "job.attempts_exhausted")
    assert PROBLEM.code in (found.error_message or "")


def test_hints_come_oldest_first_and_not_too_many(store: SQLJobStore, clock: FixedClock) -> None:
    """Nobody overtakes, and one look is bounded."""
    made = []
    for number in range(5):
        made.append(store.create(NewJob(STUDY, UID(f"1.2.{number}"), 1, MODEL)).job_id)
        clock.advance(1)

    assert store.due(3) == [Hint(INFERENCE, job_id) for job_id in made[:3]]


def test_a_store_that_is_away_is_said_so(clock: FixedClock) -> None:
    """A database that does not answer is one error of ours, which callers may retry."""
    away = engine_for(URL.create("mysql+pymysql", "nobody", None, "127.0.0.1", 1, "nothing"))
    store = SQLJobStore(away, clock, CountingUIDSource())

    with pytest.raises(StoreUnavailable):
        store.get(JobID("0" * 32))
    with pytest.raises(StoreUnavailable):
        store.create(NEW)
