"""A circuit breaker: who does not answer is left alone for a while, and callers are told at once.

A small class of our own: the libraries that were looked at wrap a function call, while here a call succeeds when its
answer begins and may still fail while its body is read (M. Nygard, Release It!, "Circuit Breaker").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

from inference.ports import Clock


class Circuit(StrEnum):
    """What the breaker lets through: everything, nothing, or one trial."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class BreakerOptions:
    """When it opens, and for how long.

    Parameters
    ----------
    failures
        In a row, after which it opens.
    pause_s
        Seconds that it stays open; also how long a trial may take before another is let through.
    """

    failures: int = 5
    pause_s: float = 15.0


class CircuitBreaker:
    """Counts failures in a row; safe for threads.

    Parameters
    ----------
    clock
        Only its monotonic time is asked.
    options
        When it opens.
    """

    def __init__(self, clock: Clock, options: BreakerOptions | None = None) -> None:
        self._clock = clock
        self._options = options or BreakerOptions()
        self._lock = Lock()
        self._failures = 0
        self._blocked_until: float | None = None
        """End of the pause, or of the time that a trial has; None while closed."""

    @property
    def circuit(self) -> Circuit:
        """What it lets through now."""
        with self._lock:
            if self._blocked_until is None:
                return Circuit.CLOSED
            return Circuit.OPEN if self._clock.monotonic() < self._blocked_until else Circuit.HALF_OPEN

    def admit(self) -> int | None:
        """Let a call through (None), or say in how many seconds to ask again."""
        with self._lock:
            if self._blocked_until is None:
                return None
            left = self._blocked_until - self._clock.monotonic()
            if left > 0:
                return max(1, math.ceil(left))
            self._blocked_until = self._clock.monotonic() + self._options.pause_s  # this call is the trial
            return None

    def succeeded(self) -> None:
        """Note an answer: the circuit is closed."""
        with self._lock:
            self._failures, self._blocked_until = 0, None

    def failed(self) -> None:
        """Note that there was none; the last of so many, and a trial, open the circuit."""
        with self._lock:
            self._failures += 1
            if self._blocked_until is not None or self._failures >= self._options.failures:
                self._blocked_until = self._clock.monotonic() + self._options.pause_s

    def abandoned(self) -> None:
        """Note that a call ended by the client's doing, which says nothing: another trial may come at once."""
        with self._lock:
            if self._blocked_until is not None:
                self._blocked_until = self._clock.monotonic()
