"""Periodic work by Huey's crontab, on the queues that jobs use: Redis, or SQLite where the node is embedded.

Every process that consumes this queue also looks at the crontab, so a piece of work may be sent several times in a
minute, or not at all; what is to be done once asks for its turn (``integrations.persistence.periodic_runs``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from huey import crontab

from inference.errors import NodeError
from integrations.settings import Settings
from integrations.taskqueue import QueueConsumer, open_queue

LOG = structlog.get_logger(__name__)

QUEUE: Final = "periodic"
THREADS: Final = 2
"""So that a long synchronisation does not hold up notifications."""


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """Something that is done again and again.

    Parameters
    ----------
    name
        In the log and in the queue.
    minutes
        Minutes of the hour, as in a crontab: ``*``, ``*/5``.
    run
        Does it, or finds that nothing is to be done.
    """

    name: str
    minutes: str
    run: Callable[[], object]


def periodic_consumer(settings: Settings, tasks: Sequence[PeriodicTask]) -> QueueConsumer:
    """Give what looks at the crontab and does what it says, until it is stopped.

    Parameters
    ----------
    settings
        Address and secret of the queue.
    tasks
        What is done.
    """
    queue = open_queue(settings, QUEUE)
    for task in tasks:
        _register(queue, task)
    return QueueConsumer(queue, THREADS, periodic=True)


def _register(queue: Any, task: PeriodicTask) -> None:
    def run() -> None:
        """Do it; whatever happens, the next time comes."""
        try:
            task.run()
        except NodeError as error:
            LOG.warning("periodic.failed", task=task.name, code=error.code)
        except Exception as error:  # noqa: BLE001 - the worker's border
            LOG.warning("periodic.failed", task=task.name, error=type(error).__name__)

    queue.periodic_task(crontab(minute=task.minutes), name=task.name)(run)
