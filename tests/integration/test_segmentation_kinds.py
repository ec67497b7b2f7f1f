"""Segmentations of every kind before tools that nobody here wrote: checked by dicom3tools, read back by dcmqi."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.uid import EnhancedCTImageStorage, LegacyConvertedEnhancedMRImageStorage

from inference.domain.artifact import Segmentation
from inference.domain.geometry import Grid
from inference.encoding.encoding_input import EncodingInput
from tests.support.conformance import dcentvfy_errors, dciodvfy_errors, read_seg, read_seg_layers
from tests.support.enhanced_series import EnhancedOptions
from tests.support.findings import make_case, mask_of, overlapping_lesions
from tests.support.segmentations import encode_seg, with_places, with_probabilities
from tests.support.sources import VARIANTS
from tests.support.synthetic_series import SeriesOptions, axial_grid
from tests.unit.inference.encoding.test_source_images import enhanced

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore::UserWarning")]

KINDS = list(Segmentation)

ENHANCED = {
    "enhanced MR": EnhancedOptions(),
    "enhanced MR, per frame": EnhancedOptions(per_frame=True),
    "concatenation": EnhancedOptions(instances=2),
    "enhanced CT": EnhancedOptions(SeriesOptions(header={"Modality": "CT"}), sop_class_uid=EnhancedCTImageStorage),
    "legacy converted MR": EnhancedOptions(sop_class_uid=LegacyConvertedEnhancedMRImageStorage),
}


def tilted() -> Grid:
    """Lay slices as a tilted gantry does."""
    steps = axial_grid((6, 20, 16), (2.5, 1.1, 0.9)).steps_mm.copy()
    steps[1, 0] = 2.5 * np.tan(np.radians(20))
    return Grid((6, 20, 16), np.zeros(3), steps)


SOURCES: Mapping[str, Callable[[Path], EncodingInput]] = {
    **{name: lambda folder, o=options: make_case(folder, o).encoding for name, options in VARIANTS.items()},
    **{name: lambda folder, o=options: enhanced(folder, o) for name, options in ENHANCED.items()},
    "tilted": lambda folder: make_case(folder, grid=tilted()).encoding,
    "15 x 13 pixels": lambda folder: make_case(folder, grid=axial_grid((6, 15, 13), (2.5, 1.1, 0.9))).encoding,
    "sides and places": lambda folder: with_places(make_case(folder)),
    "a single segment": lambda folder: make_case(folder, labels=_one((6, 20, 16))).encoding,
}


def _one(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    labels = np.zeros(shape, dtype=np.uint8)
    labels[1:4, 3:9, 2:7] = 1
    return labels


@pytest.mark.parametrize("source", SOURCES)
def test_every_kind_conforms_whatever_the_source(tmp_path: Path, source: str) -> None:
    """No error by dicom3tools."""
    encoding = with_probabilities(SOURCES[source](tmp_path / "source"))
    for kind in KINDS:
        path = tmp_path / f"{kind.value}.dcm"
        path.write_bytes(encode_seg(encoding, kind).content)
        assert dciodvfy_errors(path) == [], kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_belongs_to_its_source(tmp_path: Path, kind: Segmentation) -> None:
    """Same patient and study, and no reference that leads nowhere; the check sees one that does."""
    case = make_case(tmp_path / "source", VARIANTS["over-long description"])
    (tmp_path / "seg.dcm").write_bytes(encode_seg(with_probabilities(case.encoding), kind).content)
    assert dcentvfy_errors([*case.paths, tmp_path / "seg.dcm"]) == []
    assert dcentvfy_errors([*case.paths[1:], tmp_path / "seg.dcm"])


@dataclass(frozen=True, eq=False)
class Layer:
    """An image that dcmqi wrote.

    Parameters
    ----------
    values : (n,) ndarray
        What is not zero.
    points_lps_mm : (n, 3) ndarray
        Where that is.
    """

    values: NDArray[np.integer]
    points_lps_mm: NDArray[np.float64]


def layer(path: Path) -> Layer:
    """Read an image file."""
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    where = np.argwhere(array)
    points = [image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]]) for index in where]
    return Layer(array[tuple(where.T)], np.array(points))


def on_grid(found: Layer, grid: Grid) -> NDArray[np.integer]:
    """Put what was found back on the volume's grid, by places in the patient alone."""
    indices = grid.to_index(found.points_lps_mm)
    nearest = np.rint(indices).astype(int)
    assert np.abs(indices - nearest).max() < 0.01
    array = np.zeros(grid.shape, dtype=found.values.dtype)
    array[tuple(nearest.T)] = found.values
    return array


@pytest.mark.parametrize("source", ["plain", "CT", "enhanced MR", "15 x 13 pixels", "sides and places"])
@pytest.mark.parametrize("kind", [Segmentation.BINARY, Segmentation.LABELMAP])
def test_dcmqi_reads_segments_back_voxel_for_voxel(tmp_path: Path, source: str, kind: Segmentation) -> None:
    """Every voxel at its place in the patient, under its number."""
    encoding = SOURCES[source](tmp_path / "source")
    (tmp_path / "seg.dcm").write_bytes(encode_seg(encoding, kind).content)
    (path,) = read_seg(tmp_path / "seg.dcm", tmp_path / "read")
    np.testing.assert_array_equal(on_grid(layer(path), encoding.volume.grid), encoding.result.labels)


def test_dcmqi_reads_overlapping_segments_back(tmp_path: Path) -> None:
    """Each by itself."""
    encoding = overlapping_lesions(make_case(tmp_path / "source"))
    (tmp_path / "seg.dcm").write_bytes(encode_seg(encoding, Segmentation.BINARY).content)
    layers = read_seg_layers(tmp_path / "seg.dcm", tmp_path / "read")
    assert encoding.result.labels is not None
    for path, segment in zip(layers, encoding.result.segments, strict=True):
        found = on_grid(layer(path), encoding.volume.grid) != 0
        np.testing.assert_array_equal(found, mask_of(encoding.result.labels, segment.label.value))


@pytest.mark.parametrize("source", ["plain", "enhanced MR", "15 x 13 pixels", "a single segment"])
def test_dcmqi_reads_probabilities_back(tmp_path: Path, source: str) -> None:
    """Each of them, as it was given."""
    encoding = with_probabilities(SOURCES[source](tmp_path / "source"))
    (tmp_path / "seg.dcm").write_bytes(encode_seg(encoding, Segmentation.FRACTIONAL).content)
    layers = read_seg_layers(tmp_path / "seg.dcm", tmp_path / "read")
    assert encoding.result.probabilities is not None
    for path, segment in zip(layers, encoding.result.segments, strict=True):
        found = on_grid(layer(path), encoding.volume.grid)
        np.testing.assert_array_equal(found, encoding.result.probabilities[segment.label.value - 1])
