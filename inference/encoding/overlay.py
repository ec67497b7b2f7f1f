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
from inference.encoding.typeface import image_font
from inference.encoding.windowing import Window, window_of

OPACITY: Final = 0.35
"""Of the colour within a structure; its edge is solid."""
EDGE_PX: Final = 2
SMALLEST_PX: Final = 512
LARGEST_PX: Final = 1024
"""Limits of the longest side of a picture; in between, a pixel of the source is a pixel."""

_CROSS_PX: Final = 12
_WHITE: Final = (255, 255, 255)
_BLACK: Final = (0, 0, 0)
_OBLIQUE: Final = 0.3
"""Part of a direction from which on its letter is named."""

Rgb = NDArray[np.uint8]


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
    window, size = window_of(volume, source.data_sets), picture_size(volume.grid, *sides_px)
    return [_draw(volume, result, index, window, size) for index in key_slices(volume, result, most)]


def picture_size(grid: Grid, smallest_px: int = SMALLEST_PX, largest_px: int = LARGEST_PX) -> tuple[int, int]:
    """Give rows and columns of a picture of a slice with square pixels, as fine as the source's if it can be."""
    _, row_mm, column_mm = grid.spacing_mm
    sides = np.array(grid.shape[1:]) * np.array([row_mm, column_mm]) / min(row_mm, column_mm)
    factor = np.clip(1.0, smallest_px / sides.max(), largest_px / sides.max())
    rows, columns = np.maximum(1, np.rint(sides * factor)).astype(int).tolist()
    return rows, columns


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
        _paint(pixels, mask, segment.label.colour_rgb)
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


def _paint(pixels: Rgb, mask: NDArray[np.bool_], colour_rgb: tuple[int, int, int]) -> None:
    """Lay a colour over the mask, which may be coarser or finer than the picture; nothing outside it changes."""
    rows, columns = np.nonzero(mask)
    row_span, column_span = (
        _span(used, size, count) for used, size, count in zip((rows, columns), pixels.shape, mask.shape, strict=False)
    )
    at_rows, at_columns = (
        _nearest(span, size, count)
        for span, size, count in zip((row_span, column_span), pixels.shape, mask.shape, strict=False)
    )
    inside = mask[np.ix_(at_rows, at_columns)]
    edge = inside & ~_shrunk(inside)
    region, colour = pixels[row_span, column_span], np.array(colour_rgb, dtype=np.float64)
    region[inside] = np.rint(region[inside] * (1 - OPACITY) + colour * OPACITY).astype(np.uint8)
    region[edge] = colour_rgb


def _span(used: NDArray[np.intp], size: int, count: int) -> slice:
    """Give the pixels of a picture's side from the first to the last of the source's pixels that are used."""
    first, last = int(used.min()), int(used.max())
    return slice(first * size // count, -(-(last + 1) * size // count))


def _nearest(span: slice, size: int, count: int) -> NDArray[np.intp]:
    middles = (np.arange(span.start, span.stop) + 0.5) * count / size
    return np.minimum(middles.astype(np.intp), count - 1)


def _shrunk(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take the outermost pixels away, as often as the edge is wide."""
    for _ in range(EDGE_PX):
        padded = np.pad(inside, 1)
        inside = padded[1:-1, 1:-1] & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside


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
