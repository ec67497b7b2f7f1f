"""The findings as a TID 1500 Measurement Report in a Comprehensive SR (PS3.16 TID 1500, PS3.3 section A.35.3)."""

from __future__ import annotations

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from inference.domain.codes import FINDINGS_REPORT, IMAGING_MEASUREMENT_REPORT
from inference.domain.model_spec import ModelSpec
from inference.encoding.concepts import concept
from inference.encoding.equipment import (
    MANUFACTURER,
    MODEL_NAME,
    Imprint,
    contribution,
    observer,
    serial_number,
    series_description,
    software_versions,
)
from inference.encoding.source_images import SourceImages
from inference.encoding.sr_evaluations import evaluations, qualitative_evaluations
from inference.encoding.sr_groups import Evidence, measurement_groups


def build_sr(images: SourceImages, evidence: Evidence, imprint: Imprint) -> Dataset:
    """Build the report: complete, not verified, preliminary (PS3.3 section C.17.2).

    Totals over several structures are not in it, since they have no segment to draw; FHIR carries them.

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

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        As highdicom does, if the source does not allow it.
    """
    spec, uids = imprint.spec, imprint.uids
    groups, unplaced = measurement_groups(evidence), evaluations(evidence.result)
    report = _report(spec, is_drawn=bool(groups))
    if groups:
        report.ContentSequence.extend(sr.ImageLibrary(_library(images)))
        report.ContentSequence.append(_imaging_measurements(groups))
    if unplaced:
        report.ContentSequence.append(qualitative_evaluations(unplaced))
    drawn = [] if evidence.segmentation is None else [evidence.segmentation[0]]
    document = sr.ComprehensiveSR(
        evidence=[*images.instances, *drawn],
        content=report,
        series_instance_uid=uids.series("SR"),
        series_number=spec.publication.series_number + 1,
        sop_instance_uid=uids.instance("SR"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=software_versions(spec.reference),
        device_serial_number=serial_number(spec.reference),
        is_complete=True,
        is_final=False,
        is_verified=False,
        performed_procedure_codes=[concept(spec.publication.procedure)],
        contributing_equipment=[contribution(spec.reference)],
        series_description=series_description(spec.title, "measurements" if groups else "findings"),
    )
    for library in document.ContentSequence.find(codes.DCM.ImageLibrary):
        _list_all(images, library)
    imprint.press(document, images.header)
    return document


def _report(spec: ModelSpec, *, is_drawn: bool) -> sr.ContainerContentItem:
    """Give the root of TID 1500 with its language, observer and procedure.

    ``highdicom.sr.MeasurementReport`` cannot make one without measurement groups.
    """
    title = IMAGING_MEASUREMENT_REPORT if is_drawn else FINDINGS_REPORT
    root = sr.ContainerContentItem(concept(title), is_content_continuous=is_drawn, template_id="1500")
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
