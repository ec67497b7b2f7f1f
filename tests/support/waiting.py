"""A bounded wait for something that another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event


def wait_until(predicate: Callable[[], object], timeout_s: float, what: str) -> None:
    """Return as soon as ``predicate`` gives something true.

    Raises
    ------
    AssertionError
        If that does not happen within ``timeout_s`` seconds; ``what`` says what was awaited.
    """
    deadline = time.monotonic() + timeout_s
    pause = Event()
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s in vain for {what}")
        pause.wait(0.05)
