"""Questions to the archive by C-FIND (PS3.4 annex C), Study Root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pydicom.dataset import Dataset
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from inference.domain.identifiers import UID
from inference.domain.study import InstanceIdentity
from inference.errors import PeerUnavailable
from inference.ports import ArchiveCounter
from integrations.orthanc.peer import Peer, associated

_PENDING: Final = frozenset({0xFF00, 0xFF01})
_SUCCESS: Final = 0x0000


class FindSCUCounter(ArchiveCounter):
    """Asks an archive for Number of Series Related Instances (0020,1209).

    Parameters
    ----------
    peer
        The archive.
    patience_s
        Longest wait for each step of a question: other series wait meanwhile, so it is shorter than the peer's own.
    """

    def __init__(self, peer: Peer, patience_s: float = 3.0) -> None:
        self._peer = replace(peer, timeout_s=min(peer.timeout_s, patience_s))

    def count(self, study_instance_uid: UID, series_instance_uid: UID) -> int | None:
        """Give the archive's count, 0 for a series it does not hold, None when it does not answer or cannot say."""
        question = Dataset()
        question.QueryRetrieveLevel = "SERIES"
        question.StudyInstanceUID = str(study_instance_uid)
        question.SeriesInstanceUID = str(series_instance_uid)
        question.NumberOfSeriesRelatedInstances = None
        try:
            matches = find(self._peer, question)
        except PeerUnavailable:
            return None
        if not matches:
            return 0
        try:
            return int(matches[0].NumberOfSeriesRelatedInstances)
        except (AttributeError, TypeError, ValueError):
            return None


def holds_instance(peer: Peer, identity: InstanceIdentity) -> bool:
    """Ask whether the archive shows an instance.

    Parameters
    ----------
    peer
        The archive.
    identity
        The instance.

    Raises
    ------
    PeerUnavailable
        If it does not answer.
    """
    question = Dataset()
    question.QueryRetrieveLevel = "IMAGE"
    question.StudyInstanceUID = str(identity.study_instance_uid)
    question.SeriesInstanceUID = str(identity.series_instance_uid)
    question.SOPInstanceUID = str(identity.sop_instance_uid)
    return any(match.get("SOPInstanceUID") == identity.sop_instance_uid for match in find(peer, question))


def find(peer: Peer, question: Dataset) -> Sequence[Dataset]:
    """Send one C-FIND and gather the matches.

    Parameters
    ----------
    peer
        The archive.
    question
        The identifier, with its Query/Retrieve Level.

    Raises
    ------
    PeerUnavailable
        If the archive does not answer to the end, does not support C-FIND, or reports a failure.
    """
    model = StudyRootQueryRetrieveInformationModelFind
    matches: list[Dataset] = []
    with associated(peer, [build_context(model)]) as association:
        if not association.accepted_contexts:
            raise PeerUnavailable("the archive does not answer queries")
        for status, match in association.send_c_find(question, model):
            code = status.get("Status")
            if code in _PENDING and match is not None:
                matches.append(match)
            elif code != _SUCCESS:
                raise PeerUnavailable(_describe(code))
    return matches


def _describe(code: int | None) -> str:
    return "the archive did not answer a query" if code is None else f"the archive failed a query (0x{code:04X})"
