"""The DIMSE border's table: which status a sender is told for each error (PS3.4 section B.2.3, PS3.7 annex C)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pydicom.dataset import Dataset

from inference import errors

SUCCESS: Final = 0x0000
PROCESSING_FAILURE: Final = 0x0110
"""Failure of our own; a sender may try again (PS3.7 section C.5.21)."""
OUT_OF_RESOURCES: Final = 0xA700
DOES_NOT_MATCH: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000

STATUSES: Final[Mapping[type[errors.NodeError], int]] = MappingProxyType(
    {
        errors.InstanceUnreadable: CANNOT_UNDERSTAND,
        errors.SOPClassMismatch: DOES_NOT_MATCH,
        errors.SpoolFull: OUT_OF_RESOURCES,
        errors.StoreUnavailable: OUT_OF_RESOURCES,
        errors.QueueUnavailable: OUT_OF_RESOURCES,
        errors.DeviceUnavailable: OUT_OF_RESOURCES,
        errors.DeviceOutOfMemory: OUT_OF_RESOURCES,
        errors.ConfigurationError: PROCESSING_FAILURE,
        errors.NoMatchingModel: PROCESSING_FAILURE,
        errors.IncompleteSeries: PROCESSING_FAILURE,
        errors.UnsupportedGeometry: PROCESSING_FAILURE,
        errors.UnsupportedPixelData: PROCESSING_FAILURE,
        errors.ModelNotFound: PROCESSING_FAILURE,
        errors.ModelRecalled: PROCESSING_FAILURE,
        errors.DeploymentRefused: PROCESSING_FAILURE,
        errors.WeightsMismatch: PROCESSING_FAILURE,
        errors.ModelContractViolated: PROCESSING_FAILURE,
        errors.PackageRefused: PROCESSING_FAILURE,
        errors.NonFiniteOutput: PROCESSING_FAILURE,
        errors.ImplausibleResult: PROCESSING_FAILURE,
        errors.EncodingError: PROCESSING_FAILURE,
        errors.PeerUnavailable: PROCESSING_FAILURE,
        errors.PeerRefused: PROCESSING_FAILURE,
        errors.NotCommitted: PROCESSING_FAILURE,
        errors.FHIRUnavailable: PROCESSING_FAILURE,
        errors.FHIRConflict: PROCESSING_FAILURE,
        errors.FHIRRejected: PROCESSING_FAILURE,
        errors.HL7Unavailable: PROCESSING_FAILURE,
        errors.HL7Rejected: PROCESSING_FAILURE,
        errors.AccountNotFound: PROCESSING_FAILURE,
        errors.AccountExists: PROCESSING_FAILURE,
        errors.AccountInvalid: PROCESSING_FAILURE,
        errors.LastAdministrator: PROCESSING_FAILURE,
        errors.JobNotFound: PROCESSING_FAILURE,
        errors.StudyNotFound: PROCESSING_FAILURE,
        errors.PreviewNotFound: PROCESSING_FAILURE,
        errors.IllegalTransition: PROCESSING_FAILURE,
        errors.LeaseLost: PROCESSING_FAILURE,
        errors.JobCancelled: PROCESSING_FAILURE,
        errors.EntryNotFound: PROCESSING_FAILURE,
        errors.EntryExists: PROCESSING_FAILURE,
        errors.EntryChanged: PROCESSING_FAILURE,
        errors.ImportRefused: PROCESSING_FAILURE,
    }
)
"""One entry for every leaf of the error tree; a test walks the tree. Today only the first three reach a sender."""


def failure(error: errors.NodeError) -> Dataset:
    """Give the response to a failed request.

    Parameters
    ----------
    error
        Why it failed; its message is free of patient data by contract.

    Returns
    -------
    Dataset
        Status (0000,0900) and Error Comment (0000,0902), VR LO, cut to 64 characters.
    """
    known = next((kind for kind in type(error).__mro__ if kind in STATUSES), None)
    status = STATUSES[known] if known is not None else PROCESSING_FAILURE
    return _response(status, f"{error.code}: {error.message}")


def unexpected_failure() -> Dataset:
    """Give the response to a request that met an error nobody foresaw; its text stays in our log."""
    return _response(PROCESSING_FAILURE, "node.error: internal error")


def _response(status: int, comment: str) -> Dataset:
    response = Dataset()
    response.Status = status
    response.ErrorComment = comment.encode("ascii", "replace").decode("ascii").replace("\\", "/")[:64]
    return response
