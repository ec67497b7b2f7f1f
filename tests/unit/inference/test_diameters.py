"""Diameters are those that a reader would measure on the outline, in millimetres."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.diameters import long_and_short_axis
from inference.domain.identifiers import UID
from inference.domain.masks import Masks
from inference.domain.volume import SourceFrame, Volume
from tests.support.synthetic_series import axial_grid

FRAME = SourceFrame(UID("1.2.3"), UID("1.2.840.10008.5.1.4.1.1.4"), None)


def diameters(masks: Masks, pixel_mm: tuple[float, float] = (1.0, 1.0), missing: int | None = None) -> list[float]:
    """Measure label 1."""
    grid = axial_grid(masks.shape[-3:], (3.0, *pixel_mm))
    frames = tuple(None if index == missing else FRAME for index in range(grid.shape[0]))
    volume = Volume(np.zeros(grid.shape, dtype=np.float32), grid, frames)
    return list(long_and_short_axis(masks, 1, volume))


def ellipse(rows_mm: float, columns_mm: float, turned: float, pixel_mm: tuple[float, float]) -> NDArray[np.uint8]:
    """Draw an ellipse of two diameters, turned by an angle, on the middle one of three slices."""
    row, column = (np.arange(-80, 81)[:, np.newaxis] * pixel_mm[0], np.arange(-80, 81) * pixel_mm[1])
    along = row * np.cos(turned) + column * np.sin(turned)
    across = column * np.cos(turned) - row * np.sin(turned)
    labels = np.zeros((3, 161, 161), dtype=np.uint8)
    labels[1] = (2 * along / rows_mm) ** 2 + (2 * across / columns_mm) ** 2 <= 1
    return labels


@pytest.mark.parametrize("turned", [0.0, 0.5, 1.2, 2.5])
@pytest.mark.parametrize("pixel_mm", [(1.0, 1.0), (0.5, 1.2)])
def test_an_ellipse_has_its_axes(turned: float, pixel_mm: tuple[float, float]) -> None:
    """However it lies, and whatever the shape of the pixels."""
    found = diameters(ellipse(60.0, 30.0, turned, pixel_mm), pixel_mm)
    assert found == pytest.approx([60.0, 30.0], abs=1.3)


def test_a_pixel_is_as_long_as_its_longer_side() -> None:
    """The outline runs half-way to its neighbours."""
    labels = np.zeros((2, 5, 5), dtype=np.uint8)
    labels[1, 2, 3] = 1
    assert diameters(labels, (0.8, 2.0)) == pytest.approx([2.0, 0.8])


def test_the_largest_slice_and_its_largest_part_are_measured() -> None:
    """Neither a longer thread on another slice nor a speck far away counts."""
    labels = np.zeros((4, 40, 40), dtype=np.uint8)
    labels[0, 5, 2:38] = 1
    labels[2, 10:21, 10:21] = 1
    labels[2, 35, 35:38] = 1
    square = np.zeros_like(labels)
    square[2, 10:21, 10:21] = 1
    assert diameters(labels) == diameters(square)
    assert diameters(labels) == pytest.approx([np.hypot(11, 10), np.hypot(11, 10)], abs=0.8)


def test_a_slice_that_no_image_shows_counts_only_where_nothing_else_is() -> None:
    """A report draws the outline on an image."""
    labels = np.zeros((3, 20, 20), dtype=np.uint8)
    labels[1, 2:12, 2:12] = 1
    labels[2, 2:6, 2:6] = 1
    small = np.zeros_like(labels)
    small[2] = labels[2]
    assert diameters(labels, missing=1) == diameters(small)
    alone = labels * (np.arange(3) == 1)[:, np.newaxis, np.newaxis].astype(np.uint8)
    assert diameters(alone, missing=1) == diameters(alone)


def test_overlapping_masks_are_measured_each_for_itself() -> None:
    """What lies over a structure does not cut it."""
    masks = np.zeros((2, 2, 20, 20), dtype=np.bool_)
    masks[0, 1, 4:14, 5:6] = True
    masks[1, 1, 6:10, :] = True
    assert diameters(masks) == pytest.approx([10.0, 1.0])
