"""The measuring side of the training needs no torch: overlap, changed pictures, conformed heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from inference.domain.geometry import Grid
from inference.domain.volume import Volume
from inference.parts import largest_part
from models.brain_structures.training.compare import changed, dice, mirrored, volume_of, volumes_ml
from models.brain_structures.training.heads import SIDE, conform, conformed_grid, open_volume
from models.brain_structures.training.teacher import head_box

GRID = Grid((20, 30, 40), np.array([-20.0, -15.0, -10.0]), np.array([[0, 0, 1.0], [0, 1.0, 0], [1.0, 0, 0]]))


def ball() -> Volume:
    """Give a bright ball that lies nearer the patient's right."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in GRID.shape], indexing="ij"), axis=-1)
    inside = np.linalg.norm(GRID.to_lps(index) - [-8.0, 0.0, 0.0], axis=-1) < 6
    return volume_of(np.where(inside, 100, 0).astype(np.float32), GRID)


def test_overlap_is_twice_the_common_part_over_both() -> None:
    """Half a structure is found: two thirds; one that neither has counts as agreement."""
    theirs = np.zeros((4, 4, 4), dtype=np.uint8)
    theirs[:2] = 1
    theirs[3] = 17
    ours = np.zeros_like(theirs)
    ours[0] = 1
    overlap = dice(ours, theirs)
    assert overlap[0] == pytest.approx(2 / 3)
    assert overlap[16] == 0
    assert overlap[1] == 1


def test_volumes_are_counted_in_millilitres() -> None:
    """Value 1 stands first."""
    labels = np.array([[[0, 1, 1, 17]]], dtype=np.uint8)
    measured = volumes_ml(labels, 0.5)
    assert (measured[0], measured[16], measured.sum()) == (1.0, 0.5, 1.5)


def test_changes_leave_the_head_what_it_is() -> None:
    """Turned, resampled, darker and noisier, the ball still has its volume."""
    ball_ml = (ball().array > 50).sum() * GRID.voxel_volume_ml
    others = changed(ball())
    assert len(others) == 4
    for name, other in others.items():
        half = other.array.max() / 2
        assert (other.array > half).sum() * other.grid.voxel_volume_ml == pytest.approx(ball_ml, rel=0.05), name
    assert not np.allclose(others["rotated by 10°"].grid.steps_mm, GRID.steps_mm)
    assert others["half brightness"].array.max() == 50


def test_a_mirrored_head_has_left_and_right_exchanged() -> None:
    """The axis that runs left to right is the one that is turned."""
    other, axis = mirrored(ball())
    assert axis == 2
    centre = other.grid.to_lps(np.argwhere(other.array > 50).mean(axis=0))
    field = GRID.to_lps((np.array(GRID.shape) - 1) / 2)
    assert centre[0] - field[0] == pytest.approx(field[0] + 8.0, abs=0.2)


def test_a_file_is_conformed_as_the_teacher_wants_it(tmp_path: Path) -> None:
    """256 voxels of 1 mm a side, right to left, superior to inferior, posterior to anterior, 0 to 255."""
    image = sitk.GetImageFromArray(ball().array)
    image.SetOrigin([-20.0, -15.0, -10.0])
    path = tmp_path / "ball.nii.gz"
    sitk.WriteImage(image, str(path))
    array, grid = open_volume(path)
    conformed = conform(array, grid, 100)
    assert conformed.shape == (SIDE, SIDE, SIDE)
    assert (conformed.min(), conformed.max()) == (0, 255)
    centre = np.argwhere(conformed > 128).mean(axis=0)
    np.testing.assert_allclose(conformed_grid(grid).to_lps(centre), [-8.0, 0.0, 0.0], atol=0.1)
    assert centre[0] < (SIDE - 1) / 2, "right comes first"


def test_a_folder_must_hold_one_series(tmp_path: Path) -> None:
    """Nothing to learn from is told, not skipped."""
    with pytest.raises(ValueError, match="0 series"):
        open_volume(tmp_path)


def test_the_teacher_is_given_the_head_alone() -> None:
    """Bounds of the largest bright component; specks elsewhere do not widen them."""
    image = np.zeros((32, 32, 32), dtype=np.uint8)
    image[4:20, 5:21, 6:22] = 200
    image[30, 30, 30] = 255
    assert head_box(image) == (slice(4, 20), slice(5, 21), slice(6, 22))
    assert largest_part(image > 0).sum() == 16**3
