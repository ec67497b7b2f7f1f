"""Contours in the image coordinates of PS3.3 C.18.6: origin at the corner of the first pixel."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.encoding.contours import MAX_POINTS, outline


def rectangle(rows: slice, columns: slice) -> NDArray[np.bool_]:
    """Give a mask of 12 rows and 9 columns with one rectangle."""
    mask = np.zeros((12, 9), dtype=bool)
    mask[rows, columns] = True
    return mask


def test_the_line_runs_along_the_pixels_edges() -> None:
    """Pixels in rows 2..5 and columns 3..7 cover columns 3.0 to 8.0 and rows 2.0 to 6.0."""
    contour = outline(rectangle(slice(2, 6), slice(3, 8)))
    assert contour.points.min(axis=0).tolist() == [3.0, 2.0]
    assert contour.points.max(axis=0).tolist() == [8.0, 6.0]


def test_the_line_is_closed() -> None:
    """A POLYLINE whose last vertex is its first is a closed region."""
    contour = outline(rectangle(slice(2, 6), slice(3, 8)))
    assert contour.points[0].tolist() == contour.points[-1].tolist()


def test_the_area_is_that_of_the_pixels_less_the_cut_corners() -> None:
    """Each of four corners loses a triangle of an eighth of a pixel."""
    contour = outline(rectangle(slice(2, 6), slice(3, 8)))
    assert contour.area_px == pytest.approx(4 * 5 - 4 / 8)


def test_a_structure_at_the_edge_of_the_image_stays_inside_it() -> None:
    """Coordinates run from 0.0 to Columns and Rows."""
    contour = outline(rectangle(slice(0, 12), slice(0, 9)))
    assert contour.points.min(axis=0).tolist() == [0.0, 0.0]
    assert contour.points.max(axis=0).tolist() == [9.0, 12.0]


def test_a_single_pixel_has_a_contour_around_its_centre() -> None:
    """The centre of pixel (row 4, column 6) is at column 6.5, row 4.5."""
    contour = outline(rectangle(slice(4, 5), slice(6, 7)))
    assert contour.points[:-1].mean(axis=0).tolist() == [6.5, 4.5]
    assert contour.area_px == pytest.approx(0.5)


def test_the_largest_part_is_drawn() -> None:
    """One group has one line; the smaller part is left to the segment."""
    mask = rectangle(slice(1, 3), slice(1, 3)) | rectangle(slice(5, 11), slice(2, 8))
    assert outline(mask).points[:, 1].min() == 5.0


def test_a_hole_is_inside() -> None:
    """The area is that of the line one sees."""
    mask = rectangle(slice(1, 11), slice(1, 8))
    filled = outline(mask).area_px
    mask[4:6, 3:5] = False
    assert outline(mask).area_px == filled


def test_straight_runs_have_no_needless_points() -> None:
    """A rectangle is an octagon with cut corners, whatever its size."""
    assert len(outline(rectangle(slice(1, 11), slice(1, 8))).points) == 9


def test_a_very_long_line_fits_its_value_field() -> None:
    """A comb has more corners than an FL of explicit length may hold."""
    mask = np.zeros((40, 9000), dtype=bool)
    mask[0] = True
    mask[:, ::2] = True
    assert len(outline(mask).points) <= MAX_POINTS + 1


def test_nothing_has_no_outline() -> None:
    """An empty mask is the caller's mistake."""
    with pytest.raises(ValueError, match="empty"):
        outline(np.zeros((3, 3), dtype=bool))
