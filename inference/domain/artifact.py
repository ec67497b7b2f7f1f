"""What is sent: encoded objects that are complete and checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from inference.domain.identifiers import UID
from inference.domain.study import InstanceIdentity


class ArtifactKind(StrEnum):
    """Kinds of result objects."""

    SEG = "SEG"
    SR = "SR"
    SC = "SC"
    KOS = "KOS"
    """Says that other objects are withdrawn."""
    FHIR = "FHIR"


@dataclass(frozen=True, slots=True)
class DicomArtifact:
    """A DICOM result, encoded as a Part 10 file.

    Parameters
    ----------
    kind
        What it is.
    identity
        Its identifiers.
    transfer_syntax_uid
        Encoding of the data set.
    content
        The whole file, preamble included.
    sha256
        Hexadecimal digest of ``content``.
    """

    kind: ArtifactKind
    identity: InstanceIdentity
    transfer_syntax_uid: UID
    content: bytes
    sha256: str
