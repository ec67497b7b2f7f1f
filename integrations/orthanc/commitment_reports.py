"""Where archives report on storage commitment: one listener in a process, shared by all that wait for a report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, Queue
from threading import Lock
from typing import Any, Final

import structlog
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from inference.domain.identifiers import AETitle
from inference.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from inference.errors import NotCommitted

LOG = structlog.get_logger(__name__)

_SUCCESS: Final = 0x0000
_PROCESSING_FAILURE: Final = 0x0110
_LONGEST_SILENCE_S: Final = 30.0
_MOST_BYTES: Final = 1 << 18
"""Room for a report on 1600 objects; anybody on the network may send one, and parsing must stay cheap."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where the archive reports back: it opens an association of its own to the AE it knows us as."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What an archive said about one transaction (PS3.4 table J.3-2).

    Parameters
    ----------
    committed
        SOP Instance UIDs that it keeps.
    failures
        Failure Reason (0008,1197) by SOP Instance UID; 0 where it names none.
    """

    committed: frozenset[str] = frozenset()
    failures: dict[str, int] = field(default_factory=dict)


class CommitmentReports:
    """Takes N-EVENT-REPORT on a port of ours and hands each report to whoever waits for its transaction.

    The port is opened when the first commitment is awaited and stays open, so that several threads can wait at the
    same time. A transaction is named by a random UID, which only the archive that was asked knows: a report about
    any other is answered and forgotten.

    Parameters
    ----------
    listen
        Where to listen.
    ae_title
        Our title. Archives may call us by any: what counts is the transaction.
    """

    def __init__(self, listen: ListenAddress, ae_title: AETitle) -> None:
        self._listen = listen
        self._ae_title = ae_title
        self._lock = Lock()
        self._server: Any = None
        self._waiting: dict[str, Queue[CommitmentReport]] = {}

    @property
    def port(self) -> int:
        """The port that is listened on; meaningful once a report was expected."""
        return int(self._server.server_address[1])

    @contextmanager
    def expecting(self, transaction_uid: str) -> Iterator[Queue[CommitmentReport]]:
        """Listen for the report on a transaction for the length of a ``with`` block.

        Parameters
        ----------
        transaction_uid
            Transaction UID (0008,1195); enter the block before the archive is asked.

        Yields
        ------
        Queue
            Receives the report.

        Raises
        ------
        NotCommitted
            If the port cannot be opened: somebody else has it, perhaps another worker that is about to end.
        """
        reports: Queue[CommitmentReport] = Queue()
        with self._lock:
            self._open()
            self._waiting[transaction_uid] = reports
        try:
            yield reports
        finally:
            with self._lock:
                del self._waiting[transaction_uid]

    def take(self, event: evt.Event) -> tuple[int, None]:
        """Answer N-EVENT-REPORT (PS3.4 section J.3.3); bound to our own associations too.

        Parameters
        ----------
        event
            The request.
        """
        try:
            transaction_uid, report = _read(event)
        except Exception as error:  # noqa: BLE001 - the DIMSE border: anything may be in there
            LOG.warning("commitment report not understood", exception=type(error).__name__)
            return _PROCESSING_FAILURE, None
        with self._lock:
            reports = self._waiting.get(transaction_uid)
        if reports is None:
            LOG.info("commitment report that nobody awaits")
        else:
            reports.put(report)
        return _SUCCESS, None

    def close(self) -> None:
        """Stop listening; a later commitment opens the port again."""
        with self._lock:
            if self._server is not None:
                self._server.shutdown()
                self._server = None

    def _open(self) -> None:
        if self._server is not None:
            return
        entity = AE(ae_title=str(self._ae_title))
        entity.implementation_class_uid = str(IMPLEMENTATION_CLASS_UID)
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _LONGEST_SILENCE_S
        entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
        address = (self._listen.host, self._listen.port)
        try:
            self._server = entity.start_server(
                address, block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.take)]
            )
        except OSError as error:
            raise NotCommitted(f"cannot listen for storage commitment: {error.strerror}") from error


def wait_for(reports: Queue[CommitmentReport], patience_s: float) -> CommitmentReport:
    """Give the report on a transaction.

    Parameters
    ----------
    reports
        As ``CommitmentReports.expecting`` gave it.
    patience_s
        How long to wait.

    Raises
    ------
    NotCommitted
        If none comes in time.
    """
    try:
        return reports.get(timeout=patience_s)
    except Empty:
        raise NotCommitted("the archive did not report on storage commitment in time") from None


def _read(event: evt.Event) -> tuple[str, CommitmentReport]:
    """Parse the event information (PS3.4 table J.3-2)."""
    if len(event.request.EventInformation.getvalue()) > _MOST_BYTES:
        raise ValueError("the report is too long")
    information = event.event_information
    committed = (str(item.ReferencedSOPInstanceUID) for item in information.get("ReferencedSOPSequence") or ())
    failed = information.get("FailedSOPSequence") or ()
    failures = {str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason") or 0) for item in failed}
    return str(information.TransactionUID), CommitmentReport(frozenset(committed), failures)
