"""The findings as a TID 1500 Measurement Report in a Comprehensive SR (PS3.16 TID 1500, PS3.3 section A.35.3)."""

from __future__ import annotations

from collections.abc import Sequence

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from inference.domain.artifact import ArtifactKind, Segmentation
from inference.domain.codes import FINDINGS_REPORT, IMAGING_MEASUREMENT_REPORT, Code
from inference.domain.model_spec import ModelSpec
from inference.domain.study import InstanceIdentity
from inference.encoding.concepts import concept
from inference.encoding.equipment import (
    Imprint,
    contribution,
    equipment_of,
    observer,
    series_description,
)
from inference.encoding.series_numbers import series_number
from inference.encoding.source_images import SourceImages
from inference.encoding.sr_evaluations import evaluations, qualitative_evaluations
from inference.encoding.sr_groups import Evidence, measurement_groups


def build_sr(
    images: SourceImages, evidence: Evidence, imprint: Imprint, predecessors: Sequence[InstanceIdentity] = ()
) -> Dataset:
    """Build the report: complete, not verified, preliminary (PS3.3 section C.17.2).

    Totals over several structures are said in words, since they have no segment to draw; FHIR carries them as
    numbers.

    A report of nothing that could be drawn has a title of its own and no Image Library: OHIF throws on a measurement
    report without a measurement, and shows any other as text, in which every image of a library is a line before the
    first word that matters. Its sources are in its evidence.

    Parameters
    ----------
    images
        The source.
    evidence
        What was found.
    imprint
        Model, identifiers and time.
    predecessors
        The reports of an earlier result that this one replaces: all of them, since not every archive has each. The
        SOP Instance UID depends on them too, for an archive keeps the bytes that it had under a UID.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        As highdicom does, if the source does not allow it.
    """
    spec, uids, name = imprint.spec, imprint.uids, _name(evidence)
    groups, totals = measurement_groups(evidence), evidence.result.totals
    unplaced = evaluations(evidence.result, spec.publication.region)
    report = report_root(IMAGING_MEASUREMENT_REPORT if groups else FINDINGS_REPORT, spec, is_continuous=bool(groups))
    if groups:
        report.ContentSequence.extend(sr.ImageLibrary(_library(images)))
        report.ContentSequence.append(_imaging_measurements(groups))
    warnings = evidence.volume.warnings
    if unplaced or totals or warnings:
        report.ContentSequence.append(qualitative_evaluations(unplaced, totals, warnings))
    drawn = [] if evidence.segmentation is None else [evidence.segmentation[0]]
    document = sr.ComprehensiveSR(
        evidence=[*images.instances, *drawn],
        content=report,
        series_instance_uid=uids.series(name),
        series_number=series_number(spec, ArtifactKind.SR),
        sop_instance_uid=uids.instance(" ".join((name, *(each.sop_instance_uid for each in predecessors)))),
        instance_number=1,
        **equipment_of(spec.reference),
        is_complete=True,
        is_final=False,
        is_verified=False,
        previous_versions=[as_evidence(each) for each in predecessors] or None,
        performed_procedure_codes=[concept(spec.publication.procedure)],
        contributing_equipment=[contribution(spec.reference)],
        series_description=series_description(spec.title, "measurements" if groups else "findings"),
    )
    for library in document.ContentSequence.find(codes.DCM.ImageLibrary):
        _list_all(images, library)
    imprint.press(document, images.header)
    return document


def report_root(
    title: Code, spec: ModelSpec, *, is_continuous: bool, template_id: str | None = "1500"
) -> sr.ContainerContentItem:
    """Give the root of a report with its language, observer and procedure, as TID 1500 begins.

    ``highdicom.sr.MeasurementReport`` cannot make one without measurement groups.

    Parameters
    ----------
    title
        Concept name of the root.
    spec
        The model that observed.
    is_continuous
        Whether viewers may run its items together as one text.
    template_id
        Template of PS3.16; None where there is none.
    """
    root = sr.ContainerContentItem(concept(title), is_content_continuous=is_continuous, template_id=template_id)
    root.ContentSequence = sr.ContentSequence()
    english = sr.CodedConcept("en", "RFC5646", "English")
    root.ContentSequence.extend(sr.LanguageOfContentItemAndDescendants(english))
    root.ContentSequence.extend(sr.ObservationContext(observer_device_context=observer(spec.reference)))
    procedure = sr.CodeContentItem(
        codes.DCM.ProcedureReported,
        concept(spec.publication.procedure),
        relationship_type=sr.RelationshipTypeValues.HAS_CONCEPT_MOD,
    )
    root.ContentSequence.append(procedure)
    return root


def as_evidence(identity: InstanceIdentity) -> Dataset:
    """Give an instance in the form in which highdicom takes what a document refers to."""
    instance = Dataset()
    instance.StudyInstanceUID = identity.study_instance_uid
    instance.SeriesInstanceUID = identity.series_instance_uid
    instance.SOPInstanceUID = identity.sop_instance_uid
    instance.SOPClassUID = identity.sop_class_uid
    return instance


def _name(evidence: Evidence) -> str:
    """Tell the report on each encoding of a segmentation from the others, for each refers to its own."""
    if evidence.segmentation is None:
        return "SR"
    kind = Segmentation(evidence.segmentation[0].SegmentationType.lower())
    return "SR" if kind is Segmentation.BINARY else f"SR-{kind.value}"


def _imaging_measurements(groups: list[sr.Template]) -> sr.ContainerContentItem:
    container = sr.ContainerContentItem(
        codes.DCM.ImagingMeasurements, relationship_type=sr.RelationshipTypeValues.CONTAINS
    )
    container.ContentSequence = sr.ContentSequence()
    for group in groups:
        container.ContentSequence.extend(group)
    return container


def _library(images: SourceImages) -> list[Dataset]:
    """Give one source of each SOP class for the Image Library (TID 1600), without the descriptors of TID 1604.

    These repeat each image's geometry, sixteen content items apiece, which the images themselves have; and a
    multi-frame image has no one position.
    """
    listed: dict[str, Dataset] = {}
    for image in images.instances:
        if image.SOPClassUID in listed:
            continue
        entry = Dataset()
        for keyword in ("SOPClassUID", "SOPInstanceUID", "FrameOfReferenceUID", "Rows", "Columns"):
            entry[keyword] = image[keyword]
        entry.Modality = ""
        listed[image.SOPClassUID] = entry
    return list(listed.values())


def _list_all(images: SourceImages, library: Dataset) -> None:
    """Give every source the entry in the Image Library that highdicom made for one of its SOP class.

    They differ in the reference alone, and it takes highdicom seconds to describe, search and copy hundreds of them.
    """
    for group in library.ContentSequence:
        described = {entry.referenced_sop_class_uid: entry for entry in group.ContentSequence}
        group.ContentSequence = [
            _entry_like(described[image.SOPClassUID], image)
            for image in images.instances
            if image.SOPClassUID in described
        ]


def _entry_like(described: sr.ImageContentItem, image: Dataset) -> sr.ImageContentItem:
    entry = sr.ImageContentItem(
        described.name, image.SOPClassUID, image.SOPInstanceUID, relationship_type=described.relationship_type
    )
    entry["ContentSequence"] = described["ContentSequence"]
    return entry
