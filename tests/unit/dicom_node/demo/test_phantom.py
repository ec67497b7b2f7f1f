"""The digital head phantom: the same every time, right in the patient, and true to its label map."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_node.demo import phantom
from dicom_node.demo.phantom import T1_BRIGHTNESS, Rendering, data_sets, load_labels, render, true_volumes_ml, write
from inference.domain.geometry import Grid
from inference.domain.volume import Volume
from inference.headers import read_headers
from inference.reading import describe
from inference.selection import select
from inference.volume_builder import build_volume
from models.catalogue import FolderCatalogue, builtin_models_root
from tests.support.conformance import dciodvfy_errors
from tests.support.synthetic_series import revision_of

SMALL = (9, 50, 13)
"""Right→left, superior→inferior, posterior→anterior; as many slices as the built-in model wants."""

CLEAN = Rendering(noise=0.0, bias=0.0, tilt_deg=20.0)


def small_labels() -> np.ndarray:
    """Give a label map of air with one white voxel, far from any centre."""
    labels = np.zeros(SMALL, dtype=np.uint8)
    labels[7, 12, 3] = 1
    return labels


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the small label map in the place of the head."""
    monkeypatch.setattr(phantom, "load_labels", small_labels)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """Give the head's label map."""
    return load_labels()


def built(folder: Path, rendering: Rendering) -> tuple[Volume, Sequence[Dataset]]:
    """Write the phantom and read it as the node does."""
    series = revision_of(write(folder, rendering))
    headers = read_headers(series.instances)
    return build_volume(headers), headers


# The label map


def test_the_label_map_is_as_described(labels: np.ndarray) -> None:
    """Size, kind and every label that has a brightness."""
    assert (labels.shape, labels.dtype) == ((184, 242, 216), np.uint8)
    assert set(np.unique(labels)) == set(T1_BRIGHTNESS)


def test_true_volumes_are_voxel_counts(labels: np.ndarray) -> None:
    """One voxel is one microlitre; the 17 structures and nothing else."""
    volumes = true_volumes_ml(labels)
    assert list(volumes) == list(range(1, 18))
    for value in (1, 7, 17):
        assert volumes[value] == (labels == value).sum() / 1000
    assert true_volumes_ml(np.full((2, 3, 4), 5, dtype=np.uint8))[5] == 0.024


def test_the_phantom_is_a_head_that_the_model_believes(labels: np.ndarray) -> None:
    """Each true volume lies within the limits of the built-in model."""
    (spec,) = FolderCatalogue([builtin_models_root()]).active()
    volumes = true_volumes_ml(labels)
    for label in spec.labels:
        assert label.min_volume_ml <= volumes[label.value] <= label.max_volume_ml, label.name
    low, high = spec.plausibility.total_ml
    assert low <= sum(volumes.values()) <= high


# Drawing


def test_the_same_rendering_gives_the_same_pixels(labels: np.ndarray) -> None:
    """On any day; another seed gives other noise of the same object."""
    part = labels[60:100, 80:120, 60:100]
    first, second, other = (render(part, Rendering(seed=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert (first != other).mean() > 0.5
    assert first.dtype == np.uint16
    assert np.corrcoef(first.ravel(), other.ravel())[0, 1] > 0.6


def test_brightness_is_that_of_the_label() -> None:
    """Without noise and bias, the inside of a structure has its stored value; nothing leaves the 12 bits."""
    block = np.full((12, 12, 12), 5, dtype=np.uint8)
    assert render(block, CLEAN)[6, 6, 6] == pytest.approx(1000 * T1_BRIGHTNESS[5], abs=1)
    assert render(block, Rendering(noise=50.0)).max() == 4095


def test_bias_is_smooth_and_noise_is_not() -> None:
    """Shading changes slowly over the head."""
    block = np.full((40, 40, 40), 5, dtype=np.uint8)
    shaded = render(block, Rendering(noise=0.0, bias=0.15)).astype(float)
    assert shaded.std() > 10
    assert np.abs(np.diff(shaded, axis=0)).max() < 0.08 * shaded.mean()
    assert render(block, Rendering(noise=0.02, bias=0.0)).astype(float).std() == pytest.approx(20, rel=0.2)


def test_slices_are_axial_from_foot_to_head() -> None:
    """(slices I→S, rows A→P, columns R→L) of a map that runs R→L, S→I, P→A."""
    pixels = render(small_labels(), CLEAN)
    assert pixels.shape == (50, 13, 9)
    assert np.unravel_index(pixels.argmax(), pixels.shape) == (49 - 12, 12 - 3, 7)


# The DICOM objects


@pytest.mark.usefixtures("small")
def test_equal_renderings_give_equal_instances() -> None:
    """UIDs, order and pixels; and every rendering is a study of its own."""
    first, second = ([data_set.to_json() for data_set in data_sets(CLEAN)] for _ in range(2))
    assert first == second
    other = next(iter(data_sets(Rendering(seed=1))))
    one = next(iter(data_sets(Rendering(seed=0))))
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert one[keyword].value != other[keyword].value


@pytest.mark.usefixtures("small")
def test_slices_come_in_no_order() -> None:
    """A receiver must not be able to rely on it; numbers and UIDs are complete all the same."""
    made = list(data_sets(CLEAN))
    numbers = [int(data_set.InstanceNumber) for data_set in made]
    assert numbers != sorted(numbers)
    assert sorted(numbers) == list(range(1, 51))
    assert len({data_set.SOPInstanceUID for data_set in made}) == 50
    assert len({data_set.SeriesInstanceUID for data_set in made}) == 1


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("tilt_deg", [0.0, 8.0, 20.0, -35.0])
def test_a_voxel_of_the_map_is_where_the_header_says(tmp_path: Path, tilt_deg: float) -> None:
    """The white voxel's place in the patient, from the map and the tilt alone, is the one that the files give."""
    volume, _ = built(tmp_path, Rendering(noise=0.0, bias=0.0, tilt_deg=tilt_deg))

    found = volume.grid.to_lps(np.unravel_index(volume.array.argmax(), volume.array.shape))

    right_left, superior_inferior, posterior_anterior = 7, 12, 3
    upright = np.array(
        [
            right_left - (SMALL[0] - 1) / 2,  # x grows to the left
            (SMALL[2] - 1) / 2 - posterior_anterior,  # y grows to the back
            (SMALL[1] - 1) / 2 - superior_inferior,  # z grows to the head
        ]
    )
    sine, cosine = np.sin(np.deg2rad(tilt_deg)), np.cos(np.deg2rad(tilt_deg))
    turned = np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]]) @ upright
    np.testing.assert_allclose(found, turned, atol=1e-4)


@pytest.mark.usefixtures("small")
def test_the_lattice_is_one_millimetre_and_not_mirrored(tmp_path: Path) -> None:
    """Steps of 1 mm at right angles, around the origin; slices, rows and columns form a right-handed set."""
    volume, _ = built(tmp_path, CLEAN)
    grid: Grid = volume.grid
    np.testing.assert_allclose(grid.steps_mm.T @ grid.steps_mm, np.eye(3), atol=1e-6)
    assert grid.spacing_mm == pytest.approx((1, 1, 1))
    assert np.dot(np.cross(grid.steps_mm[:, 2], grid.steps_mm[:, 1]), grid.steps_mm[:, 0]) == pytest.approx(1)
    np.testing.assert_allclose(grid.to_lps((np.array(grid.shape) - 1) / 2), 0, atol=1e-4)


@pytest.mark.usefixtures("small")
def test_the_built_in_model_wants_it(tmp_path: Path) -> None:
    """Its header is that of a T1-weighted head."""
    _, headers = built(tmp_path, CLEAN)
    selection = select(describe(headers), FolderCatalogue([builtin_models_root()]).active())
    assert [spec.reference.model_id for spec in selection.matches] == ["brain_structures"]


@pytest.mark.usefixtures("small")
def test_a_slice_is_a_valid_object(tmp_path: Path) -> None:
    """Dciodvfy finds no error; the pixel data has its even length and the file its own name."""
    paths = write(tmp_path / "new" / "folder", CLEAN)
    assert len({path.name for path in paths}) == 50
    for path in islice(paths, 2):
        assert dciodvfy_errors(path) == []
