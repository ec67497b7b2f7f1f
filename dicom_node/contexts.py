"""What the receiver accepts: every storage class, in every encoding that this node can read, and two services."""

from __future__ import annotations

from typing import Final

from pynetdicom.presentation import AllStoragePresentationContexts, PresentationContext, build_context
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from inference.domain.transfer_syntaxes import DECODABLE_TRANSFER_SYNTAXES, DEFLATED, UNCOMPRESSED_TRANSFER_SYNTAXES

RECEIVED_TRANSFER_SYNTAXES: Final[tuple[str, ...]] = tuple(
    sorted(map(str, DECODABLE_TRANSFER_SYNTAXES), key=lambda uid: uid == DEFLATED)
)
"""The transfer syntaxes that are negotiated, in our order of liking. Deflated comes last: every sender must be able
to send something else (PS3.5 section 10.1), and what it stands for is only known once it is inflated."""


def supported_contexts() -> list[PresentationContext]:
    """List the presentation contexts of the acceptor (PS3.8 section 9.3.2).

    All storage classes are taken, not only images: a PACS forwards whole studies, and a refused SR or PDF makes
    it report the study as failed. What is no image ends later with a named reason.
    """
    plain = list(map(str, UNCOMPRESSED_TRANSFER_SYNTAXES[:2]))
    contexts = [build_context(service, plain) for service in (Verification, StorageCommitmentPushModel)]
    contexts += [
        build_context(context.abstract_syntax, list(RECEIVED_TRANSFER_SYNTAXES))
        for context in AllStoragePresentationContexts
    ]
    return contexts
