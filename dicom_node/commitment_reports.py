"""How a sender learns what we hold of what it asked about: N-EVENT-REPORT (PS3.4 section J.3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from threading import BoundedSemaphore, Event, Thread
from typing import Any, Final

import structlog
from pynetdicom import build_role, evt
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.dsutils import encode
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StorageCommitmentPushModel

from dicom_node.commitment import CommitmentAnswer
from inference.domain.identifiers import AETitle
from inference.errors import DeliveryError, PeerUnavailable
from integrations.orthanc.commitment import WELL_KNOWN_INSTANCE
from integrations.orthanc.peer import Peer, associated

LOG = structlog.get_logger(__name__)

PAUSES_S: Final = (1.0, 10.0, 60.0)
"""Waits before a report is tried again; a sender that is away for longer asks again, as its own timer tells it."""
MOST_AT_ONCE: Final = 16
"""Reports that may be under way; a sender with one more is told to ask later."""

_SUCCESS: Final = 0x0000
_MESSAGE_ID: Final = 1


class CommitmentReporter:
    """Reports to senders without ever holding up their associations.

    A sender whose address is known is called on a new association, by a thread that lives for this report. Any
    other is told on the association on which it asked, directly after the answer to its request: if it has released
    that by then, it learns nothing and may ask again.

    Parameters
    ----------
    peers
        Where senders take reports, by AE title.
    pauses_s
        Waits before a report is tried again.
    """

    def __init__(self, peers: Sequence[Peer] = (), pauses_s: Sequence[float] = PAUSES_S) -> None:
        self._peers = {peer.ae_title: peer for peer in peers}
        self._pauses_s = tuple(pauses_s)
        self._free = BoundedSemaphore(MOST_AT_ONCE)
        self._stopped = Event()

    def report(self, event: evt.Event, answer: CommitmentAnswer) -> bool:
        """Have a sender told; returns at once.

        Parameters
        ----------
        event
            Its request, which has not been answered yet.
        answer
            What it is told.

        Returns
        -------
        bool
            False if too many reports are under way.
        """
        peer = self._peers.get(AETitle(event.assoc.requestor.ae_title))
        if peer is None:
            event.assoc.bind(evt.EVT_PDU_SENT, _report_here, [event.context.context_id, answer])
            return True
        if not self._free.acquire(blocking=False):
            return False
        Thread(target=self._report_there, args=(peer, answer), name="commitment-report", daemon=True).start()
        return True

    def stop(self) -> None:
        """Give up what waits for another try."""
        self._stopped.set()

    def _report_there(self, peer: Peer, answer: CommitmentAnswer) -> None:
        try:
            for pause_s in (*self._pauses_s, None):
                try:
                    _call(peer, answer)
                except DeliveryError as error:
                    LOG.warning("commitment not reported", ae_title=str(peer.ae_title), code=error.code)
                else:
                    return
                if pause_s is None or self._stopped.wait(pause_s):
                    return
        except Exception as error:  # noqa: BLE001 - the thread's border
            LOG.warning("commitment not reported", ae_title=str(peer.ae_title), exception=type(error).__name__)
        finally:
            self._free.release()


def _call(peer: Peer, answer: CommitmentAnswer) -> None:
    """Report on an association of our own, as the SCP that we are (PS3.7 annex D.3.3.4)."""
    role = build_role(StorageCommitmentPushModel, scp_role=True)
    with associated(peer, [build_context(StorageCommitmentPushModel)], roles=[role]) as association:
        if not association.accepted_contexts:
            raise PeerUnavailable("the sender takes no commitment reports")
        status, _ = association.send_n_event_report(
            answer.information, answer.event_type, StorageCommitmentPushModel, WELL_KNOWN_INSTANCE
        )
        if status.get("Status") != _SUCCESS:
            raise PeerUnavailable("the sender did not take a commitment report")


def _report_here(event: evt.Event, context_id: int, answer: CommitmentAnswer) -> None:
    """Report on the association of the request, as soon as the answer to it is on the wire.

    pynetdicom's own ``send_n_event_report`` would stop the association and take the sender's next request for the
    response to ours. Bound to the sending of a PDU it runs in the thread that reads and writes the connection, so
    nothing can be sent in between; the association drops the response.
    """
    if not isinstance(event.pdu, P_DATA_TF):
        return
    association: Any = event.assoc
    association.unbind(evt.EVT_PDU_SENT, _report_here)
    if association.is_established:
        association.dimse.send_msg(_message(association, context_id, answer), context_id)


def _message(association: Any, context_id: int, answer: CommitmentAnswer) -> N_EVENT_REPORT:
    [syntax] = [c.transfer_syntax[0] for c in association.accepted_contexts if c.context_id == context_id]
    message = N_EVENT_REPORT()
    message.MessageID = _MESSAGE_ID
    message.AffectedSOPClassUID = StorageCommitmentPushModel
    message.AffectedSOPInstanceUID = WELL_KNOWN_INSTANCE
    message.EventTypeID = answer.event_type
    message.EventInformation = BytesIO(encode(answer.information, syntax.is_implicit_VR, syntax.is_little_endian))
    return message
