"""What a person's review makes of the objects of a result: new ones beside the old, which stay as they were."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from io import BytesIO
from typing import Final

from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact
from inference.domain.job import ModelReference
from inference.domain.review import Review, Verdict
from inference.encoding.equipment import series_description
from inference.encoding.libraries import LIBRARY_ERRORS, silence
from inference.encoding.reviewer import person
from inference.encoding.revised_report import Change, accept_report, amend_report, tracked_names
from inference.encoding.revised_segmentation import Remainder, leave_out, tracked
from inference.encoding.withdrawal import Rejection, is_rejection, reject
from inference.errors import EncodingError

_SHOWING: Final = frozenset({ArtifactKind.SR, ArtifactKind.SC, ArtifactKind.PDF, ArtifactKind.PM, ArtifactKind.KOS})
"""Kinds that show every finding, so that one does not stand from which a finding is excluded."""


def revise(artifacts: Sequence[DicomArtifact], model: ModelReference, review: Review) -> tuple[DicomArtifact, ...]:
    """Make the objects that tell an archive of a review.

    Accepted: the verified successor of every report. Amended: Segmentations without what is excluded, verified
    reports that refer to them and name the old ones, and where something is excluded a Key Object Selection that
    rejects what shows it. Rejected: a Key Object Selection that rejects everything.

    Parameters
    ----------
    artifacts
        Everything that was stored of the result, earlier revisions included; uncompressed. What an earlier revision
        replaced or rejected is passed over, except that a rejection names it again.
    model
        Which model made them.
    review
        The verdict. The same review gives the same bytes, so that they can be sent twice.

    Returns
    -------
    tuple of DicomArtifact
        The new objects alone, Segmentations first; each is of its predecessor's kind and encoding.

    Raises
    ------
    EncodingError
        If there is nothing to reject, an excluded finding is none of the result, the reader cannot verify a report,
        or the stored bytes cannot be read.
    """
    with silence():
        try:
            return tuple(_revise(artifacts, model, review))
        except LIBRARY_ERRORS as error:
            raise EncodingError(f"the revised objects could not be built ({type(error).__name__})") from error


def _revise(artifacts: Sequence[DicomArtifact], model: ModelReference, review: Review) -> Iterator[DicomArtifact]:
    if review.verdict is Verdict.REJECT:
        yield _rejected(artifacts, model, review, f"rejected by a reader: {review.reason}", "rejected")
        return
    standing = current(artifacts)
    if review.verdict is Verdict.AMEND:
        yield from _amended(standing, model, review)
        return
    description = series_description(model.model_id, "verified")
    yield from (accept_report(report, review, description) for report in _of(standing, ArtifactKind.SR))


def _amended(standing: Sequence[DicomArtifact], model: ModelReference, review: Review) -> Iterator[DicomArtifact]:
    description = series_description(model.model_id, "amended")
    names = _names_of_excluded(standing, review)
    touched = [seg for seg in _of(standing, ArtifactKind.SEG) if tracked(seg).intersection(review.excluded)]
    remainders: list[Remainder] = [leave_out(seg, review, description) for seg in touched]
    yield from (remainder.artifact for remainder in remainders if remainder.artifact is not None)
    change = Change({remainder.replaced: remainder for remainder in remainders}, names)
    for report in _of(standing, ArtifactKind.SR):
        yield amend_report(report, change, review, description)
    if review.excluded:
        replaced = [*touched, *_of(standing, *_SHOWING)]
        yield _rejected(replaced, model, review, f"replaced by an amended version: {review.reason}", "replaced")


def _rejected(
    artifacts: Sequence[DicomArtifact], model: ModelReference, review: Review, text: str, word: str
) -> DicomArtifact:
    return reject(artifacts, model, Rejection(text, review.at, word, person(review)))


def _names_of_excluded(standing: Sequence[DicomArtifact], review: Review) -> Sequence[str]:
    """Give the names of what is excluded, as reports call it.

    Raises
    ------
    EncodingError
        If no object has such a finding.
    """
    names: dict[str, str] = {}
    for report in _of(standing, ArtifactKind.SR):
        names.update(tracked_names(report))
    known = {uid for seg in _of(standing, ArtifactKind.SEG) for uid in tracked(seg)}
    if not known.union(names).issuperset(review.excluded):
        raise EncodingError("an excluded finding is none of this result")
    return [names[uid] for uid in review.excluded if names.get(uid)]


def sent_after(
    artifacts: Sequence[DicomArtifact], model: ModelReference, reviews: Iterable[Review]
) -> Sequence[DicomArtifact]:
    """Give every object that has been sent once these reviews were told; not all of them stand.

    None of it needs to be kept, for the same reviews of the same objects make the same objects.

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


def current(artifacts: Sequence[DicomArtifact]) -> Sequence[DicomArtifact]:
    """Give what stands: rejections are passed over, and what they or later reports replace.

    Parameters
    ----------
    artifacts
        Everything that was stored of a result, earlier revisions included.
    """
    replaced: set[str] = set()
    for artifact in _of(artifacts, ArtifactKind.SR, ArtifactKind.KOS):
        document = dcmread(BytesIO(artifact.content))
        replaced.update(_instances_in(document.get("PredecessorDocumentsSequence") or ()))
        if is_rejection(artifact):
            replaced.update(_instances_in(document.CurrentRequestedProcedureEvidenceSequence))
    return [
        artifact
        for artifact in artifacts
        if artifact.identity.sop_instance_uid not in replaced and not is_rejection(artifact)
    ]


def _instances_in(studies: Collection[Dataset]) -> Iterator[str]:
    """Give the SOP Instance UIDs of a hierarchical reference (PS3.3 section C.17.2.1)."""
    for study in studies:
        for series in study.ReferencedSeriesSequence:
            for reference in series.ReferencedSOPSequence:
                yield str(reference.ReferencedSOPInstanceUID)


def _of(artifacts: Sequence[DicomArtifact], *kinds: ArtifactKind) -> Sequence[DicomArtifact]:
    return [artifact for artifact in artifacts if artifact.kind in kinds]
