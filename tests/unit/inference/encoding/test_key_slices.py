"""The slices that are shown are those on which most is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.domain.result import Place
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.key_slices import areas, key_slices, slice_of
from tests.support.findings import Case, classified, detections, make_case, make_spec, overlapping_lesions, place_in
from tests.support.synthetic_series import SeriesOptions, axial_grid

GRID = axial_grid((12, 20, 16))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Give four structures: the first two largest on slice 2, one on 7, a thin one on 9."""
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[1:4, 1:4, 1:4] = 1
    labels[2, 1:7, 1:4] = 1
    labels[2, 10:15, 2:9] = 2
    labels[5:9, 3:6, 10:13] = 3
    labels[7, 3:9, 10:13] = 3
    labels[9, 18, 3] = 4
    return make_case(tmp_path, grid=GRID, labels=labels, spec=make_spec(4))


def chosen(encoding: EncodingInput, most: int) -> tuple[int, ...]:
    """Choose."""
    return key_slices(encoding.volume, encoding.result, most)


def test_every_structure_is_shown_where_it_is_largest(case: Case) -> None:
    """Each slice once, in order."""
    assert chosen(case.encoding, 12) == (2, 7, 9)


def test_of_too_many_slices_those_with_most_are_kept(case: Case) -> None:
    """Two structures are seen on slice 2, one on each of the others."""
    assert chosen(case.encoding, 1) == (2,)
    assert chosen(case.encoding, 2) == (2, 7)


def test_a_slice_that_no_source_shows_is_not_shown(tmp_path: Path) -> None:
    """It was interpolated: nothing could be referred to."""
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[3:6, 2:6, 2:6] = 1
    labels[4, 2:9, 2:6] = 1
    case = make_case(tmp_path, SeriesOptions(omit=frozenset({4})), GRID, labels)
    assert chosen(case.encoding, 12) == (3,)


def test_a_structure_on_interpolated_slices_alone_is_passed_over(tmp_path: Path) -> None:
    """The middle slice stands for the volume."""
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[4, 2:6, 2:6] = 1
    case = make_case(tmp_path, SeriesOptions(omit=frozenset({4})), GRID, labels)
    assert chosen(case.encoding, 12) == (6,)


def test_without_a_place_there_is_the_middle_slice(case: Case) -> None:
    """A classification lies nowhere."""
    assert chosen(classified(case), 12) == (6,)


def test_detections_are_shown_on_their_slices(case: Case) -> None:
    """A box in its middle, a point outside the volume on the nearest slice."""
    box = place_in(GRID, (3, 4, 3), (5, 10, 8))
    x, y, z = (float(value) for value in GRID.to_lps((40, 3, 3)))
    encoding = detections(case, [box, Place((x, y, z))])
    assert chosen(encoding, 12) == (4, 11)
    assert slice_of(box, encoding.volume) == 4


def test_areas_are_the_same_in_both_forms_of_masks(tmp_path: Path) -> None:
    """Label map and overlapping masks."""
    encoding = overlapping_lesions(make_case(tmp_path))
    masks = encoding.result.labels
    assert masks is not None
    assert areas(masks, [2]).tolist() == [[0, 99, 99, 99, 99, 0]]
    only_edema = masks[1].astype(np.uint8) * 2
    assert areas(only_edema, [2]).tolist() == [[0, 99, 99, 99, 99, 0]]
    assert areas(masks, []).shape == (0, 6)


def test_what_is_not_present_has_no_slice(case: Case) -> None:
    """A finding that was refuted is not drawn."""
    encoding = detections(case, [place_in(GRID, (3, 4, 3), (5, 10, 8))])
    refuted = tuple(replace(finding, present=False) for finding in encoding.result.findings)
    assert chosen(replace(encoding, result=replace(encoding.result, findings=refuted)), 12) == (6,)
