"""What happened to a job, in order of time, from the rows that say so; no log is kept besides.

Nothing in here names a patient: messages of errors, reasons of reviews and names of destinations do not either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from control_api.records import JobView
from inference.domain.delivery import DeliveryState
from inference.domain.job import StageTime

SHORTEST_WAIT: Final = timedelta(seconds=0.05)
"""Less than this between two stages is no waiting."""


class PhaseKind(StrEnum):
    """What a part of a job's time was spent on."""

    WAIT = "wait"
    """Nobody worked on it: it stood in a queue, or was due later."""
    STAGE = "stage"
    """A stage of the line."""
    DELIVERY = "delivery"
    """An errand to a destination, from its order until it arrived or failed."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a job's time.

    Parameters
    ----------
    kind
        On what it was spent.
    name
        The stage; the destination; of a wait, ``queue`` for the first and ``pause`` for any later one.
    attempt
        In which attempt; None where none is counted.
    started_at, ended_at
        From when until when; None while it goes on.
    """

    kind: PhaseKind
    name: str
    attempt: int | None
    started_at: datetime
    ended_at: datetime | None

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it goes on."""
        return None if self.ended_at is None else round((self.ended_at - self.started_at).total_seconds(), 6)


@dataclass(frozen=True, slots=True)
class Timeline:
    """All parts of a job's time, in order of their beginning.

    Parameters
    ----------
    started_at
        When the job was made.
    ended_at
        When it last changed.
    phases
        The parts.
    """

    started_at: datetime
    ended_at: datetime
    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        """From beginning to end."""
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job.

    Parameters
    ----------
    at
        When.
    name
        What: ``created``, ``stage``, ``delivery``, ``review``, ``withdrawn`` or ``state``.
    detail
        Which stage, errand, verdict or state.
    attempt
        In which attempt, or after how many; None where none is counted.
    seconds
        How long it took, if it took time.
    destination
        Whom it was brought to.
    by
        Account of who did it; None for the node itself.
    code, message
        Why something failed or was said.
    """

    at: datetime
    name: str
    detail: str
    attempt: int | None = None
    seconds: float | None = None
    destination: str | None = None
    by: str | None = None
    code: str | None = None
    message: str | None = None


def timeline(job: JobView) -> Timeline:
    """Lay out how a job's time was spent.

    Parameters
    ----------
    job
        With its stages and deliveries.
    """
    deliveries = [
        Phase(PhaseKind.DELIVERY, each.destination, each.attempts, each.since, each.settled_at)
        for each in job.deliveries
    ]
    phases = sorted([*_waits(job), *map(_stage, job.stages), *deliveries], key=lambda phase: phase.started_at)
    return Timeline(job.created_at, job.updated_at, tuple(phases))


def log(job: JobView) -> tuple[Event, ...]:
    """List what happened to a job, oldest first.

    Parameters
    ----------
    job
        With its stages, deliveries and reviews.
    """
    happened = [*_beginning(job), *_stages(job), *_deliveries(job), *_words(job)]
    now = Event(job.updated_at, "state", job.state.value, job.attempt)
    now = replace(now, code=job.error_code, message=job.error_message)
    return (*sorted(happened, key=lambda event: event.at), now)


def _ended_at(stage: StageTime) -> datetime:
    return stage.started_at + timedelta(seconds=stage.seconds)


def _stage(stage: StageTime) -> Phase:
    return Phase(PhaseKind.STAGE, stage.stage.value, stage.attempt, stage.started_at, _ended_at(stage))


def _waits(job: JobView) -> Iterator[Phase]:
    """Find when nobody worked on the job: before the first stage, and between two."""
    since, name = job.created_at, "queue"
    for stage in sorted(job.stages, key=lambda stage: stage.started_at):
        if stage.started_at - since >= SHORTEST_WAIT:
            yield Phase(PhaseKind.WAIT, name, stage.attempt, since, stage.started_at)
        since, name = max(since, _ended_at(stage)), "pause"


def _beginning(job: JobView) -> Iterator[Event]:
    model = "no model" if job.model is None else f"{job.model.model_id} {job.model.version}"
    yield Event(job.created_at, "created", f"run {job.run} with {model}")


def _stages(job: JobView) -> Iterator[Event]:
    for stage in job.stages:
        yield Event(_ended_at(stage), "stage", stage.stage.value, stage.attempt, stage.seconds)


def _deliveries(job: JobView) -> Iterator[Event]:
    for each in job.deliveries:
        yield Event(each.since, "delivery", f"{each.errand} ordered", destination=each.destination)
        tried = Event(job.updated_at, "delivery", f"{each.errand} waits", each.attempts, None, each.destination)
        tried = replace(tried, code=each.code, message=each.message)
        if each.settled_at is not None:
            detail = f"{each.errand} {'arrived' if each.state is DeliveryState.DONE else 'failed'}"
            seconds = (each.settled_at - each.since).total_seconds()
            yield replace(tried, at=each.settled_at, detail=detail, seconds=seconds)
        elif each.attempts:
            yield tried


def _words(job: JobView) -> Iterator[Event]:
    """Give what people said of the result."""
    for review in job.reviews:
        yield Event(review.at, "review", review.verdict.value, by=review.reviewer, message=review.reason or None)
    if job.withdrawn is not None:
        note = job.withdrawn
        yield Event(note.at, "withdrawn", "the result does not stand", by=note.by, message=note.reason)
