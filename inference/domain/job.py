"""The life of a job: states, the one table of allowed transitions, and stage times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from inference.domain.identifiers import UID, JobID
from inference.errors import IllegalTransition, Stage


class JobState(StrEnum):
    """The states of a job (in the words of UPS, PS3.4 CC.1: the first two are SCHEDULED, the next IN PROGRESS)."""

    RECEIVED = "RECEIVED"
    """The row is committed; no queue message has been sent yet."""
    QUEUED = "QUEUED"
    """A queue message was sent, or the job waits for its next attempt."""
    PROCESSING = "PROCESSING"
    """An inference worker holds the lease."""
    DELIVERING = "DELIVERING"
    """The result is on disk; archive and report server are being written."""
    COMPLETED = "COMPLETED"
    """The archive has committed the objects and the report is stored."""
    FAILED = "FAILED"
    """Attempts are used up, or an error cannot be healed by repeating."""
    REJECTED = "REJECTED"
    """The series is not analysed, for a named reason."""
    CANCELLED = "CANCELLED"
    """A person stopped it."""
    WITHDRAWING = "WITHDRAWING"
    """Its model was recalled; archive and report server are being told."""
    WITHDRAWN = "WITHDRAWN"
    """Its result is marked as withdrawn wherever it had been sent."""
    REVIEWING = "REVIEWING"
    """A person accepted or amended its result; archive and report server are being told."""


TRANSITIONS: Final[Mapping[JobState, frozenset[JobState]]] = MappingProxyType(
    {
        JobState.RECEIVED: frozenset(
            {JobState.QUEUED, JobState.PROCESSING, JobState.REJECTED, JobState.CANCELLED, JobState.FAILED}
        ),
        JobState.QUEUED: frozenset({JobState.PROCESSING, JobState.CANCELLED, JobState.FAILED}),
        JobState.PROCESSING: frozenset(
            {
                JobState.DELIVERING,
                JobState.COMPLETED,
                JobState.QUEUED,
                JobState.REJECTED,
                JobState.FAILED,
                JobState.CANCELLED,
            }
        ),
        JobState.DELIVERING: frozenset(
            {JobState.COMPLETED, JobState.REJECTED, JobState.FAILED, JobState.CANCELLED, JobState.WITHDRAWING}
        ),
        JobState.FAILED: frozenset({JobState.QUEUED, JobState.DELIVERING, JobState.REVIEWING, JobState.WITHDRAWING}),
        JobState.CANCELLED: frozenset({JobState.QUEUED, JobState.WITHDRAWING}),
        JobState.REJECTED: frozenset({JobState.QUEUED}),
        JobState.COMPLETED: frozenset({JobState.REVIEWING, JobState.WITHDRAWING}),
        JobState.REVIEWING: frozenset({JobState.COMPLETED, JobState.FAILED, JobState.WITHDRAWING}),
        JobState.WITHDRAWING: frozenset({JobState.WITHDRAWN, JobState.FAILED}),
        JobState.WITHDRAWN: frozenset(),
    }
)
"""Which state may follow which. A person's *retry* is FAILED, CANCELLED or REJECTED back to QUEUED (or to
DELIVERING, when the result is already on disk). PROCESSING to COMPLETED is for a model in shadow, whose result is
only recorded. DELIVERING to REJECTED is for a series that was not analysed, once those who want to know were told.
Whatever an archive may hold a part of can be WITHDRAWING, also what failed or was cancelled half-way.
"""

TERMINAL: Final = frozenset(
    {JobState.COMPLETED, JobState.FAILED, JobState.REJECTED, JobState.CANCELLED, JobState.WITHDRAWN}
)

DELIVERY_STATES: Final = frozenset({JobState.DELIVERING, JobState.REVIEWING, JobState.WITHDRAWING})
"""What the delivery queue works on: the result is on disk, and archive and report server are to be told."""

WITHDRAWAL: Final = "withdrawn"
"""Key of a job's result under which ``reason`` and ``at`` (ISO 8601) of its withdrawal are, and ``by`` where a
reader rejected it."""

REFUSAL: Final = "refusal"
"""Key of a job's result under which ``code`` and ``message`` are where it was not analysed and a note says so."""

REVIEWS: Final = "reviews"
"""Key of a job's result under which its reviews are, oldest first (``inference.domain.review.Review``)."""

REVIEWED: Final = "reviewed"
"""Key of a job's result under which it says how many of its reviews archive and report server know."""

REPLACES: Final = "replaces"
"""Key of a job's result under which the SR is that it replaces, as objects are named; None for the first."""

ANSWER: Final = "answer"
"""Key of a job's result under which the digest is of all that its answer follows from (``inference.uids``)."""


def check_transition(current: JobState, wanted: JobState) -> None:
    """Raise unless ``wanted`` may follow ``current``.

    Raises
    ------
    IllegalTransition
        If the table does not allow it.
    """
    if wanted not in TRANSITIONS[current]:
        raise IllegalTransition(f"a job that is {current} cannot become {wanted}")


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long one stage of one attempt took."""

    stage: Stage
    attempt: int
    started_at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class ModelReference:
    """Which model, exactly: id, semantic version and the digest of its weights."""

    model_id: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is needed to create a job.

    Parameters
    ----------
    study_instance_uid, series_instance_uid, revision
        The input.
    model
        The model to run; None for a series that no model wants.
    run
        0 for the job that arrival made; a person's re-run counts up. Input, model digest and run are unique
        together, so the same arrival can never make two jobs.
    rejection
        Code and message when the job is born REJECTED.
    noted
        Whether a job that is born with a rejection is DELIVERING first, because somebody wants a note of it.
    shadow
        Whether its result is only recorded.
    whole_study
        Whether its model reads several series of the study. Such a job is made for one of them; while it has not
        begun the others join it.
    """

    study_instance_uid: UID
    series_instance_uid: UID
    revision: int
    model: ModelReference | None
    run: int = 0
    rejection: tuple[str, str] | None = None
    shadow: bool = False
    whole_study: bool = False
    noted: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the database has it.

    ``delivering_since`` is when its delivery was ordered, by the end of the inference or by a person's retry, or its
    withdrawal by a recall; None in any other state.
    """

    job_id: JobID
    study_instance_uid: UID
    series_instance_uid: UID
    revision: int
    model: ModelReference | None
    run: int
    state: JobState
    attempt: int
    error_code: str | None
    error_message: str | None
    created_at: datetime
    updated_at: datetime
    next_run_at: datetime | None
    lease_owner: str | None
    lease_expires_at: datetime | None
    result: Mapping[str, object] | None = None
    stages: tuple[StageTime, ...] = field(default=())
    delivering_since: datetime | None = None
    shadow: bool = False
    whole_study: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job until it expires.

    Parameters
    ----------
    job
        The job as it was claimed (state PROCESSING or DELIVERING).
    owner
        Who holds it.
    token
        Fencing token: counts up with every claim; a write that names an older token is refused.
    taken_over
        Whether an earlier holder let its lease expire: it died, or was cut off, without a word.
    """

    job: Job
    owner: str
    token: int
    taken_over: bool = False


class QueueName(StrEnum):
    """The two queues."""

    INFERENCE = "inference"
    DELIVERY = "delivery"


class About(StrEnum):
    """What a hint is about."""

    JOB = "job"
    """A job."""
    VERIFICATION = "verification"
    """A look at a version of a model."""
    PEERS = "peers"
    """A round of questions to the servers that the node talks to; the id says nothing."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A job, or something else with an id, that a worker should look at."""

    queue: QueueName
    job_id: JobID
    about: About = About.JOB


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt ended."""

    code: str
    message: str
