"""Series Numbers of results: those of one model follow each other, so that viewers list them together."""

from __future__ import annotations

from typing import Final

from inference.domain.artifact import ArtifactKind
from inference.domain.model_spec import ModelSpec

REJECTION: Final = 2
"""Of the Key Object Selection that rejects others, beyond the model's first."""
NOTE: Final = 7
"""Of the note that a series was not analysed, beyond the model's first."""

BEYOND_FIRST: Final = {
    ArtifactKind.SEG: 0,
    ArtifactKind.SR: 1,
    ArtifactKind.SC: 3,
    ArtifactKind.PDF: 4,
    ArtifactKind.PM: 5,
    ArtifactKind.KOS: 6,
}
"""Of each kind, beyond the model's first."""


def series_number(spec: ModelSpec, kind: ArtifactKind) -> int:
    """Give the Series Number of a kind of object.

    Parameters
    ----------
    spec
        The model, which names the first.
    kind
        Of a result.
    """
    return spec.publication.series_number + BEYOND_FIRST[kind]
