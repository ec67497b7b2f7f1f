"""The dispatcher and reaper: everything the database says is due gets a hint in the queue.

The queue may lose any message (ADR 0002), so this loop is what makes it harmless: it sends what the outbox holds,
what waits for another attempt, and what a dead worker left behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Protocol

import structlog

from inference.domain.job import Hint
from inference.errors import NodeError
from inference.ports import JobQueue, JobStore

LOG = structlog.get_logger(__name__)


class HintSource(Protocol):
    """Something in the database that owes workers messages."""

    def due(self, limit: int) -> Sequence[Hint]:
        """List the messages that are owed."""

    def dispatched(self, hint: Hint) -> None:
        """Note that a message was sent."""


class Dispatcher:
    """Moves due jobs, and what else is due, from the database to the queue.

    Several may run at once: hints may be sent twice, claims are compare-and-set.

    Parameters
    ----------
    jobs
        The truth.
    queue
        Where hints go.
    batch
        Most hints of one pass, of each kind.
    further
        What owes messages beside the jobs.
    """

    def __init__(self, jobs: JobStore, queue: JobQueue, batch: int = 100, further: Sequence[HintSource] = ()) -> None:
        self._sources: tuple[HintSource, ...] = (jobs, *further)
        self._queue = queue
        self._batch = batch

    def tick(self) -> int:
        """Make one pass.

        Returns
        -------
        int
            How many hints were sent.
        """
        sent = 0
        for source in self._sources:
            for hint in source.due(self._batch):
                self._queue.enqueue(hint)
                source.dispatched(hint)
                sent += 1
        return sent

    def hurry(self) -> None:
        """Make a pass now, because something is due; what fails is left to the next regular pass."""
        try:
            self.tick()
        except NodeError as error:
            LOG.warning("dispatch.postponed", code=error.code)
        except Exception as error:  # noqa: BLE001 - the worker's border: the next pass must come, whatever happens
            LOG.warning("dispatch.failed", error=type(error).__name__)

    def run(self, stop: Event, interval_seconds: float) -> None:
        """Make passes until told to stop; a database or queue that is away is tried again at the next pass."""
        while not stop.is_set():
            self.hurry()
            stop.wait(interval_seconds)
