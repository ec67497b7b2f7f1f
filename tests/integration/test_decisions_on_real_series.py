"""Every real series we have ends as its publisher's README says: analysed, or with one named reason."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest

from dicom_node.folder_scan import scan
from inference.domain.model_inputs import ModelInputs
from inference.domain.result import AnalysisResult
from inference.domain.study import SeriesRevision
from inference.domain.volume import Volume
from inference.engine import EngineOptions, OnnxModelRunner
from inference.errors import ImplausibleResult, ReasonCode, StudyError
from inference.measure import check_plausible, measure
from inference.postprocess import postprocess
from inference.preprocess import preprocess
from inference.reading import describe, read_headers
from inference.selection import select
from inference.tiling import run_over
from inference.uids import OutputUIDs
from inference.volume_builder import build_volume
from models.catalogue import FolderCatalogue, builtin_models_root
from models.weights import verify
from tests.support.shared_data import SHARED, needs_shared

pytestmark = [pytest.mark.integration, needs_shared]

DATA = SHARED / "data"
SPEC = FolderCatalogue([builtin_models_root()]).get("brain_structures")
RUNNER = OnnxModelRunner(EngineOptions(provider="cpu", verify=verify))

DECISIONS: Mapping[str, Mapping[str, str]] = {
    "mr-t1-defaced-adult-192": {"anat-T1w": "analysed"},
    "mr-t1-memprage-sag-adult": {"mocoMEMPRAGE_220FOV RMS": "analysed"},
    "mr-phantom-j2k": {"anat-T1w_acq-tfl": "analysed"},  # refused later: what the network says is no brain
    "mr-t1-2d-sag-decubitus-left": {"t1_fl2d_sag": ReasonCode.TOO_THICK},
    "mr-enhanced-xa30-human": {
        "anat-T1w_acq-tfl": ReasonCode.MULTI_FRAME,
        "gre_field_mapping": ReasonCode.SEQUENCE,
        "DWI_dir80_PA_FA": ReasonCode.DERIVED,
        "DWI_dir80_PA_ColFA": ReasonCode.DERIVED,
    },
    "mr-4d-epi-ge": {"Axial EPI-FMRI (Interleaved I to S)": ReasonCode.SEQUENCE},
    "mr-mosaic-siemens": {"EPI PE=AP": ReasonCode.MOSAIC},
    "ct-head-gantry-tilt-ge": {"": ReasonCode.MODALITY},
    "ct-phantom-philips-scout": {"": ReasonCode.LOCALIZER},
    "ct-phantom-philips-sc": {"Exam Summary": ReasonCode.SECONDARY_CAPTURE},
}
"""Per set and SeriesDescription: ``analysed``, or the reason before any pixel is read."""


def decision(series: SeriesRevision) -> tuple[str, str]:
    """Give the description of a series and what selection, then the volume builder, says."""
    headers = read_headers(series.instances)
    header = describe(headers)
    refusal = select(header, [SPEC]).refusal
    if refusal is not None:
        return header.series_description, refusal.code
    try:
        build_volume(series, headers)
    except StudyError as error:
        return header.series_description, error.code
    return header.series_description, "analysed"


@pytest.mark.parametrize("name", list(DECISIONS))
def test_each_series_gets_its_decision(name: str) -> None:
    """All series of the set, none forgotten."""
    assert dict(decision(series) for series in scan(DATA / name).series) == dict(DECISIONS[name])


@pytest.mark.parametrize(
    "name", ["seg-sr-dcmqi", "seg-sr-highdicom", "odd-small-pydicom", "compressed-ct-slice-all-syntaxes"]
)
def test_odd_sets_are_refused_with_reasons(name: str) -> None:
    """Results of others, reports, single slices and broken files: a named reason each, and nothing raised."""
    reasons = [code for _, code in map(decision, scan(DATA / name).series)]
    assert len(reasons) >= 7
    assert set(reasons) <= {code.value for code in ReasonCode}


@pytest.mark.parametrize(
    ("name", "code"),
    [("mr-4d-epi-ge", ReasonCode.REPEATED_POSITION), ("ct-head-gantry-tilt-ge", ReasonCode.NON_UNIFORM)],
)
def test_geometry_has_its_own_reasons(name: str, code: ReasonCode) -> None:
    """Were they not refused for what they are, time points and mixed spacing would be for how they lie."""
    (series,) = scan(DATA / name).series
    with pytest.raises(StudyError) as caught:
        build_volume(series, read_headers(series.instances))
    assert caught.value.code == code


def test_a_tilted_gantry_is_a_sheared_lattice() -> None:
    """The evenly spaced half of a real tilted CT keeps its shear, 18.5 degrees, in the grid."""
    (series,) = scan(DATA / "ct-head-gantry-tilt-ge").series
    pairs = zip(series.instances, read_headers(series.instances), strict=True)
    upper = sorted(pairs, key=lambda pair: pair[1].ImagePositionPatient[2])[14:]
    half = SeriesRevision(
        series.study_instance_uid, series.series_instance_uid, 1, tuple(i for i, _ in upper), series.evidence
    )
    grid = build_volume(half, [header for _, header in upper]).grid
    step, normal = grid.steps_mm[:, 0], np.cross(grid.steps_mm[:, 2], grid.steps_mm[:, 1])
    cosine = step @ normal / np.linalg.norm(step) / np.linalg.norm(normal)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(18.5, abs=0.5)


@cache
def analysed(name: str) -> tuple[Volume, AnalysisResult]:
    """Run the line up to the measurements, once per set."""
    (series,) = scan(DATA / name).series
    uids = OutputUIDs.derive(ModelInputs(series), SPEC.reference)
    return line(build_volume(series, read_headers(series.instances)), uids)


def line(volume: Volume, uids: OutputUIDs) -> tuple[Volume, AnalysisResult]:
    network = preprocess([volume], SPEC)
    answer = postprocess(run_over(network.tensor, SPEC, RUNNER), network.grid, volume.grid, SPEC)
    return volume, measure(answer, volume, SPEC, uids)


def centroids(result: AnalysisResult) -> dict[str, np.ndarray]:
    return {segment.label.name: np.array(segment.centroid_lps_mm) for segment in result.segments}


def test_the_defaced_adult_is_analysed() -> None:
    """Plausible volumes, every structure, and each where it belongs in the patient."""
    volume, result = analysed("mr-t1-defaced-adult-192")
    check_plausible(result, SPEC)
    assert volume.warnings == ()
    assert volume.array.shape == result.labels.shape == (192, 384, 274)
    assert 1200 <= result.totals[0].value <= 1700
    assert result.absent == ()
    at = centroids(result)
    assert at["Cerebellar cortex"][2] < at["Thalamus"][2] - 30
    assert at["Cerebellar cortex"][1] > at["Thalamus"][1] + 15
    assert at["Brain stem"][2] < at["Thalamus"][2] - 20
    assert at["Nucleus accumbens"][1] < at["Thalamus"][1] - 10
    assert at["Third ventricle"][2] < at["Lateral ventricle"][2]
    white_matter = volume.grid.to_lps(np.argwhere(result.labels == 1))
    inside = at["Lateral ventricle"]
    assert (white_matter.min(axis=0) + 20 < inside).all()
    assert (inside < white_matter.max(axis=0) - 20).all()


def test_sides_are_not_mixed_up() -> None:
    """A structure's voxels left of the middle are as many as right of it; mirrored input gives mirrored output."""
    volume, result = analysed("mr-t1-defaced-adult-192")
    mirrored = Volume(np.ascontiguousarray(volume.array[:, :, ::-1]), volume.grid, volume.frames)
    _, other = line(mirrored, OutputUIDs("a", "b"))
    back = other.labels[:, :, ::-1]
    same = [2 * ((back == v) & (result.labels == v)).sum() / ((back == v).sum() + (result.labels == v).sum())
            for v in range(1, 18)]  # fmt: skip
    assert min(same) > 0.6
    assert float(np.mean(same)) > 0.85


def test_one_missing_slice_is_analysed_with_a_warning() -> None:
    """The sagittal adult lacks one slice: 175 instances on 176 places, plausible volumes, and a reader is told."""
    volume, result = analysed("mr-t1-memprage-sag-adult")
    check_plausible(result, SPEC)
    assert volume.array.shape[0] == 176
    assert sum(frame is None for frame in volume.frames) == 1
    assert "missing" in volume.warnings[0]
    assert 1100 <= result.totals[0].value <= 1500
    assert result.absent == ()
    at = centroids(result)
    assert at["Cerebellar cortex"][2] < at["Thalamus"][2] - 20
    assert at["Nucleus accumbens"][1] < at["Thalamus"][1] - 10


def test_a_bottle_is_not_a_brain() -> None:
    """A gel bottle with a T1 BRAIN header decodes; what the network finds in it is no brain."""
    _, result = analysed("mr-phantom-j2k")
    with pytest.raises(ImplausibleResult) as caught:
        check_plausible(result, SPEC)
    assert caught.value.code == ReasonCode.IMPLAUSIBLE


def test_shared_data_are_whole() -> None:
    """The table above names every folder of DICOM series there is."""
    odd = {"seg-sr-dcmqi", "seg-sr-highdicom", "odd-small-pydicom", "compressed-ct-slice-all-syntaxes"}
    assert {path.name for path in DATA.iterdir() if path.is_dir()} == {*DECISIONS, *odd, "nifti-nrrd-extra"}
