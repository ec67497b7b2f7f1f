"""Storage commitment (PS3.4 annex J): the archive's own word that it keeps the objects safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any, Final

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StorageCommitmentPushModel

from inference.domain.artifact import DicomArtifact
from inference.errors import ConfigurationError, NotCommitted, PeerUnavailable
from inference.ports import UIDSource
from integrations.orthanc.peer import Peer, associated, make_entity

_WELL_KNOWN_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
"""Storage Commitment Push Model SOP Instance (PS3.4 section J.3.5)."""
_REQUEST_COMMITMENT: Final = 1
_SUCCESS: Final = 0x0000


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where the archive reports back: it opens an association of its own to the AE it knows us as."""

    host: str
    port: int


class StorageCommitment:
    """Confirms by asking for commitment (N-ACTION) and waiting for the report (N-EVENT-REPORT).

    Parameters
    ----------
    peer
        The archive; it must know our calling title at the listen address.
    listen
        Where we take its report. The port is open only while a commitment is awaited.
    uid_source
        Gives transaction identifiers.
    patience_s
        How long to wait for the report.
    """

    def __init__(self, peer: Peer, listen: ListenAddress, uid_source: UIDSource, patience_s: float = 30.0) -> None:
        self._peer = peer
        self._listen = listen
        self._uid_source = uid_source
        self._patience_s = patience_s

    def confirm(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Return when the archive has committed every object.

        Raises
        ------
        NotCommitted
            If it commits only some, or does not report in time.
        PeerUnavailable
            If it does not take the request.
        ConfigurationError
            If the listen address cannot be bound.
        """
        request = _request(artifacts, transaction_uid=f"2.25.{int(self._uid_source.job_id(), 16)}")
        reports: Queue[Dataset] = Queue()
        handlers = [(evt.EVT_N_EVENT_REPORT, _on_report, [reports])]
        server = self._start_listening(handlers)
        try:
            with associated(self._peer, [build_context(StorageCommitmentPushModel)], handlers) as association:
                status, _ = association.send_n_action(
                    request, _REQUEST_COMMITMENT, StorageCommitmentPushModel, _WELL_KNOWN_INSTANCE
                )
                if status.get("Status") != _SUCCESS:
                    raise PeerUnavailable("the archive did not take the request for storage commitment")
                committed = _await_report(reports, request.TransactionUID, self._patience_s)
        finally:
            server.shutdown()
        missing = {str(a.identity.sop_instance_uid) for a in artifacts} - committed
        if missing:
            raise NotCommitted(f"the archive did not commit {len(missing)} of {len(artifacts)} objects")

    def _start_listening(self, handlers: list[tuple[Any, ...]]) -> Any:
        entity = make_entity(self._peer)
        entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
        entity.require_called_aet = True
        address = (self._listen.host, self._listen.port)
        try:
            return entity.start_server(address, block=False, evt_handlers=handlers)
        except OSError as error:
            raise ConfigurationError(f"cannot listen for storage commitment: {error.strerror}") from error


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


def _on_report(event: evt.Event, reports: Queue[Dataset]) -> tuple[int, None]:
    reports.put(event.event_information)
    return _SUCCESS, None


def _await_report(reports: Queue[Dataset], transaction_uid: str, patience_s: float) -> set[str]:
    """Give the SOP Instance UIDs that our transaction's report lists as committed (PS3.4 table J.3-2)."""
    while True:
        try:
            report = reports.get(timeout=patience_s)
        except Empty:
            raise NotCommitted("the archive did not report on storage commitment in time") from None
        if report.get("TransactionUID") == transaction_uid:
            return {str(item.ReferencedSOPInstanceUID) for item in report.get("ReferencedSOPSequence", [])}
