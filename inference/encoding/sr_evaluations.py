"""What has no place, as the Qualitative Evaluations of a report (PS3.16 TID 1500).

What was looked for and is not there must be said too: a report that is silent about it could mean either. It is not
said in measurement groups (TID 1501), for OHIF blanks the viewport on one without image coordinates; it passes over
this container.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from inference.domain.codes import (
    ABSENT,
    COMMENT,
    FINDING_SITE,
    LATERALITY,
    MILLILITRE,
    NEOPLASM,
    PERCENT,
    PRESENT,
    PROBABILITY,
    QUALITATIVE_EVALUATIONS,
    VOLUME,
    Code,
)
from inference.domain.identifiers import UID
from inference.domain.model_spec import LabelSpec
from inference.domain.result import AnalysisResult, Finding, Measurement, TumorDetection
from inference.encoding.concepts import concept
from inference.encoding.equipment import NOTICE
from inference.encoding.sr_groups import percentage


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Something that was looked for.

    Parameters
    ----------
    name
        For people.
    code
        What it is.
    present
        Whether it was found.
    numbers
        Quantity, value and unit of what is known of it.
    tracking
        UID and name of the identity that FHIR shares; None where there is none.
    site, side
        Where it was looked for, and on which side; None where ``code`` is its own site, or where it has no side.
    """

    name: str
    code: Code
    present: bool
    numbers: tuple[tuple[Code, float, Code], ...] = ()
    tracking: tuple[UID, str] | None = None
    site: Code | None = None
    side: Code | None = None

    @property
    def sentence(self) -> str:
        """Say it in words, for viewers that show no more of an evaluation than its name and value."""
        numbers = "".join(f", {what.meaning.lower()} {value:g} {unit.value}" for what, value, unit in self.numbers)
        return f"{self.name}: {'present' if self.present else 'absent'}{numbers}."


def evaluations(result: AnalysisResult, region: Code) -> list[Evaluation]:
    """List what a result says that has no place.

    The answer of a tumour job, findings without a place, and structures that were not found.

    Parameters
    ----------
    result
        The result.
    region
        Where the model looks.
    """
    tumor = [] if result.task is None else [_tumor(result.task)]
    findings = [_finding(finding, region) for finding in result.findings if finding.place is None]
    said = {evaluation.code for evaluation in tumor}
    absent = [_absent(label, region) for label in result.absent if label.type not in said]
    return [*tumor, *findings, *absent]


def qualitative_evaluations(
    found: Iterable[Evaluation], totals: Iterable[Measurement] = (), warnings: Iterable[str] = ()
) -> sr.ContainerContentItem:
    """Give the container: a coded item for each evaluation, and all of them and the totals in words.

    A total is text alone: the container has no row for a number (PS3.16 TID 1500), and a measurement group
    without image coordinates is what OHIF cannot show.

    Parameters
    ----------
    found
        What was looked for.
    totals
        Measurements over several structures.
    warnings
        What a reader should know of the source.
    """
    found = tuple(found)
    sums = (
        f"{total.label}: {total.quantity.meaning.lower()} {total.value:.3f} {total.unit.value}." for total in totals
    )
    notes = (f"Note: {warning}." for warning in warnings)
    words = " ".join([*(evaluation.sentence for evaluation in found), *sums, *notes, NOTICE])
    container = evaluations_container()
    container.ContentSequence.extend([*map(_item, found), comment(words)])
    return container


def evaluations_container() -> sr.ContainerContentItem:
    """Give the container without content.

    Its items are separate: viewers write the values of continuous ones in a row, without their names.
    """
    container = sr.ContainerContentItem(
        concept(QUALITATIVE_EVALUATIONS),
        is_content_continuous=False,
        relationship_type=sr.RelationshipTypeValues.CONTAINS,
    )
    container.ContentSequence = sr.ContentSequence()
    return container


def comment(words: str) -> sr.TextContentItem:
    """Give a sentence or several as a content item."""
    return sr.TextContentItem(concept(COMMENT), words, relationship_type=sr.RelationshipTypeValues.CONTAINS)


def sentence_of(item: Dataset) -> str:
    """Say a coded item in words, as ``Evaluation.sentence`` does of what it was made of.

    Parameters
    ----------
    item
        One that this module made.
    """
    name, value = item.ConceptNameCodeSequence[0], item.ConceptCodeSequence[0]
    numbers = [child for child in item.get("ContentSequence") or () if child.ValueType == "NUM"]
    known = "".join(
        f", {number.ConceptNameCodeSequence[0].CodeMeaning.lower()}"
        f" {float(measured.NumericValue):g} {measured.MeasurementUnitsCodeSequence[0].CodeValue}"
        for number in numbers
        for measured in number.MeasuredValueSequence
    )
    return f"{name.CodeMeaning}: {value.CodeMeaning.lower()}{known}."


def _tumor(task: TumorDetection) -> Evaluation:
    numbers = [(PROBABILITY, percentage(task.confidence), PERCENT)]
    if task.tumor_detected:
        numbers.append((VOLUME, round(task.volume_ml, 3), MILLILITRE))
    return Evaluation("Tumour", NEOPLASM, task.tumor_detected, tuple(numbers))


def _absent(label: LabelSpec, region: Code) -> Evaluation:
    site = label.site(region)
    return Evaluation(
        label.sided_name, label.type, False, site=None if site == label.type else site, side=label.laterality
    )


def _finding(finding: Finding, region: Code) -> Evaluation:
    known = finding.probability is not None
    return replace(
        _absent(finding.label, region),
        present=finding.present,
        numbers=((PROBABILITY, percentage(finding.probability or 0.0), PERCENT),) if known else (),
        tracking=(finding.tracking_uid, finding.tracking_id),
    )


def _item(evaluation: Evaluation) -> sr.CodeContentItem:
    """Name the finding and say whether it is there: a reader who looks no further is not misled."""
    item = sr.CodeContentItem(
        concept(evaluation.code),
        concept(PRESENT if evaluation.present else ABSENT),
        relationship_type=sr.RelationshipTypeValues.CONTAINS,
    )
    children: list[sr.ContentItem] = [*_where(evaluation)]
    children += [
        sr.NumContentItem(
            concept(what), value, concept(unit), relationship_type=sr.RelationshipTypeValues.HAS_PROPERTIES
        )
        for what, value, unit in evaluation.numbers
    ]
    if evaluation.tracking is not None:
        uid, name = evaluation.tracking
        context = sr.RelationshipTypeValues.HAS_OBS_CONTEXT
        children += [
            sr.TextContentItem(codes.DCM.TrackingIdentifier, name, relationship_type=context),
            sr.UIDRefContentItem(codes.DCM.TrackingUniqueIdentifier, uid, relationship_type=context),
        ]
    if children:
        item.ContentSequence = sr.ContentSequence(children)
    return item


def _where(evaluation: Evaluation) -> Iterator[sr.ContentItem]:
    """Say where it was looked for: the site with its side, or the side alone where the code is its own site."""
    modifier = sr.RelationshipTypeValues.HAS_CONCEPT_MOD
    side = evaluation.side
    sides = [] if side is None else [sr.CodeContentItem(concept(LATERALITY), concept(side), modifier)]
    if evaluation.site is None:
        yield from sides
        return
    site = sr.CodeContentItem(concept(FINDING_SITE), concept(evaluation.site), modifier)
    if sides:
        site.ContentSequence = sr.ContentSequence(sides)
    yield site
