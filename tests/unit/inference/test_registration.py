"""A series is laid on another of the same patient, whatever its contrast, voxels and orientation, or refused."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

import inference.registration
from inference.domain.geometry import FloatArray, Grid
from inference.domain.volume import Volume
from inference.errors import ReasonCode, UnsupportedGeometry
from inference.registration import RigidMotion, register
from tests.support.synthetic_series import axial_grid

REFERENCE_GRID = axial_grid((48, 64, 64), (3.5, 3.0, 3.0))
CORNERS_MM = np.array(np.meshgrid(*[(-60.0, 0.0, 60.0)] * 3)).reshape(3, -1).T
"""Where in the head the error is looked at."""


def turned_by(degrees: tuple[float, float, float]) -> FloatArray:
    transform = sitk.Euler3DTransform()
    transform.SetRotation(*np.deg2rad(degrees))
    return np.array(transform.GetMatrix()).reshape(3, 3)


def motion(degrees: tuple[float, float, float], shift_mm: tuple[float, float, float]) -> RigidMotion:
    """Make a motion about the middle of the reference."""
    centre = REFERENCE_GRID.to_lps((np.array(REFERENCE_GRID.shape) - 1) / 2)
    return RigidMotion(turned_by(degrees), centre, np.array(shift_mm))


def tissue(positions: FloatArray) -> np.ndarray:
    """Give 0 for air, 1 to 4 for parts of a head without any symmetry, at LPS positions."""
    found = np.zeros(positions.shape[:-1])
    for value, centre, axes in (
        (1, (0, 0, 0), (70, 85, 75)),
        (2, (0, 5, 10), (58, 70, 60)),
        (3, (28, -25, 20), (20, 35, 12)),
        (4, (-30, 30, 0), (12, 30, 28)),
        (4, (25, 40, 25), (25, 10, 12)),
        (3, (-25, -35, 30), (25, 12, 15)),
        (0, (0, -65, -25), (18, 25, 15)),
    ):
        inside = (((positions - centre) / axes) ** 2).sum(axis=-1) <= 1
        found[inside] = value
    return found


def scan(grid: Grid, contrast: tuple[float, ...], moved: RigidMotion | None = None) -> Volume:
    """Scan the head, after it moved: every tissue has its brightness, with a little noise."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    positions = grid.to_lps(index)
    if moved is not None:
        positions = (positions - moved.centre_mm - moved.translation_mm) @ moved.rotation + moved.centre_mm
    bright = np.array(contrast)[tissue(positions).astype(int)]
    noise = np.random.default_rng(0).normal(0, 3, grid.shape)
    return Volume((bright + noise).astype(np.float32), grid, (None,) * grid.shape[0])


T1, T2 = (0, 60, 100, 80, 20), (0, 90, 40, 55, 130)
REFERENCE = scan(REFERENCE_GRID, T1)


def oblique_grid() -> Grid:
    """Make thick sagittal slices, a little oblique, that do not cover all of the head."""
    steps = turned_by((4, -3, 6)) @ np.array([[5.0, 0, 0], [0, 0, 2.4], [0, -2.4, 0]])
    shape = (26, 70, 70)
    return Grid(shape, -steps @ ((np.array(shape) - 1) / 2), steps)


@pytest.mark.parametrize(
    "moved",
    [
        motion((0, 0, 0), (0, 0, 0)),
        motion((3, -2, 4), (4, -6, 3)),
        motion((-10, 8, 6), (-15, 12, 18)),
    ],
    ids=["not at all", "a little", "much"],
)
@pytest.mark.parametrize("grid", [REFERENCE_GRID, oblique_grid()], ids=["same slices", "oblique slices"])
def test_a_head_that_moved_is_brought_back(moved: RigidMotion, grid: Grid) -> None:
    """Another contrast, another stack of slices: everywhere in the head within less than a voxel."""
    registered = register(scan(grid, T2, moved), REFERENCE)
    voxels = grid.to_index((CORNERS_MM - moved.centre_mm) @ moved.rotation.T + moved.centre_mm + moved.translation_mm)
    off_mm = np.linalg.norm(registered.volume.grid.to_lps(voxels) - CORNERS_MM, axis=1)
    assert off_mm.max() < 1.5
    assert registered.motion.shift_mm == pytest.approx(moved.shift_mm, abs=1.0)
    assert registered.motion.turn_deg == pytest.approx(moved.turn_deg, abs=1.0)


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search on larger voxels, where accuracy is not what is looked at."""
    monkeypatch.setattr(inference.registration, "VOXEL_MM", 7.0)


@pytest.mark.usefixtures("coarse")
def test_the_values_are_not_resampled() -> None:
    """Only the grid moves, so that the network's grid is sampled from the original voxels."""
    moving = scan(REFERENCE_GRID, T2, motion((3, 0, 0), (5, 0, 0)))
    registered = register(moving, REFERENCE).volume
    assert registered.array is moving.array
    assert registered.frames is moving.frames
    assert not registered.grid.same_as(moving.grid)


@pytest.mark.usefixtures("coarse")
def test_the_same_images_give_the_same_answer_bit_by_bit() -> None:
    """Results are filed under identifiers derived from the input."""
    moving = scan(oblique_grid(), T2, motion((3, -2, 4), (4, -6, 3)))
    first, second = register(moving, REFERENCE), register(moving, REFERENCE)
    np.testing.assert_array_equal(first.motion.rotation, second.motion.rotation)
    np.testing.assert_array_equal(first.motion.translation_mm, second.motion.translation_mm)


def test_a_large_field_of_view_is_searched_on_coarser_voxels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is bounded, and a little accuracy is what it costs."""
    moved = motion((3, -2, 4), (4, -6, 3))
    monkeypatch.setattr(inference.registration, "MOST_VOXELS", 30_000)
    registered = register(scan(REFERENCE_GRID, T2, moved), REFERENCE)
    assert registered.motion.shift_mm == pytest.approx(moved.shift_mm, abs=1.5)


def test_undoing_a_motion_is_its_inverse() -> None:
    """A voxel that the motion took away is back where it was."""
    moved = motion((10, 20, -5), (7, 8, 9))
    grid = oblique_grid()
    went = (grid.to_lps((1, 2, 3)) - moved.centre_mm) @ moved.rotation.T + moved.centre_mm + moved.translation_mm
    there = Grid(grid.shape, went, moved.rotation @ grid.steps_mm)
    np.testing.assert_allclose(moved.undone(there).to_lps((0, 0, 0)), grid.to_lps((1, 2, 3)), atol=1e-9)


def noise() -> Volume:
    values = np.random.default_rng(1).random(REFERENCE_GRID.shape).astype(np.float32)
    return Volume(values, REFERENCE_GRID, REFERENCE.frames)


def elsewhere() -> Volume:
    grid = REFERENCE_GRID
    return Volume(REFERENCE.array, Grid(grid.shape, grid.origin_mm + 900.0, grid.steps_mm), REFERENCE.frames)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize(
    ("moving", "told"),
    [
        (noise(), "does not settle|would have moved"),
        (Volume(np.full_like(REFERENCE.array, 7), REFERENCE_GRID, REFERENCE.frames), "is empty"),
        (elsewhere(), "do not overlap"),
        (scan(REFERENCE_GRID, T2, motion((0, 0, 0), (30, 0, 42))), "would have moved by 5"),
        (scan(REFERENCE_GRID, T2, motion((0, 0, 36), (0, 0, 0))), "and 3[4-8]°"),
    ],
    ids=["noise", "nothing", "elsewhere", "too far", "turned too much"],
)
def test_what_cannot_be_believed_is_refused(moving: Volume, told: str) -> None:
    """A search that fails is a named reason, never a network that is given two things that do not match."""
    with pytest.raises(UnsupportedGeometry, match=told) as caught:
        register(moving, REFERENCE)
    assert caught.value.code == ReasonCode.REGISTRATION
