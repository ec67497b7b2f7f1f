"""The segmentation as a DICOM Segmentation (PS3.3 section A.51) or Label Map Segmentation (PS3.3 section A.94).

BINARY is what every archive takes and every viewer shows. Archives before Orthanc 1.12 refuse the presentation
context of a Label Map, and OHIF does not show FRACTIONAL.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
from highdicom.seg import Segmentation as HighdicomSegmentation
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, Segmentation
from inference.domain.codes import ANATOMICAL_STRUCTURE, ARTIFICIAL_INTELLIGENCE
from inference.domain.masks import overlap
from inference.domain.model_spec import LabelSpec, ModelSpec
from inference.domain.result import Segment
from inference.encoding.concepts import concept
from inference.encoding.equipment import (
    Imprint,
    contribution,
    equipment_of,
    series_description,
)
from inference.encoding.seg_frames import Drawn, list_frames, pixels
from inference.encoding.seg_groups import refer_to_instances, with_frames
from inference.encoding.seg_pixels import CERTAIN
from inference.encoding.series_numbers import series_number
from inference.encoding.source_images import SourceImages

_LONGEST: Final = 64
"""Characters of Content Description, an LO (PS3.5 section 6.2)."""

_USE: Final = "AI segmentation, research use only"


def encoded_as(drawn: Drawn, kind: Segmentation) -> Segmentation:
    """Give the kind that a segmentation is encoded as where another one is asked for.

    A label map holds no segments that overlap, and nothing is fractional without probabilities: those are BINARY.

    Parameters
    ----------
    drawn
        What was drawn.
    kind
        What is asked for.
    """
    if kind is Segmentation.FRACTIONAL and drawn.probabilities is None:
        return Segmentation.BINARY
    if kind is Segmentation.LABELMAP and overlap(drawn.masks):
        return Segmentation.BINARY
    return kind


def build_seg(
    images: SourceImages, drawn: Drawn, imprint: Imprint, kind: Segmentation = Segmentation.BINARY
) -> Dataset:
    """Build the Segmentation: one frame per segment and source frame on which it is seen.

    Of a label map, one per source frame on which anything is seen.

    highdicom makes the object with a single frame, which takes it no time; the others are added here, since it takes
    it seconds to describe thousands.

    Parameters
    ----------
    images
        The source.
    drawn
        What was drawn; segments may overlap.
    imprint
        Model, identifiers and time.
    kind
        How it is encoded, as far as that is possible: ``encoded_as`` says what it becomes. What is BINARY has the
        same identifiers, whatever was asked for.

    Returns
    -------
    Dataset
        Its frames are encoded already, and its Pixel Data is a buffer.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        As highdicom does, if the source does not allow it.
    """
    kind = encoded_as(drawn, kind)
    seg = _with_one_frame(images, drawn, imprint, kind)
    if kind is Segmentation.LABELMAP:
        # Viewers list segment 0, "Background", and colour the others by its place; the standard does not ask for it.
        seg.SegmentSequence = [item for item in seg.SegmentSequence if item.SegmentNumber != 0]
    elif kind is Segmentation.BINARY:
        seg.SegmentsOverlap = "YES" if overlap(drawn.masks) else "NO"
    elif len(drawn.segments) > 1:
        seg.SegmentsOverlap = "UNDEFINED"
    seg.ContentCreatorName = ""
    refer_to_instances(seg, images)
    imprint.press(seg, images.header)
    frames = list_frames(images, drawn, kind)
    return with_frames(seg, images, frames, pixels(images, drawn, frames))


def _with_one_frame(images: SourceImages, drawn: Drawn, imprint: Imprint, kind: Segmentation) -> Dataset:
    spec, uids = imprint.spec, imprint.uids
    name = "SEG" if kind is Segmentation.BINARY else f"SEG-{kind.value}"
    return HighdicomSegmentation(
        source_images=images.images[:1],
        pixel_array=np.ones((1, images.header.Rows, images.header.Columns), dtype=np.uint8),
        segmentation_type=kind.name,
        segment_descriptions=[_describe(segment, spec) for segment in drawn.segments],
        series_instance_uid=uids.series(name),
        series_number=series_number(spec, ArtifactKind.SEG),
        sop_instance_uid=uids.instance(name),
        instance_number=1,
        **equipment_of(spec.reference),
        max_fractional_value=CERTAIN,
        content_label="SEGMENTATION",
        content_description=_content_description(drawn, spec),
        contributing_equipment=[contribution(spec.reference)],
        series_description=series_description(spec.title, ""),
    )


def _content_description(drawn: Drawn, spec: ModelSpec) -> str:
    """Say what this is, and which labels were looked for and are not in it; how many, where there is no room."""
    found = {segment.label.value for segment in drawn.segments}
    absent = [label.name for label in spec.labels if label.value not in found]
    if not absent:
        return _USE
    named = f"{_USE}; not found: {', '.join(absent)}"
    return named if len(named) <= _LONGEST else f"{_USE}; {len(absent)} labels not found"


def _describe(segment: Segment, spec: ModelSpec) -> SegmentDescription:
    """Describe a segment (PS3.3 section C.8.20.4), with the tracking identity that SR and FHIR share."""
    label = segment.label
    algorithm = AlgorithmIdentificationSequence(
        name=spec.reference.model_id,
        family=concept(ARTIFICIAL_INTELLIGENCE),
        version=spec.reference.version,
        source=spec.manufacturer,
    )
    is_structure = label.category == ANATOMICAL_STRUCTURE
    description = SegmentDescription(
        segment_number=segment.number,
        segment_label=label.name,
        segmented_property_category=concept(label.category),
        segmented_property_type=concept(label.type),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm,
        tracking_uid=segment.volume.tracking_uid,
        tracking_id=segment.volume.tracking_id,
        anatomic_regions=None if is_structure else [concept(label.site(spec.publication.region))],
        display_color=CIELabColor.from_rgb(*label.colour_rgb),
    )
    _add_side(description, label)
    return description


def _add_side(description: SegmentDescription, label: LabelSpec) -> None:
    """Say on which side it is: of a structure its type is modified, of anything else the region that it lies in."""
    if label.laterality is None:
        return
    side = [concept(label.laterality)]
    if label.category == ANATOMICAL_STRUCTURE:
        description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = side
    else:
        description.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = side
