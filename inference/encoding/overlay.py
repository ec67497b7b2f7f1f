"""A slice as a colour picture with what was found drawn on it, in true proportions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inference.domain.geometry import Grid
from inference.domain.masks import plane
from inference.domain.result import AnalysisResult, Finding, Place, Segment
from inference.domain.volume import Volume
from inference.encoding.boxes import box_outline
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.key_slices import key_slices, placed, slice_of
from inference.encoding.painting import EDGE_PX, Rgb, paint, picture_size
from inference.encoding.typeface import image_font
from inference.encoding.windowing import Window, window_of

_CROSS_PX: Final = 12
_WHITE: Final = (255, 255, 255)
_BLACK: Final = (0, 0, 0)
_OBLIQUE: Final = 0.3
"""Part of a direction from which on its letter is named."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """A picture of one slice.

    Parameters
    ----------
    slice_index
        Which.
    pixels : (rows, columns, 3) uint8 ndarray
        Red, green, blue; pixels are square.
    segments
        Structures that are seen on it, the largest there first.
    findings
        Detections that are drawn on it.
    """

    slice_index: int
    pixels: Rgb
    segments: tuple[Segment, ...]
    findings: tuple[Finding, ...]


def draw_overlays(source: EncodingInput, most: int, sides_px: tuple[int, int]) -> list[Overlay]:
    """Draw the slices that show a result best, in slice order.

    Parameters
    ----------
    source
        Volume and result.
    most
        How many at most.
    sides_px
        Shortest and longest allowed length of a picture's longest side, in pixels.
    """
    volume, result = source.volume, source.result
    window = window_of(volume, source.data_sets)
    size = picture_size(volume.grid.shape[1:], volume.grid.spacing_mm[1:], *sides_px)
    return [_draw(volume, result, index, window, size) for index in key_slices(volume, result, most)]


def letters(direction: NDArray[np.float64]) -> str:
    """Name a direction of the patient (PS3.3 section C.7.6.1.1.1), the strongest part first, e.g. ``LA``.

    Parameters
    ----------
    direction : (3,) ndarray
        In LPS, any length.
    """
    parts = direction / np.linalg.norm(direction)
    strongest = sorted(range(3), key=lambda axis: -abs(parts[axis]))
    named = [axis for axis in strongest if abs(parts[axis]) > _OBLIQUE]
    return "".join("LPH"[axis] if parts[axis] > 0 else "RAF"[axis] for axis in named)


def _draw(volume: Volume, result: AnalysisResult, index: int, window: Window, size: tuple[int, int]) -> Overlay:
    rows, columns = size
    grey = Image.fromarray(window.grey(volume.array[index])).resize((columns, rows), Image.Resampling.BICUBIC)
    pixels = np.repeat(np.asarray(grey)[:, :, None], 3, axis=2)
    segments = _seen(result, index)
    for segment, mask in segments:  # the smaller lie on the larger
        paint(pixels, mask, segment.label.colour_rgb)
    image = Image.fromarray(pixels)
    findings = [(finding, place) for finding, place in placed(result.findings) if _reaches(place, index, volume)]
    for finding, place in findings:
        _mark(image, place, index, volume.grid, finding.label.colour_rgb)
    _name_sides(image, volume.grid)
    return Overlay(
        index, np.array(image), tuple(segment for segment, _ in segments), tuple(finding for finding, _ in findings)
    )


def _seen(result: AnalysisResult, index: int) -> list[tuple[Segment, NDArray[np.bool_]]]:
    if result.labels is None:
        return []
    masks = [(segment, plane(result.labels, index, segment.label.value)) for segment in result.segments]
    seen = [(segment, mask) for segment, mask in masks if mask.any()]
    return sorted(seen, key=lambda item: -int(np.count_nonzero(item[1])))


def _reaches(place: Place, index: int, volume: Volume) -> bool:
    """Tell whether a detection is drawn on a slice: the one nearest to its middle, and all that its box cuts."""
    if index == slice_of(place, volume):
        return True
    heights = volume.grid.to_index(np.array(place.corners_lps_mm).reshape(-1, 3))[:, 0]
    return bool(heights.size) and bool(heights.min() <= index <= heights.max())


def _mark(image: Image.Image, place: Place, index: int, grid: Grid, colour_rgb: tuple[int, int, int]) -> None:
    """Draw the outline of a box, or a cross where there is none."""
    scale = np.array(image.size) / np.array(grid.shape[:0:-1])
    draw = ImageDraw.Draw(image)
    corners = grid.to_index(np.array(place.corners_lps_mm).reshape(-1, 3))
    points = box_outline(corners, index, grid.shape[1:])
    if points is not None:
        draw.line([(x, y) for x, y in (points * scale).tolist()], fill=colour_rgb, width=EDGE_PX, joint="curve")
        return
    row_column = grid.to_index(place.centre_lps_mm)[1:] + 0.5
    x, y = (np.clip(row_column[::-1], 0, grid.shape[:0:-1]) * scale).tolist()
    for line in (((x - _CROSS_PX, y), (x + _CROSS_PX, y)), ((x, y - _CROSS_PX), (x, y + _CROSS_PX))):
        draw.line(line, fill=colour_rgb, width=EDGE_PX)


def _name_sides(image: Image.Image, grid: Grid) -> None:
    """Write at the edges of a picture which side of the patient is there."""
    draw, font = ImageDraw.Draw(image), image_font(max(12, max(image.size) // 28))
    width, height = image.size
    for at, anchor, direction in _sides(grid, width, height):
        text = letters(direction)
        draw.text(at, text, fill=_WHITE, font=font, anchor=anchor, stroke_width=1, stroke_fill=_BLACK)


def _sides(grid: Grid, width: int, height: int) -> Iterator[tuple[tuple[float, float], str, NDArray[np.float64]]]:
    """Give where each letter stands, how it is anchored there, and the direction that it names."""
    down, right = grid.steps_mm[:, 1], grid.steps_mm[:, 2]
    yield (4, height / 2), "lm", -right
    yield (width - 4, height / 2), "rm", right
    yield (width / 2, 4), "ma", -down
    yield (width / 2, height - 4), "md", down
