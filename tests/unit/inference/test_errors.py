"""The error tree is a contract: codes, stages and what may be tried again do not change by accident."""

from __future__ import annotations

import re

import pytest

from inference import errors
from inference.errors import ImplausibleResult, NodeError, ReasonCode, StudyError, leaves

SNAPSHOT = {
    "ConfigurationError": ("configuration.invalid", "configure", False),
    "InstanceUnreadable": ("receive.unreadable", "receive", False),
    "SOPClassMismatch": ("receive.sop_class_mismatch", "receive", False),
    "SpoolFull": ("receive.spool_full", "receive", True),
    "NoMatchingModel": ("selection.no_model", "select", False),
    "IncompleteSeries": ("series.incomplete", "select", False),
    "UnsupportedGeometry": ("geometry.non_uniform_spacing", "volume", False),
    "UnsupportedPixelData": ("pixel.corrupt", "volume", False),
    "ModelNotFound": ("model.not_found", "infer", False),
    "ModelRecalled": ("model.recalled", "infer", False),
    "DeploymentRefused": ("model.deployment_refused", "configure", False),
    "WeightsMismatch": ("model.weights_mismatch", "infer", False),
    "ModelContractViolated": ("model.contract_violated", "infer", False),
    "PackageRefused": ("model.package_refused", "configure", False),
    "DeviceUnavailable": ("inference.device_unavailable", "infer", True),
    "DeviceOutOfMemory": ("inference.out_of_memory", "infer", True),
    "NonFiniteOutput": ("inference.non_finite", "infer", False),
    "ImplausibleResult": ("result.implausible", "measure", False),
    "EncodingError": ("encoding.failed", "encode", False),
    "PeerUnavailable": ("delivery.peer_unavailable", "deliver", True),
    "PeerRefused": ("delivery.peer_refused", "deliver", False),
    "NotCommitted": ("delivery.not_committed", "deliver", True),
    "FHIRUnavailable": ("report.fhir_unavailable", "report", True),
    "FHIRConflict": ("report.fhir_conflict", "report", True),
    "FHIRRejected": ("report.fhir_rejected", "report", False),
    "HL7Unavailable": ("report.hl7_unavailable", "report", True),
    "HL7Rejected": ("report.hl7_rejected", "report", False),
    "AccountNotFound": ("account.not_found", "configure", False),
    "AccountExists": ("account.exists", "configure", False),
    "AccountInvalid": ("account.invalid", "configure", False),
    "LastAdministrator": ("account.last_administrator", "configure", False),
    "JobNotFound": ("job.not_found", "job", False),
    "StudyNotFound": ("study.not_found", "job", False),
    "PreviewNotFound": ("preview.not_found", "job", False),
    "IllegalTransition": ("job.illegal_transition", "job", False),
    "LeaseLost": ("job.lease_lost", "job", False),
    "JobCancelled": ("job.cancelled", "job", False),
    "QueueUnavailable": ("job.queue_unavailable", "job", True),
    "StoreUnavailable": ("job.store_unavailable", "job", True),
    "EntryNotFound": ("masterdata.not_found", "configure", False),
    "EntryExists": ("masterdata.exists", "configure", False),
    "EntryChanged": ("masterdata.changed", "configure", False),
    "ImportRefused": ("masterdata.import_refused", "configure", False),
}
"""Code, stage and retryable of every leaf. A line may be added; one that changes breaks somebody's integration."""

REASONS = frozenset(
    {
        *("selection.no_model", "selection.modality", "selection.sequence", "selection.localizer"),
        *("selection.derived", "selection.secondary_capture", "selection.not_an_image", "selection.mosaic"),
        *("selection.too_few_slices", "selection.slice_spacing", "selection.plane"),
        *("selection.channel_missing", "selection.channel_awaited"),
        *("series.incomplete", "series.superseded", "series.missing_attribute", "series.mixed"),
        *("geometry.missing", "geometry.mixed_orientation", "geometry.mixed_matrix", "geometry.repeated_position"),
        *("geometry.gap", "geometry.non_uniform_spacing", "geometry.multi_frame", "geometry.registration"),
        *("pixel.unsupported_transfer_syntax", "pixel.missing", "pixel.corrupt", "pixel.too_large"),
        *("pixel.unsupported_format", "result.implausible", "result.head_not_found"),
    }
)
"""The named reasons as they were given out."""

LEAVES = [leaf for leaf in leaves() if leaf.__module__ == errors.__name__]


def test_codes_stages_and_retries_are_as_they_were_given_out() -> None:
    """Clients, dashboards and runbooks hold these."""
    found = {leaf.__name__: (leaf.code, leaf.stage.value, leaf.retryable) for leaf in LEAVES}
    assert found == SNAPSHOT


def test_no_reason_was_renamed() -> None:
    """Reasons are added, never taken away."""
    assert {reason.value for reason in ReasonCode} >= REASONS


def test_every_code_names_one_thing() -> None:
    """No two leaves share a code, and every code has the form that logs and documents search for."""
    codes = [leaf.code for leaf in LEAVES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+\.[a-z0-9_]+", code) for code in codes)
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", reason.value) for reason in ReasonCode)


def test_the_drawing_shows_the_tree() -> None:
    """The picture at the top of the module names every leaf with its code, and marks what is retried."""
    drawing = errors.__doc__ or ""
    for leaf in LEAVES:
        (line,) = [line for line in drawing.splitlines() if re.search(rf"\b{leaf.__name__}\b", line)]
        assert ("*" in line.split(leaf.__name__)[1][:3]) == leaf.retryable, line
        shown = ["selection.*", "series.*", "geometry.*", "pixel.*"] if issubclass(leaf, StudyError) else [leaf.code]
        assert any(code in line for code in shown), line


@pytest.mark.parametrize("kind", [leaf for leaf in LEAVES if issubclass(leaf, StudyError)])
def test_a_study_error_carries_its_reason(kind: type[StudyError]) -> None:
    """The reason is the code, the message is for people."""
    error = kind(ReasonCode.GAP, "two slices are missing")
    assert (error.code, error.message, str(error)) == (
        "geometry.gap",
        "two slices are missing",
        "two slices are missing",
    )
    assert kind.code != "geometry.gap"


def test_an_implausible_result_may_be_narrower() -> None:
    """The general code unless a reason is given."""
    assert ImplausibleResult("too large").code == "result.implausible"
    assert ImplausibleResult("nothing there", ReasonCode.HEAD_NOT_FOUND).code == "result.head_not_found"


def test_walking_starts_anywhere() -> None:
    """A part of the tree can be walked by itself."""
    assert {leaf.__name__ for leaf in leaves(errors.ReportError)} == {
        "FHIRUnavailable",
        "FHIRConflict",
        "FHIRRejected",
        "HL7Unavailable",
        "HL7Rejected",
    }
    assert list(leaves(errors.LeaseLost)) == [errors.LeaseLost]
    assert all(issubclass(leaf, NodeError) for leaf in LEAVES)
