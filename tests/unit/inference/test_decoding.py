"""Pixels become modality values, or a named reason; nothing foreign comes out."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gdcm
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
)

from inference.decoding import codestream_size, decode, pixel_format
from inference.domain.identifiers import UID
from inference.domain.study import StoredInstance
from inference.domain.transfer_syntaxes import DECODABLE_TRANSFER_SYNTAXES
from inference.errors import ReasonCode, UnsupportedPixelData
from tests.support.shared_data import SHARED, needs_shared
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

SHAPE = (1, 40, 48)
PIXELS = np.arange(40 * 48).reshape(SHAPE)


def written(folder: Path, options: SeriesOptions | None = None, pixels: np.ndarray = PIXELS) -> StoredInstance:
    return revision_of(write_series(folder, pixels, axial_grid(SHAPE), options or SeriesOptions())).instances[0]


def values_of(instance: StoredInstance) -> np.ndarray:
    return decode(instance, pixel_format(dcmread(instance.path, stop_before_pixels=True)))


def reason(instance: StoredInstance) -> str:
    with pytest.raises(UnsupportedPixelData) as caught:
        values_of(instance)
    return caught.value.code


def edited(folder: Path, edit: Callable[[Dataset], None]) -> StoredInstance:
    return written(folder, SeriesOptions(edit=lambda data_set, _: edit(data_set)))


@pytest.mark.parametrize(
    "transfer_syntax",
    [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless],
)
def test_lossless_encodings_are_exact(tmp_path: Path, transfer_syntax: str) -> None:
    """The same numbers come out of every lossless encoding."""
    values = values_of(written(tmp_path, SeriesOptions(transfer_syntax_uid=transfer_syntax)))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, PIXELS[0])


def test_signed_values_stay_signed(tmp_path: Path) -> None:
    """Two's complement is read as such (PixelRepresentation 1)."""
    values = values_of(written(tmp_path, SeriesOptions(stored_type="int16"), PIXELS - 500))
    np.testing.assert_array_equal(values, PIXELS[0] - 500)


def test_rescale_is_applied(tmp_path: Path) -> None:
    """Modality values are slope × stored + intercept."""
    options = SeriesOptions(header={"RescaleSlope": "2", "RescaleIntercept": "-1024"})
    np.testing.assert_array_equal(values_of(written(tmp_path, options)), PIXELS[0] * 2 - 1024)


def test_a_modality_lut_is_applied(tmp_path: Path) -> None:
    """A table takes the place of slope and intercept."""
    item = Dataset()
    item.LUTDescriptor = [2048, 0, 16]
    item.add_new("LUTData", "OW", (3 * np.arange(2048, dtype="<u2")).tobytes())
    item.ModalityLUTType = "US"
    options = SeriesOptions(header={"ModalityLUTSequence": [item]})
    np.testing.assert_array_equal(values_of(written(tmp_path, options)), PIXELS[0] * 3)


def test_a_damaged_modality_lut_is_named(tmp_path: Path) -> None:
    """A table without a descriptor cannot be applied, and the image is not used without it."""
    options = SeriesOptions(header={"ModalityLUTSequence": [Dataset()]})
    assert reason(written(tmp_path, options)) == ReasonCode.PIXEL_FORMAT


@pytest.mark.parametrize(("stored_type", "offset", "turned"), [("uint16", 0, 65535), ("int16", 500, -1)])
def test_monochrome1_is_turned(tmp_path: Path, stored_type: str, offset: int, turned: int) -> None:
    """Where low values are bright, they are turned so that high values are."""
    options = SeriesOptions(stored_type=stored_type, header={"PhotometricInterpretation": "MONOCHROME1"})
    values = values_of(written(tmp_path, options, PIXELS - offset))
    np.testing.assert_array_equal(values, turned - (PIXELS[0] - offset))


def test_padding_is_background(tmp_path: Path) -> None:
    """Padding takes the lowest real value, so that it looks like nothing rather than like an extreme."""
    pixels = PIXELS + 100
    pixels[0, :3] = 60000
    header = {"PixelPaddingValue": 59000, "PixelPaddingRangeLimit": 61000}
    values = values_of(written(tmp_path, SeriesOptions(header=header), pixels))
    np.testing.assert_array_equal(values[:3], pixels[0, 3:].min())
    np.testing.assert_array_equal(values[3:], pixels[0, 3:])


def test_an_image_of_nothing_but_padding_is_kept(tmp_path: Path) -> None:
    """There is no real value to take."""
    values = values_of(written(tmp_path, SeriesOptions(header={"PixelPaddingValue": 7}), np.full(SHAPE, 7)))
    np.testing.assert_array_equal(values, 7)


@pytest.mark.parametrize(
    ("attribute", "value", "code"),
    [
        ("Rows", 0, ReasonCode.PIXEL_MISSING),
        ("Columns", None, ReasonCode.PIXEL_MISSING),
        ("Rows", 5000, ReasonCode.PIXEL_TOO_LARGE),
        ("PhotometricInterpretation", "RGB", ReasonCode.PIXEL_FORMAT),
        ("PhotometricInterpretation", "PALETTE COLOR", ReasonCode.PIXEL_FORMAT),
        ("SamplesPerPixel", 3, ReasonCode.PIXEL_FORMAT),
        ("BitsAllocated", 64, ReasonCode.PIXEL_FORMAT),
        ("BitsStored", 17, ReasonCode.PIXEL_FORMAT),
        ("PixelRepresentation", 2, ReasonCode.PIXEL_FORMAT),
        ("RescaleSlope", "0", ReasonCode.PIXEL_FORMAT),
        ("Rows", 41, ReasonCode.PIXEL_CORRUPT),
        ("NumberOfFrames", 2, ReasonCode.PIXEL_CORRUPT),
    ],
)
def test_a_header_that_does_not_fit_is_named(tmp_path: Path, attribute: str, value: Any, code: ReasonCode) -> None:
    """What the header says is checked, most of it before a decoder runs."""
    assert reason(edited(tmp_path, lambda data_set: setattr(data_set, attribute, value))) == code


def test_absent_pixels_are_named(tmp_path: Path) -> None:
    """An object without PixelData is not a damaged one."""

    def drop(data_set: Dataset) -> None:
        del data_set.PixelData

    assert reason(edited(tmp_path, drop)) == ReasonCode.PIXEL_MISSING


def test_cut_pixels_are_corrupt(tmp_path: Path) -> None:
    """A file that ends early is not padded and not guessed."""
    instance = written(tmp_path)
    instance.path.write_bytes(instance.path.read_bytes()[:-62])
    assert reason(instance) == ReasonCode.PIXEL_CORRUPT


def test_damaged_fragments_are_corrupt(tmp_path: Path) -> None:
    """Compressed data that no decoder accepts end as one reason, whatever was raised."""
    instance = written(tmp_path, SeriesOptions(transfer_syntax_uid=JPEGLSLossless))
    content = bytearray(instance.path.read_bytes())
    content[-200:-20] = bytes(180)
    instance.path.write_bytes(content)
    assert reason(instance) == ReasonCode.PIXEL_CORRUPT


@pytest.mark.parametrize("transfer_syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_cut_fragments_are_corrupt(tmp_path: Path, transfer_syntax: str) -> None:
    """A file that ends within its compressed pixel data is damaged; it is not without pixel data."""
    instance = written(tmp_path, SeriesOptions(transfer_syntax_uid=transfer_syntax))
    instance.path.write_bytes(instance.path.read_bytes()[:-60])
    assert reason(instance) == ReasonCode.PIXEL_CORRUPT


def test_empty_fragments_are_missing(tmp_path: Path) -> None:
    """Compressed pixel data that were never there are missing."""
    instance = written(tmp_path, SeriesOptions(transfer_syntax_uid=JPEGLSLossless))
    data_set = dcmread(instance.path)
    del data_set.PixelData
    data_set.save_as(instance.path)
    assert reason(instance) == ReasonCode.PIXEL_MISSING


@pytest.mark.parametrize("readable", [True, False])
def test_a_damaged_extended_jpeg_is_corrupt(tmp_path: Path, readable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one encoding that takes another way to its decoder ends with the same reason."""
    instance = written(tmp_path)
    data_set = dcmread(instance.path)
    data_set.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    data_set.PixelData = encapsulate([b"\xff\xd8\xff\xc1\x00\x0b\x0c\x00\x28\x00\x30\x01" + bytes(50)])
    data_set["PixelData"].is_undefined_length = True
    data_set.save_as(instance.path)
    if not readable:
        monkeypatch.setattr(gdcm.ImageReader, "Read", lambda _: False)
    else:
        monkeypatch.setattr(gdcm.ImageReader, "Read", lambda _: True)
        monkeypatch.setattr(gdcm.ImageReader, "GetImage", lambda _: SimpleNamespace(GetBuffer=lambda: "12"))
    assert reason(revision_of([instance.path]).instances[0]) == ReasonCode.PIXEL_CORRUPT


def test_more_pixels_than_promised_are_corrupt(tmp_path: Path) -> None:
    """An image that decodes to another shape than its header's rows and columns is not cut to fit."""

    def double(data_set: Dataset) -> None:
        data_set.NumberOfFrames = 2
        data_set.PixelData *= 2

    assert reason(edited(tmp_path, double)) == ReasonCode.PIXEL_CORRUPT


def test_fragments_that_are_none_are_corrupt(tmp_path: Path) -> None:
    """Native bytes under a compressed transfer syntax have no fragments."""
    instance = written(tmp_path)
    assert reason(replace(instance, transfer_syntax_uid=UID(JPEG2000Lossless))) == ReasonCode.PIXEL_CORRUPT


@pytest.mark.parametrize("transfer_syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_a_codestream_of_another_size_never_meets_a_decoder(tmp_path: Path, transfer_syntax: str) -> None:
    """Decoders allocate by the codestream's own header, so that is compared first."""
    instance = written(tmp_path, SeriesOptions(transfer_syntax_uid=transfer_syntax))
    promised = replace(pixel_format(dcmread(instance.path)), rows=41)
    with pytest.raises(UnsupportedPixelData, match="not of the size") as caught:
        decode(instance, promised)
    assert caught.value.code == ReasonCode.PIXEL_CORRUPT


def test_unknown_encodings_are_refused_by_name(tmp_path: Path) -> None:
    """A retired JPEG process is no damage but an encoding without a decoder."""
    retired = replace(written(tmp_path), transfer_syntax_uid=UID("1.2.840.10008.1.2.4.53"))
    assert reason(retired) == ReasonCode.TRANSFER_SYNTAX


def test_a_file_that_vanished_is_corrupt(tmp_path: Path) -> None:
    """Reading is translated as decoding is."""
    instance = written(tmp_path)
    promised = pixel_format(dcmread(instance.path))
    instance.path.unlink()
    with pytest.raises(UnsupportedPixelData) as caught:
        decode(instance, promised)
    assert caught.value.code == ReasonCode.PIXEL_CORRUPT


def test_sizes_are_read_from_codestreams() -> None:
    """SIZ of JPEG 2000, SOF of JPEG and JPEG-LS; anything else says nothing."""
    siz = b"\xff\x4f\xff\x51" + struct.pack(">HH4I", 41, 0, 148, 130, 100, 30)
    assert codestream_size(siz) == (100, 48)
    application = b"\xff\xe0\x00\x04ab"
    assert codestream_size(b"\xff\xd8" + application + b"\xff\xc3\x00\x0b\x10\x00\x28\x00\x30\x01") == (40, 48)
    assert codestream_size(b"\xff\xd8\xff\xf7\x00\x0b\x10\x00\x28\x00\x30\x01") == (40, 48)
    assert codestream_size(b"\xff\xd8" + application) is None
    assert codestream_size(b"\x00\x01\x02") is None


@needs_shared
def test_a_real_slice_decodes_in_every_encoding() -> None:
    """One CT slice: lossless encodings are equal, lossy ones close; what cannot be decoded is not on the list."""
    folder = SHARED / "data" / "compressed-ct-slice-all-syntaxes"
    files = sorted(folder.rglob("CTImage.dcm*"))
    exact = values_of(revision_of([path for path in files if path.name == "CTImage.dcm"]).instances[0])
    seen = {}
    for path in files:
        instance = revision_of([path]).instances[0]
        if instance.transfer_syntax_uid in DECODABLE_TRANSFER_SYNTAXES:
            seen[instance.transfer_syntax_uid] = float(np.abs(values_of(instance) - exact).max())
        else:
            assert reason(instance) == ReasonCode.TRANSFER_SYNTAX
    lossy = [seen.pop(UID(f"1.2.840.10008.1.2.4.{number}")) for number in (50, 51, 81, 91)]
    assert len(seen) == 9
    assert set(seen.values()) == {0.0}
    assert 0 < max(lossy) < 100
