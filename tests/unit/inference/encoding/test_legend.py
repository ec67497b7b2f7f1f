"""The words beside a picture say what its colours mean, what was found, and nothing about the patient."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.domain.codes import LEFT
from inference.domain.model_spec import Task
from inference.domain.result import AnalysisResult
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.legend import PANEL_PX, STRIP_PX, legend_lines, with_legend
from inference.encoding.overlay import Overlay, draw_overlays
from inference.encoding.wording import Line, nothing_found
from tests.support.findings import (
    Case,
    classified,
    detections,
    make_case,
    make_spec,
    no_lesions,
    overlapping_lesions,
    place_in,
)
from tests.support.pictures import with_values
from tests.support.synthetic_series import axial_grid


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path)


def overlays(encoding: EncodingInput) -> list[Overlay]:
    """Draw the pictures."""
    return draw_overlays(with_values(encoding), 12, (512, 1024))


def said(encoding: EncodingInput) -> list[tuple[str, str]]:
    """Give names and values of the first picture's legend."""
    return [(line.name, line.value) for line in legend_lines(overlays(encoding)[0], encoding)]


def test_structures_are_named_with_their_volume_the_largest_first(case: Case) -> None:
    """In the colour that they are drawn in."""
    lines = legend_lines(overlays(case.encoding)[0], case.encoding)
    assert [(line.name, line.value) for line in lines] == [
        ("Brain Stem", "0.198 mL"),
        ("Hippocampus", "0.119 mL"),
        ("Thalamus", "0.0594 mL"),
    ]
    assert lines[2].colour_rgb == case.encoding.spec.labels[0].colour_rgb


def test_a_side_is_said_where_the_name_does_not_say_it(case: Case) -> None:
    """Left and right must not be mistaken for each other."""
    first, second, third = case.encoding.result.segments
    sided = (
        replace(first, label=replace(first.label, laterality=LEFT)),
        replace(second, label=replace(second.label, laterality=LEFT, name="Left hippocampus")),
        third,
    )
    encoding = replace(case.encoding, result=replace(case.encoding.result, segments=sided))
    assert [name for name, _ in said(encoding)] == ["Brain Stem", "Left hippocampus", "Left Thalamus"]


def test_the_answer_to_a_tumour_job_comes_first(case: Case) -> None:
    """With its confidence."""
    assert said(overlapping_lesions(case))[0] == ("Tumour", "present, 87.5 %")


def test_no_tumour_is_said_once_with_its_confidence(case: Case) -> None:
    """Not drawn, and not silent about it either."""
    assert said(no_lesions(case)) == [
        ("No finding", ""),
        ("Not found: Tumour (12 %)", ""),
        ("Not found: Edema", ""),
    ]


def test_a_classification_gives_all_probabilities(case: Case) -> None:
    """Of what is there and of what is not."""
    assert said(classified(case)) == [("Tumour", "93 %"), ("Not found: Edema (3.1 %)", "")]


def test_detections_keep_their_number_on_every_picture(case: Case) -> None:
    """The second is called the second where it alone is seen."""
    grid = case.encoding.volume.grid
    boxes = [place_in(grid, (4, 4, 3), (4.2, 10, 8)), place_in(grid, (1, 4, 3), (1.2, 10, 8))]
    encoding = detections(case, boxes)
    assert said(encoding) == [("Tumour 2", "90 %"), ("Not found: Edema", "")]


def test_a_finding_without_probability_is_present(case: Case) -> None:
    """Nothing is invented."""
    encoding = classified(case)
    findings = tuple(replace(finding, probability=None) for finding in encoding.result.findings)
    encoding = replace(encoding, result=replace(encoding.result, findings=findings))
    assert said(encoding) == [("Tumour", "present"), ("Not found: Edema", "")]


def test_what_is_not_there_is_named_after_what_was_looked_for(case: Case) -> None:
    """A model of anatomy that finds nothing has not found that the patient is well."""
    nothing = AnalysisResult(None, (), (), ())
    spec = case.encoding.spec
    assert nothing_found(spec, nothing) == "No structure found"
    assert nothing_found(replace(spec, task=Task.CLASSIFICATION), nothing) == "No finding"
    assert nothing_found(spec, case.encoding.result) == ""


def test_the_picture_stands_unchanged_beside_its_legend(case: Case) -> None:
    """The warning is below it, on every picture."""
    overlay = overlays(case.encoding)[0]
    canvas = with_legend(overlay, case.encoding)
    rows, columns, _ = overlay.pixels.shape
    assert canvas.shape == (rows + STRIP_PX, columns + PANEL_PX, 3)
    assert np.array_equal(canvas[:rows, :columns], overlay.pixels)
    strip = canvas[rows:]
    assert (strip == (120, 0, 0)).all(axis=2).mean() > 0.5
    assert (strip == 255).all(axis=2).sum() > 500


def test_every_swatch_has_its_colour(case: Case) -> None:
    """As the structure has in the picture."""
    overlay = overlays(case.encoding)[0]
    panel = with_legend(overlay, case.encoding)[:, overlay.pixels.shape[1] :]
    for segment in overlay.segments:
        assert (panel == segment.label.colour_rgb).all(axis=2).sum() >= 100


def test_a_low_picture_has_room_for_its_legend(tmp_path: Path) -> None:
    """It is made higher, not cut."""
    encoding = make_case(tmp_path, grid=axial_grid((6, 5, 60))).encoding
    assert with_legend(overlays(encoding)[0], encoding).shape[0] == 320 + STRIP_PX


def test_more_structures_than_there_is_room_for_are_counted(tmp_path: Path) -> None:
    """Their colours are in the picture all the same."""
    grid = axial_grid((4, 64, 64))
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for value in range(1, 101):
        row, column = divmod(value - 1, 10)
        labels[1, row * 6 : row * 6 + 5, column * 6 : column * 6 + 5] = value
    encoding = make_case(tmp_path, grid=grid, labels=labels, spec=make_spec(100)).encoding
    overlay = overlays(encoding)[0]
    full, few = (
        with_legend(overlay, encoding),
        with_legend(replace(overlay, segments=overlay.segments[:18]), encoding),
    )
    panel = slice(overlay.pixels.shape[1], None)
    assert len(legend_lines(overlay, encoding)) == 100
    top = 90 + 17 * 22
    assert np.array_equal(full[:top, panel], few[:top, panel])
    assert not np.array_equal(full[top : overlay.pixels.shape[0], panel], few[top : overlay.pixels.shape[0], panel])


def test_a_long_name_gives_way_to_its_value(case: Case) -> None:
    """And characters without a picture are marked, not left out."""
    first, *others = case.encoding.result.segments
    for name in ("A name that is far too long for the legend of a picture", "시상"):
        segment = replace(first, label=replace(first.label, name=name))
        encoding = replace(case.encoding, result=replace(case.encoding.result, segments=(segment, *others)))
        overlay = overlays(encoding)[0]
        assert Line(name, "0.0594 mL", first.label.colour_rgb) in legend_lines(overlay, encoding)
        panel = with_legend(overlay, encoding)[:, overlay.pixels.shape[1] :]
        assert panel[:, -8:].max(axis=(1, 2))[: overlay.pixels.shape[0]].max() == 0
