"""SEG and SR before tools that nobody here wrote: checked by dicom3tools, read back by dcmqi."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import EnhancedCTImageStorage, LegacyConvertedEnhancedMRImageStorage

from inference.charsets import settle
from inference.domain.artifact import ArtifactKind
from inference.domain.delivery import Order
from inference.domain.job import ModelReference
from inference.domain.model_inputs import ModelInputs
from inference.domain.result import Place
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.objects import encode
from inference.encoding.source import normalise
from inference.encoding.withdrawal import withdrawal
from inference.headers import read_headers
from inference.uids import OutputUIDs
from inference.volume_builder import build_volume
from tests.support.conformance import dcentvfy_errors, dciodvfy_errors, read_seg, read_sr
from tests.support.enhanced_series import EnhancedOptions
from tests.support.findings import (
    PRODUCED_AT,
    Case,
    classified,
    detections,
    make_case,
    make_result,
    make_spec,
    no_lesions,
    overlapping_lesions,
    place_in,
)
from tests.support.shared_data import SHARED, needs_shared
from tests.support.sources import VARIANTS
from tests.support.synthetic_series import SeriesOptions, revision_of
from tests.unit.inference.encoding.test_source_images import enhanced

pytestmark = pytest.mark.integration

MEASURED = Order(frozenset({ArtifactKind.SEG, ArtifactKind.SR}))
UNLIKE_THEIR_SOURCE = {"broken values", "no character set, EUC-KR", "frame of reference with leading zero"}
"""Kinds of sources that a result must differ from, for they do not conform themselves."""


@dataclass(frozen=True)
class Written:
    """Objects on disk.

    Parameters
    ----------
    seg, sr
        Their files.
    """

    seg: Path
    sr: Path


def write(encoding: EncodingInput, folder: Path) -> Written:
    """Encode SEG and SR of a result and write them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for artifact in encode(replace(encoding, order=MEASURED)):
        path = folder / f"{artifact.kind.value}.dcm"
        path.write_bytes(artifact.content)
        paths.append(path)
    return Written(*paths)


def in_utf_8(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Copy sources with their patient and study in the results' character set, as dcentvfy compares bytes."""
    folder.mkdir()
    copies = []
    for path in paths:
        data_set = dcmread(path)
        settle(data_set, "ISO 2022 IR 149")
        normal = normalise(data_set)
        for keyword in ("SpecificCharacterSet", "PatientName", "StudyDescription", "ReferringPhysicianName"):
            if keyword in normal:
                data_set[keyword] = normal[keyword]
        data_set.save_as(folder / path.name)
        copies.append(folder / path.name)
    return copies


def voxels_by_label(images: Sequence[Path]) -> dict[int, NDArray[np.float64]]:
    """Give the LPS centroid and the count of each label in an image that dcmqi wrote, as (x, y, z, count)."""
    (path,) = images
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    found = {}
    for value in np.unique(array[array > 0]):
        where = np.argwhere(array == value)
        z, y, x = where.mean(axis=0)
        lps = image.TransformContinuousIndexToPhysicalPoint((float(x), float(y), float(z)))
        found[int(value)] = np.array([*lps, len(where)])
    return found


def check_seg_read_by_dcmqi(encoding: EncodingInput, written: Written, folder: Path) -> None:
    """Every voxel is there, and where it should be."""
    found = voxels_by_label(read_seg(written.seg, folder))
    assert set(found) == {segment.number for segment in encoding.result.segments}
    for segment in encoding.result.segments:
        *lps, count = found[segment.number]
        assert count == segment.voxel_count
        assert lps == pytest.approx(segment.centroid_lps_mm, abs=0.02)


def check_sr_read_by_dcmqi(encoding: EncodingInput, written: Written, folder: Path) -> None:
    """Every finding has its two groups with the numbers of the result."""
    groups = read_sr(written.sr, folder)
    segments = encoding.result.segments
    assert [g["TrackingUniqueIdentifier"] for g in groups] == [s.volume.tracking_uid for s in segments for _ in "ab"]
    for group, segment in zip(groups[::2], segments, strict=True):
        assert group["ReferencedSegment"] == segment.number
        assert group["segmentationSOPInstanceUID"] == encoding.uids.instance("SEG")
        assert group["Finding"]["CodeValue"] == segment.label.type.value
        (item,) = group["measurementItems"]
        assert float(item["value"]) == pytest.approx(segment.volume.value)
        assert item["units"]["CodeValue"] == "mL"


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("variant", VARIANTS)
def test_results_of_every_kind_of_source_conform(tmp_path: Path, variant: str) -> None:
    """No error in the objects, whatever is wrong with the source."""
    case = make_case(tmp_path / "source", VARIANTS[variant])
    written = write(case.encoding, tmp_path / "results")
    assert dciodvfy_errors(written.seg) == []
    assert dciodvfy_errors(written.sr) == []


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("variant", sorted(set(VARIANTS) - UNLIKE_THEIR_SOURCE))
def test_results_belong_to_their_source(tmp_path: Path, variant: str) -> None:
    """Same patient and study, and no reference that leads nowhere."""
    case = make_case(tmp_path / "source", VARIANTS[variant])
    written = write(case.encoding, tmp_path / "results")
    sources = in_utf_8(case.paths, tmp_path / "utf-8")
    assert dcentvfy_errors([*sources, written.seg, written.sr]) == []


def test_the_checkers_find_what_is_wrong(tmp_path: Path) -> None:
    """A check that cannot fail proves nothing."""
    case = make_case(tmp_path / "source")
    written = write(case.encoding, tmp_path / "results")
    spoilt = dcmread(written.seg)
    del spoilt.SegmentSequence
    spoilt.PatientID = "SOMEBODY-ELSE"
    spoilt.save_as(tmp_path / "spoilt.dcm")
    assert dciodvfy_errors(tmp_path / "spoilt.dcm")
    assert dcentvfy_errors([*case.paths, tmp_path / "spoilt.dcm"])
    assert dcentvfy_errors([written.seg])


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


def test_dcmqi_reads_the_segments_back_voxel_for_voxel(case: Case, tmp_path: Path) -> None:
    """Count and place of each, in patient coordinates."""
    written = write(case.encoding, tmp_path / "results")
    check_seg_read_by_dcmqi(case.encoding, written, tmp_path / "seg")


def test_dcmqi_reads_the_measurements_back(case: Case, tmp_path: Path) -> None:
    """Values, units, codes and references."""
    written = write(case.encoding, tmp_path / "results")
    check_sr_read_by_dcmqi(case.encoding, written, tmp_path / "sr")


def a_box_and_a_point(case: Case) -> EncodingInput:
    """Find two tumours."""
    box = place_in(case.encoding.volume.grid, (2, 4, 3), (4, 10, 8))
    return detections(case, [box, Place(box.centre_lps_mm)])


KINDS: Mapping[str, Callable[[Case], EncodingInput]] = {
    "overlapping segments": overlapping_lesions,
    "nothing found": no_lesions,
    "classification": classified,
    "detections": a_box_and_a_point,
    "no detection": lambda case: detections(case, []),
}


@pytest.mark.parametrize("kind", KINDS)
def test_results_of_every_kind_conform_and_belong_to_their_source(case: Case, tmp_path: Path, kind: str) -> None:
    """No error in any object, and no reference that leads nowhere; the withdrawal of them all included."""
    artifacts = encode(KINDS[kind](case))
    artifacts += (withdrawal(artifacts, ModelReference("m", "1.0.0", "ab" * 32), "it was wrong", PRODUCED_AT),)
    paths = []
    for artifact in artifacts:
        paths.append(tmp_path / f"{len(paths)}-{artifact.kind.value}.dcm")
        paths[-1].write_bytes(artifact.content)
    assert [error for path in paths for error in dciodvfy_errors(path)] == []
    assert dcentvfy_errors([*in_utf_8(case.paths, tmp_path / "utf-8"), *paths]) == []


def test_dcmqi_reads_overlapping_measurements_back(case: Case, tmp_path: Path) -> None:
    """The evaluations beside the groups do not confuse it."""
    encoding = overlapping_lesions(case)
    written = write(encoding, tmp_path / "results")
    check_sr_read_by_dcmqi(encoding, written, tmp_path / "sr")


def test_dcmqi_reads_a_detection_back(case: Case, tmp_path: Path) -> None:
    """Probability, presence and finding of each."""
    encoding = a_box_and_a_point(case)
    (report,) = encode(replace(encoding, order=MEASURED))
    (tmp_path / "sr.dcm").write_bytes(report.content)
    groups = read_sr(tmp_path / "sr.dcm", tmp_path / "read")
    found = [finding for finding in encoding.result.findings if finding.present]
    assert [group["TrackingUniqueIdentifier"] for group in groups] == [finding.tracking_uid for finding in found]
    for group in groups:
        assert group["Finding"]["CodeValue"] == "108369006"
        (item,) = group["measurementItems"]
        assert (float(item["value"]), item["quantity"]["CodeMeaning"]) == (90.0, "Probability")
        assert item["units"]["CodeValue"] == "%"


@pytest.mark.parametrize(
    "options",
    [
        EnhancedOptions(),
        EnhancedOptions(per_frame=True),
        EnhancedOptions(instances=2),
        EnhancedOptions(SeriesOptions(header={"Modality": "CT"}), sop_class_uid=EnhancedCTImageStorage),
        EnhancedOptions(sop_class_uid=LegacyConvertedEnhancedMRImageStorage),
    ],
    ids=["enhanced MR", "per frame", "concatenation", "enhanced CT", "legacy converted MR"],
)
def test_results_of_a_multi_frame_source_conform_and_are_read_back(tmp_path: Path, options: EnhancedOptions) -> None:
    """Frames in any order, of one instance or several."""
    encoding = enhanced(tmp_path / "source", options)
    written = write(encoding, tmp_path / "results")
    assert dciodvfy_errors(written.seg) == []
    assert dciodvfy_errors(written.sr) == []
    check_seg_read_by_dcmqi(encoding, written, tmp_path / "seg")


def real_case(name: str) -> tuple[list[Path], EncodingInput]:
    """Put labels made by thresholds on a real series."""
    paths = sorted(path for path in (SHARED / "data" / name / "dicom").iterdir() if path.is_file())
    series = revision_of(paths)
    headers = read_headers(series.instances)
    volume = build_volume(headers)
    data_sets = [header.data_set for header in headers]
    labels = np.zeros(volume.array.shape, dtype=np.uint8)
    bright = volume.array[volume.array > volume.array.mean()]
    for value, threshold in enumerate(np.quantile(bright, [0.1, 0.5, 0.8]), start=1):
        labels[volume.array > threshold] = value
    spec = make_spec()
    uids = OutputUIDs.derive(ModelInputs(series), spec.reference)
    result = make_result(labels, volume.grid, spec, uids)
    return paths, EncodingInput(volume, data_sets, result, spec, uids, PRODUCED_AT)


@needs_shared
@pytest.mark.parametrize("name", ["mr-t1-defaced-adult-192", "mr-t1-2d-sag-decubitus-left", "mr-phantom-j2k"])
def test_results_on_real_series_conform_and_are_read_back(tmp_path: Path, name: str) -> None:
    """Oblique, sagittal, lying on the side; implicit, explicit, compressed."""
    paths, encoding = real_case(name)
    written = write(encoding, tmp_path / "results")
    assert dciodvfy_errors(written.seg) == []
    assert dciodvfy_errors(written.sr) == []
    ours = [line for line in dcentvfy_errors([*paths, written.seg, written.sr]) if "results" in line]
    assert ours == []  # real sources refer to instances that are not in the set
    check_seg_read_by_dcmqi(encoding, written, tmp_path / "seg")
    check_sr_read_by_dcmqi(encoding, written, tmp_path / "sr")


@needs_shared
def test_a_real_series_with_a_missing_slice_conforms(tmp_path: Path) -> None:
    """The interpolated slice has no frame, and everything else is there."""
    _, encoding = real_case("mr-t1-memprage-sag-adult")
    assert sum(frame is None for frame in encoding.volume.frames) == 1
    written = write(encoding, tmp_path / "results")
    assert dciodvfy_errors(written.seg) == []
    assert dciodvfy_errors(written.sr) == []
