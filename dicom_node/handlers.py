"""What happens at each DICOM event: check, keep, commit, and only then answer success."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from pydicom.dataset import Dataset
from pynetdicom import evt

from dicom_node.commitment import RESOURCE_LIMITATION, RequestRefused, examine, read_request
from dicom_node.commitment_reports import CommitmentReporter
from dicom_node.headers import check_command, read_arrival
from dicom_node.statuses import PROCESSING_FAILURE, SUCCESS, failure, unexpected_failure
from inference.domain.arrival import Arrival
from inference.domain.charsets import NOTHING_CONFIGURED, CharacterSets
from inference.domain.identifiers import UID, AETitle
from inference.errors import InstanceUnreadable, NodeError
from inference.ports import StudyIndex, StudySpool

LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where received instances go: bytes into the spool, then a row into the index.

    Parameters
    ----------
    spool
        Where bytes go.
    index
        Where rows go.
    charsets
        What is assumed of senders that name no character set.
    """

    spool: StudySpool
    index: StudyIndex
    charsets: CharacterSets = NOTHING_CONFIGURED


def handle_association_request(event: evt.Event, called_ae_titles: frozenset[AETitle]) -> None:
    """Answer under any of our titles: pynetdicom compares the called title with this one (PS3.8 section 9.3.4)."""
    called = event.assoc.requestor.primitive.called_ae_title.strip()
    if called in called_ae_titles:
        event.assoc.acceptor.ae_title = called


def handle_echo(_event: evt.Event) -> int:
    """Answer C-ECHO (PS3.4 annex A)."""
    return SUCCESS


def handle_store(event: evt.Event, destination: Destination) -> int | Dataset:
    """Answer C-STORE (PS3.4 annex B): success means that bytes and row are durable.

    Parameters
    ----------
    event
        The request with its data set, still encoded.
    destination
        Where it goes.

    Returns
    -------
    int or Dataset
        0x0000, or a failure by the table in ``dicom_node/statuses.py``.
    """
    try:
        arrival = _take_in(event, destination)
    except NodeError as error:
        LOG.warning("instance refused", code=error.code, reason=error.message)
        return failure(error)
    except Exception as error:  # noqa: BLE001 - the DIMSE border; the text could hold patient data
        LOG.warning("instance refused", code="node.error", exception=type(error).__name__)
        return unexpected_failure()
    LOG.debug("instance kept", arrival=arrival.value)
    return SUCCESS


def handle_commitment(event: evt.Event, index: StudyIndex, reporter: CommitmentReporter) -> tuple[int, None]:
    """Answer N-ACTION of storage commitment (PS3.4 section J.3.2): the sender is told later what we hold.

    Parameters
    ----------
    event
        The request.
    index
        What is here.
    reporter
        Tells the sender.

    Returns
    -------
    status : int
        0x0000, or why there will be no report.
    reply : None
    """
    try:
        taken = reporter.report(event, examine(read_request(event), index))
    except RequestRefused as refusal:
        LOG.warning("commitment refused", status=f"0x{refusal.status:04X}")
        return refusal.status, None
    except Exception as error:  # noqa: BLE001 - the DIMSE border
        LOG.warning("commitment refused", exception=type(error).__name__)
        return PROCESSING_FAILURE, None
    return SUCCESS if taken else RESOURCE_LIMITATION, None


def _take_in(event: evt.Event, destination: Destination) -> Arrival:
    request = event.request
    if request.DataSet is None:
        raise InstanceUnreadable("the request has no data set")
    data_set = request.DataSet.getvalue()
    syntax = UID(event.context.transfer_syntax)
    calling_ae = AETitle(event.assoc.requestor.ae_title)
    identity, header = read_arrival(data_set, syntax, destination.charsets.of(calling_ae))
    check_command(identity, request.AffectedSOPClassUID, request.AffectedSOPInstanceUID)
    stored = destination.spool.store(identity, syntax, data_set)
    return destination.index.add(stored, header, calling_ae)
