"""The overlay shows the segmentation where it is, read back from the SEG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from dicom_node.demo.overlay import HEIGHT_PIXELS, draw_overlay, read_label_map
from inference.domain.model_inputs import ModelInputs
from inference.domain.study import SeriesRevision
from inference.headers import read_headers
from inference.pipeline import Surroundings, analyse
from inference.volume_builder import build_volume
from tests.support.fakes import FixedClock
from tests.support.small_analysis import SHAPE, SPEC, STEP, ThresholdRunner, blocks, write_blocks
from tests.support.synthetic_series import axial_grid, revision_of, write_series

COLOURS = ((250, 0, 0), (0, 0, 250))
COLOURED = replace(
    SPEC, labels=tuple(replace(label, colour_rgb=rgb) for label, rgb in zip(SPEC.labels, COLOURS, strict=True))
)
AXIAL_VOXEL = HEIGHT_PIXELS // SHAPE[1]
CORONAL_SLICE = HEIGHT_PIXELS // SHAPE[0]


def write_seg(series: SeriesRevision, path: Path, labels: int = 2) -> Path:
    """Segment a series and write its SEG."""
    spec = replace(COLOURED, labels=COLOURED.labels[:labels])
    surroundings = Surroundings(ThresholdRunner(classes=labels + 1), FixedClock(), lambda _: None)
    path.write_bytes(analyse(ModelInputs(series), spec, surroundings).artifacts[0].content)
    return path


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> SeriesRevision:
    """Give the blocks."""
    return revision_of(write_blocks(tmp_path_factory.mktemp("series")))


@pytest.fixture(scope="module")
def picture(series: SeriesRevision, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Give the picture of the blocks, (rows, columns, 3)."""
    folder = tmp_path_factory.mktemp("picture")
    draw_overlay(series, write_seg(series, folder / "seg.dcm"), folder / "overlay.png")
    with Image.open(folder / "overlay.png") as image:
        return np.asarray(image).astype(int)


def hue(picture: np.ndarray, row: int, column: int) -> int:
    """Tell how much more red than blue a pixel is."""
    return int(picture[row, column, 0] - picture[row, column, 2])


def test_the_label_map_comes_back(series: SeriesRevision, tmp_path: Path) -> None:
    """Segment numbers on the source grid, frame by frame where the SEG says."""
    volume = build_volume(read_headers(series.instances))
    labels = read_label_map(dcmread(write_seg(series, tmp_path / "seg.dcm")), volume)
    np.testing.assert_array_equal(labels, blocks())


def test_a_segmentation_of_one_frame_comes_back(tmp_path: Path) -> None:
    """A structure in one slice only makes a SEG whose pixel data have no frame axis."""
    drawn = np.zeros(SHAPE, dtype=np.uint8)
    drawn[6, 3:9, 4:8] = 1
    series = revision_of(write_series(tmp_path / "in", drawn * STEP, axial_grid(SHAPE, (2.0, 2.0, 2.0))))
    segmentation = dcmread(write_seg(series, tmp_path / "seg.dcm", labels=1))
    assert segmentation.NumberOfFrames == 1
    labels = read_label_map(segmentation, build_volume(read_headers(series.instances)))
    np.testing.assert_array_equal(labels, drawn)


def test_three_planes_stand_side_by_side(picture: np.ndarray) -> None:
    """Axial, coronal and sagittal, each as high as the others and as wide as its millimetres say."""
    assert picture.shape == (HEIGHT_PIXELS, 480 + 640 + 640, 3)


def test_structures_have_their_colours_and_the_rest_is_grey(picture: np.ndarray) -> None:
    """In the axial plane through the middle, at the place of the first structure."""
    inside = picture[6 * AXIAL_VOXEL + 15, 7 * AXIAL_VOXEL + 15]
    outside = picture[14 * AXIAL_VOXEL + 15, 14 * AXIAL_VOXEL + 15]
    assert inside[0] - inside[2] > 60
    assert outside.max() - outside.min() == 0
    assert hue(picture, 2 * AXIAL_VOXEL, 7 * AXIAL_VOXEL) == 0


def test_the_head_is_up_in_the_upright_planes(picture: np.ndarray) -> None:
    """The first structure lies in slices 3 to 6 of 12, so it is below the middle of the coronal plane."""
    column = 480 + 7 * 40 + 20
    reds = [row for row in range(HEIGHT_PIXELS) if hue(picture, row, column) > 60]
    assert reds
    assert min(reds) >= (SHAPE[0] - 1 - 6) * CORONAL_SLICE - CORONAL_SLICE // 2
    assert max(reds) <= (SHAPE[0] - 3) * CORONAL_SLICE + CORONAL_SLICE // 2


def test_another_structure_has_another_colour(series: SeriesRevision, tmp_path: Path) -> None:
    """Blue, not red: colours go by segment number, not by order of drawing."""
    only_second = (blocks() == 2) * 2
    only = revision_of(write_series(tmp_path / "in", only_second * STEP, axial_grid(SHAPE, (2.0, 2.0, 2.0))))
    draw_overlay(only, write_seg(only, tmp_path / "seg.dcm"), tmp_path / "overlay.png")
    with Image.open(tmp_path / "overlay.png") as image:
        drawn = np.asarray(image).astype(int)
    assert hue(drawn, 11 * AXIAL_VOXEL + 15, 5 * AXIAL_VOXEL) < -60
    assert (drawn[..., 0] - drawn[..., 2]).max() <= 0
