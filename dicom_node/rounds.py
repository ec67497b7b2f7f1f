"""Bringing one errand of a job to several destinations: each has its own row, its own wait, and holds up no other."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from dicom_node.verdicts import Verdict, failure_of, verdict
from inference.domain.delivery import Delivery, DeliveryState
from inference.domain.job import Failure, Lease
from inference.errors import NodeError, Stage
from inference.ports import Clock, DeliveryLog
from inference.timing import StageTimer

LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stop:
    """One destination of an errand.

    Parameters
    ----------
    name
        Of the destination.
    stage
        Under which its time is noted.
    call
        Brings it there, and gives the address at which it is kept, if there is one.
    after
        The destination that must have it before; None for none.
    """

    name: str
    stage: Stage
    call: Callable[[], str | None]
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round came to.

    Parameters
    ----------
    rows
        Each destination's row, in the order of the stops.
    """

    rows: tuple[Delivery, ...]

    @property
    def is_done(self) -> bool:
        """Whether every destination has it."""
        return all(row.state is DeliveryState.DONE for row in self.rows)

    @property
    def failure(self) -> Failure:
        """Why it is not done: what a destination refused, before what it could not take now.

        A destination that waits for another has no reason of its own.
        """
        tried = [row for row in self._unsettled if row.code]
        row = min(tried, key=lambda row: row.state is not DeliveryState.FAILED)
        where = f"{row.destination}: " if len(self.rows) > 1 else ""
        return Failure(row.code or "", f"{where}{row.message}")

    @property
    def next_run_at(self) -> datetime | None:
        """When the next round is due; None where no destination will be tried again by itself."""
        waits = [row.next_run_at for row in self._unsettled if row.state is DeliveryState.PENDING and row.next_run_at]
        return min(waits, default=None)

    def address(self, destination: str) -> str | None:
        """Give where a destination keeps it, None where that is not known."""
        return next((row.address for row in self.rows if row.destination == destination), None)

    @property
    def _unsettled(self) -> list[Delivery]:
        return [row for row in self.rows if row.state is not DeliveryState.DONE]


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a destination that fails is left alone: as long as it has been tried already, which doubles.

    Parameters
    ----------
    base_seconds, cap_seconds
        Shortest and longest wait, before jitter of a quarter so that destinations do not march in step.
    """

    base_seconds: float
    cap_seconds: float

    def after(self, tried: timedelta) -> timedelta:
        """Give the wait before the next attempt.

        Parameters
        ----------
        tried
            Since the errand was ordered.
        """
        seconds = min(max(self.base_seconds, tried.total_seconds()), self.cap_seconds)
        return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311 - not a secret


class Rounds:
    """Makes rounds.

    Parameters
    ----------
    log
        The rows.
    clock
        Time of attempts.
    backoff
        Waits between them.
    """

    def __init__(self, log: DeliveryLog, clock: Clock, backoff: Backoff) -> None:
        self._log = log
        self._clock = clock
        self._backoff = backoff

    def make(self, lease: Lease, errand: str, stops: Sequence[Stop], timer: StageTimer) -> Outcome:
        """Try every destination that is due and does not have it yet.

        Parameters
        ----------
        lease
            The right to work on the job.
        errand
            What is brought.
        stops
            Where to, in this order.
        timer
            Notes how long each took.

        Raises
        ------
        LeaseLost, JobCancelled
            Where the job is no longer ours; whatever else goes wrong ends in its destination's row.
        """
        rows = {row.destination: row for row in self._log.plan(lease, errand, [stop.name for stop in stops])}
        for stop in stops:
            row = rows[stop.name]
            if self._is_due(row) and (stop.after is None or rows[stop.after].state is DeliveryState.DONE):
                rows[stop.name] = self._attempt(lease, stop, row, timer)
        return Outcome(tuple(rows[stop.name] for stop in stops))

    def _is_due(self, row: Delivery) -> bool:
        return row.state is DeliveryState.PENDING and (
            row.next_run_at is None or row.next_run_at <= self._clock.now()
        )

    def _attempt(self, lease: Lease, stop: Stop, row: Delivery, timer: StageTimer) -> Delivery:
        log = LOG.bind(job=lease.job.job_id, destination=stop.name, errand=row.errand)
        try:
            with timer.measure(stop.stage):
                address = stop.call()
        except NodeError as error:
            wanted, failure = verdict(error), failure_of(error)
            if wanted is Verdict.DROP:
                raise
        except Exception as error:  # a defect of ours at one destination must not keep the others waiting
            LOG.exception("delivery.unexpected", job=lease.job.job_id, error=type(error).__name__)
            wanted, failure = Verdict.RETRY, failure_of(error)
        else:
            self._log.done(lease, row, address)
            log.info("delivery.done")
            return replace(row, state=DeliveryState.DONE, address=address)
        log.warning("delivery.attempt_ended", code=failure.code, verdict=wanted.value)
        return self._put_off(lease, row, failure, wanted)

    def _put_off(self, lease: Lease, row: Delivery, failure: Failure, wanted: Verdict) -> Delivery:
        now = self._clock.now()
        due = now + self._backoff.after(now - row.since) if wanted is Verdict.RETRY else None
        self._log.put_off(lease, row, failure, due)
        state = DeliveryState.FAILED if due is None else DeliveryState.PENDING
        return replace(row, state=state, code=failure.code, message=failure.message, next_run_at=due)
