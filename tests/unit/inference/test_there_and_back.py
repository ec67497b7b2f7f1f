"""From DICOM files to labels on the source grid: an object stays where it is in the patient.

The network is replaced by a threshold, so whatever is off is off in reading, stacking, sampling or labelling.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.domain.geometry import Grid
from inference.domain.result import AnalysisResult
from inference.headers import read_headers
from inference.measure import measure
from inference.postprocess import postprocess
from inference.preprocess import preprocess
from inference.uids import OutputUIDs
from inference.volume_builder import build_volume
from tests.support.model_packages import make_spec
from tests.support.synthetic_series import SeriesOptions, revision_of, write_series

SPEC = make_spec(labels=1, shape=(48, 48, 48))
UIDS = OutputUIDs("answer", "subject")
BALLS = ((np.array([-8.0, 5.0, 3.0]), 13.0), (np.array([14.0, -6.0, 4.0]), 8.0), (np.array([-4.0, 10.0, 20.0]), 6.0))
"""An object without any symmetry: three balls that do not touch, centres and radii in LPS millimetres."""

TRUE_VOLUME_ML = sum(4 / 3 * np.pi * radius**3 for _, radius in BALLS) / 1000
TRUE_CENTROID_MM = sum(centre * radius**3 for centre, radius in BALLS) / sum(radius**3 for _, radius in BALLS)


@dataclass(frozen=True)
class Acquisition:
    """How the object is scanned.

    Parameters
    ----------
    axes
        Which patient axis the slices, rows and columns run along, and in which direction.
    turn_deg
        Oblique rotation about each patient axis.
    spacing_mm
        Along slices, rows and columns.
    tilt
        Shear of the slice step along the rows.
    seed
        Of the order of files.
    """

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]
    turn_deg: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    tilt: float
    seed: int

    def grid(self) -> Grid:
        """Give a lattice around the patient origin that holds the whole object."""
        upright = np.zeros((3, 3))
        for column, (axis, sign) in enumerate(zip(self.axes, self.signs, strict=True)):
            upright[axis, column] = sign
        steps = rotation(self.turn_deg) @ upright * self.spacing_mm
        steps[:, 0] += self.tilt * steps[:, 1] * self.spacing_mm[0] / self.spacing_mm[1]
        shape = tuple(int(80 / spacing) for spacing in self.spacing_mm)
        return Grid((shape[0], shape[1], shape[2]), -steps @ ((np.array(shape) - 1) / 2), steps)


def rotation(turn_deg: tuple[float, float, float]) -> np.ndarray:
    total = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(turn_deg)):
        one, other = [a for a in range(3) if a != axis]
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        total = turn @ total
    return total


def draw(grid: Grid) -> np.ndarray:
    """Draw the balls with edges as soft as a voxel."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    at = grid.to_lps(index)
    width = max(grid.spacing_mm)
    fills = [np.clip(0.5 + (radius - np.linalg.norm(at - centre, axis=-1)) / width, 0, 1) for centre, radius in BALLS]
    return np.rint(1000 * np.max(fills, axis=0))


def analysed(folder: Path, acquisition: Acquisition) -> tuple[AnalysisResult, float]:
    """Run the line with a threshold for a network; also give the overlap with what was drawn."""
    grid = acquisition.grid()
    order = np.random.default_rng(acquisition.seed).permutation(grid.shape[0])
    options = SeriesOptions(order=[int(index) for index in order])
    series = revision_of(write_series(folder, draw(grid), grid, options))
    volume = build_volume(read_headers(series.instances))
    network = preprocess([volume], SPEC)
    above = network.tensor[:, 0] - 500
    answer = postprocess((np.stack([-above, above], axis=1),), network.grid, volume.grid, SPEC)
    drawn = volume.array > 500
    result = measure(answer, volume, SPEC, UIDS)
    assert result.labels is not None
    labelled = result.labels == 1
    overlap = 2 * (drawn & labelled).sum() / (drawn.sum() + labelled.sum())
    return result, float(overlap)


spacings = st.floats(1.3, 2.5)
turns = st.floats(-40, 40)
acquisitions = st.builds(
    Acquisition,
    axes=st.permutations((0, 1, 2)).map(tuple),
    signs=st.tuples(*[st.sampled_from((-1, 1))] * 3),
    turn_deg=st.tuples(turns, turns, turns),
    spacing_mm=st.tuples(spacings, spacings, spacings),
    tilt=st.floats(-0.35, 0.35),
    seed=st.integers(0, 100),
)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(acquisition=acquisitions)
def test_an_object_stays_where_it_is(tmp_path_factory: pytest.TempPathFactory, acquisition: Acquisition) -> None:
    """In any orientation, spacing, order and tilt: the same place within half a voxel, volume and shape."""
    result, overlap = analysed(tmp_path_factory.mktemp("series"), acquisition)
    (segment,) = result.segments
    off_mm = np.abs(np.array(segment.centroid_lps_mm) - TRUE_CENTROID_MM).max()
    assert off_mm <= 0.5 * min(acquisition.spacing_mm)
    assert segment.volume.value == pytest.approx(TRUE_VOLUME_ML, rel=0.06)
    assert overlap > 0.93


@pytest.mark.parametrize("axis", [0, 1, 2], ids=["left-right", "front-back", "head-foot"])
def test_a_mirrored_patient_gives_a_mirrored_result(tmp_path: Path, axis: int) -> None:
    """Sides are never mixed up: mirroring the lattice in the patient mirrors the centroid, and nothing else."""
    plain = Acquisition((2, 1, 0), (1, 1, 1), (5.0, -8.0, 3.0), (2.0, 1.0, 1.2), 0.0, 0)
    grid = plain.grid()
    mirror = np.eye(3)
    mirror[axis, axis] = -1
    mirrored = Grid(grid.shape, mirror @ grid.origin_mm, mirror @ grid.steps_mm)
    series = revision_of(write_series(tmp_path, draw(grid), mirrored))
    volume = build_volume(read_headers(series.instances))
    network = preprocess([volume], SPEC)
    above = network.tensor[:, 0] - 500
    answer = postprocess((np.stack([-above, above], axis=1),), network.grid, volume.grid, SPEC)
    (segment,) = measure(answer, volume, SPEC, UIDS).segments
    np.testing.assert_allclose(segment.centroid_lps_mm, mirror @ TRUE_CENTROID_MM, atol=0.5)
