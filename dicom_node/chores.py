"""What a process does again and again beside its work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event, Thread

import structlog

from inference.errors import NodeError

LOG = structlog.get_logger(__name__)

PATIENCE_SECONDS = 5.0
"""How long a process that ends waits for a chore at hand."""


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do at intervals.

    Parameters
    ----------
    name
        For the log.
    work
        What; it begins at once.
    interval_seconds
        Time between the end of one and the beginning of the next.
    last
        What is done once, when the process ends in order.
    """

    name: str
    work: Callable[[], object]
    interval_seconds: float
    last: Callable[[], object] = _nothing


@contextmanager
def beside(chores: Sequence[Chore]) -> Iterator[None]:
    """Do chores, each in a thread of its own, while the block runs; what fails is tried again the next time.

    Parameters
    ----------
    chores
        What to do.
    """
    with ExitStack() as stack:
        for chore in chores:
            stack.enter_context(_repeated(chore))
        yield


@contextmanager
def _repeated(chore: Chore) -> Iterator[None]:
    stop = Event()
    thread = Thread(target=_repeat, args=(chore, stop), name=chore.name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE_SECONDS)
        _attempt(chore.name, chore.last)


def _repeat(chore: Chore, stop: Event) -> None:
    while not stop.is_set():
        _attempt(chore.name, chore.work)
        stop.wait(chore.interval_seconds)


def _attempt(name: str, work: Callable[[], object]) -> None:
    try:
        work()
    except NodeError as error:
        LOG.warning("chore.postponed", chore=name, code=error.code)
    except Exception as error:  # noqa: BLE001 - the process's border: the next time must come, whatever happens
        LOG.warning("chore.failed", chore=name, error=type(error).__name__)
