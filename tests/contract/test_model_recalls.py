"""Jobs in shadow, and what becomes of the jobs of a model that is recalled: on SQLite and on MariaDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select

from inference.domain.deployment import DeploymentEvent
from inference.domain.identifiers import UID, JobID
from inference.domain.job import Failure, Hint, Job, JobState, Lease, ModelReference, NewJob, QueueName
from inference.domain.model_spec import Deployment
from inference.errors import IllegalTransition, LeaseLost, ModelRecalled
from integrations.persistence import job_withdrawals
from integrations.persistence.deployments import SQLDeploymentLog
from integrations.persistence.job_store import JobStoreOptions, SQLJobStore
from integrations.persistence.tables import jobs
from tests.support.fakes import CountingUIDSource, FixedClock
from tests.support.spooled_instances import SERIES, STUDY

INFERENCE, DELIVERY = QueueName.INFERENCE, QueueName.DELIVERY
MODEL = ModelReference("brain_structures", "1.0.0", "d" * 64)
TWIN = replace(MODEL, version="1.1.0")
"""Another version with the same weights, as when only limits were changed."""
REASON = "it mixes up left and right"
REFUSED = Failure("delivery.peer_refused", "the archive said no")


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that the test moves."""
    return FixedClock()


@pytest.fixture
def store(database: Engine, clock: FixedClock) -> SQLJobStore:
    """Give an empty store."""
    return SQLJobStore(database, clock, CountingUIDSource(), JobStoreOptions(max_attempts=2, rehint_seconds=60))


@pytest.fixture
def log(database: Engine, clock: FixedClock) -> SQLDeploymentLog:
    """Give the log of the same database."""
    return SQLDeploymentLog(database, clock)


def recall(log: SQLDeploymentLog, clock: FixedClock, model: ModelReference = MODEL) -> None:
    """Note a recall, as the command does before it orders the withdrawal."""
    log.record(DeploymentEvent(clock.now(), model, Deployment.RECALLED, "operator", REASON))


def new(store: SQLJobStore, number: int = 1, model: ModelReference = MODEL, *, shadow: bool = False) -> Job:
    """Give a job on a series of its own."""
    return store.create(NewJob(STUDY, UID(f"{SERIES}.{number}"), 1, model, shadow=shadow))


def claimed(store: SQLJobStore, job: Job, queue: QueueName = INFERENCE, owner: str = "worker-1") -> Lease:
    """Claim a job for two minutes."""
    lease = store.claim(job.job_id, queue, owner, 120)
    assert lease is not None
    return lease


def delivering(store: SQLJobStore, job: Job) -> Lease:
    """Bring a job to its delivery, and claim that."""
    store.deliver(claimed(store, job), {"measurements": [{"value": 1.5}]})
    return claimed(store, job, DELIVERY)


def completed(store: SQLJobStore, number: int = 1, model: ModelReference = MODEL) -> Job:
    """Give a job whose result is published."""
    job = new(store, number, model)
    store.complete(delivering(store, job), f"DiagnosticReport/{number}")
    return store.get(job.job_id)


# Shadow


def test_a_job_in_shadow_ends_without_a_delivery(store: SQLJobStore) -> None:
    """Its result is in its row, and nothing is owed to anybody."""
    job = new(store, shadow=True)

    store.record(claimed(store, job), {"measurements": [{"value": 1.5}]})

    found = store.get(job.job_id)
    assert (found.state, found.shadow, found.result) == (JobState.COMPLETED, True, {"measurements": [{"value": 1.5}]})
    assert (found.lease_owner, store.due(10)) == (None, [])


def test_only_what_is_in_shadow_is_kept_back(store: SQLJobStore) -> None:
    """Whatever a worker has in mind: a result in shadow is never delivered, any other is never kept back."""
    shadow, plain = new(store, 1, shadow=True), new(store, 2)

    with pytest.raises(IllegalTransition):
        store.deliver(claimed(store, shadow), {})
    with pytest.raises(IllegalTransition):
        store.record(claimed(store, plain), {})

    assert {store.get(job.job_id).state for job in (shadow, plain)} == {JobState.PROCESSING}


def test_two_versions_with_the_same_weights_run_side_by_side(store: SQLJobStore) -> None:
    """A version may change nothing but limits or labels; it is a job of its own all the same."""
    active, shadow = new(store), new(store, model=TWIN, shadow=True)

    assert active.job_id != shadow.job_id
    assert (active.model, shadow.model) == (MODEL, TWIN)


def test_a_shadow_and_a_published_result_do_not_replace_each_other(store: SQLJobStore, database: Engine) -> None:
    """A version on trial, faster with a later revision, does not take the place of what is published."""
    published = completed(store)
    later = NewJob(STUDY, published.series_instance_uid, 2, TWIN, shadow=True)
    shadow = store.create(later)
    store.record(claimed(store, shadow), {})

    with database.connect() as connection:
        assert set(connection.scalars(select(jobs.c.superseded_by))) == {None}


# Recall


def test_what_is_published_is_withdrawn(store: SQLJobStore, clock: FixedClock) -> None:
    """The job is due for delivery again, keeps its result, and says why; another version's job stays as it is."""
    job, other = completed(store), completed(store, model=TWIN)
    clock.advance(60)

    assert store.withdraw(MODEL, REASON) == [job.job_id]

    found = store.get(job.job_id)
    assert (found.state, found.error_code, found.updated_at) == (JobState.WITHDRAWING, None, clock.now())
    assert found.delivering_since == clock.now()
    assert found.result == {
        "measurements": [{"value": 1.5}],
        "report": "DiagnosticReport/1",
        "withdrawn": {"reason": REASON, "at": clock.now().isoformat()},
    }
    assert store.due(10) == [Hint(DELIVERY, job.job_id)]
    assert store.get(other.job_id) == other


def test_a_withdrawal_ends(store: SQLJobStore) -> None:
    """A worker claims it like a delivery, and the job is over for good."""
    job = completed(store)
    store.withdraw(MODEL, REASON)
    lease = claimed(store, job, DELIVERY)
    assert lease.job.state is JobState.WITHDRAWING
    store.heartbeat(lease, 60)

    store.withdrawn(lease)

    found = store.get(job.job_id)
    assert (found.state, found.error_code, found.lease_owner) == (JobState.WITHDRAWN, None, None)
    assert store.due(10) == []
    for order in (store.retry, store.cancel):
        with pytest.raises(IllegalTransition):
            order(job.job_id)
    assert store.withdraw(MODEL, REASON) == []


def test_a_withdrawal_completes_nothing(store: SQLJobStore) -> None:
    """A withdrawal does not end as a delivery, nor a delivery as a withdrawal."""
    job, other = completed(store), new(store, 2, TWIN)
    store.withdraw(MODEL, REASON)

    with pytest.raises(IllegalTransition):
        store.complete(claimed(store, job, DELIVERY), None)
    with pytest.raises(IllegalTransition):
        store.withdrawn(delivering(store, other))


def test_a_postponed_withdrawal_waits(store: SQLJobStore, clock: FixedClock) -> None:
    """Like a delivery: it stays what it is, is due at its time, and is never exhausted."""
    job = completed(store)
    store.withdraw(MODEL, REASON)
    for _ in range(4):
        lease = claimed(store, job, DELIVERY)
        store.postpone(lease, Failure("delivery.peer_unavailable", "no answer"), clock.now() + timedelta(hours=1))
        assert store.get(job.job_id).state is JobState.WITHDRAWING
        assert store.due(10) == []
        clock.advance(3600)
        assert store.due(10) == [Hint(DELIVERY, job.job_id)]


@pytest.mark.parametrize("end", ["fail", "cancel"])
def test_what_was_delivered_in_part_is_withdrawn(store: SQLJobStore, end: str) -> None:
    """A delivery that failed or was cancelled half-way may have left objects in the archive."""
    job = new(store)
    lease = delivering(store, job)
    if end == "fail":
        store.fail(lease, REFUSED)
    else:
        store.cancel(job.job_id)

    assert store.withdraw(MODEL, REASON) == [job.job_id]
    found = store.get(job.job_id)
    assert (found.state, found.error_code) == (JobState.WITHDRAWING, None)


def test_what_has_not_begun_ends(store: SQLJobStore, clock: FixedClock) -> None:
    """Jobs that wait are FAILED by name, also in shadow; nothing of them is to be withdrawn."""
    received, queued, shadow, postponed = (new(store, number, shadow=number == 3) for number in range(1, 5))
    store.dispatched(Hint(INFERENCE, queued.job_id))
    store.postpone(claimed(store, postponed), REFUSED, clock.now())

    assert store.withdraw(MODEL, REASON) == []

    for job in (received, queued, shadow, postponed):
        found = store.get(job.job_id)
        assert (found.state, found.error_code) == (JobState.FAILED, "model.recalled")
        assert REASON in (found.error_message or "")
    assert store.due(10) == []


def test_what_published_nothing_stays(store: SQLJobStore) -> None:
    """Rejected, failed without a result, in shadow, at work: there is nothing to withdraw."""
    rejected, failed, shadow, working = (new(store, number, shadow=number == 3) for number in range(1, 5))
    store.reject(claimed(store, rejected), Failure("geometry.gap", "a slice is missing"))
    store.fail(claimed(store, failed), REFUSED)
    store.record(claimed(store, shadow), {"measurements": [{"value": 1.5}]})
    claimed(store, working)
    before = [store.get(job.job_id) for job in (rejected, failed, shadow, working)]

    assert store.withdraw(MODEL, REASON) == []
    assert [store.get(job.job_id) for job in before] == before


def test_more_than_one_transaction_takes(store: SQLJobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, and whatever is between them, all are ordered, each once."""
    monkeypatch.setattr(job_withdrawals, "BATCH", 2)
    published = [completed(store, number).job_id for number in range(1, 6)]
    new(store, 9)

    assert store.withdraw(MODEL, REASON) == published
    assert store.withdraw(MODEL, REASON) == []


def test_a_recall_that_was_cut_off_goes_on(
    store: SQLJobStore, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a crash left undone is done by the next command, and only that."""
    monkeypatch.setattr(job_withdrawals, "BATCH", 2)
    published = [completed(store, number).job_id for number in range(1, 6)]
    batch = job_withdrawals.withdraw_batch

    def dies_after_the_first(connection: Connection, order: Any, after: str) -> Any:
        if after:
            raise KeyboardInterrupt
        return batch(connection, order, after)

    with monkeypatch.context() as patch:
        patch.setattr("integrations.persistence.job_store.withdraw_batch", dies_after_the_first)
        with pytest.raises(KeyboardInterrupt):
            store.withdraw(MODEL, REASON)

    assert store.withdraw(MODEL, REASON) == published[2:]


def test_what_could_not_be_withdrawn_is_ordered_again(store: SQLJobStore, clock: FixedClock) -> None:
    """The first order holds, so that what is sent again is the same object."""
    job = completed(store)
    store.withdraw(MODEL, REASON)
    ordered = store.get(job.job_id).result
    store.fail(claimed(store, job, DELIVERY), REFUSED)
    clock.advance(3600)

    assert store.withdraw(MODEL, "said otherwise") == [job.job_id]
    assert store.get(job.job_id).result == ordered


def test_a_retry_of_a_failed_withdrawal_withdraws(store: SQLJobStore) -> None:
    """A person who mended the archive must not publish the result by it."""
    job = completed(store)
    store.withdraw(MODEL, REASON)
    store.fail(claimed(store, job, DELIVERY), REFUSED)

    found = store.retry(job.job_id)

    assert (found.state, found.error_code) == (JobState.WITHDRAWING, None)
    assert store.due(10) == [Hint(DELIVERY, job.job_id)]


def test_a_withdrawal_is_dated_by_the_recall(store: SQLJobStore, log: SQLDeploymentLog, clock: FixedClock) -> None:
    """Every job of one recall names the same moment, whenever its order was written."""
    job = completed(store)
    recall(log, clock)
    recalled_at = clock.now()
    clock.advance(3600)

    store.withdraw(MODEL, REASON)

    result = store.get(job.job_id).result
    assert result is not None
    assert result["withdrawn"] == {"reason": REASON, "at": recalled_at.isoformat()}


# What a recall meets in flight


def test_a_worker_that_delivers_is_fenced(store: SQLJobStore, clock: FixedClock) -> None:
    """It may write nothing more, and the withdrawal begins when it can no longer be publishing."""
    job = new(store)
    lease = delivering(store, job)

    assert store.withdraw(MODEL, REASON) == [job.job_id]

    for write in (lambda: store.heartbeat(lease, 60), lambda: store.complete(lease, None)):
        with pytest.raises(LeaseLost):
            write()
    assert store.claim(job.job_id, DELIVERY, "worker-2", 120) is None
    clock.advance(121)
    assert store.due(10) == [Hint(DELIVERY, job.job_id)]
    assert claimed(store, job, DELIVERY, "worker-2").job.state is JobState.WITHDRAWING


def test_an_analysis_that_ends_after_the_recall_is_not_delivered(
    store: SQLJobStore, log: SQLDeploymentLog, clock: FixedClock
) -> None:
    """The worker learns of it at the last moment, also in shadow; the job fails under its lease."""
    for number, write in ((1, store.deliver), (2, store.record)):
        job = new(store, number, shadow=number == 2)
        lease = claimed(store, job)
        recall(log, clock)
        store.withdraw(MODEL, REASON)

        with pytest.raises(ModelRecalled, match=REASON):
            write(lease, {})

        found = store.get(job.job_id)
        assert (found.state, found.result) == (JobState.PROCESSING, None)
        store.fail(lease, Failure("model.recalled", "recalled"))
        assert store.due(10) == []


def test_a_delivery_that_slipped_through_is_withdrawn(
    store: SQLJobStore, log: SQLDeploymentLog, clock: FixedClock
) -> None:
    """A recall that was noted but not carried out: nothing that waits for its delivery is delivered."""
    job = new(store)
    store.deliver(claimed(store, job), {"measurements": [{"value": 1.5}]})
    recall(log, clock)

    lease = claimed(store, job, DELIVERY)

    assert lease.job.state is JobState.WITHDRAWING
    assert lease.job.result is not None
    assert lease.job.result["withdrawn"] == {"reason": REASON, "at": clock.now().isoformat()}
    store.withdrawn(lease)
    assert store.get(job.job_id).state is JobState.WITHDRAWN


def test_a_job_of_a_recalled_model_is_not_tried_again(
    store: SQLJobStore, log: SQLDeploymentLog, clock: FixedClock
) -> None:
    """A person who asks for it is told why."""
    job = new(store)
    store.fail(claimed(store, job), REFUSED)
    recall(log, clock)

    with pytest.raises(ModelRecalled):
        store.retry(job.job_id)
    assert store.get(job.job_id).state is JobState.FAILED


@pytest.mark.integration
def test_a_recall_and_the_end_of_an_analysis_cross_each_other(mariadb_engine: Engine, clock: FixedClock) -> None:
    """The end is written, not yet committed, when the recall looks: still nothing of it is delivered.

    SQLite has one writer at a time and cannot interleave the two.
    """
    store = SQLJobStore(mariadb_engine, clock, CountingUIDSource())
    log = SQLDeploymentLog(mariadb_engine, clock)
    job = store.create(NewJob(STUDY, SERIES, 1, MODEL))
    ordered: list[JobID] = []

    def recall_now() -> None:
        recall(log, clock)
        ordered.extend(store.withdraw(MODEL, REASON))

    other = Thread(target=recall_now)
    with pytest.MonkeyPatch.context() as patch:

        def overtaken(connection: Connection, job_id: JobID, *rest: Any) -> None:
            other.start()
            other.join(2)
            owe(connection, job_id, *rest)

        from integrations.persistence import job_store

        owe = job_store.owe_hint
        patch.setattr(job_store, "owe_hint", overtaken)
        lease = claimed(store, job)
        store.deliver(lease, {"measurements": [{"value": 1.5}]})
    other.join()

    lease = claimed(store, job, DELIVERY)
    assert lease.job.state is JobState.WITHDRAWING


# What commands ask


def test_the_models_of_all_jobs_are_known(store: SQLJobStore) -> None:
    """Also those whose package is gone: their results can still be recalled."""
    new(store, 1)
    new(store, 2)
    new(store, 1, TWIN)
    store.create(NewJob(STUDY, SERIES, 1, None, rejection=("selection.no_model", "nobody wants it")))

    assert store.models() == [MODEL, TWIN]


def test_unfinished_jobs_are_counted(store: SQLJobStore) -> None:
    """Whatever has not ended, a withdrawal too; of this version only."""
    job = completed(store, 1)
    new(store, 2)
    claimed(store, new(store, 3))
    new(store, 4, TWIN)
    assert (store.unfinished(MODEL), store.unfinished(TWIN)) == (2, 1)

    store.withdraw(MODEL, REASON)
    assert store.get(job.job_id).state is JobState.WITHDRAWING
    assert store.unfinished(MODEL) == 2
