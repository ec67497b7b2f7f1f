"""What SIGTERM and Ctrl-C mean to a process of ours: stop in good order."""

from __future__ import annotations

import signal
from threading import Event


def stop_on_signals() -> Event:
    """Give an event that SIGTERM and SIGINT set; to be called in the main thread."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
