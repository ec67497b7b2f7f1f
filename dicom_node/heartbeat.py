"""A lease kept alive while its work goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from inference.domain.job import Lease
from inference.errors import JobCancelled, LeaseLost, NodeError
from inference.ports import JobStore


class Heartbeat:
    """Answers the worker, between two stages, whether the job is still its own.

    Parameters
    ----------
    jobs
        The store that holds the lease.
    lease
        The lease to extend.
    lease_seconds
        How long every beat extends it, seconds; it beats three times as often.
    """

    def __init__(self, jobs: JobStore, lease: Lease, lease_seconds: float) -> None:
        self._jobs = jobs
        self._lease = lease
        self._lease_seconds = lease_seconds
        self._lost: NodeError | None = None

    def check(self) -> None:
        """Raise if the job was taken or cancelled.

        Raises
        ------
        LeaseLost, JobCancelled
            Then nothing may be published.
        """
        if self._lost is not None:
            raise self._lost

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Beat in a thread while the block runs."""
        stop = Event()
        thread = Thread(target=self._beat, args=(stop,), name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _beat(self, stop: Event) -> None:
        while not stop.wait(self._lease_seconds / 3):
            try:
                self._jobs.heartbeat(self._lease, self._lease_seconds)
            except (LeaseLost, JobCancelled) as error:
                self._lost = error
                return
            except NodeError:
                continue  # the database is away for a moment: the lease itself says when that is too long
