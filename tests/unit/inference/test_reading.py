"""Headers are described for selection, whatever is broken in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRColorImageStorage

from inference.domain.charsets import NOTHING_CONFIGURED, CharacterSets
from inference.domain.geometry import Grid
from inference.domain.identifiers import UID, AETitle
from inference.domain.model_spec import Plane
from inference.domain.series_header import SeriesHeader, StackHeader
from inference.domain.study import CompletionEvidence, SeriesRevision
from inference.errors import IncompleteSeries, ReasonCode
from inference.headers import InstanceHeader, read_headers
from inference.reading import describe, describe_revision
from tests.support.enhanced_series import EnhancedOptions, frames_on, write_enhanced
from tests.support.series_headers import as_headers
from tests.support.sources import VARIANTS
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

GRID = axial_grid((5, 6, 7), (2.0, 1.0, 1.0))
ARRAY = np.zeros(GRID.shape)


def written(folder: Path, grid: Grid = GRID, **options: Any) -> tuple[InstanceHeader, ...]:
    """Write a series and read its headers."""
    paths = write_series(folder, ARRAY[: grid.shape[0]], grid, SeriesOptions(**options))
    return read_headers(revision_of(paths).instances)


def enhanced(folder: Path, options: EnhancedOptions | None = None) -> SeriesHeader:
    """Write an enhanced series and describe it."""
    paths = write_enhanced(folder, frames_on(ARRAY, GRID), options or EnhancedOptions())
    return describe(read_headers(revision_of(paths).instances))


def described(data_sets: Sequence[Dataset]) -> SeriesHeader:
    return describe(as_headers(data_sets))


def patient(identifier: str | None) -> Dataset:
    """Give an image with a Patient ID, as it was parsed: a backslash separates values."""
    data_set = Dataset()
    if identifier is not None:
        data_set.add_new(0x00100020, "LO", identifier)
    return data_set


def only_stack(header: SeriesHeader) -> StackHeader:
    (stack,) = header.stacks
    return stack


def test_a_series_is_described(tmp_path: Path) -> None:
    """The facts are those of the files."""
    header = describe(written(tmp_path))
    stack = only_stack(header)
    assert header.instance_count == stack.frame_count == stack.slice_count == 5
    assert stack.gaps_mm == pytest.approx((2.0,) * 4)
    assert stack.slice_spacing_mm == pytest.approx(2.0)
    assert (header.modality, header.body_part, header.series_description) == ("MR", "HEAD", "t1_mprage_sag")
    assert header.study_description == "Brain"
    assert header.image_type == {"ORIGINAL", "PRIMARY", "M", "NORM"}
    assert header.acquisition.scanning_sequence == {"GR", "IR"}
    assert header.acquisition.repetition_time_ms == 2300
    assert header.acquisition.inversion_time_ms == 900
    assert header.has_matrix
    assert header.samples_per_pixel == 1
    assert stack.plane is Plane.AXIAL
    assert (stack.flaw, header.pixel_flaw) == (None, None)
    assert not header.acquisition.contrast_agent
    assert not header.test_object
    assert not header.burned_in


def test_an_enhanced_series_is_described_like_a_classic_one(tmp_path: Path) -> None:
    """What stands in functional groups, shared or of each frame, is what a classic header says at its top."""
    for number, per_frame in enumerate((False, True)):
        header = enhanced(tmp_path / str(number), EnhancedOptions(per_frame=per_frame))
        assert header.instance_count == 1
        assert only_stack(header).slice_count == 5
        assert only_stack(header).gaps_mm == pytest.approx((2.0,) * 4)
        assert only_stack(header).plane is Plane.AXIAL
        assert {"ORIGINAL", "M", "MAGNITUDE"} <= header.image_type
        assert header.acquisition.echo_time_ms == pytest.approx(2.98)
        assert header.acquisition.stated_contrast == "T1"


def test_every_instance_counts_for_the_frame_types(tmp_path: Path) -> None:
    """A map among the frames shows, wherever its Frame Type is said."""

    def map_in_the_middle(data_set: Dataset) -> None:
        frame = data_set.PerFrameFunctionalGroupsSequence[2]
        frame.MRImageFrameTypeSequence = [Dataset()]
        frame.MRImageFrameTypeSequence[0].FrameType = ["DERIVED", "PRIMARY", "DIFFUSION", "FA"]

    options = EnhancedOptions(sop_class_uid=EnhancedMRColorImageStorage, edit=map_in_the_middle)
    assert "FA" in enhanced(tmp_path, options).image_type


def turned(degrees: float, about: int) -> Grid:
    """Give an axial lattice that is turned about the patient's left (0), posterior (1) or head (2) axis."""
    angle = np.radians(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    first, second = [axis for axis in range(3) if axis != about]
    turn = np.eye(3)
    turn[[first, second], [first, second]] = cosine
    turn[first, second], turn[second, first] = -sine, sine
    return Grid(GRID.shape, GRID.origin_mm, turn @ GRID.steps_mm)


@pytest.mark.parametrize(
    ("degrees", "about", "plane"),
    [
        (0, 0, Plane.AXIAL),
        (44, 0, Plane.AXIAL),
        (46, 0, Plane.CORONAL),
        (90, 0, Plane.CORONAL),
        (-90, 0, Plane.CORONAL),
        (90, 1, Plane.SAGITTAL),
        (50, 1, Plane.SAGITTAL),
        (70, 2, Plane.AXIAL),
    ],
)
def test_slices_lie_in_the_nearest_plane(tmp_path: Path, degrees: float, about: int, plane: Plane) -> None:
    """Oblique slices belong to the plane of the body that they are closest to."""
    assert only_stack(describe(written(tmp_path, turned(degrees, about)))).plane is plane


def test_slices_that_are_far_from_every_plane_lie_in_none(tmp_path: Path) -> None:
    """Tilted as much to each side, axial, sagittal and coronal are equally wrong."""
    row, column = np.array([1, -1, 0]) / np.sqrt(2), np.array([1, 1, -2]) / np.sqrt(6)
    steps = np.column_stack([np.cross(row, column), column, row])
    assert only_stack(describe(written(tmp_path, Grid(GRID.shape, GRID.origin_mm, steps)))).plane is None


def test_slices_of_several_planes_lie_in_none(tmp_path: Path) -> None:
    """A series with slices of several orientations has no plane and a flaw, and one without geometry has both too."""
    stack = only_stack(describe(written(tmp_path / "a") + written(tmp_path / "b", turned(90, 0))))
    assert stack.plane is None
    assert stack.flaw is not None
    assert stack.flaw.reason is ReasonCode.MIXED_ORIENTATION
    empty = only_stack(described([Dataset()]))
    assert empty.plane is None
    assert empty.flaw is not None
    assert empty.flaw.reason is ReasonCode.GEOMETRY_MISSING


def test_images_of_different_size_are_a_flaw(tmp_path: Path) -> None:
    """Rows and columns are looked at before any pixel is."""

    def smaller(data_set: Dataset, index: int) -> None:
        data_set.Rows = 5 if index == 3 else 6

    flaw = only_stack(describe(written(tmp_path, edit=smaller))).flaw
    assert flaw is not None
    assert flaw.reason is ReasonCode.MIXED_MATRIX


@pytest.mark.parametrize(
    ("agent", "given"),
    [("Gadovist", True), ("11 ml Omniscan", True), ("", False), ("NONE", False), (" no ", False), (None, False)],
)
def test_a_contrast_agent_is_seen(tmp_path: Path, agent: str | None, given: bool) -> None:
    """Some scanners always write the attribute, and what they write may mean that nothing was given."""
    header = describe(written(tmp_path, header={"ContrastBolusAgent": agent}))
    assert header.acquisition.contrast_agent is given


def test_a_contrast_agent_of_an_enhanced_image_is_seen() -> None:
    """Enhanced classes name it in a sequence (PS3.3 section C.7.6.4b)."""
    data_set = Dataset()
    data_set.ContrastBolusAgentSequence = [Dataset()]
    assert described([data_set]).acquisition.contrast_agent


def test_repeated_positions_are_not_slices(tmp_path: Path) -> None:
    """Two images at each position count once, and it is known how many there are."""
    stack = only_stack(describe(written(tmp_path / "a") + written(tmp_path / "b", seed=1)))
    assert (stack.frame_count, stack.slice_count, stack.most_at_a_position) == (10, 5, 2)


def test_positions_that_are_absent_leave_the_count_of_instances() -> None:
    """Without geometry the spacing is not known, and nothing is invented."""
    header = described([Dataset(), Dataset()])
    assert (only_stack(header).slice_count, only_stack(header).slice_spacing_mm) == (2, None)
    assert not header.has_matrix
    assert header.modality == ""
    assert header.sop_class_uids == frozenset()


def test_a_single_slice_has_no_spacing(tmp_path: Path) -> None:
    """One position has no neighbour."""
    stack = only_stack(describe(written(tmp_path, axial_grid((1, 6, 7)))))
    assert (stack.slice_count, stack.slice_spacing_mm) == (1, None)


def test_one_odd_instance_shows() -> None:
    """Facts are gathered over all instances, not from the first."""
    ordinary, odd = Dataset(), Dataset()
    for data_set in (ordinary, odd):
        data_set.Rows = data_set.Columns = 4
        data_set.ImageType = ["ORIGINAL", "PRIMARY"]
    odd.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    odd.SamplesPerPixel = 3
    odd.BurnedInAnnotation = "YES"
    odd.NumberOfFrames = 2
    header = described([ordinary, odd])
    assert "LOCALIZER" in header.image_type
    assert header.samples_per_pixel == 3
    assert header.burned_in
    flaw = only_stack(header).flaw
    assert flaw is not None
    assert flaw.reason is ReasonCode.MULTI_FRAME
    odd.Rows = 0
    assert not described([ordinary, odd]).has_matrix


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("QualityControlSubject", "YES"), ("ContentQualification", "SERVICE"), ("BodyPartExamined", "PHANTOM")],
)
def test_a_test_object_is_seen(tmp_path: Path, keyword: str, value: str) -> None:
    """Wherever the header says that this is no patient."""
    assert describe(written(tmp_path, header={keyword: value})).test_object


@pytest.mark.parametrize("identifiers", [("P1", "P2"), ("P1", ""), ("P" * 65,), ("P\\1",), ("P\n1",)])
def test_a_patient_who_is_not_one_is_a_flaw(identifiers: tuple[str, ...]) -> None:
    """An identifier is not repaired: a shortened one would be somebody else's."""
    flaw = described([patient(identifier) for identifier in identifiers]).identifier_flaw
    assert flaw is not None
    assert flaw.reason is ReasonCode.INVALID_IDENTIFIER
    assert not any(identifier in flaw.message for identifier in identifiers if identifier)


@pytest.mark.parametrize("identifier", [None, "", "P" * 64, "환자 1"])
def test_a_patient_who_is_one_is_none(identifier: str | None) -> None:
    """Nothing is an identifier too: PatientID is of type 2."""
    assert described([patient(identifier)] * 2).identifier_flaw is None


def test_pixels_that_cannot_be_decoded_are_a_flaw(tmp_path: Path) -> None:
    """Encoding and format are in the header."""
    header = describe(written(tmp_path, header={"PhotometricInterpretation": "RGB"}))
    assert header.pixel_flaw is not None
    assert header.pixel_flaw.reason is ReasonCode.PIXEL_FORMAT


def test_descriptions_are_read_as_the_sender_writes_them(tmp_path: Path) -> None:
    """Which character set is assumed depends on who sent the series."""
    paths = write_series(tmp_path, ARRAY, GRID, VARIANTS["no character set, EUC-KR"])
    revision = replace(revision_of(paths), calling_ae="SEOUL")
    charsets = CharacterSets(by_ae={AETitle("SEOUL"): "ISO 2022 IR 149"})
    assert describe_revision(revision, charsets).study_description == "뇌 검사"
    assert describe_revision(replace(revision, calling_ae="PARIS"), charsets).study_description != "뇌 검사"


def test_a_series_whose_images_were_removed_says_so() -> None:
    """What was kept as long as the site wants is not a defect of ours: who wants it analysed sends it again."""
    revision = SeriesRevision(UID("1.2"), UID("1.2.3"), 1, (), CompletionEvidence.QUIET_TIME)
    with pytest.raises(IncompleteSeries) as refused:
        describe_revision(revision, NOTHING_CONFIGURED)
    assert refused.value.code == ReasonCode.INCOMPLETE
