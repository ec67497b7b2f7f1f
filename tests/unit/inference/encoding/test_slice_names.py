"""A slice has one name on pictures, on the page and among key images, and its side is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.domain.geometry import Grid
from inference.encoding.slice_names import slice_name, slice_place
from tests.support.findings import Case, make_case


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Three structures on six slices."""
    return make_case(tmp_path)


def test_a_slice_has_the_number_that_viewers_show(case: Case) -> None:
    """Which need not be its place in the volume."""
    source = case.encoding
    third = source.volume.frames[2]
    assert third is not None
    for header in source.data_sets:
        header.InstanceNumber = 40 - int(header.InstanceNumber)
    (stated,) = [h.InstanceNumber for h in source.data_sets if h.SOPInstanceUID == third.sop_instance_uid]
    assert slice_name(2, source) == f"Image {stated}"


def test_a_frame_has_its_number(case: Case) -> None:
    """As viewers count the frames of one object."""
    volume = case.encoding.volume
    frames = tuple(None if frame is None else replace(frame, frame_number=7) for frame in volume.frames)
    assert slice_name(1, replace(case.encoding, volume=replace(volume, frames=frames))) == "Frame 7"


def test_without_a_number_it_is_its_place_in_the_volume(case: Case) -> None:
    """As of what was interpolated, too."""
    source = case.encoding
    for header in source.data_sets:
        del header.InstanceNumber
    assert slice_name(3, source) == "Slice 4"
    frames = (None, *source.volume.frames[1:])
    assert slice_name(0, replace(source, volume=replace(source.volume, frames=frames))) == "Slice 1"


LEFTWARD, BACKWARD, HEADWARD = np.eye(3)


@pytest.mark.parametrize(
    ("steps", "places"),
    [
        ((LEFTWARD, BACKWARD, -HEADWARD), ("R 30 mm", "L 31 mm")),
        ((BACKWARD, -HEADWARD, LEFTWARD), ("A 20 mm", "P 41 mm")),
        ((HEADWARD, BACKWARD, LEFTWARD), ("F 10 mm", "H 51 mm")),
    ],
    ids=["sagittal", "coronal", "axial"],
)
def test_the_side_of_a_slice_is_said(steps: tuple[np.ndarray, ...], places: tuple[str, str]) -> None:
    """A sagittal picture shows no side otherwise."""
    origin = np.array([-30.0, -20.0, -10.0])
    grid = Grid((62, 3, 3), origin, np.stack(steps, axis=1))
    assert (slice_place(0, grid), slice_place(61, grid)) == places
