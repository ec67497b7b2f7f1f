"""Headers are read without pixels, and described for selection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

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
