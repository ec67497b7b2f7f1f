"""What has a place, as measurement groups (PS3.16 TID 1410, TID 1411); each has image coordinates.

A structure is two groups under one tracking identity: TID 1411 with the segment and its volume, and TID 1410 with a
contour on the slice where the structure is largest and its area there. A viewer that needs image coordinates (OHIF
blanks the viewport without them) merges the two; a reader of segments finds its reference. A detection is one group,
TID 1410, with a point or the outline of its box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from highdicom import sr
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.domain.codes import (
    AREA,
    ARTIFICIAL_INTELLIGENCE,
    PERCENT,
    PRESENCE,
    PRESENT,
    PROBABILITY,
    SQUARE_MILLIMETRE,
)
from inference.domain.model_spec import LabelSpec, ModelSpec
from inference.domain.result import AnalysisResult, Finding, Place, Segment
from inference.domain.volume import SourceFrame, Volume
from inference.encoding.boxes import box_outline
from inference.encoding.census import Census
from inference.encoding.concepts import concept
from inference.encoding.contours import outline
from inference.encoding.equipment import NOTICE
from inference.encoding.key_slices import slice_of


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the report is about.

    Parameters
    ----------
    volume
        The source volume.
    result
        What was found on it.
    spec
        The model that found it.
    segmentation
        The Segmentation that holds the structures, and the count of what was drawn; None where there are none.
    """

    volume: Volume
    result: AnalysisResult
    spec: ModelSpec
    segmentation: tuple[Dataset, Census] | None


def measurement_groups(evidence: Evidence) -> list[sr.Template]:
    """Give the groups of all structures, then of all detections."""
    groups: list[sr.Template] = []
    if evidence.segmentation is not None:
        seg, census = evidence.segmentation
        for segment in evidence.result.segments:
            groups += [_volume_group(segment, seg, evidence.spec), _contour_group(segment, census, evidence)]
    groups += [
        _detection_group(finding, finding.place, evidence)
        for finding in evidence.result.findings
        if finding.place is not None
    ]
    return groups


def _volume_group(segment: Segment, seg: Dataset, spec: ModelSpec) -> sr.Template:
    """TID 1411: the segment and its volume."""
    volume = segment.volume
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=volume.tracking_uid, identifier=volume.tracking_id),
        referenced_segment=sr.ReferencedSegment(
            sop_class_uid=seg.SOPClassUID,
            sop_instance_uid=seg.SOPInstanceUID,
            segment_number=segment.number,
            source_series=sr.SourceSeriesForSegmentation(seg.ReferencedSeriesSequence[0].SeriesInstanceUID),
        ),
        finding_category=concept(segment.label.category),
        finding_type=concept(segment.label.type),
        finding_sites=[_site(segment.label, spec)],
        algorithm_id=_algorithm(spec),
        measurements=[sr.Measurement(concept(volume.quantity), _rounded(volume.value), concept(volume.unit))],
    )


def _contour_group(segment: Segment, census: Census, evidence: Evidence) -> sr.Template:
    """TID 1410: the contour on the slice where the structure is largest, the area within it, and its diameters."""
    spec, volume = evidence.spec, segment.volume
    areas = census.counts[:, segment.label.value]
    index = max(evidence.volume.framed, key=lambda each: int(areas[each]))
    contour = outline(evidence.result.plane(index, segment.label.value))
    _, row_mm, column_mm = evidence.volume.grid.spacing_mm
    area_mm2 = contour.area_px * row_mm * column_mm
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=volume.tracking_uid, identifier=volume.tracking_id),
        referenced_region=_region(sr.GraphicTypeValues.POLYLINE, contour.points, evidence.volume.framed[index]),
        finding_category=concept(segment.label.category),
        finding_type=concept(segment.label.type),
        finding_sites=[_site(segment.label, spec)],
        algorithm_id=_algorithm(spec),
        measurements=[
            sr.Measurement(concept(AREA), _rounded(area_mm2), concept(SQUARE_MILLIMETRE)),
            *(sr.Measurement(concept(m.quantity), _rounded(m.value), concept(m.unit)) for m in segment.diameters),
        ],
    )


def _detection_group(finding: Finding, place: Place, evidence: Evidence) -> sr.Template:
    """TID 1410: a point or the outline of a box on the slice nearest to its middle, and its probability."""
    spec = evidence.spec
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=finding.tracking_uid, identifier=finding.tracking_id),
        referenced_region=_detected_region(place, evidence.volume),
        finding_category=concept(finding.label.category),
        finding_type=concept(finding.label.type),
        finding_sites=[_site(finding.label, spec)],
        algorithm_id=_algorithm(spec),
        measurements=[] if finding.probability is None else [_probability(finding.probability)],
        qualitative_evaluations=[sr.QualitativeEvaluation(concept(PRESENCE), concept(PRESENT))],
    )


def _detected_region(place: Place, volume: Volume) -> sr.ImageRegion:
    """Draw a detection on the slice nearest to its middle among those that a source image shows."""
    _, *row_column = volume.grid.to_index(place.centre_lps_mm)
    index = slice_of(place, volume)
    frame = volume.framed[index]
    shape = volume.grid.shape[1:]
    corners = volume.grid.to_index(np.array(place.corners_lps_mm).reshape(-1, 3))
    points = box_outline(corners, index, shape)
    if points is not None:
        return _region(sr.GraphicTypeValues.POLYLINE, points, frame)
    centre = np.clip(np.array(row_column) + 0.5, 0, shape)[::-1]
    return _region(sr.GraphicTypeValues.POINT, centre.reshape(1, 2), frame)


def _region(kind: sr.GraphicTypeValues, points: NDArray[np.float64], frame: SourceFrame) -> sr.ImageRegion:
    return sr.ImageRegion(
        graphic_type=kind,
        graphic_data=points,
        source_image=sr.SourceImageForRegion(
            referenced_sop_class_uid=frame.sop_class_uid,
            referenced_sop_instance_uid=frame.sop_instance_uid,
            referenced_frame_numbers=None if frame.frame_number is None else [frame.frame_number],
        ),
    )


def _probability(probability: float) -> sr.Measurement:
    return sr.Measurement(concept(PROBABILITY), percentage(probability), concept(PERCENT))


def percentage(probability: float) -> float:
    """Give a probability as it is reported, in percent and without digits that mean nothing."""
    return round(100 * probability, 2)


def _rounded(value: float) -> float:
    """Leave out the digits that only come from binary fractions."""
    return round(value, 6)


def _site(label: LabelSpec, spec: ModelSpec) -> sr.FindingSite:
    """Name where the finding is; OHIF writes the site beside the contour, and no other name of the finding."""
    site = label.site(spec.publication.region)
    return sr.FindingSite(concept(site), laterality=None if label.laterality is None else concept(label.laterality))


def _algorithm(spec: ModelSpec) -> sr.AlgorithmIdentification:
    """Name the model (TID 4019) with the digest of its weights."""
    return sr.AlgorithmIdentification(
        name=spec.reference.model_id,
        version=spec.reference.version,
        parameters=[f"weights sha256 {spec.reference.digest}", NOTICE],
        family=concept(ARTIFICIAL_INTELLIGENCE),
        manufacturer=spec.manufacturer,
    )
