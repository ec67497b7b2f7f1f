"""How long each stage took, for the job record and the benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from inference.domain.job import StageTime
from inference.errors import Stage
from inference.ports import Clock


class StageTimer:
    """Collects the times of the stages of one attempt, also of a stage that fails.

    Parameters
    ----------
    clock
        Source of time.
    attempt
        1-based attempt that the times belong to.
    observer
        Told of every stage as it ends; may raise to stop the line.
    """

    def __init__(self, clock: Clock, attempt: int = 1, observer: Callable[[StageTime], None] | None = None) -> None:
        self._clock = clock
        self._attempt = attempt
        self._observer = observer
        self._times: list[StageTime] = []

    @contextmanager
    def measure(self, stage: Stage) -> Iterator[None]:
        """Time the block under the name of a stage."""
        started_at, start = self._clock.now(), self._clock.monotonic()
        try:
            yield
        finally:
            seconds = self._clock.monotonic() - start
            time = StageTime(stage, self._attempt, started_at, seconds)
            self._times.append(time)
            if self._observer is not None:
                self._observer(time)

    @property
    def times(self) -> tuple[StageTime, ...]:
        """Times so far, in order of ending."""
        return tuple(self._times)
