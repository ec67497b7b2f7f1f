"""The frames of a Segmentation: one per segment and source image on which it is seen, and the pixels of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from inference.domain.artifact import Segmentation
from inference.domain.masks import Masks, plane
from inference.domain.result import Segment
from inference.encoding.seg_pixels import eight_bits, one_bit
from inference.encoding.source_images import SourceImages


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a Segmentation shows.

    Parameters
    ----------
    masks
        What was drawn, on the grid of the volume.
    segments
        What of it to encode, in order of segment number, which counts up from 1.
    probabilities
        (labels, slices, rows, columns) uint8 ndarray in order of label value, 255 for certainty; None where the
        model gives none or nobody asked.
    """

    masks: Masks
    segments: Sequence[Segment]
    probabilities: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames of one object, in their order: by segment, then by place.

    Parameters
    ----------
    kind
        How they are encoded.
    segments : (frames,) int ndarray
        Index of the segment of each; all 0 in a label map, which shows all in one frame.
    images : (frames,) int ndarray
        Index of the source image of each.
    places : (frames,) int ndarray
        Dimension index of each: its place among the images that show anything, counted from 1.
    """

    kind: Segmentation
    segments: NDArray[np.intp]
    images: NDArray[np.intp]
    places: NDArray[np.intp]


def list_frames(images: SourceImages, drawn: Drawn, kind: Segmentation) -> Frames:
    """List the frames on which something is seen.

    Parameters
    ----------
    images
        The source.
    drawn
        What was drawn.
    kind
        How it is encoded.
    """
    order = _along_the_normal(images)
    seen = _seen(images, drawn, kind)[order]
    if kind is Segmentation.LABELMAP:
        seen = np.any(seen, axis=1, keepdims=True)
    places: NDArray[np.intp] = np.cumsum(np.any(seen, axis=1), dtype=np.intp)
    segments, rows = np.nonzero(seen.T)
    return Frames(kind, segments, order[rows], places[rows])


def pixels(images: SourceImages, drawn: Drawn, frames: Frames) -> BytesIO:
    """Encode the pixels of all frames as Pixel Data.

    Parameters
    ----------
    images, drawn
        The source, and what was drawn on it.
    frames
        Which frames there are.
    """
    values = [segment.label.value for segment in drawn.segments]
    listed = [
        (values[segment], images.planes[image]) for segment, image in zip(frames.segments, frames.images, strict=True)
    ]
    if frames.kind is Segmentation.LABELMAP:
        return eight_bits(_numbered(drawn.masks, values, index) for _, index in listed)
    if frames.kind is Segmentation.FRACTIONAL and drawn.probabilities is not None:
        probabilities = drawn.probabilities
        return eight_bits(probabilities[value - 1, index] for value, index in listed)
    return one_bit(plane(drawn.masks, index, value) for value, index in listed)


def _numbered(masks: Masks, values: Sequence[int], slice_index: int) -> NDArray[np.uint8]:
    """Give the segment numbers on one slice, (rows, columns), 0 where there is none."""
    if masks.ndim == 4:
        numbers = np.zeros(masks.shape[2:], dtype=np.uint8)
        for number, value in enumerate(values, start=1):
            numbers[masks[value - 1, slice_index]] = number
        return numbers
    number_of = np.zeros(256, dtype=np.uint8)
    number_of[list(values)] = np.arange(1, len(values) + 1)
    renumbered: NDArray[np.uint8] = number_of[masks[slice_index]]
    return renumbered


def _along_the_normal(images: SourceImages) -> NDArray[np.intp]:
    """Sort the images against the normal of their planes, the order of highdicom and of what it reads."""
    cosines = np.array(images.header.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    return np.argsort(-positions_of(images) @ np.cross(*cosines), kind="stable")


def positions_of(images: SourceImages) -> NDArray[np.float64]:
    """Give Image Position (Patient) of every source image, (images, 3), LPS mm."""
    return np.array([image.ImagePositionPatient for image in images.images], dtype=np.float64)


def _seen(images: SourceImages, drawn: Drawn, kind: Segmentation) -> NDArray[np.bool_]:
    """Tell on which image which segment is seen, (images, segments)."""
    values = np.array([segment.label.value for segment in drawn.segments], dtype=np.intp)
    layers = drawn.probabilities if kind is Segmentation.FRACTIONAL else drawn.masks
    if layers is not None and layers.ndim == 4:
        return np.array([[layers[value - 1, index].any() for value in values] for index in images.planes])
    seen = np.zeros((len(images.planes), 256), dtype=np.bool_)
    for row, index in zip(seen, images.planes, strict=True):
        row[drawn.masks[index].ravel()] = True
    return seen[:, values]
