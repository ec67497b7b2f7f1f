"""Storage commitment for senders who ask (PS3.4 annex J): what is asked, and which of it we hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import pydicom.uid
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from dicom_node.headers import check_framing
from inference.domain.identifiers import UID
from inference.ports import StudyIndex
from integrations.orthanc.commitment import REQUEST_COMMITMENT, WELL_KNOWN_INSTANCE

NO_SUCH_INSTANCE: Final = 0x0112
INVALID_ARGUMENT: Final = 0x0115
CLASS_CONFLICT: Final = 0x0119
NO_SUCH_CLASS: Final = 0x0118
NO_SUCH_ACTION: Final = 0x0123
RESOURCE_LIMITATION: Final = 0x0213

MOST_REFERENCES: Final = 20_000
"""Most instances in one request: longer than series are, and two seconds' work."""
_MOST_BYTES: Final = 160 * MOST_REFERENCES
"""A reference has two UIDs of at most 64 characters and the headers of three elements."""
_ITEM: Final = b"\xfe\xff\x00\xe0"
"""The tag of a sequence item, little endian (PS3.5 section 7.5)."""

EVERYTHING_COMMITTED: Final = 1
FAILURES_EXIST: Final = 2
"""Event Type ID (PS3.4 table J.3-2)."""


class RequestRefused(Exception):
    """A request for commitment that cannot be met as it stands.

    Parameters
    ----------
    status
        The answer (PS3.7 section 10.1.4.1.10).
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"0x{status:04X}")
        self.status = status


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """What a sender wants to be told (PS3.4 table J.3-1).

    Parameters
    ----------
    transaction_uid
        Names the request in the report.
    references
        SOP Class UID by SOP Instance UID.
    """

    transaction_uid: UID
    references: Mapping[UID, UID]


@dataclass(frozen=True, slots=True)
class CommitmentAnswer:
    """What the sender is told (PS3.4 table J.3-2).

    Parameters
    ----------
    event_type
        1: everything is committed; 2: failures exist.
    information
        The event information.
    """

    event_type: int
    information: Dataset


def read_request(event: evt.Event) -> CommitmentRequest:
    """Parse an N-ACTION request; nothing in it is trusted.

    Parameters
    ----------
    event
        The request with its action information, still encoded.

    Raises
    ------
    RequestRefused
        With the status to answer.
    """
    wanted = {str(event.context.abstract_syntax), str(event.request.RequestedSOPClassUID)}
    if wanted != {str(StorageCommitmentPushModel)}:
        raise RequestRefused(NO_SUCH_CLASS)
    if event.request.RequestedSOPInstanceUID != WELL_KNOWN_INSTANCE:
        raise RequestRefused(NO_SUCH_INSTANCE)
    if event.action_type != REQUEST_COMMITMENT:
        raise RequestRefused(NO_SUCH_ACTION)
    stream = event.request.ActionInformation
    encoded = b"" if stream is None else stream.getvalue()
    # Counted before it is parsed: 16 MB of empty items would take a minute and 3 GB.
    if len(encoded) > _MOST_BYTES or encoded.count(_ITEM) > MOST_REFERENCES:
        raise RequestRefused(RESOURCE_LIMITATION)
    try:
        check_framing(BytesIO(encoded), pydicom.uid.UID(event.context.transfer_syntax))
        request = _parsed(event.action_information)
    except Exception as error:
        raise RequestRefused(INVALID_ARGUMENT) from error
    if not request.references:
        raise RequestRefused(INVALID_ARGUMENT)
    return request


def examine(request: CommitmentRequest, index: StudyIndex) -> CommitmentAnswer:
    """Say which of the instances are kept here under the SOP class that the sender names.

    Parameters
    ----------
    request
        What is asked.
    index
        What is here: its rows are committed after the bytes are on stable storage.

    Raises
    ------
    StoreUnavailable
        If the database cannot be read.
    """
    held = index.held(request.references.keys())
    committed: list[Dataset] = []
    failed: list[Dataset] = []
    for instance, sop_class in request.references.items():
        item = Dataset()
        item.ReferencedSOPClassUID = str(sop_class)
        item.ReferencedSOPInstanceUID = str(instance)
        if held.get(instance) == sop_class:
            committed.append(item)
        else:
            item.FailureReason = CLASS_CONFLICT if instance in held else NO_SUCH_INSTANCE
            failed.append(item)
    information = Dataset()
    information.TransactionUID = str(request.transaction_uid)
    if committed:
        information.ReferencedSOPSequence = committed
    if failed:
        information.FailedSOPSequence = failed
    return CommitmentAnswer(FAILURES_EXIST if failed else EVERYTHING_COMMITTED, information)


def _parsed(information: Dataset) -> CommitmentRequest:
    items = information.ReferencedSOPSequence
    references = {UID(item.ReferencedSOPInstanceUID): UID(item.ReferencedSOPClassUID) for item in items}
    return CommitmentRequest(UID(information.TransactionUID), references)
