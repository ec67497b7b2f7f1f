"""Boxes and points come out where they are in the patient, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from inference.detections import detected
from inference.domain.geometry import Grid
from inference.domain.model_spec import OutputKind
from inference.errors import ModelContractViolated, NonFiniteOutput
from tests.support.model_packages import make_label, make_spec

GRID = Grid((10, 20, 30), np.array([100.0, -50.0, 7.0]), np.array([[0, 0, -2.0], [0, 1.0, 0], [3.0, 0, 0]]))
"""Slices go up by 3 mm, rows to the back by 1 mm, columns to the right by 2 mm."""

LABELS = (replace(make_label(1), threshold=0.5), replace(make_label(2), threshold=0.3))
SPEC = replace(make_spec(labels=LABELS, shape=GRID.shape), output=OutputKind.DETECTION)

BOX = [1.0, 2.0, 3.0, 5.0, 6.0, 9.0]


def said(places: Any, scores: Any, values: Any, kind: type = np.float32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    width = len(places[0]) if len(places) else 6
    return np.array(places, dtype=kind).reshape(-1, width), np.array(scores, dtype=kind), np.array(values)


def test_a_box_has_its_corners_and_its_middle_in_the_patient() -> None:
    """Indices are (slice, row, column), positions LPS."""
    (found,) = detected(said([BOX], [0.75], [2]), GRID, SPEC).detections
    assert (found.label_value, found.score) == (2, 0.75)
    assert found.centre_lps_mm == (100 - 12, -50 + 4, 7 + 9)
    assert len(set(found.corners_lps_mm)) == 8
    corners = np.array(found.corners_lps_mm)
    np.testing.assert_array_equal(corners.min(axis=0), [100 - 18, -48, 10])
    np.testing.assert_array_equal(corners.max(axis=0), [100 - 6, -44, 22])


def test_a_point_has_no_corners() -> None:
    """Its place is itself."""
    (found,) = detected(said([[1, 2, 3]], [1.0], [1]), GRID, SPEC).detections
    assert (found.centre_lps_mm, found.corners_lps_mm) == ((94, -48, 10), ())


def test_the_surest_come_first_and_each_label_has_its_threshold() -> None:
    """A score at the threshold is there; among equals the graph's order stays."""
    scores, values = [0.4, 0.5, 0.9, 0.3, 0.5, 0.29], [1, 1, 2, 2, 2, 2]
    places = [[index, 0, 0] for index in range(6)]
    found = detected(said(places, scores, values, np.float64), GRID, SPEC).detections
    assert [(one.score, one.label_value) for one in found] == [(0.9, 2), (0.5, 1), (0.5, 2), (0.3, 2)]
    assert [one.centre_lps_mm[2] for one in found] == [7 + 3 * 2, 7 + 3 * 1, 7 + 3 * 4, 7 + 3 * 3]


@pytest.mark.parametrize("width", [3, 6])
def test_nothing_found_is_an_answer(width: int) -> None:
    """No boxes, no detections."""
    nothing = (np.zeros((0, width), np.float16), np.zeros(0, np.float16), np.zeros(0, np.int64))
    assert detected(nothing, GRID, SPEC).detections == ()


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        (said([BOX], [1.2], [1]), "between 0 and 1"),
        (said([BOX], [-0.1], [1]), "between 0 and 1"),
        (said([BOX], [0.1], [0]), "not the manifest's"),
        (said([BOX], [0.9], [3]), "not the manifest's"),
        (said([[5, 2, 3, 1, 6, 9]], [0.9], [1]), "ends before it begins"),
        (said([[1, 2, 3, 4]], [0.9], [1]), "not \\(n, 6\\)"),
        (said([BOX], [0.9, 0.8], [1]), "not \\(n, 6\\)"),
        (said([BOX], [0.9], [1, 1]), "not \\(n, 6\\)"),
        (said([BOX], [[0.9]], [1]), "not \\(n, 6\\)"),
    ],
)
def test_what_is_no_detection_is_refused(outputs: tuple[np.ndarray, ...], told: str) -> None:
    """Also below the threshold: a graph that says such things is not to be interpreted."""
    with pytest.raises(ModelContractViolated, match=told):
        detected(outputs, GRID, SPEC)


@pytest.mark.parametrize("outputs", [said([BOX], [np.nan], [1]), said([[np.inf, *BOX[1:]]], [0.9], [1])])
def test_nan_is_never_a_finding(outputs: tuple[np.ndarray, ...]) -> None:
    """Neither as a score nor as a place."""
    with pytest.raises(NonFiniteOutput):
        detected(outputs, GRID, SPEC)
