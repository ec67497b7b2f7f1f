"""What is drawn on a slice is where the mask is, in the label's colour, in true proportions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.domain.geometry import Grid
from inference.domain.result import Place
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.overlay import Overlay, draw_overlays, letters
from inference.encoding.painting import picture_size
from tests.support.findings import Case, classified, detections, make_case, mask_of, overlapping_lesions, place_in
from tests.support.pictures import coloured, with_values
from tests.support.synthetic_series import axial_grid


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Give an ordinary source and result; pixels are not square."""
    return make_case(tmp_path)


def drawn(encoding: EncodingInput, most: int = 12) -> list[Overlay]:
    """Draw on even grey, so that all that is coloured was drawn."""
    return draw_overlays(with_values(encoding, np.full((6, 20, 16), 5.0)), most, (512, 1024))


def at_pixels(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Enlarge a mask to a picture, pixel by pixel of its own grid."""
    rows, columns = (np.arange(size) * count // size for size, count in zip(shape, mask.shape, strict=True))
    enlarged: NDArray[np.bool_] = mask[np.ix_(rows, columns)]
    return enlarged


def test_coloured_pixels_are_where_the_mask_is(case: Case) -> None:
    """Everywhere in it and nowhere else, but for half a pixel of the picture."""
    (overlay,) = drawn(case.encoding)
    labels = case.encoding.result.labels
    assert labels is not None
    expected = at_pixels(labels[overlay.slice_index] > 0, overlay.pixels.shape[:2])
    assert expected.any()
    assert np.mean(coloured(overlay.pixels) != expected) < 0.002


def test_each_structure_has_its_colour_solid_at_its_edge_and_thin_within(case: Case) -> None:
    """The source is seen through it."""
    (overlay,) = drawn(case.encoding)
    labels = case.encoding.result.labels
    assert labels is not None
    for segment in overlay.segments:
        mask = mask_of(labels, segment.label.value)[overlay.slice_index]
        where = at_pixels(mask, overlay.pixels.shape[:2])
        found = np.unique(overlay.pixels[where], axis=0).tolist()
        assert list(segment.label.colour_rgb) in found
        thin = [round(0.35 * value) for value in segment.label.colour_rgb]
        assert thin in found


def test_a_structure_within_another_is_seen(case: Case) -> None:
    """The smaller lies on the larger."""
    encoding = overlapping_lesions(case)
    overlay = next(o for o in drawn(encoding) if len(o.segments) == 2)
    assert [segment.label.name for segment in overlay.segments] == ["Edema", "Tumour"]
    for segment in overlay.segments:
        assert (overlay.pixels == segment.label.colour_rgb).all(axis=2).any()


def test_nothing_is_coloured_where_nothing_has_a_place(case: Case) -> None:
    """The slice alone, and the letters."""
    (overlay,) = drawn(classified(case))
    assert not coloured(overlay.pixels).any()
    assert overlay.segments == ()
    assert overlay.findings == ()


def test_a_box_is_outlined_on_every_slice_that_it_cuts(case: Case) -> None:
    """Where its edges are, in the picture's pixels."""
    grid = case.encoding.volume.grid
    encoding = detections(
        case, [place_in(grid, (1.0, 4.0, 3.0), (3.0, 10.0, 8.0)), place_in(grid, (3, 15, 10), (3.2, 18, 12))]
    )
    on_two, on_three = drawn(encoding)
    assert [len(o.findings) for o in (on_two, on_three)] == [1, 2]
    rows, columns = np.nonzero(coloured(on_two.pixels))
    scale = 512 / 20
    assert rows.min() == pytest.approx(4.5 * scale, abs=2)
    assert rows.max() == pytest.approx(10.5 * scale, abs=2)
    width = on_two.pixels.shape[1]
    assert columns.min() == pytest.approx(3.5 * width / 16, abs=2)
    assert columns.max() == pytest.approx(8.5 * width / 16, abs=2)


def test_a_point_is_a_cross(case: Case) -> None:
    """Its middle is the point."""
    x, y, z = (float(value) for value in case.encoding.volume.grid.to_lps((2, 7, 11)))
    (overlay,) = drawn(detections(case, [Place((x, y, z))]))
    rows, columns = np.nonzero(coloured(overlay.pixels))
    assert overlay.slice_index == 2
    assert (rows.min() + rows.max()) / 2 == pytest.approx(7.5 * 512 / 20, abs=1)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(11.5 * overlay.pixels.shape[1] / 16, abs=1)


def test_the_source_is_seen(case: Case) -> None:
    """Bright where its values are high."""
    values = np.zeros((6, 20, 16))
    values[:, :10] = 100
    (overlay,) = draw_overlays(with_values(classified(case), values), 1, (512, 1024))
    assert overlay.pixels[60:200, 40:130].min() == 255
    assert overlay.pixels[310:450, 40:130].max() == 0


@pytest.mark.parametrize(
    ("shape", "spacing", "expected"),
    [
        ((3, 20, 16), (2.5, 1.1, 0.9), (512, 335)),
        ((3, 600, 700), (1.0, 0.5, 0.5), (600, 700)),
        ((3, 2000, 1000), (1.0, 0.5, 0.5), (1024, 512)),
        ((3, 100, 1000), (1.0, 2.0, 1.0), (200, 1000)),
        ((3, 1, 4000), (1.0, 0.1, 1.0), (1, 1024)),
    ],
    ids=["small", "kept", "large", "coarse rows", "a line"],
)
def test_pixels_are_square_and_neither_many_nor_few(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], expected: tuple[int, int]
) -> None:
    """The longest side is within limits."""
    grid = axial_grid(shape, spacing)
    assert picture_size(grid.shape[1:], grid.spacing_mm[1:]) == expected


@pytest.mark.parametrize(
    ("direction", "expected"),
    [((1, 0, 0), "L"), ((0, -2, 0), "A"), ((0, 0, -1), "F"), ((0.7, -0.6, 0.1), "LA"), ((0.1, 0.6, 0.7), "HP")],
)
def test_directions_are_named_by_their_strongest_parts(direction: tuple[float, ...], expected: str) -> None:
    """PS3.3 section C.7.6.1.1.1."""
    assert letters(np.array(direction, dtype=np.float64)) == expected


def test_sides_of_the_patient_are_named_at_the_edges(case: Case) -> None:
    """A picture of the same patient the other way round has other letters."""
    grid = case.encoding.volume.grid
    turned = Grid(grid.shape, grid.origin_mm, grid.steps_mm * np.array([1.0, 1.0, -1.0]))
    plain = classified(case)
    flipped = replace(plain, volume=replace(plain.volume, grid=turned))
    (one,), (other,) = drawn(plain), drawn(flipped)
    assert one.pixels.max() == 255
    assert not np.array_equal(one.pixels, other.pixels)
    middle = slice(100, 400), slice(60, 280)
    assert np.array_equal(one.pixels[middle], other.pixels[middle])
