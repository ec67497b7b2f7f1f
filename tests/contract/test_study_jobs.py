"""Jobs about a whole study: made once, joined by further series, put off, and ended for all; on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Engine, select

from inference.domain.arrival import ArrivalHeader, Decision
from inference.domain.identifiers import UID, JobID
from inference.domain.job import Failure, Hint, Job, JobState, Lease, ModelReference, NewJob, QueueName
from inference.domain.study import CompletionEvidence, SeriesRevision
from inference.errors import JobCancelled, LeaseLost, ReasonCode, StudyNotFound
from integrations.persistence.job_store import JobStoreOptions, SQLJobStore
from integrations.persistence.study_index import SQLStudyIndex
from integrations.persistence.tables import jobs, series
from tests.support.fakes import CountingUIDSource, FixedClock
from tests.support.spooled_instances import SENDER, STUDY, arriving

ROOT = Path("spool").absolute()
INFERENCE, DELIVERY = QueueName.INFERENCE, QueueName.DELIVERY
MODEL = ModelReference("tumour", "1.0.0", "d" * 64)
OTHER = ModelReference("structures", "1.0.0", "e" * 64)
T1, FLAIR, T2 = UID("1.2.3.1"), UID("1.2.3.2"), UID("1.2.3.3")
ANALYSED = Decision(analysed=True, code=None, message=None)
AWAITED = Failure(ReasonCode.CHANNEL_AWAITED, "waiting for T1")
MISSING = Failure(ReasonCode.CHANNEL_MISSING, "the study has no T1; found: FLAIR")


@dataclass
class Node:
    """A job store and a study index on one database."""

    engine: Engine
    clock: FixedClock = field(default_factory=FixedClock)

    def __post_init__(self) -> None:
        uid_source = CountingUIDSource()
        self.store = SQLJobStore(self.engine, self.clock, uid_source, JobStoreOptions(max_attempts=2))
        self.index = SQLStudyIndex(self.engine, self.clock, ROOT, uid_source)

    def arrive(self, series_uid: UID, number: int = 1) -> SeriesRevision:
        """Let an instance of a series come, and give the series as it stands."""
        self.index.add(arriving(number, ROOT, series=series_uid), ArrivalHeader(), SENDER)
        return self.index.series(series_uid, CompletionEvidence.QUIET_TIME)

    def close(self, revision: SeriesRevision, *models: ModelReference) -> list[JobID]:
        """Close a series that models want which read several."""
        return list(self.index.close(revision, ANALYSED, [about_study(revision, model) for model in models]))

    def closed(self, series_uid: UID, number: int = 1) -> JobID:
        """Let an instance come and close its series; give the job that it stands with."""
        (job_id,) = self.close(self.arrive(series_uid, number), MODEL)
        return job_id

    def claimed(self, job_id: JobID, queue: QueueName = INFERENCE) -> Lease:
        """Claim a job."""
        lease = self.store.claim(job_id, queue, "worker-1", 120)
        assert lease is not None
        return lease

    def awaiting(self, series_uid: UID = FLAIR) -> JobID:
        """Close a series whose job finds that another one is lacking, and waits ten minutes."""
        job_id = self.closed(series_uid)
        self.store.defer(self.claimed(job_id), AWAITED, self.clock.now() + timedelta(minutes=10))
        return job_id

    def complete(self, job_id: JobID) -> Job:
        """Bring a job that is not claimed to its end."""
        self.store.deliver(self.claimed(job_id), {})
        self.store.complete(self.claimed(job_id, DELIVERY), None)
        return self.store.get(job_id)

    def superseded_by(self, job_id: JobID) -> str | None:
        """Read what replaced a job's result."""
        with self.engine.connect() as connection:
            found: str | None = connection.scalar(select(jobs.c.superseded_by).where(jobs.c.job_id == job_id))
            return found

    def decision(self, series_uid: UID) -> tuple[str | None, str | None]:
        """Read the decision on a series."""
        with self.engine.connect() as connection:
            wanted = series.c.series_instance_uid == series_uid
            row = connection.execute(select(series.c.decision, series.c.reason_code).where(wanted)).one()
            return row.decision, row.reason_code


def about_study(revision: SeriesRevision, model: ModelReference = MODEL, run: int = 0) -> NewJob:
    """Give the job of a model that reads several series."""
    names = revision.study_instance_uid, revision.series_instance_uid, revision.revision
    return NewJob(*names, model, run, whole_study=True)


@pytest.fixture
def node(database: Engine) -> Node:
    """Give a node without a study."""
    return Node(database)


# One job for several series


def test_the_first_series_makes_the_job(node: Node) -> None:
    """It is an ordinary job of its series that knows what it is about."""
    job = node.store.get(node.closed(FLAIR))

    assert (job.state, job.series_instance_uid, job.whole_study) == (JobState.RECEIVED, FLAIR, True)
    assert node.store.due(10) == [Hint(INFERENCE, job.job_id)]


def test_a_series_joins_a_job_that_has_not_begun(node: Node) -> None:
    """One job for both, whether or not its message was sent; the second series is analysed with it."""
    job_id = node.closed(FLAIR)
    assert node.closed(T1) == job_id
    node.store.dispatched(Hint(INFERENCE, job_id))
    assert node.closed(T2) == job_id
    assert {node.decision(uid) for uid in (T1, FLAIR, T2)} == {("analysed", None)}
    assert node.store.get(job_id).series_instance_uid == FLAIR


def test_closing_twice_gives_the_job_that_was_joined(node: Node) -> None:
    """An assembler that repeats after a lost answer gets the same job, also one that has ended since."""
    job_id = node.closed(FLAIR)
    revision = node.arrive(T1)
    assert node.close(revision, MODEL) == [job_id]
    assert node.close(revision, MODEL) == [job_id]
    node.complete(job_id)
    assert node.close(revision, MODEL) == [job_id]


def test_jobs_of_other_studies_and_models_are_not_joined(node: Node) -> None:
    """Nor are those of another version, of a model that reads one series, or in shadow."""
    mine = node.closed(FLAIR)
    versions = [MODEL, OTHER, replace(MODEL, version="1.1.0"), replace(MODEL, digest="f" * 64)]
    revision = node.arrive(T1)
    new = [about_study(revision, model) for model in versions]
    new += [replace(new[0], shadow=True), replace(new[1], whole_study=False, model=replace(OTHER, model_id="plain"))]

    made = node.index.close(revision, ANALYSED, new)

    assert made[0] == mine
    assert len(set(made)) == len(new)
    elsewhere = node.index.add(arriving(1, ROOT, series=UID("7.0.1"), study=UID("7.0")), ArrivalHeader(), SENDER)
    assert elsewhere
    assert node.close(node.index.series(UID("7.0.1")), MODEL) != [mine]


@pytest.mark.parametrize("ended", [False, True])
def test_a_series_that_comes_after_the_job_has_begun_makes_another(node: Node, ended: bool) -> None:
    """The later job answers for all, and says so on the earlier one when it is done."""
    first = node.closed(FLAIR)
    lease = node.claimed(first)
    if ended:
        node.store.deliver(lease, {})
        node.store.complete(node.claimed(first, DELIVERY), None)

    node.clock.advance(1)
    second = node.closed(T1)

    assert second != first
    node.complete(second)
    assert (node.superseded_by(first), node.superseded_by(second)) == (second, None)


def test_an_earlier_job_that_is_slower_is_superseded(node: Node) -> None:
    """Which job ends first does not matter: the later one saw more."""
    first = node.closed(FLAIR)
    lease = node.claimed(first)
    node.clock.advance(1)
    second = node.closed(T1)
    node.complete(second)

    node.store.deliver(lease, {})
    node.store.complete(node.claimed(first, DELIVERY), None)

    assert (node.superseded_by(first), node.superseded_by(second)) == (second, None)


def test_superseding_stays_with_the_model_and_the_study(node: Node) -> None:
    """Another model's job of the study, and a model's jobs about single series, are not replaced."""
    revision = node.arrive(FLAIR)
    mine, others = node.close(revision, MODEL, OTHER)
    single = node.store.create(replace(about_study(revision, run=1), whole_study=False)).job_id
    for job_id in (mine, others, single):
        node.complete(job_id)
    node.clock.advance(1)
    later = node.closed(T1)

    node.complete(later)

    assert [node.superseded_by(job_id) for job_id in (mine, others, single, later)] == [later, None, None, None]


def test_a_late_instance_of_any_channel_makes_a_new_job(node: Node) -> None:
    """A new revision of a series that had joined replaces the result, as one of the first series does."""
    first = node.closed(FLAIR)
    node.closed(T1)
    node.complete(first)
    node.clock.advance(1)

    second = node.closed(T1, number=2)

    assert node.store.get(second).revision == 2
    node.complete(second)
    assert node.superseded_by(first) == second


def test_a_person_s_order_joins_what_waits(node: Node) -> None:
    """What has not begun is worked on now instead of twice; what has ended is done again."""
    waiting = node.awaiting()
    order = about_study(node.index.series(FLAIR), run=1)
    assert node.store.create(order).job_id == waiting
    node.complete(waiting)

    again = node.store.create(order)

    assert (again.job_id != waiting, again.run, again.whole_study) == (True, 1, True)


@pytest.mark.parametrize("round_number", range(5))
def test_receivers_that_close_at_once_make_one_job(node: Node, round_number: int) -> None:
    """Nobody waits in a circle, and every series stands with the same job."""
    revisions = [node.arrive(UID(f"1.2.3.{number}")) for number in range(1, 7)]
    together = Barrier(len(revisions))

    def close(revision: SeriesRevision) -> JobID:
        together.wait()
        (job_id,) = node.close(revision, MODEL)
        return job_id

    with ThreadPoolExecutor(len(revisions)) as pool:
        made = set(pool.map(close, revisions))

    assert len(made) == 1
    assert not node.index.receiving()


@pytest.mark.parametrize("round_number", range(5))
def test_a_series_that_is_closed_while_a_job_is_put_off_is_not_missed(node: Node, round_number: int) -> None:
    """Whoever wins: one job is left, it is due now, and both series stand with it."""
    first = node.closed(FLAIR)
    lease = node.claimed(first)
    node.clock.advance(1)
    revision = node.arrive(T1)
    together = Barrier(2)

    def put_off() -> None:
        together.wait()
        node.store.defer(lease, AWAITED, node.clock.now() + timedelta(minutes=10))

    def close() -> JobID:
        together.wait()
        (job_id,) = node.close(revision, MODEL)
        return job_id

    with ThreadPoolExecutor(2) as pool:
        putting_off, closing = pool.submit(put_off), pool.submit(close)
        putting_off.result()
        second = closing.result()

    assert node.store.due(10) == [Hint(INFERENCE, second)]
    assert node.superseded_by(first) == (second if second != first else None)


# Waiting


def test_a_job_that_is_put_off_waits_and_counts_no_attempt(node: Node) -> None:
    """It says what it waits for and until when, as often as need be, and is due then."""
    job_id = node.awaiting()
    for _ in range(3):
        job = node.store.get(job_id)
        assert (job.state, job.attempt, job.lease_owner) == (JobState.QUEUED, 0, None)
        assert (job.error_code, job.error_message) == (AWAITED.code, AWAITED.message)
        assert job.next_run_at == node.clock.now() + timedelta(minutes=10)
        assert node.store.due(10) == []
        assert node.store.claim(job_id, INFERENCE, "worker-2", 120) is None
        node.clock.advance(600)
        assert node.store.due(10) == [Hint(INFERENCE, job_id)]
        node.store.defer(node.claimed(job_id), AWAITED, node.clock.now() + timedelta(minutes=10))


def test_a_series_that_comes_ends_the_wait(node: Node) -> None:
    """The job that waited is due at once, and its next attempt is its first."""
    job_id = node.awaiting()

    node.closed(T1)

    assert node.store.due(10) == [Hint(INFERENCE, job_id)]
    assert node.claimed(job_id).job.attempt == 1


def test_a_wait_after_a_failure_is_kept(node: Node) -> None:
    """A device that has no memory has none for two series either."""
    job_id = node.closed(FLAIR)
    problem = Failure("inference.out_of_memory", "the device had too little memory")
    node.store.postpone(node.claimed(job_id), problem, node.clock.now() + timedelta(minutes=1))

    assert node.closed(T1) == job_id

    assert node.store.due(10) == []


@pytest.mark.parametrize("lost", ["lease", "cancelled"])
def test_only_who_holds_the_job_may_put_it_off(node: Node, lost: str) -> None:
    """A worker that lost the job, or whose job was cancelled, learns of it and changes nothing."""
    job_id = node.closed(FLAIR)
    lease = node.claimed(job_id)
    if lost == "lease":
        node.clock.advance(121)
        node.claimed(job_id)
    else:
        node.store.cancel(job_id)
    before = node.store.get(job_id)

    with pytest.raises(LeaseLost if lost == "lease" else JobCancelled):
        node.store.defer(lease, AWAITED, node.clock.now())

    assert node.store.get(job_id) == before


def test_the_word_that_a_study_is_complete_ends_the_wait(node: Node) -> None:
    """What does not come any more is not waited for; other studies go on waiting."""
    job_id = node.awaiting()

    node.index.signal_complete(STUDY, {})

    assert node.store.due(10) == [Hint(INFERENCE, job_id)]
    assert node.index.study(STUDY).signalled


def test_the_word_waits_for_series_that_are_open(node: Node) -> None:
    """The last one of them, whatever it is, ends the wait when it is closed."""
    job_id = node.awaiting()
    localizer, survey = node.arrive(UID("1.2.3.8")), node.arrive(UID("1.2.3.9"))
    node.index.signal_complete(STUDY, {})
    assert node.store.due(10) == []

    node.close(localizer)
    assert node.store.due(10) == []
    node.close(survey)

    assert node.store.due(10) == [Hint(INFERENCE, job_id)]


def test_the_word_that_names_a_series_to_come_does_not_end_the_wait(node: Node) -> None:
    """Who announces a series says that the study is not complete without it."""
    node.awaiting()

    node.index.signal_complete(STUDY, {T1: 20})

    assert node.store.due(10) == []
    assert not node.index.study(STUDY).signalled


def test_what_comes_after_the_word_is_waited_for_again(node: Node) -> None:
    """The word was not true: more came."""
    node.awaiting()
    other = node.arrive(UID("1.2.3.8"))
    node.index.signal_complete(STUDY, {})
    node.clock.advance(1)
    other = node.arrive(UID("1.2.3.8"), number=2)

    node.close(other)

    assert node.store.due(10) == []
    assert not node.index.study(STUDY).signalled


def test_the_word_that_comes_while_a_worker_looks_is_not_missed(node: Node) -> None:
    """The job is put off on what was true before, and is due at once."""
    job_id = node.closed(FLAIR)
    lease = node.claimed(job_id)
    node.index.signal_complete(STUDY, {})

    node.store.defer(lease, AWAITED, node.clock.now() + timedelta(minutes=10))

    assert node.store.due(10) == [Hint(INFERENCE, job_id)]


def test_a_series_that_comes_while_a_worker_looks_is_not_missed(node: Node) -> None:
    """Its own job answers for both; the one that was put off ends, and its series is not rejected with it."""
    first = node.closed(FLAIR)
    lease = node.claimed(first)
    node.clock.advance(1)
    second = node.closed(T1)

    node.store.defer(lease, AWAITED, node.clock.now() + timedelta(minutes=10))

    job = node.store.get(first)
    assert (job.state, job.error_code, node.superseded_by(first)) == (JobState.REJECTED, "series.superseded", second)
    assert node.decision(FLAIR) == ("analysed", None)
    assert node.store.due(10) == [Hint(INFERENCE, second)]
    node.store.reject(node.claimed(second), MISSING)
    assert node.decision(FLAIR) == node.decision(T1) == ("rejected", MISSING.code)


# The end, for all


def test_a_rejection_is_every_series_reason(node: Node) -> None:
    """No series that joined stays without a reason, and a retry takes it back from all."""
    job_id = node.closed(FLAIR)
    node.closed(T2)

    node.store.reject(node.claimed(job_id), MISSING)
    assert node.decision(FLAIR) == node.decision(T2) == ("rejected", MISSING.code)

    node.store.retry(job_id)
    assert node.decision(FLAIR) == node.decision(T2) == ("analysed", None)


def test_a_series_that_another_model_analyses_keeps_its_decision(node: Node) -> None:
    """Only a series of which every job was rejected is."""
    (job_id,) = node.close(node.arrive(FLAIR), MODEL)
    joined, other = node.close(node.arrive(T2), MODEL, OTHER)
    assert joined == job_id

    node.store.reject(node.claimed(job_id), MISSING)
    assert (node.decision(FLAIR), node.decision(T2)) == (("rejected", MISSING.code), ("analysed", None))

    node.store.reject(node.claimed(other), MISSING)
    assert node.decision(T2) == ("rejected", MISSING.code)


def test_a_revision_that_is_over_is_not_decided_on(node: Node) -> None:
    """A series that joined and is open again has no decision until it is closed."""
    job_id = node.closed(FLAIR)
    node.closed(T2)
    lease = node.claimed(job_id)
    node.arrive(T2, number=2)

    node.store.reject(lease, MISSING)

    assert (node.decision(FLAIR), node.decision(T2)) == (("rejected", MISSING.code), (None, None))


def test_the_missing_series_saves_those_that_were_rejected_without_it(node: Node) -> None:
    """They are the rest of the new job's input: their reason is not true any more, until it ends as the first did."""
    first = node.closed(FLAIR)
    node.closed(T2)
    node.store.reject(node.claimed(first), MISSING)
    node.clock.advance(3600)

    second = node.closed(T1)

    assert [node.decision(uid) for uid in (T1, FLAIR, T2)] == [("analysed", None)] * 3
    node.store.reject(node.claimed(second), MISSING)
    assert [node.decision(uid) for uid in (T1, FLAIR, T2)] == [("rejected", MISSING.code)] * 3


def test_series_that_were_rejected_otherwise_stay_so(node: Node) -> None:
    """A new job about the study says nothing of a series with another reason, or of another model's."""
    job_id, other = node.close(node.arrive(FLAIR), MODEL, OTHER)
    node.store.reject(node.claimed(job_id), MISSING)
    node.store.reject(node.claimed(other), Failure("geometry.gap", "a slice is missing"))
    (third,) = node.close(node.arrive(T2), OTHER)
    node.store.reject(node.claimed(third), MISSING)
    node.clock.advance(1)

    node.closed(T1)

    assert (node.decision(FLAIR), node.decision(T2)) == (("rejected", "geometry.gap"), ("rejected", MISSING.code))


def test_a_model_in_shadow_has_no_say(node: Node) -> None:
    """Neither its rejection nor its new job changes what a series says."""
    revision = node.arrive(FLAIR)
    node.index.close(revision, ANALYSED, [replace(about_study(revision), shadow=True), about_study(revision, OTHER)])
    shadow, other = (hint.job_id for hint in node.store.due(10))
    node.store.reject(node.claimed(shadow), MISSING)
    assert node.decision(FLAIR) == ("analysed", None)
    node.store.reject(node.claimed(other), MISSING)

    later = node.arrive(T1)
    node.index.close(later, ANALYSED, [replace(about_study(later), shadow=True)])

    assert node.decision(FLAIR) == ("rejected", MISSING.code)


# The study as it stands


def test_a_study_is_given_with_its_closed_series(node: Node) -> None:
    """In order of arrival, each with the newest bytes of its present revision, and whether more is coming."""
    node.arrive(FLAIR)
    node.arrive(FLAIR, number=2)
    node.clock.advance(1)
    open_series = node.arrive(T1)
    assert node.index.study(STUDY).closed == ()
    node.closed(FLAIR, number=3)

    found = node.index.study(STUDY)

    assert found.closed == (node.index.series(FLAIR),)
    assert len(found.closed[0].instances) == 3
    assert (found.receiving, found.last_received_at, found.signalled) == (True, node.clock.now(), False)
    node.clock.advance(1)
    node.close(open_series, MODEL)
    found = node.index.study(STUDY)
    assert found.closed == (node.index.series(FLAIR), node.index.series(T1))
    assert (found.receiving, found.last_received_at) == (False, node.clock.now() - timedelta(seconds=1))


def test_a_series_of_another_study_is_not_given(node: Node) -> None:
    """One of this study that was rejected is: it may be what a model with several channels wants."""
    node.index.add(arriving(1, ROOT, series=UID("7.0.1"), study=UID("7.0")), ArrivalHeader(), SENDER)
    revision = node.arrive(FLAIR)
    node.index.close(revision, Decision(analysed=False, code="selection.sequence", message="no"), [])

    assert [found.series_instance_uid for found in node.index.study(STUDY).closed] == [FLAIR]


def test_a_series_that_was_only_announced_is_not_open(node: Node) -> None:
    """It may never come; but the study is not complete without it."""
    node.closed(FLAIR)
    node.index.signal_complete(STUDY, {T1: 20})

    found = node.index.study(STUDY)

    assert (found.receiving, found.signalled, len(found.closed)) == (False, False, 1)


def test_a_study_that_is_not_here(node: Node) -> None:
    """Is said so."""
    with pytest.raises(StudyNotFound):
        node.index.study(STUDY)
