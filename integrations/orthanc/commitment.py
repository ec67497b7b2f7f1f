"""Storage commitment (PS3.4 annex J): the archive's own word that it keeps the objects safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StorageCommitmentPushModel

from inference.domain.artifact import DicomArtifact
from inference.errors import NotCommitted, PeerUnavailable
from inference.ports import UIDSource
from integrations.orthanc.commitment_reports import CommitmentReport, CommitmentReports, wait_for
from integrations.orthanc.peer import Peer, associated

WELL_KNOWN_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
"""Storage Commitment Push Model SOP Instance (PS3.4 section J.3.5)."""
REQUEST_COMMITMENT: Final = 1
"""Action Type ID (PS3.4 table J.3-1)."""

FAILURE_REASONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x0110: "processing failure",
        0x0112: "no such object",
        0x0119: "other SOP class",
        0x0122: "SOP class not supported",
        0x0131: "transaction UID used before",
        0x0213: "out of resources",
    }
)
"""Failure Reason (0008,1197), PS3.3 section C.14.1.1."""

_SUCCESS: Final = 0x0000


class StorageCommitment:
    """Confirms by asking for commitment (N-ACTION) and waiting for the report (N-EVENT-REPORT).

    The report may come on our association or on a new one that the archive opens. Several threads may confirm at the
    same time.

    Parameters
    ----------
    peer
        The archive; it must know our calling title at the address where ``reports`` listens.
    reports
        Where we take its report; one for all commitments of a process.
    uid_source
        Gives transaction identifiers.
    patience_s
        How long to wait for the report.
    """

    def __init__(
        self, peer: Peer, reports: CommitmentReports, uid_source: UIDSource, patience_s: float = 30.0
    ) -> None:
        self._peer = peer
        self._reports = reports
        self._uid_source = uid_source
        self._patience_s = patience_s

    def confirm(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Return when the archive has committed every object.

        Raises
        ------
        NotCommitted
            If it commits only some, or does not report in time, or if the port for reports cannot be opened. What
            the archive does not have (0112) is there after the next delivery.
        PeerUnavailable
            If it does not take the request.
        PeerRefused
            If it does not offer storage commitment.
        """
        if not artifacts:
            return
        request = _request(artifacts, transaction_uid=f"2.25.{int(self._uid_source.job_id(), 16)}")
        handlers = [(evt.EVT_N_EVENT_REPORT, self._reports.take)]
        with (
            self._reports.expecting(str(request.TransactionUID)) as reports,
            associated(self._peer, [build_context(StorageCommitmentPushModel)], handlers) as association,
        ):
            status, _ = association.send_n_action(
                request, REQUEST_COMMITMENT, StorageCommitmentPushModel, WELL_KNOWN_INSTANCE
            )
            if status.get("Status") != _SUCCESS:
                raise PeerUnavailable("the archive did not take the request for storage commitment")
            report = wait_for(reports, self._patience_s)
        _check(artifacts, report)


def _request(artifacts: Sequence[DicomArtifact], transaction_uid: str) -> Dataset:
    """Give the action information of PS3.4 table J.3-1."""
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = [_reference(artifact) for artifact in artifacts]
    return request


def _reference(artifact: DicomArtifact) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = str(artifact.identity.sop_class_uid)
    item.ReferencedSOPInstanceUID = str(artifact.identity.sop_instance_uid)
    return item


def _check(artifacts: Sequence[DicomArtifact], report: CommitmentReport) -> None:
    missing = {str(artifact.identity.sop_instance_uid) for artifact in artifacts} - report.committed
    if missing:
        reasons = sorted({report.failures.get(uid, 0) for uid in missing})
        why = ", ".join(f"{reason:04X} {FAILURE_REASONS.get(reason, 'no reason that we know')}" for reason in reasons)
        raise NotCommitted(f"the archive did not commit {len(missing)} of {len(artifacts)} objects ({why})")
