"""What is sent: encoded objects that are complete and checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from inference.domain.identifiers import UID
from inference.domain.study import InstanceIdentity


class ArtifactKind(StrEnum):
    """Kinds of result objects."""

    SEG = "SEG"
    """Segmentation."""
    SR = "SR"
    """Measurement report, or the note that a series was not analysed."""
    SC = "SC"
    """Secondary Capture: key slices with coloured overlays."""
    PDF = "PDF"
    """Encapsulated PDF: the report on one page."""
    PM = "PM"
    """Parametric Map of a probability."""
    KOS = "KOS"
    """Key Object Selection: names the slices with findings, or the objects that are withdrawn."""
    FHIR = "FHIR"


class Segmentation(StrEnum):
    """How a segmentation is encoded (PS3.3 section C.8.20.2)."""

    BINARY = "binary"
    """One bit a voxel and segment; what every archive takes and every viewer shows."""
    LABELMAP = "labelmap"
    """Label Map Segmentation: one number a voxel."""
    FRACTIONAL = "fractional"
    """Probabilities, of models that give them; binary where they do not."""


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
    segmentation
        Of the objects that exist once for each encoding of the segmentation, which one; None of all others.
    """

    kind: ArtifactKind
    identity: InstanceIdentity
    transfer_syntax_uid: UID
    content: bytes
    sha256: str
    segmentation: Segmentation | None = None
