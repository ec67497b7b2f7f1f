"""Every real series we have ends as its publisher's README says: analysed, or with one named reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dicom_node.folder_scan import scan
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import SelectionRule
from inference.domain.result import AnalysisResult
from inference.domain.study import SeriesRevision
from inference.domain.volume import Volume
from inference.engine import EngineOptions, OnnxModelRunner
from inference.errors import ImplausibleResult, ReasonCode, StudyError
from inference.headers import read_headers
from inference.measure import check_plausible, measure
from inference.postprocess import postprocess
from inference.preprocess import preprocess
from inference.reading import describe
from inference.selection import select
from inference.tiling import run_over
from inference.uids import OutputUIDs
from inference.volume_builder import build_volume
from models.brain_structures.training.heads import open_volume
from models.catalogue import FolderCatalogue, builtin_models_root
from models.weights import verify
from tests.support.shared_data import SHARED, needs_shared
from tests.support.synthetic_series import revision_of, write_series

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
        "anat-T1w_acq-tfl": "analysed",
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
        build_volume(headers)
    except StudyError as error:
        return header.series_description, error.code
    return header.series_description, "analysed"


@pytest.mark.parametrize("name", list(DECISIONS))
def test_each_series_gets_its_decision(name: str) -> None:
    """All series of the set, none forgotten."""
    assert dict(decision(series) for series in scan(DATA / name).series) == dict(DECISIONS[name])


ODD: Mapping[str, Mapping[tuple[str, str, str], int]] = {
    "seg-sr-dcmqi": {
        ("CT", "", ReasonCode.MODALITY): 1,
        ("CT", "Image 23x38x3", ReasonCode.MODALITY): 1,
        ("CT", "Image 24x38x3", ReasonCode.MODALITY): 1,
        ("CT", "Multiframe image 23x38x3", ReasonCode.MODALITY): 1,
        ("CT", "Multiframe image 24x38x3", ReasonCode.MODALITY): 1,
        ("MR", "Apparent Diffusion Coefficient (mm?/s)", ReasonCode.NO_MODEL): 1,
        ("RWV", "PET SUV Factors", ReasonCode.NOT_AN_IMAGE): 1,
        ("SEG", "Liver Segmentation", ReasonCode.DERIVED): 1,
        ("SEG", "Segmentation", ReasonCode.DERIVED): 3,
        ("SEG", "Segmentation 24x38x3", ReasonCode.DERIVED): 1,
        ("SEG", "tumor segmentation - User2 Manual trial 1", ReasonCode.DERIVED): 1,
        ("SR", "tumor measurements - User2 Manual trial 1", ReasonCode.NOT_AN_IMAGE): 1,
    },
    "seg-sr-highdicom": {
        ("ANN", "", ReasonCode.NOT_AN_IMAGE): 1,
        ("DX", "CHEST", ReasonCode.MODALITY): 1,
        ("SEG", "", ReasonCode.DERIVED): 12,
        ("SM", "", ReasonCode.MODALITY): 6,
        ("SR", "", ReasonCode.NOT_AN_IMAGE): 1,
        ("SR", "Measurement Reports", ReasonCode.NOT_AN_IMAGE): 1,
    },
    "odd-small-pydicom": {
        ("", "", ReasonCode.SECONDARY_CAPTURE): 3,
        ("CR", "Cervical LAT", ReasonCode.MODALITY): 1,
        ("CR", "Cervical OBLI 1", ReasonCode.MODALITY): 1,
        ("CR", "Cervical OBLI 2", ReasonCode.MODALITY): 1,
        ("CT", "", ReasonCode.MODALITY): 1,
        ("CT", "", ReasonCode.NOT_AN_IMAGE): 1,
        ("CT", "5/5mm Plain", ReasonCode.MODALITY): 1,
        ("CT", "Lv2", ReasonCode.MODALITY): 1,
        ("CT", "Routine Brain", ReasonCode.MODALITY): 1,
        ("CT", "Scout", ReasonCode.LOCALIZER): 1,
        ("CT", "SmartScore - Gated 0.5 sec", ReasonCode.MODALITY): 1,
        ("ECG", "", ReasonCode.NOT_AN_IMAGE): 1,
        ("MR", "", ReasonCode.SEQUENCE): 1,
        ("MR", "ANGIO Projected from   C", ReasonCode.DERIVED): 1,
        ("MR", "FAST LOCALIZER", ReasonCode.SEQUENCE): 4,
        ("MR", "T/S/C RF FAST PILOT", ReasonCode.MIXED_ORIENTATION): 2,
        ("MR", "marked lesion<MPR Collection>", ReasonCode.DERIVED): 1,
        ("NM", "", ReasonCode.SECONDARY_CAPTURE): 1,
        ("OT", "", ReasonCode.SECONDARY_CAPTURE): 3,
        ("RTDOSE", "", ReasonCode.DERIVED): 1,
        ("RTPLAN", "", ReasonCode.NOT_AN_IMAGE): 2,
        ("RTSTRUCT", "", ReasonCode.NOT_AN_IMAGE): 1,
        ("SEG", "Liver Segmentation", ReasonCode.DERIVED): 1,
        ("SR", "Demonstration of SR Features", ReasonCode.NOT_AN_IMAGE): 1,
        ("SR", "IHE Year 2 - Simple Image Report", ReasonCode.NOT_AN_IMAGE): 1,
        ("US", "", ReasonCode.MODALITY): 4,
    },
    "compressed-ct-slice-all-syntaxes": {
        ("CT", "", ReasonCode.DERIVED): 1,
        ("CT", "", ReasonCode.MODALITY): 2,
        ("CT", "HELICAL CHEST", ReasonCode.MODALITY): 1,
        ("SR", "Basic Text Report", ReasonCode.NOT_AN_IMAGE): 1,
        ("US", "", ReasonCode.MODALITY): 2,
    },
}
"""Per set: how many series of a modality and description end in which reason."""


@pytest.mark.parametrize("name", ODD)
def test_each_odd_series_gets_its_reason(name: str) -> None:
    """Results of others, reports, single slices and broken files: a named reason each, and nothing raised."""
    series = scan(DATA / name).series
    said = Counter((describe(read_headers(one.instances)).modality, *decision(one)) for one in series)
    assert dict(said) == dict(ODD[name])


@pytest.mark.parametrize(
    ("name", "description", "code"),
    [
        ("ct-head-gantry-tilt-ge", "", ReasonCode.NON_UNIFORM),
        ("compressed-ct-slice-all-syntaxes", "HELICAL CHEST", ReasonCode.REPEATED_POSITION),
        ("ct-phantom-philips-scout", "", ReasonCode.LOCALIZER),
        ("ct-phantom-philips-sc", "Exam Summary", ReasonCode.SECONDARY_CAPTURE),
    ],
)
def test_a_model_for_ct_is_told_what_is_wrong_with_a_ct(name: str, description: str, code: str) -> None:
    """Not its modality then: how its slices lie, or what it is."""
    (channel,) = SPEC.channels
    rule = SelectionRule("CT", None, (), frozenset(), min_slices=10, max_slice_spacing_mm=8.0)
    ct = replace(SPEC, channels=(replace(channel, selection=rule),))
    headers = [describe(read_headers(series.instances)) for series in scan(DATA / name).series]
    refusals = {
        refusal.code for header in headers if header.series_description == description and header.modality == "CT"
        if (refusal := select(header, [ct]).refusal) is not None
    }  # fmt: skip
    assert code in refusals


@pytest.mark.parametrize(
    ("name", "code"),
    [("mr-4d-epi-ge", ReasonCode.REPEATED_POSITION), ("ct-head-gantry-tilt-ge", ReasonCode.NON_UNIFORM)],
)
def test_geometry_has_its_own_reasons(name: str, code: ReasonCode) -> None:
    """Were they not refused for what they are, time points and mixed spacing would be for how they lie."""
    (series,) = scan(DATA / name).series
    with pytest.raises(StudyError) as caught:
        build_volume(read_headers(series.instances))
    assert caught.value.code == code


def test_a_tilted_gantry_is_a_sheared_lattice() -> None:
    """The evenly spaced half of a real tilted CT keeps its shear, 18.5 degrees, in the grid."""
    (series,) = scan(DATA / "ct-head-gantry-tilt-ge").series
    upwards = sorted(read_headers(series.instances), key=lambda header: header.data_set.ImagePositionPatient[2])
    grid = build_volume(upwards[14:]).grid
    step, normal = grid.steps_mm[:, 0], np.cross(grid.steps_mm[:, 2], grid.steps_mm[:, 1])
    cosine = step @ normal / np.linalg.norm(step) / np.linalg.norm(normal)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(18.5, abs=0.5)


@cache
def analysed(name: str, description: str | None = None) -> tuple[Volume, AnalysisResult]:
    """Run the line up to the measurements on the series of a set that has a description, once."""
    (series,) = (one for one in scan(DATA / name).series if description in {None, decision(one)[0]})
    uids = OutputUIDs.derive(ModelInputs(series), SPEC.reference)
    return line(build_volume(read_headers(series.instances)), uids)


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


def test_an_enhanced_head_is_analysed() -> None:
    """One object of 96 frames, 2 mm, sagittal: the volume of the reference model, and each part in its place."""
    volume, result = analysed("mr-enhanced-xa30-human", "anat-T1w_acq-tfl")
    check_plausible(result, SPEC)
    assert volume.array.shape == (96, 128, 128)
    assert [frame and frame.frame_number for frame in volume.frames] == list(range(96, 0, -1))
    assert result.totals[0].value == pytest.approx(1270, rel=0.05)
    assert result.absent == ()
    at = centroids(result)
    assert at["Cerebellar cortex"][2] < at["Thalamus"][2] - 20
    assert at["Nucleus accumbens"][1] < at["Thalamus"][1] - 10


@pytest.mark.parametrize(
    ("name", "code", "total_ml"),
    [("t1_crop.nii.gz", None, 1280.0), ("brain1_image.nrrd", ReasonCode.TOO_THICK, None)],
)
def test_heads_that_come_without_dicom_get_their_decision_as_dicom(
    tmp_path: Path, name: str, code: ReasonCode | None, total_ml: float | None
) -> None:
    """Written as an MR series: one is analysed, the other has slices of 6.5 mm."""
    array, grid = open_volume(DATA / "nifti-nrrd-extra" / name)
    series = revision_of(write_series(tmp_path, np.clip(array, 0, 65535), grid))
    headers = read_headers(series.instances)
    refusal = select(describe(headers), [SPEC]).refusal
    assert (refusal and refusal.code) == code
    if total_ml is not None:
        _, result = line(build_volume(headers), OutputUIDs("a", "b"))
        check_plausible(result, SPEC)
        assert result.totals[0].value == pytest.approx(total_ml, rel=0.06)


def test_a_bottle_is_not_a_brain() -> None:
    """A gel bottle with a T1 BRAIN header decodes; what the network finds in it is no brain."""
    _, result = analysed("mr-phantom-j2k")
    with pytest.raises(ImplausibleResult) as caught:
        check_plausible(result, SPEC)
    assert caught.value.code == ReasonCode.IMPLAUSIBLE


def test_shared_data_are_whole() -> None:
    """The table above names every folder of DICOM series there is."""
    assert {path.name for path in DATA.iterdir() if path.is_dir()} == {*DECISIONS, *ODD, "nifti-nrrd-extra"}
