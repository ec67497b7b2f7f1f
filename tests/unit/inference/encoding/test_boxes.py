"""A box is drawn where it cuts the slice, whichever way it lies."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.encoding.boxes import box_outline

IMAGE = (20, 30)


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> NDArray[np.float64]:
    """Give the corners between two (slice, row, column) indices."""
    return np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(8, 3)


def outline(corners: NDArray[np.float64], slice_index: int = 5) -> list[tuple[float, float]]:
    """Give the corners of the outline, sorted; it must be closed."""
    points = box_outline(corners, slice_index, IMAGE)
    assert points is not None
    assert points[0].tolist() == points[-1].tolist()
    return sorted((float(column), float(row)) for column, row in points[:-1])


def test_an_upright_box_is_a_rectangle_around_its_voxels() -> None:
    """Index 0 is the middle of the first pixel, 0.5 in SR coordinates (PS3.3 section C.18.6)."""
    assert outline(box((3, 2, 4), (7, 6, 9))) == [(4.5, 2.5), (4.5, 6.5), (9.5, 2.5), (9.5, 6.5)]


def test_the_order_of_corners_does_not_matter() -> None:
    """Nobody promises one."""
    corners = box((3, 2, 4), (7, 6, 9))
    expected = outline(corners)
    for seed in range(5):
        assert outline(np.random.default_rng(seed).permutation(corners)) == expected


def test_a_slice_through_a_face_is_that_face() -> None:
    """Corners on the slice itself count."""
    assert outline(box((5, 2, 4), (7, 6, 9))) == outline(box((3, 2, 4), (7, 6, 9)))


def test_a_tilted_box_is_cut_and_not_projected() -> None:
    """Of a box that leans over by its own height, the middle slice shows the middle."""
    corners = box((3, 2, 4), (7, 6, 9))
    corners[:, 2] += corners[:, 0] - 5
    assert outline(corners) == [(4.5, 2.5), (4.5, 6.5), (9.5, 2.5), (9.5, 6.5)]


def test_a_box_on_its_edge_is_cut_to_a_diamond() -> None:
    """Turned by 45° in the plane of the slice."""
    turned = np.array([[1, 0, 0], [0, 1, 1], [0, -1, 1]]) / np.array([[1], [2**0.5], [2**0.5]])
    corners = box((-1, -2, -2), (1, 2, 2)) @ turned.T + (5, 10, 10)
    far = 8**0.5
    expected = [(10.5 - far, 10.5), (10.5, 10.5 - far), (10.5, 10.5 + far), (10.5 + far, 10.5)]
    np.testing.assert_allclose(outline(corners), expected, atol=1e-5)


def test_a_box_between_two_slices_is_seen_from_above() -> None:
    """It is thinner than a slice, and still has an outline."""
    assert outline(box((5.2, 2, 4), (5.6, 6, 9))) == outline(box((3, 2, 4), (7, 6, 9)))


def test_a_box_that_reaches_beyond_the_image_ends_at_its_edge() -> None:
    """No coordinate lies outside the image."""
    assert outline(box((3, -5, 25), (7, 6, 99))) == [(25.5, 0.0), (25.5, 6.5), (30.0, 0.0), (30.0, 6.5)]


@pytest.mark.parametrize(
    "corners", [np.zeros((0, 3)), box((3, -9, 4), (7, -5, 9)), box((3, 2, 4), (7, 2, 9)), box((5, 5, 5), (5, 5, 5))]
)
def test_what_has_no_area_has_no_outline(corners: NDArray[np.float64]) -> None:
    """A point, a box beside the image, a flat one."""
    assert box_outline(corners, 5, IMAGE) is None
