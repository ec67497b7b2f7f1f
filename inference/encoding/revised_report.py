"""A report that a reader has accepted or amended: a new document, verified, that names the old one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

from highdicom import sr
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as PydicomCode

from inference.domain.artifact import DicomArtifact
from inference.domain.codes import (
    COMMENT,
    CONCLUSION,
    FINDINGS_REPORT,
    PRESENT,
    QUALITATIVE_EVALUATIONS,
    Code,
)
from inference.domain.review import Review
from inference.encoding.concepts import concept
from inference.encoding.equipment import NOTICE, REVIEWED, UNREVIEWED
from inference.encoding.part10 import to_artifact
from inference.encoding.reviewer import person, renew, say_reviewed, succeed, verify
from inference.encoding.revised_segmentation import Remainder
from inference.encoding.sr_evaluations import comment, evaluations_container, sentence_of

_TRACKING_UID, _TRACKING_ID = codes.DCM.TrackingUniqueIdentifier, codes.DCM.TrackingIdentifier


@dataclass(frozen=True, eq=False)
class Change:
    """What a reader changes in a report, besides accepting the rest.

    Parameters
    ----------
    remainders
        The Segmentations that were replaced, by their old SOP Instance UIDs.
    names
        Names of the findings that are left out.
    """

    remainders: Mapping[str, Remainder]
    names: Sequence[str]


def accept_report(artifact: DicomArtifact, review: Review, description: str) -> DicomArtifact:
    """Make the verified successor of a report: the same content, but for the notice that nobody had seen it.

    The reader is the verifying observer and no observer of the findings, which the device made.

    Parameters
    ----------
    artifact
        The report as it was stored.
    review
        Who accepts it, and when.
    description
        New Series Description.

    Raises
    ------
    ValueError, LookupError, AttributeError
        If the stored bytes are no report, or the reader cannot verify one.
    """
    return _successor(artifact, dcmread(BytesIO(artifact.content)), review, description)


def amend_report(artifact: DicomArtifact, change: Change, review: Review, description: str) -> DicomArtifact:
    """Make the verified successor of a report without what is excluded, and with what the reader adds.

    Sums go with the findings: where one is left out, totals and answers of a whole task do not stand either.

    Parameters
    ----------
    artifact
        The report as it was stored.
    change
        What has become of what it refers to.
    review
        Who amends it, and how.
    description
        New Series Description.

    Raises
    ------
    ValueError, LookupError, AttributeError
        If the stored bytes are no report, or the reader cannot verify one.
    """
    document = dcmread(BytesIO(artifact.content))
    if review.excluded:
        _leave_out(document, review.excluded)
        _refer_to_remainders(document, change.remainders)
    _add(document, change.names, review)
    return _successor(artifact, document, review, description)


def tracked_names(artifact: DicomArtifact) -> Mapping[str, str]:
    """Give the names of a report's findings by their Tracking UIDs."""
    document = dcmread(BytesIO(artifact.content))
    return {
        uid: str(_child(item, _TRACKING_ID, "TextValue") or "")
        for item in _walk(document.ContentSequence)
        if (uid := _child(item, _TRACKING_UID, "UID")) is not None
    }


def _successor(artifact: DicomArtifact, document: Dataset, review: Review, description: str) -> DicomArtifact:
    succeed(document, artifact.identity)
    renew(document, review, description)
    verify(document, review)
    say_reviewed(document.ContentSequence)
    return replace(to_artifact(artifact.kind, document), segmentation=artifact.segmentation)


def _leave_out(document: Dataset, excluded: Collection[str]) -> None:
    """Drop groups and evaluations of excluded findings, and what sums up over findings."""
    for container in document.ContentSequence:
        if _is(container, codes.DCM.ImagingMeasurements):
            container.ContentSequence = [
                group for group in container.ContentSequence if _child(group, _TRACKING_UID, "UID") not in excluded
            ]
        elif _is(container, QUALITATIVE_EVALUATIONS):
            container.ContentSequence = _evaluations_left(container.ContentSequence, excluded)
    if not any(
        _is(item, codes.DCM.ImagingMeasurements) and item.ContentSequence for item in document.ContentSequence
    ):
        _make_findings_report(document)


def _evaluations_left(items: Sequence[Dataset], excluded: Collection[str]) -> list[Dataset]:
    """Keep evaluations that stand, with the sentences that say them, and what readers said before."""
    coded = [item for item in items if item.ValueType == "CODE"]
    by_readers = [item for item in items if item.ValueType == "TEXT" and "ContentSequence" in item]
    by_us = next((item for item in items if item.ValueType == "TEXT" and "ContentSequence" not in item), None)
    said = _sentences(coded, "" if by_us is None else str(by_us.TextValue))
    left = [(item, sentence) for item, sentence in zip(coded, said, strict=True) if _stands(item, excluded)]
    notes = "" if by_us is None else _notes(str(by_us.TextValue))
    words = " ".join(filter(None, [*(sentence for _, sentence in left), notes, NOTICE]))
    return [*(item for item, _ in left), comment(words), *by_readers]


def _notes(words: str) -> str:
    """Give what was noted of the source, which holds whatever is left out."""
    at = words.find("Note: ")
    return (
        "" if at < 0 else words[at:].removesuffix(NOTICE).removesuffix(NOTICE.replace(UNREVIEWED, REVIEWED)).strip()
    )


def _sentences(coded: Sequence[Dataset], words: str) -> Iterator[str]:
    """Find the sentence of each coded item in the words that were made of them all.

    The words have the model's name of what was looked for, with its side; the item has only the code's.
    """
    start = 0
    for item in coded:
        anew = sentence_of(item)
        ending = anew.removeprefix(str(item.ConceptNameCodeSequence[0].CodeMeaning))
        at = words.find(ending, start)
        if at < 0:
            yield anew
        else:
            yield words[start : at + len(ending)].strip()
            start = at + len(ending)


def _stands(evaluation: Dataset, excluded: Collection[str]) -> bool:
    """Tell whether an evaluation is of a finding that stands; what is absent has no identity and stands."""
    tracking = _child(evaluation, _TRACKING_UID, "UID")
    if tracking is not None:
        return tracking not in excluded
    return not _has_value(evaluation, PRESENT)


def _make_findings_report(document: Dataset) -> None:
    """Make a report without a measurement one that viewers show as text, as ``build_sr`` does."""
    document.ContentSequence = [
        item
        for item in document.ContentSequence
        if not (_is(item, codes.DCM.ImagingMeasurements) or _is(item, codes.DCM.ImageLibrary))
    ]
    document.ConceptNameCodeSequence = [concept(FINDINGS_REPORT)]
    document.ContinuityOfContent = "SEPARATE"


def _refer_to_remainders(document: Dataset, remainders: Mapping[str, Remainder]) -> None:
    """Refer to the new Segmentations, in the content and as evidence; of one without segments nothing is left."""
    for item in _walk(document.ContentSequence):
        for reference in item.get("ReferencedSOPSequence") or ():
            remainder = remainders.get(reference.ReferencedSOPInstanceUID)
            if remainder is not None and remainder.artifact is not None:
                reference.ReferencedSOPInstanceUID = remainder.artifact.identity.sop_instance_uid
                reference.ReferencedSegmentNumber = remainder.numbers[int(reference.ReferencedSegmentNumber)]
    for study in document.get("CurrentRequestedProcedureEvidenceSequence") or ():
        study.ReferencedSeriesSequence = list(_evidence_left(study.ReferencedSeriesSequence, remainders))


def _evidence_left(evidence: Sequence[Dataset], remainders: Mapping[str, Remainder]) -> Iterator[Dataset]:
    for series in evidence:
        (reference, *_) = series.ReferencedSOPSequence
        remainder = remainders.get(reference.ReferencedSOPInstanceUID)
        if remainder is not None:
            if remainder.artifact is None:
                continue
            series.SeriesInstanceUID = remainder.artifact.identity.series_instance_uid
            reference.ReferencedSOPInstanceUID = remainder.artifact.identity.sop_instance_uid
        yield series


def _add(document: Dataset, names: Sequence[str], review: Review) -> None:
    """Say what was left out and why, and what the reader concludes, each with the reader as its observer."""
    containers = [item for item in document.ContentSequence if _is(item, QUALITATIVE_EVALUATIONS)]
    if not containers:
        containers = [evaluations_container()]
        document.ContentSequence.append(containers[0])
    left_out = f"Left out by the reader: {', '.join(names)}. " if names else ""
    said = [(COMMENT, f"{left_out}Reason: {review.reason}")]
    if review.conclusion:
        said.append((CONCLUSION, review.conclusion))
    for name, words in said:
        item = sr.TextContentItem(concept(name), words, relationship_type=sr.RelationshipTypeValues.CONTAINS)
        item.ContentSequence = sr.ContentSequence(person(review))
        containers[0].ContentSequence.append(item)


def _walk(items: Sequence[Dataset]) -> Iterator[Dataset]:
    for item in items:
        yield item
        yield from _walk(item.get("ContentSequence") or ())


def _is(item: Dataset, name: Code | PydicomCode) -> bool:
    return any(code.get("CodeValue") == name.value for code in item.get("ConceptNameCodeSequence") or ())


def _has_value(item: Dataset, value: Code) -> bool:
    return any(code.get("CodeValue") == value.value for code in item.get("ConceptCodeSequence") or ())


def _child(item: Dataset, name: PydicomCode, keyword: str) -> str | None:
    """Give the value of a content item directly below, by its name."""
    for child in item.get("ContentSequence") or ():
        if _is(child, name):
            return str(child[keyword].value)
    return None
