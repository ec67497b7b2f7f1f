"""What workers say of themselves and what peers answered is kept alike by SQLite and MariaDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine

from inference.domain.job import Failure
from inference.domain.node_report import PeerKind, PeerOutcome, WorkerReport
from integrations.persistence.node_reports import SQLPeerLog, SQLWorkerRoll
from tests.support.fakes import NOON, FixedClock

WORKER = WorkerReport("host:1:abc", "inference", "host", 1, 2, "9.8.7", NOON, NOON, {"cpu_count": 4, "gpus": []})
ANSWERED = PeerOutcome("archive", PeerKind.DICOM, "ORTHANC@127.0.0.1:4242", NOON, 0.25, None, NOON)


def test_a_worker_is_there_until_it_leaves(database: Engine) -> None:
    """Heard of twice it is one worker, as it was last."""
    roll = SQLWorkerRoll(database, FixedClock())
    later = replace(WORKER, seen_at=NOON + timedelta(seconds=10, microseconds=1), facts={"cpu_count": 3})

    roll.seen(WORKER)
    roll.seen(later)
    roll.seen(replace(WORKER, owner="host:2:def", kind="delivery"))

    assert [one.owner for one in roll.all()] == ["host:2:def", "host:1:abc"]
    assert roll.all()[1] == later
    roll.left("host:1:abc")
    assert [one.owner for one in roll.all()] == ["host:2:def"]


def test_a_worker_that_was_not_heard_of_for_a_day_is_forgotten(database: Engine) -> None:
    """Containers get a new name with every start; their rows must not pile up."""
    roll = SQLWorkerRoll(database, FixedClock())
    roll.seen(WORKER)

    roll.seen(replace(WORKER, owner="host:2:def", seen_at=NOON + timedelta(days=1, seconds=1)))

    assert [one.owner for one in roll.all()] == ["host:2:def"]


def test_the_last_answer_of_a_peer_is_kept_and_when_it_answered_last(database: Engine) -> None:
    """An operator sees since when an archive is away."""
    log = SQLPeerLog(database, FixedClock())
    away = replace(
        ANSWERED,
        probed_at=NOON + timedelta(minutes=1),
        seconds=10.0,
        failure=Failure("delivery.peer_unavailable", "no answer"),
        reachable_at=None,
    )
    log.note(ANSWERED)
    assert list(log.all()) == [ANSWERED]

    log.note(away)

    assert list(log.all()) == [replace(away, reachable_at=NOON)]


def test_a_peer_that_never_answered_says_so(database: Engine) -> None:
    """There is no time at which it could be used."""
    log = SQLPeerLog(database, FixedClock())

    log.note(replace(ANSWERED, failure=Failure("delivery.peer_unavailable", "no answer"), reachable_at=None))

    assert [one.reachable_at for one in log.all()] == [None]


def test_a_peer_that_is_not_configured_any_more_is_forgotten(database: Engine) -> None:
    """A dashboard must not show an archive that was taken away; without peers nothing is left."""
    log = SQLPeerLog(database, FixedClock())
    log.note(ANSWERED)
    log.note(replace(ANSWERED, name="old"))

    log.keep_only(["archive", "new"])
    assert [one.name for one in log.all()] == ["archive"]
    log.keep_only([])
    assert log.all() == []
