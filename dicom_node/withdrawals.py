"""What a delivery worker makes of the order to withdraw a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from inference.domain.artifact import DicomArtifact
from inference.domain.job import WITHDRAWAL, Job, ModelReference
from inference.encoding.withdrawal import withdrawal
from inference.errors import EncodingError


@dataclass(frozen=True, slots=True)
class WithdrawalOrder:
    """Why a result does not stand any more.

    Parameters
    ----------
    model
        Which version was recalled.
    reason
        Why, in the words of who recalled it.
    at
        When, aware.
    """

    model: ModelReference
    reason: str
    at: datetime


def order_of(job: Job) -> WithdrawalOrder:
    """Read the order that the job store left in a job's result.

    Raises
    ------
    EncodingError
        If there is none: a person has to look at this job.
    """
    note = (job.result or {}).get(WITHDRAWAL)
    if job.model is None or not isinstance(note, dict):
        raise EncodingError("the job does not say why its result is withdrawn")
    return WithdrawalOrder(job.model, str(note["reason"]), datetime.fromisoformat(note["at"]))


def rejection_notes(artifacts: Sequence[DicomArtifact], order: WithdrawalOrder) -> Sequence[DicomArtifact]:
    """Give the object that tells the archive; none for a model that publishes no DICOM objects.

    The same order gives the same bytes, so that a second attempt leaves one object.
    """
    if not artifacts:
        return ()
    return (withdrawal(artifacts, order.model, order.reason, order.at),)
