"""A picture of a segmentation over its source, read back from the SEG as an archive holds it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array

from inference.domain.study import SeriesRevision
from inference.domain.volume import Volume
from inference.headers import read_headers
from inference.volume_builder import build_volume

OPACITY = 0.45
HEIGHT_PIXELS = 480


def draw_overlay(series: SeriesRevision, seg_path: Path, png_path: Path) -> None:
    """Draw three planes through the middle of the segmentation and write them side by side.

    Parameters
    ----------
    series
        The source series.
    seg_path
        A BINARY SEG file that refers to it.
    png_path
        Where the picture goes.
    """
    volume = build_volume(read_headers(series.instances))
    segmentation = dcmread(seg_path)
    labels = read_label_map(segmentation, volume)
    colours = _colours(segmentation)
    middle = np.argwhere(labels > 0).mean(axis=0).round().astype(int)
    planes = [_plane(volume, labels, colours, axis, int(middle[axis])) for axis in range(3)]
    picture = Image.new("RGB", (sum(p.width for p in planes), HEIGHT_PIXELS))
    left = 0
    for plane in planes:
        picture.paste(plane, (left, 0))
        left += plane.width
    picture.save(png_path)


def read_label_map(segmentation: Dataset, volume: Volume) -> NDArray[np.uint8]:
    """Put the frames of a BINARY SEG back onto the source grid.

    Parameters
    ----------
    segmentation
        The SEG (PS3.3 section A.51).
    volume
        The source volume, whose frames the SEG refers to.

    Returns
    -------
    (slices, rows, columns) uint8 ndarray
        Segment numbers, 0 where there is none.
    """
    slice_of = {frame.sop_instance_uid: index for index, frame in enumerate(volume.frames) if frame is not None}
    masks = pixel_array(segmentation).reshape(-1, *volume.grid.shape[1:])  # a single frame comes without its axis
    labels = np.zeros(volume.grid.shape, dtype=np.uint8)
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    for mask, groups in zip(masks, segmentation.PerFrameFunctionalGroupsSequence, strict=True):
        source = _macro("DerivationImageSequence", groups, shared).SourceImageSequence[0].ReferencedSOPInstanceUID
        number = int(_macro("SegmentIdentificationSequence", groups, shared).ReferencedSegmentNumber)
        labels[slice_of[source]][mask > 0] = number
    return labels


def _macro(keyword: str, groups: Dataset, shared: Dataset) -> Dataset:
    """Give a functional group; one that all frames have in common is shared (PS3.3 section C.7.6.16)."""
    item: Dataset = (groups if keyword in groups else shared)[keyword].value[0]
    return item


def _colours(segmentation: Dataset) -> NDArray[np.float64]:
    from highdicom.color import CIELabColor

    colours = np.zeros((len(segmentation.SegmentSequence) + 1, 3))
    for segment in segmentation.SegmentSequence:
        lab = CIELabColor.from_dicom_value(segment.RecommendedDisplayCIELabValue)
        colours[int(segment.SegmentNumber)] = lab.to_rgb()
    return colours


def _plane(
    volume: Volume, labels: NDArray[np.uint8], colours: NDArray[np.float64], axis: int, index: int
) -> Image.Image:
    grey = np.take(volume.array, index, axis)
    label = np.take(labels, index, axis)
    low, high = np.percentile(volume.array, (1, 99.5))
    base = np.clip((grey - low) / max(high - low, 1e-6), 0, 1)[..., None] * 255.0
    mixed = np.where(label[..., None] > 0, base * (1 - OPACITY) + colours[label] * OPACITY, base)
    down, across = (s for a, s in enumerate(volume.grid.spacing_mm) if a != axis)
    if axis != 0 and volume.grid.steps_mm[2, 0] > 0:
        mixed = mixed[::-1]
    width = round(HEIGHT_PIXELS * mixed.shape[1] * across / (mixed.shape[0] * down))
    return Image.fromarray(mixed.astype(np.uint8)).resize((width, HEIGHT_PIXELS), Image.Resampling.BILINEAR)
