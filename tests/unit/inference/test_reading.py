"""Headers are read without pixels, and described for selection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from inference.domain.geometry import Grid
from inference.domain.model_spec import Plane
from inference.errors import IncompleteSeries, ReasonCode
from inference.reading import describe, read_headers, read_series
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

GRID = axial_grid((5, 6, 7), (2.0, 1.0, 1.0))
ARRAY = np.zeros(GRID.shape)


def test_headers_come_in_the_order_of_the_instances(tmp_path: Path) -> None:
    """Each header belongs to the instance at its place, and holds no pixels."""
    series = revision_of(write_series(tmp_path, ARRAY, GRID))
    headers = read_headers(series.instances)
    assert [h.SOPInstanceUID for h in headers] == [i.identity.sop_instance_uid for i in series.instances]
    assert not any("PixelData" in header for header in headers)


def test_a_series_is_described(tmp_path: Path) -> None:
    """The facts are those of the files."""
    read = read_series(revision_of(write_series(tmp_path, ARRAY, GRID)).instances)
    header = read.header
    assert len(read.data_sets) == header.instance_count == header.slice_count == 5
    assert header.slice_spacing_mm == pytest.approx(2.0)
    assert (header.modality, header.body_part, header.series_description) == ("MR", "HEAD", "t1_mprage_sag")
    assert header.image_type == {"ORIGINAL", "PRIMARY", "M", "NORM"}
    assert header.acquisition.scanning_sequence == {"GR", "IR"}
    assert header.acquisition.repetition_time_ms == 2300
    assert header.acquisition.inversion_time_ms == 900
    assert header.has_matrix
    assert header.samples_per_pixel == 1
    assert not header.multi_frame
    assert header.plane is Plane.AXIAL
    assert not header.acquisition.contrast_agent


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
    grid = turned(degrees, about)
    assert read_series(revision_of(write_series(tmp_path, ARRAY, grid)).instances).header.plane is plane


def test_slices_that_are_far_from_every_plane_lie_in_none(tmp_path: Path) -> None:
    """Tilted as much to each side, axial, sagittal and coronal are equally wrong."""
    row, column = np.array([1, -1, 0]) / np.sqrt(2), np.array([1, 1, -2]) / np.sqrt(6)
    steps = np.column_stack([np.cross(row, column), column, row])
    grid = Grid(GRID.shape, GRID.origin_mm, steps)
    assert read_series(revision_of(write_series(tmp_path, ARRAY, grid)).instances).header.plane is None


def test_slices_of_several_planes_lie_in_none(tmp_path: Path) -> None:
    """A series with slices of several orientations has no plane, and neither has one without geometry."""
    axial = read_headers(revision_of(write_series(tmp_path / "a", ARRAY, GRID)).instances)
    coronal = read_headers(revision_of(write_series(tmp_path / "b", ARRAY, turned(90, 0))).instances)
    assert describe(axial + coronal).plane is None
    assert describe([Dataset()]).plane is None


@pytest.mark.parametrize(
    ("agent", "given"),
    [("Gadovist", True), ("11 ml Omniscan", True), ("", False), ("NONE", False), (" no ", False), (None, False)],
)
def test_a_contrast_agent_is_seen(tmp_path: Path, agent: str | None, given: bool) -> None:
    """Some scanners always write the attribute, and what they write may mean that nothing was given."""
    options = SeriesOptions(header={"ContrastBolusAgent": agent})
    header = read_series(revision_of(write_series(tmp_path, ARRAY, GRID, options)).instances).header
    assert header.acquisition.contrast_agent is given


def test_a_contrast_agent_of_an_enhanced_image_is_seen() -> None:
    """Enhanced classes name it in a sequence (PS3.3 section C.7.6.4b)."""
    enhanced = Dataset()
    enhanced.ContrastBolusAgentSequence = [Dataset()]
    assert describe([enhanced]).acquisition.contrast_agent


def test_repeated_positions_are_not_slices(tmp_path: Path) -> None:
    """Two time points at each position count once."""
    first = write_series(tmp_path / "a", ARRAY, GRID)
    second = write_series(tmp_path / "b", ARRAY, GRID, SeriesOptions(seed=1))
    data_sets = read_headers(revision_of(first).instances) + read_headers(revision_of(second).instances)
    header = describe(data_sets)
    assert (header.instance_count, header.slice_count) == (10, 5)


def test_positions_that_are_absent_leave_the_count_of_instances() -> None:
    """Without geometry the spacing is not known, and nothing is invented."""
    header = describe([Dataset(), Dataset()])
    assert (header.slice_count, header.slice_spacing_mm) == (2, None)
    assert not header.has_matrix
    assert header.modality == ""
    assert header.sop_class_uids == frozenset()


def test_a_single_slice_has_no_spacing(tmp_path: Path) -> None:
    """One position has no neighbour."""
    read = read_series(revision_of(write_series(tmp_path, ARRAY[:1], axial_grid((1, 6, 7)))).instances)
    assert (read.header.slice_count, read.header.slice_spacing_mm) == (1, None)


def test_zero_times_do_not_apply(tmp_path: Path) -> None:
    """Some scanners write an inversion time of 0 for a sequence without inversion."""
    options = SeriesOptions(header={"InversionTime": "0", "EchoTime": None})
    acquisition = read_series(revision_of(write_series(tmp_path, ARRAY, GRID, options)).instances).header.acquisition
    assert acquisition.inversion_time_ms is None
    assert acquisition.echo_time_ms is None


def test_one_odd_instance_shows() -> None:
    """Facts are gathered over all instances, not from the first."""
    ordinary, odd = Dataset(), Dataset()
    for data_set in (ordinary, odd):
        data_set.Rows = data_set.Columns = 4
        data_set.ImageType = ["ORIGINAL", "PRIMARY"]
    odd.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    odd.SamplesPerPixel = 3
    odd.NumberOfFrames = 2
    header = describe([ordinary, odd])
    assert "LOCALIZER" in header.image_type
    assert header.samples_per_pixel == 3
    assert header.multi_frame
    odd.Rows = 0
    assert not describe([ordinary, odd]).has_matrix


def test_enhanced_images_are_multi_frame_with_one_frame_too() -> None:
    """Their geometry is in functional groups, and so is their frame type."""
    frame_type, shared, enhanced = Dataset(), Dataset(), Dataset()
    frame_type.FrameType = ["DERIVED", "PRIMARY", "DIFFUSION", "FA"]
    shared.MRImageFrameTypeSequence = [frame_type]
    enhanced.SharedFunctionalGroupsSequence = [shared]
    enhanced.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    header = describe([enhanced])
    assert header.multi_frame
    assert "FA" in header.image_type


def test_a_header_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A file that vanished ends with a reason, not with a foreign error."""
    instance = revision_of(write_series(tmp_path, ARRAY, GRID)).instances[0]
    with pytest.raises(IncompleteSeries) as caught:
        read_headers([replace(instance, path=tmp_path / "absent.dcm")])
    assert caught.value.code == ReasonCode.MISSING_ATTRIBUTE
