"""The measurements as a TID 1500 Measurement Report in a Comprehensive SR (PS3.16 TID 1500, PS3.3 section A.35.3).

Each finding is two measurement groups under one tracking identity: TID 1411 with the segment and its volume, and
TID 1410 with a contour on the slice where the structure is largest and its area there. A viewer that needs image
coordinates (OHIF blanks the viewport without them) merges the two; a reader of segments finds its reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from inference.domain.codes import (
    ANATOMICAL_STRUCTURE,
    AREA,
    ARTIFICIAL_INTELLIGENCE,
    IMAGING_MEASUREMENT_REPORT,
    SQUARE_MILLIMETRE,
)
from inference.domain.model_spec import ModelSpec
from inference.domain.result import Segment, AnalysisResult
from inference.domain.volume import SourceFrame, Volume
from inference.encoding.census import Census
from inference.encoding.contours import outline
from inference.encoding.equipment import (
    MANUFACTURER,
    MODEL_NAME,
    NOTICE,
    Imprint,
    contribution,
    device_uid,
    serial_number,
    series_description,
    software_versions,
)
from inference.encoding.seg import concept
from inference.encoding.source_images import SourceImages


@dataclass(frozen=True, eq=False)
class Findings:
    """What the report is about.

    Parameters
    ----------
    volume
        The source volume.
    result
        The findings on it.
    census
        Count of ``result.labels``.
    seg
        The Segmentation that holds them.
    """

    volume: Volume
    result: AnalysisResult
    census: Census
    seg: Dataset


def build_sr(images: SourceImages, findings: Findings, imprint: Imprint) -> Dataset:
    """Build the report: complete, not verified, preliminary (PS3.3 section C.17.2).

    Totals over several structures are not in it, since they have no segment to draw; FHIR carries them.

    Parameters
    ----------
    images
        The source.
    findings
        What was found.
    imprint
        Model, identifiers and time.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        As highdicom does, if the source does not allow it.
    """
    spec, uids = imprint.spec, imprint.uids
    report = sr.MeasurementReport(
        observation_context=_observed_by_device(spec),
        procedure_reported=concept(spec.publication.procedure),
        imaging_measurements=[
            group for segment in findings.result.segments for group in _groups(segment, findings, spec)
        ],
        title=concept(IMAGING_MEASUREMENT_REPORT),
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(
            sr.CodedConcept("en", "RFC5646", "English")
        ),
        referenced_images=_library(images),
    )
    document = sr.ComprehensiveSR(
        evidence=[*images.images, findings.seg],
        content=report[0],
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
        contributing_equipment=[contribution(spec)],
        series_description=series_description(spec.title, "measurements"),
    )
    _list_all(images, document.ContentSequence.find(codes.DCM.ImageLibrary)[0])
    imprint.press(document, images.header)
    return document


def _library(images: SourceImages) -> list[Dataset]:
    """Give one source of each SOP class for the Image Library (TID 1600), without the descriptors of TID 1604.

    These repeat each image's geometry, sixteen content items apiece, which the images themselves have; and a
    multi-frame image has no one position.
    """
    listed: dict[str, Dataset] = {}
    for image in images.images:
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
            for image in images.images
            if image.SOPClassUID in described
        ]


def _entry_like(described: sr.ImageContentItem, image: Dataset) -> sr.ImageContentItem:
    entry = sr.ImageContentItem(
        described.name, image.SOPClassUID, image.SOPInstanceUID, relationship_type=described.relationship_type
    )
    entry["ContentSequence"] = described["ContentSequence"]
    return entry


def _observed_by_device(spec: ModelSpec) -> sr.ObservationContext:
    """Name the node as the observer (TID 1002, TID 1004)."""
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=device_uid(spec.reference),
        name=MODEL_NAME,
        manufacturer_name=MANUFACTURER,
        model_name=spec.reference.model_id,
        serial_number=serial_number(spec.reference),
    )
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _groups(segment: Segment, findings: Findings, spec: ModelSpec) -> Sequence[sr.Template]:
    return [_volume_group(segment, findings, spec), _contour_group(segment, findings, spec)]


def _volume_group(segment: Segment, findings: Findings, spec: ModelSpec) -> sr.Template:
    """TID 1411: the segment and its volume."""
    volume = segment.volume
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(segment),
        referenced_segment=sr.ReferencedSegment(
            sop_class_uid=findings.seg.SOPClassUID,
            sop_instance_uid=findings.seg.SOPInstanceUID,
            segment_number=segment.number,
            source_series=sr.SourceSeriesForSegmentation(findings.seg.ReferencedSeriesSequence[0].SeriesInstanceUID),
        ),
        finding_category=concept(segment.label.category),
        finding_type=concept(segment.label.type),
        finding_sites=[_site(segment, spec)],
        algorithm_id=_algorithm(spec),
        measurements=[sr.Measurement(concept(volume.quantity), volume.value, concept(volume.unit))],
    )


def _contour_group(segment: Segment, findings: Findings, spec: ModelSpec) -> sr.Template:
    """TID 1410: the contour on the slice where the structure is largest, and the area within it."""
    index, frame = _largest_slice(segment, findings)
    contour = outline(findings.result.labels[index] == segment.label.value)
    _, row_mm, column_mm = findings.volume.grid.spacing_mm
    region = sr.ImageRegion(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        graphic_data=contour.points,
        source_image=sr.SourceImageForRegion(
            referenced_sop_class_uid=frame.sop_class_uid,
            referenced_sop_instance_uid=frame.sop_instance_uid,
            referenced_frame_numbers=None if frame.frame_number is None else [frame.frame_number],
        ),
    )
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(segment),
        referenced_region=region,
        finding_category=concept(segment.label.category),
        finding_type=concept(segment.label.type),
        finding_sites=[_site(segment, spec)],
        algorithm_id=_algorithm(spec),
        measurements=[
            sr.Measurement(concept(AREA), contour.area_px * row_mm * column_mm, concept(SQUARE_MILLIMETRE))
        ],
    )


def _largest_slice(segment: Segment, findings: Findings) -> tuple[int, SourceFrame]:
    """Find the slice with most of a structure among those that a source image shows."""
    areas = findings.census.counts[:, segment.label.value]
    framed = [(index, frame) for index, frame in enumerate(findings.volume.frames) if frame is not None]
    return max(framed, key=lambda item: int(areas[item[0]]))


def _site(segment: Segment, spec: ModelSpec) -> sr.FindingSite:
    """Name where the finding is: a structure is its own site, anything else lies in the region of the model.

    OHIF writes the site beside the contour, and no other name of the finding.
    """
    is_structure = segment.label.category == ANATOMICAL_STRUCTURE
    return sr.FindingSite(concept(segment.label.type if is_structure else spec.publication.region))


def _tracking(segment: Segment) -> sr.TrackingIdentifier:
    return sr.TrackingIdentifier(uid=segment.volume.tracking_uid, identifier=segment.volume.tracking_id)


def _algorithm(spec: ModelSpec) -> sr.AlgorithmIdentification:
    """Name the model (TID 4019) with the digest of its weights."""
    return sr.AlgorithmIdentification(
        name=spec.reference.model_id,
        version=spec.reference.version,
        parameters=[f"weights sha256 {spec.reference.digest}", NOTICE],
        family=concept(ARTIFICIAL_INTELLIGENCE),
        manufacturer=spec.manufacturer,
    )
