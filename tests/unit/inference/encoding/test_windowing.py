"""Modality values become grey as the source, or common sense, would have it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from inference.encoding.encoding_input import EncodingInput
from inference.encoding.windowing import SOFT_TISSUE_HU, Window, window_of
from tests.support.enhanced_series import EnhancedOptions
from tests.support.findings import make_case
from tests.support.pictures import with_values
from tests.support.synthetic_series import SeriesOptions
from tests.unit.inference.encoding.test_source_images import enhanced


def ct(folder: Path, **header: object) -> EncodingInput:
    """Give a CT that states something."""
    options = SeriesOptions(sop_class_uid=CTImageStorage, header={"Modality": "CT", **header})
    return with_values(make_case(folder, options).encoding)


def window(encoding: EncodingInput) -> Window:
    """Choose its window."""
    return window_of(encoding.volume, encoding.data_sets)


def test_values_become_grey_between_black_and_white() -> None:
    """What is below is black, what is above is white, what is no number is black."""
    values = np.array([-50.0, 0.0, 50.0, 100.0, 900.0, np.nan], dtype=np.float32)
    assert Window(0, 100).grey(values).tolist() == [0, 0, 128, 255, 255, 0]
    assert Window(0, 100, inverted=True).grey(values[:4]).tolist() == [255, 255, 127, 0]


def test_a_few_bright_voxels_do_not_darken_the_rest(tmp_path: Path) -> None:
    """An MR is shown by percentiles of its values."""
    encoding = make_case(tmp_path).encoding
    values = np.linspace(0, 100, encoding.volume.array.size).reshape(encoding.volume.array.shape)
    values[0, 0, :3] = 1e6
    found = window(with_values(encoding, values))
    assert (found.low, found.high) == pytest.approx((1, 99.6), abs=0.7)


def test_an_even_volume_is_black_and_no_error(tmp_path: Path) -> None:
    """There is nothing to divide by."""
    encoding = with_values(make_case(tmp_path).encoding, np.zeros((6, 20, 16)))
    assert window(encoding).grey(encoding.volume.array).max() == 0


def test_a_ct_is_shown_in_the_window_that_it_states(tmp_path: Path) -> None:
    """Of several the first, which is the usual one."""
    found = window(ct(tmp_path, WindowCenter=["40", "500"], WindowWidth=["80", "2000"]))
    assert (found.low, found.high) == (0, 80)


@pytest.mark.parametrize("stated", [{}, {"WindowCenter": "40", "WindowWidth": "0"}, {"WindowWidth": "400"}])
def test_a_ct_without_a_window_is_shown_as_soft_tissue(tmp_path: Path, stated: dict[str, str]) -> None:
    """A window of no width is none."""
    found = window(ct(tmp_path, **stated))
    assert (found.low, found.high) == SOFT_TISSUE_HU


def test_a_multi_frame_ct_states_its_window_in_a_functional_group(tmp_path: Path) -> None:
    """PS3.3 section C.7.6.16.2.10."""

    def edit(data_set: Dataset) -> None:
        item = Dataset()
        item.WindowCenter, item.WindowWidth = "30", "60"
        data_set.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence = [item]

    options = EnhancedOptions(SeriesOptions(header={"Modality": "CT"}), edit=edit)
    found = window(enhanced(tmp_path, options))
    assert (found.low, found.high) == (0, 60)


def test_black_and_white_are_exchanged_where_the_source_asks_for_it(tmp_path: Path) -> None:
    """MONOCHROME1."""
    encoding = ct(tmp_path, PhotometricInterpretation="MONOCHROME1")
    assert window(encoding).inverted


def test_a_volume_whose_headers_are_not_at_hand_is_shown_too(tmp_path: Path) -> None:
    """By its values alone."""
    encoding = with_values(make_case(tmp_path).encoding)
    found = window(replace(encoding, data_sets=()))
    assert found.low < 400 < found.high


def test_values_that_were_turned_already_are_not_inverted(tmp_path: Path) -> None:
    """The values of a MONOCHROME1 MR have no unit: bright is high for whoever reads them."""
    options = SeriesOptions(header={"PhotometricInterpretation": "MONOCHROME1"})
    assert not window(with_values(make_case(tmp_path, options).encoding)).inverted
