"""Whatever series an object is written as, the node finds it where it is in the patient.

An identity network with a threshold goes through the whole pure line: reading, stacking, resampling to the network's
grid and back, measuring, encoding. What it says is read by dcmqi, which nobody here wrote.
"""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from numpy.typing import NDArray
from pydicom import dcmread

from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ModelSpec
from inference.domain.result import AnalysisResult
from inference.pipeline import Analysis, Surroundings, analyse
from models.manifest import load_manifest
from tests.property.strategies import BETWEEN, RandomSeries, series
from tests.support.conformance import dciodvfy_errors, read_seg
from tests.support.fakes import FixedClock
from tests.support.model_packages import Graph
from tests.support.segmentation_reader import read_segments
from tests.support.synthetic_series import revision_of
from tests.support.written_packages import changed, cpu_runner, manifest_values, write_package

pytestmark = pytest.mark.integration

NETWORK_MM = 0.5
"""Half of the finest voxel that is drawn: then two interpolations leave every corner of an object on its side of the
threshold, and what comes back is the object itself."""

RUNNER = cpu_runner()


@pytest.fixture(scope="module")
def threshold(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """Give a model whose network calls bright what is above the threshold."""
    values = changed(
        manifest_values("threshold"),
        {
            "channels.0.selection": {"modality": "MR", "min_slices": 2, "max_slice_spacing_mm": 10.0},
            "channels.0.intensity": {"normalisation": "fixed", "mean": BETWEEN, "deviation": 100.0},
            "preprocess": {
                "orientation": "RAS",
                "spacing_mm": [NETWORK_MM] * 3,
                "shape": [64, 64, 64],
                "placement": "sliding",
            },
            "graph.overlap": 0.25,
        },
    )
    folder = write_package(
        tmp_path_factory.mktemp("threshold"), values, Graph(nodes=("Neg", "ConcatInput")), golden=False
    )
    return load_manifest(folder / "manifest.toml")


def analysed(made: RandomSeries, spec: ModelSpec, folder: Path) -> Analysis:
    """Write a series and run the line on it."""
    revision = revision_of(made.write(folder / "source"))
    return analyse(ModelInputs(revision), spec, Surroundings(RUNNER, FixedClock(), lambda _: None))


def voxels_by_dcmqi(content: bytes, folder: Path) -> NDArray[np.float64]:
    """Give the centres of the voxels that dcmqi finds in a SEG, LPS mm, one a row."""
    (folder / "seg.dcm").write_bytes(content)
    assert dciodvfy_errors(folder / "seg.dcm") == []
    (path,) = read_seg(folder / "seg.dcm", folder / "nrrd")
    image = sitk.ReadImage(str(path))
    found = np.argwhere(sitk.GetArrayFromImage(image) > 0)[:, ::-1].astype(np.float64)
    direction = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    lps: NDArray[np.float64] = found @ direction.T + image.GetOrigin()
    return lps


def check(lps: NDArray[np.float64], made: RandomSeries) -> None:
    """Every voxel lies on the source's lattice, and they are those of the object: no more, no fewer, no others."""
    index = made.grid.to_index(lps)
    assert np.abs(index - index.round()).max() < 0.05
    found = {tuple(voxel) for voxel in index.round().astype(int)}
    assert found == {tuple(voxel) for voxel in np.argwhere(made.mask)}


def check_measured(result: AnalysisResult, made: RandomSeries) -> None:
    """Compare the volume and the place that are reported with the object's."""
    (segment,) = result.segments
    assert segment.volume.value == pytest.approx(made.mask.sum() * made.grid.voxel_volume_ml, rel=1e-3)
    centre = made.grid.to_lps(np.argwhere(made.mask).mean(axis=0))
    assert np.linalg.norm(np.array(segment.centroid_lps_mm) - centre) < min(made.grid.spacing_mm) / 2


@given(made=series())
def test_an_object_comes_back_where_it_was(threshold: ModelSpec, made: RandomSeries) -> None:
    """Any direction, spacing, order, encoding; classic, enhanced, legacy converted; one instance or several."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        analysis = analysed(made, threshold, folder)
        check(voxels_by_dcmqi(analysis.artifacts[0].content, folder), made)
        check_measured(analysis.result, made)


@given(made=series(most_tilt_degrees=30.0))
def test_a_tilted_series_comes_back_on_its_true_planes(threshold: ModelSpec, made: RandomSeries) -> None:
    """A sheared lattice is resampled rightly, and the SEG lies on the source's own planes.

    It is read without dcmqi, whose images can not be sheared.
    """
    with tempfile.TemporaryDirectory() as name:
        analysis = analysed(made, threshold, Path(name))
        seg = dcmread(BytesIO(analysis.artifacts[0].content))
        (found,) = read_segments(seg).values()
        check(found.points_lps_mm, made)
        check_measured(analysis.result, made)
        origins = made.grid.to_lps(np.array([(index, 0, 0) for index in range(made.grid.shape[0])], float))
        for frame in seg.PerFrameFunctionalGroupsSequence:
            position = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=np.float64)
            assert np.linalg.norm(origins - position, axis=1).min() < 1e-3
