"""Several notifiers as one, and the one that leaves it to the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import structlog

from inference.domain.identifiers import JobID
from inference.domain.job import Job
from inference.ports import Notifier

LOG = structlog.get_logger(__name__)


class Outbox(Protocol):
    """Where notifications wait."""

    def tell_of(self, job_id: JobID) -> None:
        """Note the end of a job for every channel that wants to know."""


class OutboxNotifier(Notifier):
    """Notes the end of a job in the database; telling is another's work, with time and retries of its own.

    Where the note fails, or the process dies before it, a later look at the jobs finds what is missing.

    Parameters
    ----------
    outbox
        Where it is noted.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def job_ended(self, job: Job) -> None:
        """Notify."""
        self._outbox.tell_of(job.job_id)


class SeveralNotifiers(Notifier):
    """Tells each; one that fails keeps nothing from the others.

    Parameters
    ----------
    notifiers
        Who is told, in order.
    """

    def __init__(self, notifiers: Sequence[Notifier]) -> None:
        self._notifiers = tuple(notifiers)

    def job_ended(self, job: Job) -> None:
        """Notify; never raises."""
        for notifier in self._notifiers:
            try:
                notifier.job_ended(job)
            except Exception as error:  # noqa: BLE001 - a notifier must not end what it tells of
                LOG.warning("notify.failed", notifier=type(notifier).__name__, error=type(error).__name__)
