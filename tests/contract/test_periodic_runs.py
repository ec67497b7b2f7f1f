"""Turns of periodic work, on SQLite and on MariaDB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from dicom_node.periodic import daily, every, in_turn
from inference.errors import FHIRUnavailable
from integrations.persistence.periodic_runs import ABANDONED_AFTER, MOST_ATTEMPTS, REPEATED_AFTER, SQLTurns, Turn
from tests.support.fakes import NOON, FixedClock


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that the test moves."""
    return FixedClock()


@pytest.fixture
def turns(database: Engine, clock: FixedClock) -> SQLTurns:
    """Give turns that nobody has had."""
    return SQLTurns(database, clock)


def test_one_of_many_has_the_turn(turns: SQLTurns) -> None:
    """Every machine looks at the clock; another task and another slot are other turns."""
    with ThreadPoolExecutor(4) as pool:
        taken = [turn for turn in pool.map(lambda _: turns.begin("clean", "2026-01-02"), range(4)) if turn]
    assert taken == [Turn("clean", "2026-01-02")]
    assert turns.begin("clean", "2026-01-03") is not None
    assert turns.begin("other", "2026-01-02") is not None


def test_a_turn_that_is_done_stays_done(turns: SQLTurns, clock: FixedClock) -> None:
    """And its report is kept."""
    turn = turns.begin("clean", "a")
    assert turn is not None
    assert turns.last_report("clean") is None
    turns.finish(turn, {"tokens": 3})
    clock.advance(86400 * 30)
    assert turns.begin("clean", "a") is None
    assert turns.last_report("clean") == (NOON, {"tokens": 3})


def test_the_turn_of_one_who_died_is_taken_over(turns: SQLTurns, clock: FixedClock) -> None:
    """After an hour; what the dead one says after all counts no more."""
    first = turns.begin("clean", "a")
    clock.advance(ABANDONED_AFTER.total_seconds())
    assert turns.begin("clean", "a") is None
    clock.advance(1)
    second = turns.begin("clean", "a")
    assert first is not None
    assert second == Turn("clean", "a", 2)
    turns.finish(first, {"by": "the dead"})
    assert turns.last_report("clean") is None
    turns.finish(second, {"by": "the living"})
    found = turns.last_report("clean")
    assert found is not None
    assert found[1] == {"by": "the living"}


def test_a_turn_that_failed_is_tried_again_for_a_while(turns: SQLTurns, clock: FixedClock) -> None:
    """Some minutes later, and not for ever; its report is none."""
    for attempt in range(1, MOST_ATTEMPTS + 1):
        turn = turns.begin("clean", "a")
        assert turn is not None
        assert turn.attempt == attempt
        turns.fail(turn, "report.fhir_unavailable")
        assert turns.begin("clean", "a") is None
        clock.advance(REPEATED_AFTER.total_seconds())
    assert turns.begin("clean", "a") is None
    assert turns.last_report("clean") is None


def test_the_last_report_is_the_last_ones(turns: SQLTurns, clock: FixedClock) -> None:
    """A later turn that is not over, or failed, leaves it; old ones are forgotten."""
    for number in range(3):
        turn = turns.begin("sync", str(number))
        assert turn is not None
        if number < 2:
            turns.finish(turn, {"number": number})
        clock.advance(60)
    found = turns.last_report("sync")
    assert found is not None
    assert found[1] == {"number": 1}
    assert turns.prune(NOON + timedelta(seconds=90)) == 2
    assert turns.last_report("sync") is None


def test_work_is_done_in_its_turn(turns: SQLTurns, clock: FixedClock) -> None:
    """Once; what has no turn yet waits."""
    done: list[int] = []

    def work() -> dict[str, int]:
        done.append(1)
        return {"count": len(done)}

    assert in_turn(turns, "clean", None, work) is None
    assert in_turn(turns, "clean", "a", work) == {"count": 1}
    assert in_turn(turns, "clean", "a", work) is None
    assert in_turn(turns, "clean", "b", work) == {"count": 2}


@pytest.mark.parametrize(
    ("error", "code"), [(FHIRUnavailable("away"), "report.fhir_unavailable"), (ValueError("Doe^Jane"), "ValueError")]
)
def test_work_that_fails_is_done_later(turns: SQLTurns, clock: FixedClock, error: Exception, code: str) -> None:
    """The log says what failed, and not with a stranger's words."""

    def fail() -> dict[str, int]:
        raise error

    with capture_logs() as lines:
        assert in_turn(turns, "clean", "a", fail) is None
    assert code in {lines[0].get("code"), lines[0].get("error")}
    clock.advance(REPEATED_AFTER.total_seconds())
    assert in_turn(turns, "clean", "a", lambda: {"well": 1}) == {"well": 1}


@pytest.mark.parametrize(
    ("minutes", "at", "slot"),
    [
        (15, "12:00", "2026-01-02T12:00"),
        (15, "12:14", "2026-01-02T12:00"),
        (15, "12:15", "2026-01-02T12:15"),
        (1440, "23:59", "2026-01-02T00:00"),
    ],
)
def test_a_slot_is_the_same_for_everybody_in_it(minutes: int, at: str, slot: str) -> None:
    """Whatever second a machine looks at its clock."""
    hour, minute = map(int, at.split(":"))
    found = every(minutes, datetime(2026, 1, 2, hour, minute, 30, tzinfo=UTC))
    assert found == slot


@pytest.mark.parametrize(
    ("now", "slot"),
    [
        (datetime(2026, 1, 1, 21, 59, tzinfo=UTC), None),
        (datetime(2026, 1, 1, 22, 0, tzinfo=UTC), "2026-01-02"),
        (datetime(2026, 1, 2, 14, 59, tzinfo=UTC), "2026-01-02"),
        (datetime(2026, 1, 2, 15, 0, tzinfo=UTC), None),
    ],
)
def test_a_day_is_the_sites(now: datetime, slot: str | None) -> None:
    """At seven in Seoul it is ten in the evening before; a node that was off at seven catches up."""
    assert daily("07:00", now, ZoneInfo("Asia/Seoul")) == slot
