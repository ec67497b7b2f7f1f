"""A tumour package, added to the running node, answers as the clinical system asks, wherever one looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.domain.geometry import Grid
from tests.e2e.conftest import Answered, send_and_wait
from tests.support.conformance import dciodvfy_errors
from tests.support.findings import items
from tests.support.hospital import Hospital
from tests.support.model_packages import Graph
from tests.support.segmentation_reader import read_segments
from tests.support.synthetic_series import SeriesOptions, axial_grid, write_series
from tests.support.written_packages import changed, manifest_values, write_package

pytestmark = pytest.mark.e2e

MODEL_ID: Final = "bright_tumour"
SHAPE: Final = (48, 64, 64)
SPACING_MM: Final = 3.0
MIDDLE: Final = (22.0, 26.0, 40.0)
"""Of the lesion, as (slice, row, column): off the middle along every axis, so that a flip is seen."""

RADIUS_MM: Final = 12.0
TRUE_ML: Final = 4 / 3 * np.pi * RADIUS_MM**3 / 1000
TISSUE, LESION, VESSEL = 300.0, 900.0, 1000.0

NETWORK: Final = Graph(("Identity",), output_shape=(1, 1, "d", "h", "w"))
"""The logit of a tumour is the scaled brightness: what is brighter than 600 is more likely tumour than not."""

MANIFEST: Final = changed(
    manifest_values(MODEL_ID),
    {
        "model.title": "Bright tumour",
        "model.task": "tumor_detection",
        "channels.0.name": "T1-Gd",
        "channels.0.selection.sequence": "T1-Gd",
        "channels.0.intensity": {"normalisation": "fixed", "mean": 600.0, "deviation": 100.0},
        "preprocess.orientation": "SPL",
        "preprocess.spacing_mm": [SPACING_MM] * 3,
        "preprocess.shape": list(SHAPE),
        "output.kind": "sigmoid_logits",
        "labels.0.name": "Tumour",
        "labels.0.category": {"value": "49755003", "scheme": "SCT", "meaning": "Morphologically Abnormal Structure"},
        "labels.0.type": {"value": "108369006", "scheme": "SCT", "meaning": "Neoplasm"},
        "labels.0.smallest_ml": 0.5,
    },
)


def head(*, lesion: bool) -> tuple[NDArray[np.float64], Grid]:
    """Draw an ellipsoid of tissue with a vessel, brighter than any tumour and too small to be one."""
    grid = axial_grid(SHAPE, (SPACING_MM,) * 3)
    indices = np.indices(SHAPE).astype(np.float64)
    centre = (np.array(SHAPE) - 1) / 2
    inside = sum(((axis - c) / (0.42 * n)) ** 2 for axis, c, n in zip(indices, centre, SHAPE, strict=True)) < 1
    array = np.where(inside, TISSUE, 10.0)
    array[30, 30:33, 20] = VESSEL
    if lesion:
        squared_mm = sum((SPACING_MM * (axis - m)) ** 2 for axis, m in zip(indices, MIDDLE, strict=True))
        array[squared_mm <= RADIUS_MM**2] = LESION
    return array, grid


@pytest.fixture(scope="module")
def tumor_model(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Add the package to the running node, and take it out of service afterwards."""
    package = write_package(tmp_path_factory.mktemp("package") / MODEL_ID, MANIFEST, NETWORK)
    hospital.node.command("models", "add", str(package))
    hospital.node.command("models", "activate", MODEL_ID)
    yield MODEL_ID
    hospital.node.command("models", "deactivate", MODEL_ID)


def answered(hospital: Hospital, folder: Path, *, lesion: bool) -> Answered:
    """Send a head to the archive and wait for the answer."""
    array, grid = head(lesion=lesion)
    enhanced = {"ContrastBolusAgent": "Gadolinium", "PatientID": f"TUMOUR-{lesion}", "SeriesDescription": "t1_mprage"}
    options = SeriesOptions(seed=8000 + lesion, header=enhanced)
    return send_and_wait(hospital, write_series(folder, array, grid, options))


@pytest.fixture(scope="module")
def ill(hospital: Hospital, tumor_model: str, tmp_path_factory: pytest.TempPathFactory) -> Answered:
    """Give a head with a lesion, answered."""
    return answered(hospital, tmp_path_factory.mktemp("ill"), lesion=True)


@pytest.fixture(scope="module")
def healthy(hospital: Hospital, tumor_model: str, tmp_path_factory: pytest.TempPathFactory) -> Answered:
    """Give a head without, answered."""
    return answered(hospital, tmp_path_factory.mktemp("healthy"), lesion=False)


def true_middle() -> dict[str, float]:
    """Give the middle of the lesion in patient coordinates."""
    return dict(zip("xyz", map(float, axial_grid(SHAPE, (SPACING_MM,) * 3).to_lps(MIDDLE)), strict=True))


@dataclass(frozen=True)
class Reported:
    """What the report server holds of a study.

    Parameters
    ----------
    report
        The DiagnosticReport.
    tumor
        The Observation that answers the job.
    observations
        All of its results.
    """

    report: dict[str, Any]
    tumor: dict[str, Any]
    observations: list[dict[str, Any]]

    @property
    def components(self) -> dict[str, float]:
        """Give the numbers of the answer by their code."""
        return {
            component["code"]["coding"][0]["code"]: component["valueQuantity"]["value"]
            for component in self.tumor["component"]
        }


def reported(hospital: Hospital, study: Answered) -> Reported:
    """Read the report of a study; every resource of it must be valid."""
    (report,) = hospital.reports(study.study_uid)
    observations = [hospital.fhir.get(result["reference"]) for result in report["result"]]
    assert [fault for resource in (report, *observations) for fault in hospital.fhir.faults(resource)] == []
    (tumor,) = (one for one in observations if one["code"]["text"] == "Tumour")
    return Reported(report, tumor, observations)


def evaluation(report: Dataset) -> str:
    """Give whether an SR says that there is a tumour."""
    (item,) = (i for i in items(report, "Neoplasm") if i.ValueType == "CODE")
    value: str = item.ConceptCodeSequence[0].CodeMeaning
    return value


def conforming(objects: list[Any], folder: Path) -> bool:
    """Tell whether every object that the archive holds is without an error."""
    errors = []
    for number, one in enumerate(objects):
        one.save_as(folder / f"{number}.dcm")
        errors += dciodvfy_errors(folder / f"{number}.dcm")
    return errors == []


def test_the_job_answers_as_the_clinical_system_asks(ill: Answered) -> None:
    """Whether, how sure, where in the patient and how large, at the top of the result."""
    assert ill.job["state"] == "COMPLETED", ill.job
    assert ill.job["model"]["id"] == MODEL_ID
    result = ill.job["result"]
    assert set(result) == {"task", "tumor_detected", "confidence", "location", "volume_ml"}
    assert (result["task"], result["tumor_detected"]) == ("tumor_detection", True)
    assert 0.9 < result["confidence"] <= 1
    assert result["location"] == pytest.approx(true_middle(), abs=0.5)
    assert result["volume_ml"] == pytest.approx(TRUE_ML, rel=0.2)


def test_the_archive_holds_the_tumor_and_its_report(ill: Answered, hospital: Hospital, tmp_path: Path) -> None:
    """Drawn where it is, measured and said to be there; the vessel is not drawn."""
    (seg,), (report,) = (hospital.archived(ill.study_uid, kind) for kind in ("SEG", "SR"))
    assert conforming([seg, report], tmp_path)
    segments = read_segments(seg)
    assert list(segments) == ["Tumour"]
    assert segments["Tumour"].centroid == pytest.approx(list(true_middle().values()), abs=0.5)
    assert segments["Tumour"].volume_ml == pytest.approx(ill.job["result"]["volume_ml"], abs=2e-3)
    assert evaluation(report) == "Present"
    assert len(items(report, "Image Region")) == 1


def test_the_report_server_holds_the_answer(ill: Answered, hospital: Hospital) -> None:
    """Presence, volume, confidence and place in one Observation of the report, under the numbers of the job."""
    found, result = reported(hospital, ill), ill.job["result"]
    assert found.tumor["valueCodeableConcept"]["coding"][0]["display"] == "Present"
    assert found.components["122157"] == pytest.approx(100 * result["confidence"], abs=0.01)
    assert found.components["118565006"] == pytest.approx(result["volume_ml"], abs=1e-3)
    place = {axis: found.components[f"location-{axis}"] for axis in "xyz"}
    assert place == pytest.approx(result["location"], abs=0.01)
    assert [code["coding"][0]["code"] for code in found.report["conclusionCode"]] == ["108369006"]
    assert "Tumour found" in found.report["conclusion"]
    assert len(found.observations) == 2


def test_a_healthy_head_is_answered_too(healthy: Answered) -> None:
    """No tumour is a result: it has no place and no volume, and says how likely the likeliest voxel was."""
    assert healthy.job["state"] == "COMPLETED", healthy.job
    result = healthy.job["result"]
    assert (result["tumor_detected"], result["location"], result["volume_ml"]) == (False, None, 0.0)
    assert 0 < result["confidence"] <= 1
    assert healthy.job["absent"] == ["Tumour"]


def test_nothing_found_is_said_in_the_archive(healthy: Answered, hospital: Hospital, tmp_path: Path) -> None:
    """By a report alone."""
    assert hospital.archived(healthy.study_uid, "SEG") == []
    (report,) = hospital.archived(healthy.study_uid, "SR")
    assert conforming([report], tmp_path)
    assert evaluation(report) == "Absent"
    assert items(report, "Measurement Group") == []


def test_nothing_found_is_said_in_the_report_server(healthy: Answered, hospital: Hospital) -> None:
    """By one Observation, and in words."""
    found = reported(hospital, healthy)
    assert found.observations == [found.tumor]
    assert found.tumor["valueCodeableConcept"]["coding"][0]["display"] == "Absent"
    assert set(found.components) == {"122157"}
    assert "No tumour found" in found.report["conclusion"]
