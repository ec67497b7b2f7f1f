"""Colours over a grey picture: how large pictures are, and how a structure is laid over them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

OPACITY: Final = 0.35
"""Of the colour within a structure; its edge is solid."""
EDGE_PX: Final = 2
SMALLEST_PX: Final = 512
LARGEST_PX: Final = 1024
"""Limits of the longest side of a picture; in between, a pixel of the source is a pixel."""

Rgb = NDArray[np.uint8]


def picture_size(
    shape: tuple[int, int],
    spacing_mm: tuple[float, float],
    smallest_px: int = SMALLEST_PX,
    largest_px: int = LARGEST_PX,
) -> tuple[int, int]:
    """Give rows and columns of a picture of a slice with square pixels, as fine as the source's if it can be.

    Parameters
    ----------
    shape
        Rows and columns of the slice.
    spacing_mm
        Between its rows and between its columns.
    smallest_px, largest_px
        Limits of the longest side.
    """
    sides = np.array(shape) * np.array(spacing_mm) / min(spacing_mm)
    factor = np.clip(1.0, smallest_px / sides.max(), largest_px / sides.max())
    rows, columns = np.maximum(1, np.rint(sides * factor)).astype(int).tolist()
    return rows, columns


def paint(pixels: Rgb, mask: NDArray[np.bool_], colour_rgb: tuple[int, int, int]) -> None:
    """Lay a colour over the mask, which may be coarser or finer than the picture; nothing outside it changes.

    Parameters
    ----------
    pixels : (rows, columns, 3) uint8 ndarray
        The picture; changed in place.
    mask : (rows, columns) bool ndarray
        Where the structure is; somewhere at least.
    colour_rgb
        Its colour.
    """
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
