"""Periodic work: when it is due, and that it is done once however many machines look at the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta, tzinfo
from typing import Any

import structlog

from dicom_node.verdicts import UNEXPECTED
from inference.errors import NodeError
from integrations.persistence.periodic_runs import SQLTurns

LOG = structlog.get_logger(__name__)

Work = Callable[[], Mapping[str, Any]]
"""Does something, and gives what is kept of it: counts, and no patient data."""


def in_turn(turns: SQLTurns, task: str, slot: str | None, work: Work) -> Mapping[str, Any] | None:
    """Do a piece of work if its turn has come and nobody else has it; give its report, None where it was not done.

    Parameters
    ----------
    turns
        Who has which turn.
    task
        Which work.
    slot
        Which turn; None where it has not come.
    work
        Does it; what fails is noted, and tried again some minutes later.
    """
    turn = None if slot is None else turns.begin(task, slot)
    if turn is None:
        return None
    try:
        report = work()
    except NodeError as error:
        LOG.warning("periodic.turn_failed", task=task, code=error.code)
        turns.fail(turn, error.code)
        return None
    except Exception as error:  # the worker's border: the turn is tried again
        LOG.exception("periodic.turn_failed", task=task, error=type(error).__name__)
        turns.fail(turn, UNEXPECTED)
        return None
    turns.finish(turn, report)
    return report


def every(minutes: int, now: datetime) -> str:
    """Name the present turn of what is done every so many minutes."""
    step = timedelta(minutes=minutes).total_seconds()
    return f"{datetime.fromtimestamp(now.timestamp() // step * step, now.tzinfo):%Y-%m-%dT%H:%M}"


def daily(at: str, now: datetime, zone: tzinfo) -> str | None:
    """Name today's turn of what is done once a day at or after a time of the site; None where it has not come yet.

    Parameters
    ----------
    at
        ``HH:MM``.
    now
        The time, aware.
    zone
        Where the site is.
    """
    local = now.astimezone(zone)
    return f"{local:%Y-%m-%d}" if local.time() >= time.fromisoformat(at) else None
