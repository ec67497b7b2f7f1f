"""Delivery to an archive by C-STORE (PS3.4 annex B), and proof that it holds what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final, Protocol

from pydicom import dcmread
from pynetdicom.presentation import PresentationContext, build_context

from inference.domain.artifact import DicomArtifact
from inference.domain.delivery import Compression
from inference.errors import NotCommitted, PeerRefused, PeerUnavailable
from inference.ports import ArtifactSink
from integrations.orthanc.compression import COMPRESSED_SYNTAXES, compressed
from integrations.orthanc.find_scu import holds_instance
from integrations.orthanc.peer import Peer, associated

_OUT_OF_RESOURCES: Final = range(0xA700, 0xA800)
_WARNINGS: Final = range(0xB000, 0xC000)


class Confirmation(Protocol):
    """A way to learn that the archive holds objects durably."""

    def confirm(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Return only when every object is held.

        Raises
        ------
        NotCommitted, PeerUnavailable, PeerRefused
        """


class StoreSCUSink(ArtifactSink):
    """An archive reached by C-STORE.

    Parameters
    ----------
    peer
        The archive.
    confirmation
        How to learn that it holds the objects: ``StorageCommitment``, ``RESTReadBack``, or ``FindReadBack``
        (the default), strongest first.
    compression
        How objects are sent where the archive accepts it; it is offered them uncompressed too.
    """

    def __init__(
        self,
        peer: Peer,
        confirmation: Confirmation | None = None,
        compression: Compression = Compression.NONE,
    ) -> None:
        self._peer = peer
        self._confirmation = confirmation or FindReadBack(peer)
        self._compression = compression

    def deliver(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Send all objects over one association.

        Raises
        ------
        PeerUnavailable
            If the archive is out of reach or out of resources (A7xx).
        PeerRefused
            If it does not take the SOP class or encoding, or answers with another failure.
        """
        if not artifacts:
            return
        with associated(self._peer, _contexts(artifacts, self._compression)) as association:
            for artifact in artifacts:
                _send(association, _as_accepted(association, artifact, self._compression))

    def confirm(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Return only when the archive shows that it holds every object."""
        self._confirmation.confirm(artifacts)


class FindReadBack(Confirmation):
    """Asks by C-FIND for each object: it is listed, though its bytes are not compared.

    Parameters
    ----------
    peer
        The archive.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def confirm(self, artifacts: Sequence[DicomArtifact]) -> None:
        """Return when every object is listed.

        Raises
        ------
        NotCommitted
            If one is not (yet).
        PeerUnavailable
            If the archive does not answer.
        """
        missing = [a for a in artifacts if not holds_instance(self._peer, a.identity)]
        if missing:
            raise NotCommitted(f"the archive does not list {len(missing)} of {len(artifacts)} objects")


def _contexts(artifacts: Sequence[DicomArtifact], compression: Compression) -> list[PresentationContext]:
    """Propose each encoding in a context of its own: in a common one the archive would choose for us."""
    smaller = COMPRESSED_SYNTAXES.get(compression)
    wanted: dict[tuple[str, str], None] = {}
    for artifact in artifacts:
        for syntax in (artifact.transfer_syntax_uid, smaller):
            if syntax is not None:
                wanted[str(artifact.identity.sop_class_uid), str(syntax)] = None
    return [build_context(sop_class, syntax) for sop_class, syntax in wanted]


def _as_accepted(association: Any, artifact: DicomArtifact, compression: Compression) -> DicomArtifact:
    """Compress an object if the archive accepted its SOP class in that encoding."""
    wanted = (artifact.identity.sop_class_uid, COMPRESSED_SYNTAXES.get(compression))
    accepted = {(context.abstract_syntax, context.transfer_syntax[0]) for context in association.accepted_contexts}
    return compressed(artifact, compression) if wanted in accepted else artifact


def _send(association: Any, artifact: DicomArtifact) -> None:
    try:
        status = association.send_c_store(dcmread(BytesIO(artifact.content)))
    except ValueError as error:
        raise PeerRefused(f"the archive does not take {artifact.kind} objects in this encoding") from error
    except RuntimeError as error:
        raise PeerUnavailable("the archive closed the association") from error
    code = status.get("Status")
    if code is None:
        raise PeerUnavailable(f"the archive did not answer to a {artifact.kind}")
    if code in _OUT_OF_RESOURCES:
        raise PeerUnavailable(f"the archive is out of resources (0x{code:04X})")
    if code != 0 and code not in _WARNINGS:
        raise PeerRefused(f"the archive refused a {artifact.kind} (0x{code:04X})")
