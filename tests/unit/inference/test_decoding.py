"""Pixels become modality values, or a named reason; nothing foreign comes out."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
)

from inference.decoding import codestream_size
from inference.domain.identifiers import UID
from inference.domain.study import StoredInstance
from inference.domain.transfer_syntaxes import DECODABLE_TRANSFER_SYNTAXES
from inference.errors import ReasonCode, UnsupportedPixelData
from inference.headers import read_headers
from inference.pixel_data import encoded_frames
from inference.pixel_format import pixel_format
from tests.support.shared_data import SHARED, needs_shared
from tests.support.single_images import reason_of, values_of
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

SHAPE = (1, 40, 48)
PIXELS = np.arange(40 * 48).reshape(SHAPE)


def written(folder: Path, options: SeriesOptions | None = None, pixels: np.ndarray = PIXELS) -> StoredInstance:
    return revision_of(write_series(folder, pixels, axial_grid(SHAPE), options or SeriesOptions())).instances[0]


def edited(folder: Path, edit: Callable[[Dataset], None], stored_type: str = "uint16") -> StoredInstance:
    return written(folder, SeriesOptions(stored_type=stored_type, edit=lambda data_set, _: edit(data_set)))


@pytest.mark.parametrize(
    "transfer_syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLSLossless,
        JPEG2000Lossless,
    ],
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
    assert reason_of(written(tmp_path, options)) == ReasonCode.PIXEL_FORMAT


@pytest.mark.parametrize(("stored_type", "offset", "turned"), [("uint16", 0, 65535), ("int16", 500, -1)])
def test_monochrome1_is_turned(tmp_path: Path, stored_type: str, offset: int, turned: int) -> None:
    """Where low values are bright and mean nothing by themselves, they are turned so that high values are bright."""
    options = SeriesOptions(stored_type=stored_type, header={"PhotometricInterpretation": "MONOCHROME1"})
    values = values_of(written(tmp_path, options, PIXELS - offset))
    np.testing.assert_array_equal(values, turned - (PIXELS[0] - offset))


@pytest.mark.parametrize("header", [{"Modality": "CT"}, {"RescaleType": "HU"}])
def test_values_with_a_unit_are_not_turned(tmp_path: Path, header: dict[str, str]) -> None:
    """Hounsfield units are what they are, however they are displayed (PS3.3 section C.7.6.3.1.2)."""
    rescale = {"RescaleSlope": "1", "RescaleIntercept": "-1024"}
    options = SeriesOptions(header={"PhotometricInterpretation": "MONOCHROME1", **rescale, **header})
    np.testing.assert_array_equal(values_of(written(tmp_path, options)), PIXELS[0] - 1024.0)


def test_padding_of_a_turned_image_is_dark(tmp_path: Path) -> None:
    """Background is what is dark for the reader, not what is low in the file."""
    pixels = PIXELS + 100
    pixels[0, :3] = 0
    header = {"PhotometricInterpretation": "MONOCHROME1", "PixelPaddingValue": 0}
    values = values_of(written(tmp_path, SeriesOptions(header=header), pixels))
    np.testing.assert_array_equal(values[:3], 65535 - pixels.max())


@pytest.mark.parametrize("transfer_syntax", [ImplicitVRLittleEndian, "1.2.840.10008.1.2.1"])
def test_negative_padding_is_padding(tmp_path: Path, transfer_syntax: str) -> None:
    """CT pads with -2000; the value is of the pixels' kind, whatever its header says (PS3.3 section C.7.5.1.1.2)."""
    pixels = PIXELS - 1000
    pixels[0, :3] = -2000

    def pad(data_set: Dataset, _: int) -> None:
        if transfer_syntax == ImplicitVRLittleEndian:
            data_set.PixelPaddingValue = -2000
        else:
            data_set.add_new(0x00280120, "US", 65536 - 2000)

    options = SeriesOptions(stored_type="int16", edit=pad, transfer_syntax_uid=transfer_syntax)
    np.testing.assert_array_equal(values_of(written(tmp_path, options, pixels))[:3], pixels[0, 3:].min())


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
        ("HighBit", 16, ReasonCode.PIXEL_FORMAT),
    ],
)
def test_a_header_that_does_not_fit_is_named(tmp_path: Path, attribute: str, value: Any, code: ReasonCode) -> None:
    """What the header says is checked, most of it before a decoder runs."""
    assert reason_of(edited(tmp_path, lambda data_set: setattr(data_set, attribute, value))) == code


def test_absent_pixels_are_named(tmp_path: Path) -> None:
    """An object without PixelData is not a damaged one."""

    def drop(data_set: Dataset) -> None:
        del data_set.PixelData

    assert reason_of(edited(tmp_path, drop)) == ReasonCode.PIXEL_MISSING


def test_cut_pixels_are_corrupt(tmp_path: Path) -> None:
    """A file that ends early is not padded and not guessed."""
    instance = written(tmp_path)
    instance.path.write_bytes(instance.path.read_bytes()[:-62])
    assert reason_of(instance) == ReasonCode.PIXEL_CORRUPT


def test_damaged_fragments_are_corrupt(tmp_path: Path) -> None:
    """Compressed data that no decoder accepts end as one reason, whatever was raised."""
    instance = written(tmp_path, SeriesOptions(transfer_syntax_uid=JPEGLSLossless))
    content = bytearray(instance.path.read_bytes())
    content[-200:-20] = bytes(180)
    instance.path.write_bytes(content)
    assert reason_of(instance) == ReasonCode.PIXEL_CORRUPT


@pytest.mark.parametrize("transfer_syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_cut_fragments_are_corrupt(tmp_path: Path, transfer_syntax: str) -> None:
    """A file that ends within its compressed pixel data is damaged; it is not without pixel data."""
    instance = written(tmp_path, SeriesOptions(transfer_syntax_uid=transfer_syntax))
    instance.path.write_bytes(instance.path.read_bytes()[:-60])
    assert reason_of(instance) == ReasonCode.PIXEL_CORRUPT


def test_empty_fragments_are_missing(tmp_path: Path) -> None:
    """Compressed pixel data that were never there are missing."""
    instance = written(tmp_path, SeriesOptions(transfer_syntax_uid=JPEGLSLossless))
    data_set = dcmread(instance.path)
    del data_set.PixelData
    data_set.save_as(instance.path)
    assert reason_of(instance) == ReasonCode.PIXEL_MISSING


def test_a_damaged_extended_jpeg_is_corrupt(tmp_path: Path) -> None:
    """The one encoding that takes another way to its decoder ends with the same reason."""
    instance = written(tmp_path)
    data_set = dcmread(instance.path)
    data_set.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    data_set.PixelData = encapsulate([b"\xff\xd8\xff\xc1\x00\x0b\x0c\x00\x28\x00\x30\x01" + bytes(50)])
    data_set["PixelData"].is_undefined_length = True
    data_set.save_as(instance.path)
    assert reason_of(revision_of([instance.path]).instances[0]) == ReasonCode.PIXEL_CORRUPT


def test_fragments_that_are_none_are_corrupt(tmp_path: Path) -> None:
    """Native bytes under a compressed transfer syntax have no fragments."""
    instance = written(tmp_path)
    assert reason_of(replace(instance, transfer_syntax_uid=UID(JPEG2000Lossless))) == ReasonCode.PIXEL_CORRUPT


@pytest.mark.parametrize("transfer_syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_a_codestream_of_another_size_never_meets_a_decoder(tmp_path: Path, transfer_syntax: str) -> None:
    """Decoders allocate by the codestream's own header, so that is compared first."""
    instance = written(tmp_path, SeriesOptions(transfer_syntax_uid=transfer_syntax))
    data_set = dcmread(instance.path)
    data_set.Rows = 41
    data_set.save_as(instance.path)
    with pytest.raises(UnsupportedPixelData, match="not of the size") as caught:
        values_of(instance)
    assert caught.value.code == ReasonCode.PIXEL_CORRUPT


def test_unknown_encodings_are_refused_by_name(tmp_path: Path) -> None:
    """A retired JPEG process is no damage but an encoding without a decoder."""
    retired = replace(written(tmp_path), transfer_syntax_uid=UID("1.2.840.10008.1.2.4.53"))
    assert reason_of(retired) == ReasonCode.TRANSFER_SYNTAX


def test_a_file_that_vanished_is_corrupt(tmp_path: Path) -> None:
    """Reading is translated as decoding is."""
    (header,) = read_headers([written(tmp_path)])
    header.instance.path.unlink()
    with pytest.raises(UnsupportedPixelData) as caught:
        next(encoded_frames(header, pixel_format(header.data_set), [1]))
    assert caught.value.code == ReasonCode.PIXEL_CORRUPT


def test_other_pixels_than_whole_numbers_are_refused(tmp_path: Path) -> None:
    """Float Pixel Data are no pixels that this node reads, and are not missing."""

    def to_float(data_set: Dataset) -> None:
        del data_set.PixelData
        data_set.FloatPixelData = PIXELS.astype(np.float32).tobytes()

    assert reason_of(edited(tmp_path, to_float)) == ReasonCode.PIXEL_FORMAT


def in_cells(bits_stored: int, high_bit: int) -> Callable[[Dataset], None]:
    """Say of how many bits a value is, and which of its cell they are."""

    def edit(data_set: Dataset) -> None:
        data_set.BitsStored, data_set.HighBit = bits_stored, high_bit

    return edit


def test_bits_that_are_not_the_values_may_repeat_its_sign_or_not(tmp_path: Path) -> None:
    """-1 of 12 bits is stored as 0xFFFF by some and as 0x0FFF by others (PS3.5 section 8.1.1)."""
    signed = (PIXELS % 4096) - 2048
    for number, stored in enumerate((signed, signed & 0x0FFF)):
        options = SeriesOptions(stored_type="int16", edit=lambda data_set, _: in_cells(12, 11)(data_set))
        instance = written(tmp_path / str(number), options, stored)
        np.testing.assert_array_equal(values_of(instance), signed[0])


@pytest.mark.parametrize("stored_type", ["uint16", "int16"])
def test_values_in_the_upper_bits_are_shifted_down(tmp_path: Path, stored_type: str) -> None:
    """High Bit 15 of 12 bits stored: the lowest four bits are nobody's."""
    small = PIXELS % 2000
    options = SeriesOptions(stored_type=stored_type, edit=lambda data_set, _: in_cells(12, 15)(data_set))
    instance = written(tmp_path, options, small * 16 + 5)
    np.testing.assert_array_equal(values_of(instance), small[0])


def test_bits_above_the_value_are_an_overlay_or_a_fault(tmp_path: Path) -> None:
    """Where the header knows an overlay in them they are passed over; else nobody knows what the value is."""
    marked = PIXELS % 4096 + 0x1000

    def overlay(data_set: Dataset, _: int) -> None:
        in_cells(12, 11)(data_set)
        data_set.add_new(0x60000010, "US", 40)
        data_set.add_new(0x60000100, "US", 16)
        data_set.add_new(0x60000102, "US", 12)

    known = written(tmp_path / "known", SeriesOptions(edit=overlay), marked)
    np.testing.assert_array_equal(values_of(known), PIXELS[0] % 4096)
    unknown = SeriesOptions(edit=lambda data_set, _: in_cells(12, 11)(data_set))
    assert reason_of(written(tmp_path / "unknown", unknown, marked)) == ReasonCode.PIXEL_CORRUPT


def test_eight_bit_pixels_in_big_endian_words(tmp_path: Path) -> None:
    """Two pixels of a word change places (PS3.5 section 8.1.1)."""
    pixels = (PIXELS % 251).astype(np.uint8)
    swapped = pixels.reshape(-1, 2)[:, ::-1].tobytes()

    def to_words(data_set: Dataset, _: int) -> None:
        data_set.add_new(0x7FE00010, "OW", swapped)

    options = SeriesOptions(stored_type="uint8", edit=to_words, transfer_syntax_uid=ExplicitVRBigEndian)
    np.testing.assert_array_equal(values_of(written(tmp_path, options, pixels)), pixels[0])


def test_a_byte_of_padding_is_no_row(tmp_path: Path) -> None:
    """Pixel data have an even length; more than that is not what the header says."""

    def longer(extra: bytes) -> Callable[[Dataset], None]:
        def edit(data_set: Dataset) -> None:
            data_set.PixelData += extra

        return edit

    np.testing.assert_array_equal(values_of(edited(tmp_path / "a", longer(b"\0\0"))), PIXELS[0])
    assert reason_of(edited(tmp_path / "b", longer(bytes(96)))) == ReasonCode.PIXEL_CORRUPT


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
            assert reason_of(instance) == ReasonCode.TRANSFER_SYNTAX
    lossy = [seen.pop(UID(f"1.2.840.10008.1.2.4.{number}")) for number in (50, 51, 81, 91)]
    assert len(seen) == 9
    assert set(seen.values()) == {0.0}
    assert 0 < max(lossy) < 100
