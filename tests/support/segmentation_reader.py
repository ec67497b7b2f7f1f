"""A BINARY SEG as an independent eye reads it: pydicom only, none of the project's code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array


@dataclass(frozen=True)
class SegmentPoints:
    """One segment.

    Parameters
    ----------
    label
        Segment Label.
    tracking_uid
        Tracking UID.
    points_lps_mm
        Voxel centres in patient coordinates, one a row.
    volume_ml
        Voxel count times the volume of a voxel (pixel spacing × distance of slices).
    sources
        Referenced SOP Instance UID and 0-based (row, column) indices, frame by frame.
    """

    label: str
    tracking_uid: str
    points_lps_mm: NDArray[np.float64]
    volume_ml: float
    sources: list[tuple[str, NDArray[np.intp]]]

    @property
    def centroid(self) -> NDArray[np.float64]:
        """Centre of gravity, LPS mm."""
        centre: NDArray[np.float64] = self.points_lps_mm.mean(axis=0)
        return centre


def read_segments(seg: Dataset) -> dict[str, SegmentPoints]:
    """Read the segments of a SEG by their label.

    Only the functional groups are used: Plane Position and Plane Orientation (PS3.3 sections C.7.6.16.2.3 and
    C.7.6.16.2.4), Pixel Measures, Derivation Image.
    """
    shared = seg.SharedFunctionalGroupsSequence[0]
    measures = shared.PixelMeasuresSequence[0]
    down_mm, across_mm = (float(value) for value in measures.PixelSpacing)
    orientation = [float(v) for v in shared.PlaneOrientationSequence[0].ImageOrientationPatient]
    along_row, down_column = np.array(orientation[:3]), np.array(orientation[3:])
    voxel_ml = down_mm * across_mm * _between_slices_mm(seg, np.cross(along_row, down_column)) / 1000
    points: dict[int, list[NDArray[np.float64]]] = {}
    sources: dict[int, list[tuple[str, NDArray[np.intp]]]] = {}
    for mask, groups in zip(pixel_array(seg), seg.PerFrameFunctionalGroupsSequence, strict=True):
        identification = groups.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence
        number = int(identification[0].ReferencedSegmentNumber)
        position = np.array([float(v) for v in groups.PlanePositionSequence[0].ImagePositionPatient])
        indices = np.argwhere(mask > 0)
        lps = position + indices[:, 1:2] * across_mm * along_row + indices[:, 0:1] * down_mm * down_column
        points.setdefault(number, []).append(lps)
        source = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        sources.setdefault(number, []).append((str(source), indices))
    return {
        str(segment.SegmentLabel): SegmentPoints(
            str(segment.SegmentLabel),
            str(segment.TrackingUID),
            np.concatenate(points[int(segment.SegmentNumber)]),
            voxel_ml * sum(len(p) for p in points[int(segment.SegmentNumber)]),
            sources[int(segment.SegmentNumber)],
        )
        for segment in seg.SegmentSequence
    }


def _between_slices_mm(seg: Dataset, normal: NDArray[np.float64]) -> float:
    """Give Spacing Between Slices; for a tilted stack, which has none, the least distance of its planes."""
    measures = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    if "SpacingBetweenSlices" in measures:
        return float(measures.SpacingBetweenSlices)
    positions = [
        frame.PlanePositionSequence[0].ImagePositionPatient for frame in seg.PerFrameFunctionalGroupsSequence
    ]
    heights = np.unique(np.round(np.array(positions, dtype=np.float64) @ normal, 4))
    return float(np.diff(heights).min())
