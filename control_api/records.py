"""What the read side answers with: frozen rows, and what may be asked of a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from inference.domain.delivery import Delivery
from inference.domain.identifiers import UID, JobID
from inference.domain.job import JobState, ModelReference, StageTime
from inference.domain.review import Review

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of a list begins: after the row with this time and key (newest first)."""

    at: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """One page and where the next begins; ``next`` is None on the last."""

    items: tuple[Item, ...]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; None means any. Times are those when jobs were made: from one on, and before the other."""

    state: JobState | None = None
    study_uid: UID | None = None
    series_uid: UID | None = None
    patient_id: str | None = None
    model: str | None = None
    shadow: bool | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class StudyFilter:
    """Which studies to list; None means any. Dates are those of the study, both inclusive.

    ``text`` is looked for anywhere in the patient's name and id, whether large or small letters.
    """

    patient_id: str | None = None
    accession_number: str | None = None
    date_from: date | None = None
    date_to: date | None = None
    text: str | None = None
    has_result: bool | None = None
    incomplete: bool | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something ended without a result: the stable code and a sentence for a person."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Why and when a result was withdrawn: its model was recalled, or a reader rejected it (``by``)."""

    reason: str
    at: datetime
    by: str | None = None


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as people see it; ``stages``, ``result`` and ``deliveries`` are left empty in lists.

    ``patient_id`` is patient data: never log it. Of a result that is being withdrawn, or was, no number is shown.
    """

    job_id: JobID
    study_uid: UID
    series_uid: UID
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
    superseded_by: JobID | None
    patient_id: str = ""
    shadow: bool = False
    withdrawn: Withdrawal | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[StageTime, ...] = ()
    reviews: tuple[Review, ...] = ()
    deliveries: tuple[Delivery, ...] = ()

    @property
    def study_id(self) -> UID:
        """The study, as the clinical system calls it."""
        return self.study_uid

    @property
    def model_type(self) -> str | None:
        """The model, as the clinical system calls it."""
        return self.model.model_id if self.model else None

    @property
    def status(self) -> JobState:
        """The state, as the clinical system calls it."""
        return self.state

    @property
    def task_id(self) -> JobID:
        """The job, as the clinical system calls it."""
        return self.job_id

    @property
    def error(self) -> Reason | None:
        """Why it failed, was rejected, or waits for another attempt."""
        return Reason(self.error_code, self.error_message or "") if self.error_code else None

    @property
    def valid(self) -> bool:
        """Whether there is a published result that nothing has replaced and nobody has withdrawn."""
        stands = (JobState.COMPLETED, JobState.REVIEWING)
        under_review = self.state is JobState.FAILED and bool(self.reviews)
        published = (self.state in stands or under_review) and not self.shadow
        return published and self.superseded_by is None and self.withdrawn is None


@dataclass(frozen=True, slots=True)
class SeriesView:
    """A series with what was decided about it."""

    series_uid: UID
    modality: str
    series_description: str
    calling_ae: str
    revision: int
    receiving: bool
    instance_count: int
    expected_count: int | None
    promised_count: int | None
    evidence: str | None
    decision: str | None
    reason_code: str | None
    reason_message: str | None
    first_received_at: datetime
    last_received_at: datetime
    completed_at: datetime | None
    jobs: tuple[JobView, ...] = ()

    @property
    def missing_count(self) -> int | None:
        """How many instances are known to be missing; None where nobody has said how many there are."""
        known = self.expected_count if self.expected_count is not None else self.promised_count
        return None if known is None else max(0, known - self.instance_count)

    @property
    def incomplete(self) -> bool:
        """Whether it is still open, or lacks instances that were announced."""
        return self.receiving or bool(self.missing_count)

    @property
    def reason(self) -> Reason | None:
        """Why it is not analysed."""
        return Reason(self.reason_code, self.reason_message or "") if self.reason_code else None


@dataclass(frozen=True, slots=True)
class StudyView:
    """A study; holds patient data: never log it. ``series`` is left empty in lists.

    ``missing_count`` is how many instances of its series are known to be missing. ``jobs`` counts the jobs that
    publish by state, ``reasons`` are those of its series that are not analysed and of its jobs that failed, each
    once.
    """

    study_uid: UID
    patient_id: str
    patient_name: str
    accession_number: str
    study_date: str
    study_description: str
    calling_ae: str
    signalled_at: datetime | None
    first_received_at: datetime
    last_received_at: datetime
    series_count: int
    instance_count: int
    receiving: bool
    missing_count: int = 0
    has_result: bool = False
    jobs: Mapping[JobState, int] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    series: tuple[SeriesView, ...] = ()

    @property
    def incomplete(self) -> bool:
        """Whether a series is still open, or lacks instances that were announced."""
        return self.receiving or self.missing_count > 0


@dataclass(frozen=True, slots=True)
class Result:
    """A result with the study that it is about; holds patient data: never log it.

    Parameters
    ----------
    job
        With what readers have left of its result.
    study
        Without its series.
    series_description
        Of the series that was analysed.
    """

    job: JobView
    study: StudyView
    series_description: str
