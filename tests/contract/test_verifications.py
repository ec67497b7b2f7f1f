"""Verifications of models are kept alike by SQLite and MariaDB."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from inference.domain.identifiers import JobID
from inference.domain.job import About, Hint, ModelReference, QueueName
from inference.domain.verification import Subject, VerificationFault, VerificationState
from integrations.persistence.verifications import LOST, REPEAT_SECONDS, SQLVerificationLog
from tests.support.fakes import NOON, CountingUIDSource, FixedClock

MODEL = ModelReference("bright_tissue", "1.0.0", "d" * 64)
SUBJECT = Subject(MODEL, "a" * 64, "9.8.7")
FAULT = VerificationFault("golden numbers", "Ventrikel: 左 differs")
WORKER = "host:1:abc"


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock to turn."""
    return FixedClock()


@pytest.fixture
def log(database: Engine, clock: FixedClock) -> SQLVerificationLog:
    """Give an empty log."""
    return SQLVerificationLog(database, clock, CountingUIDSource())


def test_a_look_is_asked_for_made_and_remembered(log: SQLVerificationLog, clock: FixedClock) -> None:
    """Every part of it comes back as it was put in."""
    asked = log.request(SUBJECT, "admin")
    clock.advance(5)
    claimed = log.claim(asked.verification_id, WORKER, 60)
    clock.advance(5)

    assert claimed is not None
    assert log.finish(claimed, [FAULT], "CPUExecutionProvider")

    found = log.find(asked.verification_id)
    assert found is not None
    assert (asked.state, asked.requested_at, asked.requested_by) == (VerificationState.REQUESTED, NOON, "admin")
    assert (claimed.state, claimed.worker, claimed.attempt) == (VerificationState.RUNNING, WORKER, 1)
    assert (found.state, found.faults, found.provider) == (
        VerificationState.FAILED,
        (FAULT,),
        "CPUExecutionProvider",
    )
    assert found.started_at is not None
    assert found.finished_at is not None
    assert (found.finished_at - found.started_at).total_seconds() == 5
    assert log.find(JobID("f" * 32)) is None


def test_a_look_without_faults_is_passed(log: SQLVerificationLog) -> None:
    """Nothing speaks against the version then."""
    asked = log.request(SUBJECT, "admin")
    claimed = log.claim(asked.verification_id, WORKER, 60)
    assert claimed is not None

    log.finish(claimed, [])

    assert [one.state for one in log.of(SUBJECT)] == [VerificationState.PASSED]
    assert log.latest()[MODEL].state is VerificationState.PASSED


def test_asking_twice_makes_one_look(log: SQLVerificationLog) -> None:
    """Whoever is impatient does not fill the queue; once it has ended another one may be asked for."""
    first = log.request(SUBJECT, "admin")
    again = log.request(SUBJECT, "somebody else")
    claimed = log.claim(first.verification_id, WORKER, 60)
    assert claimed is not None
    log.finish(claimed, [])
    later = log.request(SUBJECT, "admin")

    assert again == first
    assert later.verification_id != first.verification_id


@pytest.mark.parametrize(
    "other",
    [
        replace(SUBJECT, manifest_sha256="b" * 64),
        replace(SUBJECT, node_version="9.9.0"),
        replace(SUBJECT, model=replace(MODEL, digest="e" * 64)),
    ],
)
def test_a_look_is_at_exactly_one_thing(log: SQLVerificationLog, other: Subject) -> None:
    """Another manifest, another node, other weights: none of them has proved itself."""
    log.request(SUBJECT, "admin")

    assert log.of(other) == []
    assert len(log.of(SUBJECT)) == 1


def test_only_one_worker_has_it(log: SQLVerificationLog, clock: FixedClock) -> None:
    """Two messages about one request make one look, as long as its worker is heard of."""
    asked = log.request(SUBJECT, "admin")
    first = log.claim(asked.verification_id, WORKER, 60)
    clock.advance(50)
    log.extend(WORKER, 60)
    clock.advance(50)

    assert first is not None
    assert log.claim(asked.verification_id, "host:2:def", 60) is None
    assert log.due(10) == []


def test_a_lost_worker_is_followed_by_one_more(log: SQLVerificationLog, clock: FixedClock) -> None:
    """A graph that ends its process does so twice, then it has failed; the first worker's word comes too late."""
    asked = log.request(SUBJECT, "admin")
    first = log.claim(asked.verification_id, WORKER, 60)
    clock.advance(61)
    assert log.due(10) == [Hint(QueueName.INFERENCE, asked.verification_id, About.VERIFICATION)]
    second = log.claim(asked.verification_id, "host:2:def", 60)
    assert first is not None
    assert second is not None
    assert log.finish(first, []) is False
    clock.advance(61)

    assert log.claim(asked.verification_id, WORKER, 60) is None

    ended = log.find(asked.verification_id)
    assert ended is not None
    assert (ended.state, ended.faults) == (VerificationState.FAILED, (LOST,))


def test_a_message_is_owed_until_it_was_sent_and_again_when_it_was_lost(
    log: SQLVerificationLog, clock: FixedClock
) -> None:
    """The queue may lose any message."""
    asked = log.request(SUBJECT, "admin")
    (hint,) = log.due(10)
    log.dispatched(hint)

    assert hint.job_id == asked.verification_id
    assert log.due(10) == []
    clock.advance(REPEAT_SECONDS + 1)
    assert log.due(10) == [hint]


def test_what_is_unknown_cannot_be_claimed(log: SQLVerificationLog) -> None:
    """A message about nothing has no effect."""
    assert log.claim(JobID("f" * 32), WORKER, 60) is None
