"""What somebody is told, and how telling can fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from inference.domain.job import JobState

JOB_ENDED: Final = "job.ended"
SUMMARY: Final = "summary.daily"


class NotDelivered(Exception):
    """A notification did not arrive, as far as one can tell.

    Parameters
    ----------
    reason
        Why, without an address or a password.
    final
        Whether it will never arrive.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


@dataclass(frozen=True, slots=True)
class Channel:
    """Somebody who is told.

    Parameters
    ----------
    name
        Stable, and free of secrets: rows name it.
    states
        Ends of jobs that are told.
    """

    name: str
    states: frozenset[JobState]


@dataclass(frozen=True, slots=True)
class Notification:
    """An event for one channel.

    Parameters
    ----------
    number
        Of its row.
    channel
        Who is told.
    event
        Name of the event, the same for every channel and every attempt.
    kind
        ``job.ended`` or ``summary.daily``.
    content
        JSON values; no patient data.
    attempts
        How often it was tried, this time included.
    created_at
        When the event was noted.
    """

    number: int
    channel: str
    event: str
    kind: str
    content: Mapping[str, Any]
    attempts: int
    created_at: datetime


class Sender(Protocol):
    """Tells one channel."""

    def send(self, notification: Notification) -> None:
        """Tell it; telling it twice is harmless, because the event has a name.

        Raises
        ------
        NotDelivered
            If it does not arrive.
        """
