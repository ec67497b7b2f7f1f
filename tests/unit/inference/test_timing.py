"""Stage times are taken also of a stage that fails."""

from __future__ import annotations

import pytest

from inference.domain.job import StageTime
from inference.errors import JobCancelled, Stage
from inference.timing import StageTimer
from tests.support.fakes import NOON, FixedClock


def test_times_are_kept_in_order() -> None:
    """Each stage has its attempt, its start and its seconds."""
    clock = FixedClock()
    timer = StageTimer(clock, attempt=2)
    with timer.measure(Stage.VOLUME):
        clock.advance(1.5)
    with timer.measure(Stage.INFER):
        clock.advance(2)
    volume, infer = timer.times
    assert volume == StageTime(Stage.VOLUME, 2, NOON, 1.5)
    assert (infer.stage, infer.seconds) == (Stage.INFER, 2)
    assert infer.started_at > volume.started_at


def test_a_clock_that_is_set_back_does_not_matter() -> None:
    """Seconds come from the monotonic clock."""
    clock = FixedClock()
    timer = StageTimer(clock)
    with timer.measure(Stage.ENCODE):
        clock.advance(3)
        clock.jump_to(NOON)
    assert timer.times[0].seconds == 3


def test_a_failed_stage_is_timed_and_told() -> None:
    """The error goes on its way; the time is kept and the observer hears of it."""
    clock = FixedClock()
    seen: list[StageTime] = []
    timer = StageTimer(clock, 1, seen.append)

    def fail() -> None:
        with timer.measure(Stage.INFER):
            clock.advance(1)
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the very error that was raised
        fail()
    assert seen == list(timer.times)
    assert len(seen) == 1


def test_an_observer_can_stop_the_line() -> None:
    """A lost lease or a cancelled job ends the work after the present stage."""

    def stop(_: StageTime) -> None:
        raise JobCancelled("a person said so")

    timer = StageTimer(FixedClock(), 1, stop)
    with pytest.raises(JobCancelled), timer.measure(Stage.VOLUME):
        pass
