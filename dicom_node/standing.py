"""Which objects of a result were sent after its reviews.

Nothing of it is kept, for the same reviews of the same objects make the same objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inference.domain.artifact import DicomArtifact
from inference.domain.job import ModelReference
from inference.domain.review import Review
from inference.encoding.revision import revise


def sent_after(
    artifacts: Sequence[DicomArtifact], model: ModelReference, reviews: Iterable[Review]
) -> Sequence[DicomArtifact]:
    """Give every object that was sent, with those that reviews made; not all of them stand.

    Parameters
    ----------
    artifacts
        As the model made them.
    model
        Which model.
    reviews
        Oldest first.

    Raises
    ------
    EncodingError
        If the stored objects cannot be revised.
    """
    for review in reviews:
        artifacts = [*artifacts, *revise(artifacts, model, review)]
    return artifacts
