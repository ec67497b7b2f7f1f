"""The queue border's table: what becomes of a job whose attempt ended in an error."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from inference import errors
from inference.domain.job import Failure
from inference.errors import NodeError

UNEXPECTED: Final = "node.unexpected"
"""Code of an exception that no stage translated: a defect of ours, kept visible."""


class Verdict(StrEnum):
    """What the worker does with the job."""

    RETRY = "retry"
    """Give it back for a later attempt, as long as attempts (or, in delivery, time) are left."""
    REJECT = "reject"
    """The series is not analysed, for the error's reason."""
    FAIL = "fail"
    """Repeating cannot heal it."""
    DROP = "drop"
    """The job is no longer ours; leave it alone."""


VERDICTS: Final[Mapping[type[errors.NodeError], Verdict]] = MappingProxyType(
    {
        errors.ConfigurationError: Verdict.FAIL,
        errors.InstanceUnreadable: Verdict.REJECT,
        errors.SOPClassMismatch: Verdict.REJECT,
        errors.SpoolFull: Verdict.RETRY,
        errors.NoMatchingModel: Verdict.REJECT,
        errors.IncompleteSeries: Verdict.REJECT,
        errors.UnsupportedGeometry: Verdict.REJECT,
        errors.UnsupportedPixelData: Verdict.REJECT,
        errors.ModelNotFound: Verdict.FAIL,
        errors.ModelRecalled: Verdict.FAIL,
        errors.DeploymentRefused: Verdict.FAIL,
        errors.WeightsMismatch: Verdict.FAIL,
        errors.ModelContractViolated: Verdict.FAIL,
        errors.PackageRefused: Verdict.FAIL,
        errors.DeviceUnavailable: Verdict.RETRY,
        errors.DeviceOutOfMemory: Verdict.RETRY,
        errors.NonFiniteOutput: Verdict.FAIL,
        errors.ImplausibleResult: Verdict.REJECT,
        errors.EncodingError: Verdict.FAIL,
        errors.PeerUnavailable: Verdict.RETRY,
        errors.PeerRefused: Verdict.FAIL,
        errors.NotCommitted: Verdict.RETRY,
        errors.FHIRUnavailable: Verdict.RETRY,
        errors.FHIRConflict: Verdict.RETRY,
        errors.FHIRRejected: Verdict.FAIL,
        errors.HL7Unavailable: Verdict.RETRY,
        errors.HL7Rejected: Verdict.FAIL,
        errors.AccountNotFound: Verdict.FAIL,
        errors.AccountExists: Verdict.FAIL,
        errors.AccountInvalid: Verdict.FAIL,
        errors.LastAdministrator: Verdict.FAIL,
        errors.JobNotFound: Verdict.DROP,
        errors.StudyNotFound: Verdict.FAIL,
        errors.PreviewNotFound: Verdict.FAIL,
        errors.IllegalTransition: Verdict.DROP,
        errors.LeaseLost: Verdict.DROP,
        errors.JobCancelled: Verdict.DROP,
        errors.QueueUnavailable: Verdict.RETRY,
        errors.StoreUnavailable: Verdict.RETRY,
        errors.EntryNotFound: Verdict.FAIL,
        errors.EntryExists: Verdict.FAIL,
        errors.EntryChanged: Verdict.FAIL,
        errors.ImportRefused: Verdict.FAIL,
    }
)
"""One entry for every leaf of the error tree; a test walks the tree."""


def failure_of(error: Exception) -> Failure:
    """Name what ended an attempt; of an exception that no stage translated only the type, for its text may quote.

    Parameters
    ----------
    error
        What was raised.
    """
    if isinstance(error, NodeError):
        return Failure(error.code, error.message)
    return Failure(UNEXPECTED, f"unexpected {type(error).__name__}")


def verdict(error: errors.NodeError) -> Verdict:
    """Look up the verdict on an error, by its nearest class in the table.

    Parameters
    ----------
    error
        What ended the attempt.
    """
    for kind in type(error).__mro__:
        if kind in VERDICTS:
            return VERDICTS[kind]
    return Verdict.RETRY if error.retryable else Verdict.FAIL
