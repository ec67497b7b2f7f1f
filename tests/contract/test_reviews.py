"""What a person's review means to a job store, on SQLite and on MariaDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest
from sqlalchemy import Engine

from inference.domain.identifiers import UID, JobID
from inference.domain.job import Failure, Hint, Job, JobState, Lease, ModelReference, NewJob, QueueName
from inference.domain.review import Review, Verdict
from inference.errors import IllegalTransition
from integrations.persistence.job_store import SQLJobStore
from tests.support.fakes import NOON, CountingUIDSource, FixedClock
from tests.support.spooled_instances import SERIES, STUDY

MODEL = ModelReference("brain_structures", "1.0.0", "d" * 64)
NEWER = replace(MODEL, version="2.0.0", digest="e" * 64)
TRACKED = UID("2.25.77")
ACCEPTED = Review(Verdict.ACCEPT, "kim", "Kim^Min", "City hospital", NOON)
REJECTED = replace(ACCEPTED, verdict=Verdict.REJECT, reason="motion")
AMENDED = replace(ACCEPTED, verdict=Verdict.AMEND, reason="not the thalamus", excluded=(TRACKED,))


def entry(number: int) -> dict[str, str]:
    """Give an SR as a job's result names it."""
    return {
        "kind": "SR",
        "sop_instance_uid": f"2.25.{number}",
        "series_instance_uid": f"2.25.{number}0",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.33",
    }


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that the test moves."""
    return FixedClock()


@pytest.fixture
def store(database: Engine, clock: FixedClock) -> SQLJobStore:
    """Give an empty store."""
    return SQLJobStore(database, clock, CountingUIDSource())


def claimed(store: SQLJobStore, job_id: JobID, queue: QueueName = QueueName.DELIVERY) -> Lease:
    """Claim a job for two minutes."""
    lease = store.claim(job_id, queue, "worker-1", 120)
    assert lease is not None
    return lease


def completed(
    store: SQLJobStore,
    number: int = 1,
    answer: str = "first",
    model: ModelReference = MODEL,
    run: int = 0,
    more: Mapping[str, object] = MappingProxyType({}),
) -> Job:
    """Give a job whose result is published."""
    job_id = store.create(NewJob(STUDY, SERIES, 1, model, run=run)).job_id
    result = {
        "answer": answer,
        "measurements": [{"tracking_uid": TRACKED}, {"tracking_uid": None}],
        "artifacts": [{**entry(number), "kind": "SEG", "sop_instance_uid": "2.25.5"}, entry(number)],
    }
    store.deliver(claimed(store, job_id, QueueName.INFERENCE), {**result, **more})
    store.complete(claimed(store, job_id), "DiagnosticReport/1")
    return store.get(job_id)


def test_an_accepted_result_is_told_and_stays(store: SQLJobStore) -> None:
    """The review stands in the result from the order on; the objects change once everybody knows."""
    job = completed(store)

    found = store.review(job.job_id, ACCEPTED)

    assert found.state is JobState.REVIEWING
    assert found.result is not None
    assert found.result["reviews"] == [ACCEPTED.to_json()]
    assert Hint(QueueName.DELIVERY, job.job_id) in store.due(10)
    store.reviewed(claimed(store, job.job_id), [entry(9)])
    ended = store.get(job.job_id)
    assert ended.state is JobState.COMPLETED
    assert ended.result is not None
    assert (ended.result["artifacts"], ended.result["reviewed"]) == ([entry(9)], 1)


def test_a_rejected_result_is_withdrawn(store: SQLJobStore) -> None:
    """With the reader's reason, and who said so."""
    job = completed(store)

    found = store.review(job.job_id, REJECTED)

    assert found.state is JobState.WITHDRAWING
    assert found.result is not None
    assert found.result["withdrawn"] == {"reason": "motion", "at": NOON.isoformat(), "by": "kim"}
    store.withdrawn(claimed(store, job.job_id))
    assert store.get(job.job_id).state is JobState.WITHDRAWN


def test_an_accepted_result_may_be_rejected_later(store: SQLJobStore) -> None:
    """People change their minds; both words are kept."""
    job = completed(store)
    store.review(job.job_id, ACCEPTED)
    store.reviewed(claimed(store, job.job_id), [entry(9)])

    found = store.review(job.job_id, REJECTED)

    assert found.result is not None
    assert [each["verdict"] for each in found.result["reviews"]] == ["accept", "reject"]  # type: ignore[attr-defined]


def test_only_findings_of_the_result_can_be_excluded(store: SQLJobStore) -> None:
    """A finding that nobody sees excluded would still stand."""
    job = completed(store)

    with pytest.raises(IllegalTransition, match="no finding"):
        store.review(job.job_id, replace(AMENDED, excluded=(UID("2.25.1"),)))
    assert store.review(job.job_id, AMENDED).state is JobState.REVIEWING


@pytest.mark.parametrize("review", [ACCEPTED, AMENDED, REJECTED], ids=lambda review: review.verdict.value)
def test_what_is_not_published_cannot_be_reviewed(store: SQLJobStore, review: Review) -> None:
    """Neither a job at work, nor one in shadow, nor one that is being reviewed."""
    new = store.create(NewJob(STUDY, SERIES, 1, MODEL))
    shadow = store.create(NewJob(STUDY, UID(f"{SERIES}.2"), 1, MODEL, shadow=True))
    store.record(claimed(store, shadow.job_id, QueueName.INFERENCE), {"measurements": []})

    for job in (new, shadow):
        with pytest.raises(IllegalTransition):
            store.review(job.job_id, review)
    published = completed(store, model=NEWER)
    store.review(published.job_id, ACCEPTED)
    with pytest.raises(IllegalTransition):
        store.review(published.job_id, review)


def test_a_failed_review_goes_on_with_a_retry(store: SQLJobStore) -> None:
    """Where it stopped, not with the delivery of the result."""
    job = completed(store)
    store.review(job.job_id, ACCEPTED)
    store.fail(claimed(store, job.job_id), Failure("delivery.peer_refused", "no"))

    assert store.retry(job.job_id).state is JobState.REVIEWING
    store.reviewed(claimed(store, job.job_id), [entry(9)])
    assert store.get(job.job_id).state is JobState.COMPLETED


def test_a_later_run_replaces_an_earlier_one(store: SQLJobStore, clock: FixedClock) -> None:
    """Whichever version made it; what is replaced is not reviewed any more."""
    first = completed(store)
    clock.advance(60)
    second = completed(store, 2, "second", NEWER)

    with pytest.raises(IllegalTransition, match="later result"):
        store.review(first.job_id, ACCEPTED)
    assert store.review(second.job_id, ACCEPTED).state is JobState.REVIEWING


def test_a_changed_result_names_the_latest_other_one(store: SQLJobStore, clock: FixedClock) -> None:
    """An equal answer makes the same objects, and so has the predecessor that it had the first time."""
    completed(store, 1, "first")
    clock.advance(60)
    completed(store, 2, "second", NEWER)
    clock.advance(60)
    third = store.create(NewJob(STUDY, SERIES, 1, MODEL, run=1))

    (changed,), (repeated,) = (store.predecessors(third, answer) for answer in ("third", "second"))

    assert (changed.sop_instance_uid, repeated.sop_instance_uid) == ("2.25.2", "2.25.1")
    assert changed.study_instance_uid == STUDY


@pytest.mark.parametrize(
    ("replaces", "named"), [(None, []), (entry(8), ["2.25.8"]), ([entry(8), entry(9)], ["2.25.8", "2.25.9"])]
)
def test_a_repetition_replaces_what_it_did_the_first_time(
    store: SQLJobStore, clock: FixedClock, replaces: object, named: list[str]
) -> None:
    """Every encoding of it; versions before kept one object or none."""
    completed(store, 1, "first", more={"replaces": replaces})
    clock.advance(60)
    again = store.create(NewJob(STUDY, SERIES, 1, MODEL, run=1))

    assert [each.sop_instance_uid for each in store.predecessors(again, "first")] == named


def test_a_changed_result_replaces_every_encoding(store: SQLJobStore, clock: FixedClock) -> None:
    """Not every archive has the first."""
    artifacts = [entry(1), {**entry(2), "kind": "SEG"}, entry(3), {"kind": "SR", "sop_instance_uid": "2.25.4"}]
    completed(store, more={"artifacts": artifacts})
    clock.advance(60)
    again = store.create(NewJob(STUDY, SERIES, 1, MODEL, run=1))

    assert [each.sop_instance_uid for each in store.predecessors(again, "second")] == ["2.25.1", "2.25.3"]


def test_of_a_result_whose_successor_was_withdrawn_a_reader_learns_what_to_do(
    store: SQLJobStore, clock: FixedClock
) -> None:
    """Archives have set it aside, so that it has to be made again before it can be reviewed."""
    first = completed(store)
    clock.advance(60)
    second = completed(store, 2, "second", run=1)
    store.review(second.job_id, REJECTED)

    with pytest.raises(IllegalTransition, match="run the analysis again"):
        store.review(first.job_id, ACCEPTED)


def test_the_first_result_replaces_none(store: SQLJobStore, clock: FixedClock) -> None:
    """Nor does one whose forerunner was withdrawn, or is about another series."""
    job = completed(store)
    store.review(job.job_id, REJECTED)
    clock.advance(60)
    other = store.create(NewJob(STUDY, UID(f"{SERIES}.2"), 1, MODEL))
    again = store.create(NewJob(STUDY, SERIES, 1, MODEL, run=1))

    assert [store.predecessors(each, "second") for each in (other, again)] == [(), ()]
