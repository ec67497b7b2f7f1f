"""Every encoding that the node offers gives back what an encoder, which nobody here wrote, was given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import RLELossless

from inference.domain.transfer_syntaxes import DECODABLE_TRANSFER_SYNTAXES, UNCOMPRESSED_TRANSFER_SYNTAXES
from inference.headers import read_headers
from inference.volume_builder import build_volume
from tests.support.codestreams import LOSSLESS, LOSSY
from tests.support.enhanced_series import EnhancedOptions, frames_on, write_enhanced
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

SHAPE: Final = (3, 40, 48)
BASELINE: Final = "1.2.840.10008.1.2.4.50"
WITHOUT_LOSS: Final = (*UNCOMPRESSED_TRANSFER_SYNTAXES, RLELossless, *LOSSLESS)
TOLERANCE: Final[Mapping[int, int]] = {8: 3, 12: 10}
"""By bits, in units of the last."""


def smooth(bits: int) -> NDArray[np.int64]:
    """Give slices of all grey values, without the noise at which lossy encodings fail."""
    z, y, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    waves = (np.sin(x / 9 + z) + np.cos(y / 7) + 2) / 4
    return np.rint(waves * (2**bits - 1)).astype(np.int64)


def read(folder: Path, array: NDArray[np.int64], options: SeriesOptions) -> NDArray[np.float32]:
    """Write a series and read it."""
    paths = write_series(folder, array, axial_grid(SHAPE), options)
    return build_volume(read_headers(revision_of(paths).instances)).array


def options_of(syntax: str, bits: int) -> SeriesOptions:
    stored_type = "uint8" if bits == 8 else "uint16"
    return SeriesOptions(stored_type=stored_type, bits_stored=bits, transfer_syntax_uid=syntax)


def test_no_encoding_is_left_out() -> None:
    """What is offered is tried here."""
    assert set(map(str, DECODABLE_TRANSFER_SYNTAXES)) == {*map(str, WITHOUT_LOSS), *LOSSY}


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("syntax", WITHOUT_LOSS)
def test_encodings_without_loss_are_exact(tmp_path: Path, syntax: str, bits: int) -> None:
    """Pixel by pixel."""
    np.testing.assert_array_equal(read(tmp_path, smooth(bits), options_of(syntax, bits)), smooth(bits))


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("syntax", sorted(LOSSY))
def test_encodings_with_loss_are_close(tmp_path: Path, syntax: str, bits: int) -> None:
    """As close as they were encoded."""
    if syntax == BASELINE and bits > 8:
        bits = 8  # Process 1 has no more (PS3.5 section 8.2.1)
    values = read(tmp_path, smooth(bits), options_of(syntax, bits))
    assert np.abs(values - smooth(bits)).max() <= TOLERANCE[bits]


@pytest.mark.parametrize("syntax", [RLELossless, *LOSSLESS])
def test_every_frame_of_a_compressed_multi_frame_image_is_its_own(tmp_path: Path, syntax: str) -> None:
    """Frames are found in their fragments, one after the other."""
    grid = axial_grid(SHAPE)
    options = EnhancedOptions(options_of(syntax, 12))
    paths = write_enhanced(tmp_path, frames_on(smooth(12), grid, [2, 0, 1]), options)
    volume = build_volume(read_headers(revision_of(paths).instances))
    np.testing.assert_array_equal(volume.array, smooth(12))
