"""The segmentation as a DICOM Segmentation object (PS3.3 section A.51), kind BINARY.

Not Label Map: archives before Orthanc 1.12 refuse its presentation context and OHIF shifts its colours. Not
FRACTIONAL: OHIF does not show it.
"""

from __future__ import annotations

from collections.abc import Sequence

from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from pydicom.dataset import Dataset

from inference.domain.codes import ARTIFICIAL_INTELLIGENCE
from inference.domain.masks import Masks, numbered
from inference.domain.model_spec import ModelSpec
from inference.domain.result import Segment
from inference.encoding.concepts import concept
from inference.encoding.equipment import (
    MANUFACTURER,
    MODEL_NAME,
    Imprint,
    contribution,
    serial_number,
    series_description,
    software_versions,
)
from inference.encoding.source_images import SourceImages


def build_seg(images: SourceImages, masks: Masks, segments: Sequence[Segment], imprint: Imprint) -> Dataset:
    """Build the Segmentation: one frame per segment and source frame on which it is seen.

    Parameters
    ----------
    images
        The source.
    masks
        What was drawn; segments may overlap.
    segments
        What of it to encode, in order of segment number.
    imprint
        Model, identifiers and time.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        As highdicom does, if the source does not allow it.
    """
    spec, uids = imprint.spec, imprint.uids
    seg = Segmentation(
        source_images=images.images,
        pixel_array=images.stack(numbered(masks, [segment.label.value for segment in segments])),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(segment, spec) for segment in segments],
        series_instance_uid=uids.series("SEG"),
        series_number=spec.publication.series_number,
        sop_instance_uid=uids.instance("SEG"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=software_versions(spec.reference),
        device_serial_number=serial_number(spec.reference),
        content_label="SEGMENTATION",
        content_description="AI segmentation, research use only",
        omit_empty_frames=True,
        contributing_equipment=[contribution(spec.reference)],
        series_description=series_description(spec.title, ""),
    )
    images.refer(seg)
    seg.ContentCreatorName = ""
    imprint.press(seg, images.header)
    return seg


def _describe(segment: Segment, spec: ModelSpec) -> SegmentDescription:
    """Describe a segment (PS3.3 section C.8.20.4), with the tracking identity that SR and FHIR share."""
    algorithm = AlgorithmIdentificationSequence(
        name=spec.reference.model_id,
        family=concept(ARTIFICIAL_INTELLIGENCE),
        version=spec.reference.version,
        source=spec.manufacturer,
    )
    return SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.label.name,
        segmented_property_category=concept(segment.label.category),
        segmented_property_type=concept(segment.label.type),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm,
        tracking_uid=segment.volume.tracking_uid,
        tracking_id=segment.volume.tracking_id,
        display_color=CIELabColor.from_rgb(*segment.label.colour_rgb),
    )
