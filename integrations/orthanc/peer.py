"""The archive as a DICOM peer: one way to open an association with it, for every service we use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from pynetdicom import AE
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from inference.domain.identifiers import AETitle
from inference.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from inference.errors import PeerRefused, PeerUnavailable


@dataclass(frozen=True, slots=True)
class Peer:
    """Where an archive is, who we are to it, and how patient we are.

    Parameters
    ----------
    ae_title, host, port
        The archive.
    calling_ae_title
        Our title; archives often know their callers by name.
    timeout_s
        Longest wait for the connection, the association, and each response.
    """

    ae_title: AETitle
    host: str
    port: int
    calling_ae_title: AETitle
    timeout_s: float = 30.0


def make_entity(peer: Peer) -> AE:
    """Give a pynetdicom AE with our identifiers and the peer's time limits.

    Parameters
    ----------
    peer
        Whom we are about to call.
    """
    entity = AE(ae_title=str(peer.calling_ae_title))
    entity.implementation_class_uid = str(IMPLEMENTATION_CLASS_UID)
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.connection_timeout = peer.timeout_s
    entity.acse_timeout = peer.timeout_s
    entity.dimse_timeout = peer.timeout_s
    entity.network_timeout = peer.timeout_s
    return entity


@contextmanager
def associated(
    peer: Peer,
    contexts: Sequence[PresentationContext],
    handlers: Sequence[tuple[Any, ...]] = (),
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
) -> Iterator[Any]:
    """Hold an association for the length of a ``with`` block.

    Parameters
    ----------
    peer
        Whom to call.
    contexts
        What to propose (PS3.8 section 9.3.2), at most 128.
    handlers
        pynetdicom event handlers, for services in which the peer asks back.
    roles
        Where we are not the SCU of a SOP class (PS3.7 annex D.3.3.4).

    Yields
    ------
    Association
        Established; released at the end, aborted where the block raised.

    Raises
    ------
    PeerUnavailable
        If the peer does not answer or refuses the association. A refusal is retried too: an archive that does not
        know our title yet is an administrator's slip, no reason to lose a result.
    PeerRefused
        If it answers but accepts none of the presentation contexts.
    """
    association = make_entity(peer).associate(
        peer.host,
        peer.port,
        contexts=list(contexts),
        ae_title=str(peer.ae_title),
        ext_neg=list(roles),
        evt_handlers=list(handlers),
    )
    if not association.is_established:
        _explain(association)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    association.release()


def _explain(association: Any) -> NoReturn:
    if association.is_rejected:
        raise PeerUnavailable("the archive refused the association")
    if association.rejected_contexts:
        raise PeerRefused("the archive accepts none of the proposed SOP classes and encodings")
    raise PeerUnavailable("the archive does not answer")
