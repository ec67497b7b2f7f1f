"""Telling those who want to know: what the outbox owes, with retries for days, never twice where it arrived."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog

from inference.ports import Clock
from integrations.notify.notification import NotDelivered, Notification, Sender
from integrations.persistence.notifications import SQLNotificationOutbox

LOG = structlog.get_logger(__name__)

MOST: Final = 200
"""Told in one round; the next one is a minute later."""

FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(hours=1)
DEADLINE: Final = timedelta(hours=72)
"""As long as delivery is tried: over a weekend."""


class NotificationSender:
    """Makes rounds over the outbox.

    Parameters
    ----------
    outbox
        What is owed.
    senders
        How each channel is told, by its name.
    clock
        Time.
    """

    def __init__(self, outbox: SQLNotificationOutbox, senders: Mapping[str, Sender], clock: Clock) -> None:
        self._outbox = outbox
        self._senders = senders
        self._clock = clock

    def make_round(self) -> int:
        """Note what nobody noted, then tell what is due; give how many were told.

        One at a time is claimed and told: a process that dies holds up one notification, for the length of a lease. A
        channel that fails is left alone for the rest of the round, so that one that is down costs one attempt and
        holds up no other.
        """
        self._outbox.look()
        told, failed = 0, set[str]()
        for _ in range(MOST):
            claimed = self._outbox.claim(1, failed)
            if not claimed:
                break
            if self._tell(claimed[0]):
                told += 1
            else:
                failed.add(claimed[0].channel)
        return told

    def _tell(self, notification: Notification) -> bool:
        log = LOG.bind(channel=notification.channel, event_name=notification.event, attempt=notification.attempts)
        try:
            self._senders[notification.channel].send(notification)
        except NotDelivered as error:
            log.warning("notification.failed", reason=error.reason)
            self._try_later(notification, error)
            return False
        self._outbox.sent(notification)
        log.info("notification.sent")
        return True

    def _try_later(self, notification: Notification, error: NotDelivered) -> None:
        now = self._clock.now()
        if error.final or now - notification.created_at > DEADLINE:
            self._outbox.give_up(notification, error.reason)
        else:
            self._outbox.put_off(notification, error.reason, now + _wait(notification.attempts))


def _wait(attempts: int) -> timedelta:
    """Double the wait with every attempt, with jitter so that a receiver that comes back is not overrun."""
    longest: timedelta = min(FIRST_WAIT * 2 ** min(attempts - 1, 16), LONGEST_WAIT)
    return longest * random.uniform(0.75, 1.0)  # noqa: S311 - jitter, not a secret
