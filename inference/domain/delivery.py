"""What is made for whom, and how far it has come: destinations take kinds of objects, each with a row of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from inference.domain.artifact import ArtifactKind, DicomArtifact, Segmentation

RESULT_KINDS: Final = frozenset(
    {ArtifactKind.SEG, ArtifactKind.SR, ArtifactKind.SC, ArtifactKind.PDF, ArtifactKind.PM, ArtifactKind.KOS}
)
"""Every kind of DICOM object that a result may consist of."""

USUAL_KINDS: Final = frozenset({ArtifactKind.SEG, ArtifactKind.SR, ArtifactKind.KOS})
"""What a destination takes that says nothing else: what OHIF and archives of the last decade can show."""


RESULT: Final = "result"
NOTE: Final = "note"
WITHDRAWAL: Final = "withdrawal"
"""Errands: what is brought. A review is another, ``review-`` and its number."""


class Compression(StrEnum):
    """How objects are encoded on the way to a destination that accepts it; else they go uncompressed."""

    NONE = "none"
    """Explicit VR Little Endian."""
    DEFLATED = "deflated"
    """Deflated Explicit VR Little Endian (PS3.5 section A.5): the whole data set, of every kind of object."""
    RLE = "rle"
    """RLE Lossless (PS3.5 annex G), of objects with 8-bit pixels; 1-bit pixels and documents go uncompressed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which objects a destination takes.

    Parameters
    ----------
    kinds
        Their kinds.
    segmentation
        Which of several encodings of a segmentation it takes, and of the objects that refer to it.
    """

    kinds: frozenset[ArtifactKind] = USUAL_KINDS
    segmentation: Segmentation = Segmentation.BINARY

    def __post_init__(self) -> None:
        if ArtifactKind.SR in self.kinds and ArtifactKind.SEG not in self.kinds:
            raise ValueError("an SR refers to the SEG, so a destination that takes SR must take SEG")

    def takes(self, artifact: DicomArtifact) -> bool:
        """Tell whether an object is for this destination.

        Parameters
        ----------
        artifact
            One of a result.
        """
        return artifact.kind in self.kinds and artifact.segmentation in (None, self.segmentation)


@dataclass(frozen=True, slots=True)
class Order:
    """What has to be encoded so that every destination gets what it takes.

    Parameters
    ----------
    kinds
        Kinds that at least one destination takes.
    segmentations
        Encodings of the segmentation that at least one takes.
    first
        What the first destination takes, whose objects reports name; None for everything.
    """

    kinds: frozenset[ArtifactKind] = USUAL_KINDS
    segmentations: tuple[Segmentation, ...] = (Segmentation.BINARY,)
    first: Wanted | None = None

    @classmethod
    def of(cls, destinations: Iterable[Wanted]) -> Self:
        """Gather what several destinations take.

        Parameters
        ----------
        destinations
            At least one, in the order of the settings.
        """
        wanted = tuple(destinations)
        kinds = frozenset(kind for one in wanted for kind in one.kinds)
        drawn = (one.segmentation for one in wanted if ArtifactKind.SEG in one.kinds)
        return cls(kinds, tuple(dict.fromkeys(drawn)), wanted[0])

    def is_named(self, artifact: DicomArtifact) -> bool:
        """Tell whether reports name an object: readers find it where they look first.

        Parameters
        ----------
        artifact
            One of a result.
        """
        if self.first is not None:
            return self.first.takes(artifact)
        return artifact.segmentation in (None, *self.segmentations[:1])


class DeliveryState(StrEnum):
    """How far one errand to one destination has come."""

    PENDING = "pending"
    """Not yet, or to be tried again."""
    DONE = "done"
    """The destination holds what was sent, and said so."""
    FAILED = "failed"
    """It refused; a person's retry tries again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One errand of a job to one destination: the row of the outbox.

    Parameters
    ----------
    destination
        Name of the archive or report server.
    errand
        What is brought: ``result``, ``note``, ``withdrawal``, or ``review-`` and its number.
    state
        How far it has come.
    since
        When it was ordered, aware; a person's retry starts it anew.
    attempts
        Attempts that ended.
    next_run_at
        Not before this time, aware; None for at once.
    settled_at
        When it was done or failed for good, aware.
    code, message
        Why the last attempt failed; None where none did.
    address
        Where the destination keeps it, as far as it says.
    """

    destination: str
    errand: str
    state: DeliveryState
    since: datetime
    attempts: int = 0
    next_run_at: datetime | None = None
    settled_at: datetime | None = None
    code: str | None = None
    message: str | None = None
    address: str | None = None
