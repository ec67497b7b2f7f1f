"""A map of probabilities says the probability of every voxel, where it is, in the order in which OHIF draws it."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage

from inference.domain.artifact import ArtifactKind
from inference.domain.codes import LEFT
from inference.domain.geometry import Grid
from inference.encoding.part10 import to_artifact
from tests.support.findings import Case, make_case, no_lesions, overlapping_lesions
from tests.support.pictures import maps, with_probabilities
from tests.support.sources import VARIANTS
from tests.support.synthetic_series import axial_grid
from tests.unit.inference.encoding.test_source_images import ORDER, enhanced


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


def values_of(parametric_map: Dataset) -> NDArray[np.float32]:
    """Read the frames without the library that wrote them."""
    shape = (int(parametric_map.NumberOfFrames), parametric_map.Rows, parametric_map.Columns)
    return np.frombuffer(parametric_map.FloatPixelData, dtype="<f4").reshape(shape)


def positions_of(parametric_map: Dataset) -> NDArray[np.float64]:
    """Give where the frames lie, LPS mm."""
    groups = parametric_map.PerFrameFunctionalGroupsSequence
    return np.array([g.PlanePositionSequence[0].ImagePositionPatient for g in groups], dtype=np.float64)


def test_every_label_has_a_map_of_its_own(case: Case) -> None:
    """In one series."""
    encoding = with_probabilities(case.encoding)
    built = maps(encoding)
    assert [each.SOPInstanceUID for each in built] == [encoding.uids.instance(f"PM-{value}") for value in (1, 2, 3)]
    assert {each.SeriesInstanceUID for each in built} == {encoding.uids.series("PM")}
    assert [each.InstanceNumber for each in built] == [1, 2, 3]
    assert {each.SeriesNumber for each in built} == {9005}
    assert {each.SOPClassUID for each in built} == {ParametricMapStorage}
    assert built[0].ContentDescription == "AI probability of Thalamus"


def test_a_result_without_probabilities_has_no_map(case: Case) -> None:
    """They were not asked for, or the model has none."""
    assert list(maps(case.encoding)) == []


def test_a_label_that_is_improbable_everywhere_has_no_map(case: Case) -> None:
    """It would be black; one that comes near is shown though nothing was found."""
    encoding = with_probabilities(no_lesions(case))
    probabilities = np.zeros((2, *encoding.volume.grid.shape), dtype=np.uint8)
    probabilities[0, 2, 3, 4], probabilities[1, 2, 3, 4] = 25, 26
    (only,) = maps(replace(encoding, result=replace(encoding.result, probabilities=probabilities)))
    assert only.SOPInstanceUID == encoding.uids.instance("PM-2")


@pytest.mark.parametrize("slice_mm", [2.5, -2.5], ids=["upwards", "downwards"])
def test_frames_lie_where_their_slices_lie_in_order_along_the_normal(tmp_path: Path, slice_mm: float) -> None:
    """Whatever the order of the volume's slices: OHIF takes frames in the order in which they are stored."""
    plain = axial_grid((6, 20, 16), (2.5, 1.1, 0.9))
    grid = plain if slice_mm > 0 else Grid(plain.shape, plain.to_lps((5, 0, 0)), plain.steps_mm * [-1, 1, 1])
    encoding = with_probabilities(make_case(tmp_path, grid=grid).encoding)
    probabilities = encoding.result.probabilities
    assert probabilities is not None
    for each, expected in zip(maps(encoding), probabilities, strict=True):
        heights = positions_of(each)[:, 2]
        assert (np.diff(heights) > 0).all()
        slices = np.rint(grid.to_index(positions_of(each))[:, 0]).astype(int)
        assert np.allclose(values_of(each), expected[slices] / 255, atol=1e-6)
        assert expected.any(axis=(1, 2)).sum() > 1


def test_frames_are_numbered_in_their_order(case: Case) -> None:
    """The dimension index counts up with the frames (PS3.3 section C.7.6.17)."""
    for each in maps(with_probabilities(case.encoding)):
        numbers = [g.FrameContentSequence[0].DimensionIndexValues for g in each.PerFrameFunctionalGroupsSequence]
        assert numbers == [1, 2, 3, 4, 5, 6]


def test_every_frame_of_the_source_has_one_though_it_is_black(tmp_path: Path) -> None:
    """OHIF needs them all; a slice that was interpolated has none."""
    case = make_case(tmp_path, VARIANTS["one slice missing"])
    each = maps(with_probabilities(case.encoding))[0]
    assert each.NumberOfFrames == 5
    assert not values_of(each)[0].any()


def test_a_pixel_is_the_probability(case: Case) -> None:
    """By its Real World Value Mapping."""
    each = maps(with_probabilities(case.encoding))[0]
    (mapping,) = each.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    assert mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0].CodeValue == "122157"
    assert 0 <= values_of(each).min() < values_of(each).max() <= 1


def test_a_map_says_where_its_label_is(case: Case) -> None:
    """A structure is its own place, a lesion lies in the region of the model; and on which side."""
    first = maps(with_probabilities(case.encoding))[0]
    (anatomy,) = first.SharedFunctionalGroupsSequence[0].FrameAnatomySequence
    assert (anatomy.AnatomicRegionSequence[0].CodeMeaning, anatomy.FrameLaterality) == ("Thalamus", "U")
    lesions = with_probabilities(overlapping_lesions(case))
    labels = tuple(replace(label, laterality=LEFT) for label in lesions.spec.labels)
    first = maps(replace(lesions, spec=replace(lesions.spec, labels=labels)))[0]
    (anatomy,) = first.SharedFunctionalGroupsSequence[0].FrameAnatomySequence
    assert (anatomy.AnatomicRegionSequence[0].CodeMeaning, anatomy.FrameLaterality) == ("Brain", "L")


def test_every_frame_names_its_source_frame(tmp_path: Path) -> None:
    """Of a multi-frame source too, and no instance is named that does not exist."""
    encoding = with_probabilities(enhanced(tmp_path))
    (instance,) = {header.SOPInstanceUID for header in encoding.data_sets}
    for each in maps(encoding):
        for group, position in zip(each.PerFrameFunctionalGroupsSequence, positions_of(each), strict=True):
            (source,) = group.DerivationImageSequence[0].SourceImageSequence
            assert source.ReferencedSOPInstanceUID == instance
            slice_index = ORDER[source.ReferencedFrameNumber - 1]
            assert np.allclose(encoding.volume.grid.to_index(position)[0], slice_index, atol=1e-4)
        assert [item.ReferencedSOPInstanceUID for item in each.SourceImageSequence] == [instance]
        (series,) = each.ReferencedSeriesSequence
        assert [item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence] == [instance]


def test_the_same_input_gives_the_same_bytes(case: Case) -> None:
    """No clock, no random identifier."""
    encoding = with_probabilities(overlapping_lesions(case))
    first, second = ([to_artifact(ArtifactKind.PM, each).sha256 for each in maps(encoding)] for _ in range(2))
    assert first == second
    assert len(first) == 2


def test_a_map_can_be_read(case: Case) -> None:
    """As a file, by what is in it alone."""
    artifact = to_artifact(ArtifactKind.PM, maps(with_probabilities(case.encoding))[0])
    read = dcmread(BytesIO(artifact.content))
    assert read.SeriesDescription == "AI Brain structures probability (research only)"
    assert read.pixel_array.shape == (6, 20, 16)
    assert read.pixel_array.max() == pytest.approx(206 / 255)
