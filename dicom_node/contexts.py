"""What the receiver accepts: every storage class, in every encoding that this node can read."""

from __future__ import annotations

from typing import Final

from pynetdicom.presentation import AllStoragePresentationContexts, PresentationContext, build_context
from pynetdicom.sop_class import Verification

from inference.domain.transfer_syntaxes import DECODABLE_TRANSFER_SYNTAXES, UNCOMPRESSED_TRANSFER_SYNTAXES

_DEFLATED: Final = frozenset({"1.2.840.10008.1.2.1.99"})

RECEIVED_TRANSFER_SYNTAXES: Final[tuple[str, ...]] = tuple(
    dict.fromkeys(
        str(uid) for uid in (*UNCOMPRESSED_TRANSFER_SYNTAXES, *DECODABLE_TRANSFER_SYNTAXES) if uid not in _DEFLATED
    )
)
"""The transfer syntaxes that are negotiated. Deflated is not among them: 0.7 MB of it can stand for gigabytes, and
every sender must be able to send something else (PS3.5 section 10.1)."""


def supported_contexts() -> list[PresentationContext]:
    """List the presentation contexts of the acceptor (PS3.8 section 9.3.2).

    All storage classes are taken, not only images: a PACS forwards whole studies, and a refused SR or PDF makes
    it report the study as failed. What is no image ends later with a named reason.
    """
    contexts = [build_context(Verification, list(map(str, UNCOMPRESSED_TRANSFER_SYNTAXES[:2])))]
    contexts += [
        build_context(context.abstract_syntax, list(RECEIVED_TRANSFER_SYNTAXES))
        for context in AllStoragePresentationContexts
    ]
    return contexts
