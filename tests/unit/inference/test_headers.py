"""Headers are read without pixels, in the order of the instances, in whatever encoding they are."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from inference.errors import IncompleteSeries, ReasonCode
from inference.file_format import ALWAYS_READS, open_file
from inference.headers import read_headers
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

GRID = axial_grid((5, 6, 7), (2.0, 1.0, 1.0))
ARRAY = np.zeros(GRID.shape)


def test_headers_come_in_the_order_of_the_instances(tmp_path: Path) -> None:
    """Each header belongs to the instance at its place, holds no pixels and knows where these begin."""
    series = revision_of(write_series(tmp_path, ARRAY, GRID))
    headers = read_headers(series.instances)
    assert tuple(header.instance for header in headers) == series.instances
    for header in headers:
        assert header.data_set.SOPInstanceUID == header.instance.identity.sop_instance_uid
        assert "PixelData" not in header.data_set
        content = header.instance.path.read_bytes()
        assert content[header.pixels_at : header.pixels_at + 6] == b"\xe0\x7f\x10\x00OW"


def test_a_header_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A file that vanished ends with a reason, not with a foreign error."""
    instance = revision_of(write_series(tmp_path, ARRAY, GRID)).instances[0]
    with pytest.raises(IncompleteSeries) as caught:
        read_headers([replace(instance, path=tmp_path / "absent.dcm")])
    assert caught.value.code == ReasonCode.MISSING_ATTRIBUTE


def test_a_deflated_header_is_read_no_further_than_it_goes(tmp_path: Path) -> None:
    """A data set that would be gigabytes costs what its header is."""
    options = SeriesOptions(transfer_syntax_uid=DeflatedExplicitVRLittleEndian)
    instance = revision_of(write_series(tmp_path, ARRAY, GRID, options)).instances[0]
    content = instance.path.read_bytes()
    with instance.path.open("rb") as file:
        start = open_file(file).begins_at
    plain = zlib.decompress(content[start:], -zlib.MAX_WBITS)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = packer.compress(plain) + b"".join(packer.compress(bytes(1 << 24)) for _ in range(20)) + packer.flush()
    instance.path.write_bytes(content[:start] + bomb)
    (header,) = read_headers([instance])
    assert header.data_set.Rows == 6
    assert plain[header.pixels_at : header.pixels_at + 4] == b"\xe0\x7f\x10\x00"


def test_what_is_called_deflated_and_is_not_is_unreadable(tmp_path: Path) -> None:
    """Zlib's complaint becomes a reason."""
    options = SeriesOptions(transfer_syntax_uid=DeflatedExplicitVRLittleEndian)
    instance = revision_of(write_series(tmp_path, ARRAY, GRID, options)).instances[0]
    with instance.path.open("rb") as file:
        start = open_file(file).begins_at
    instance.path.write_bytes(instance.path.read_bytes()[:start] + b"\xff\xff\xff no deflate stream")
    with pytest.raises(IncompleteSeries):
        read_headers([instance])


def test_a_header_of_millions_of_elements_is_not_read_to_its_end(tmp_path: Path) -> None:
    """Every element costs time, however small it is."""
    instance = revision_of(write_series(tmp_path, ARRAY, GRID)).instances[0]
    with instance.path.open("rb") as file:
        start = open_file(file).begins_at
    element = b"\x08\x00\x05\x00CS\x00\x00"
    instance.path.write_bytes(instance.path.read_bytes()[:start] + element * (ALWAYS_READS + 1))
    with pytest.raises(IncompleteSeries) as caught:
        read_headers([instance])
    assert isinstance(caught.value.__cause__, OverflowError)
