"""A decoder that breaks down takes one image with it, and nothing else."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless

import inference.decoder_process
from inference.decoder_process import DecoderProcess, serve
from inference.decoding import PixelFormat, pixel_format
from inference.domain.study import StoredInstance
from inference.errors import ReasonCode, UnsupportedPixelData
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

SHAPE = (3, 12, 10)
PIXELS = np.random.default_rng(0).integers(0, 1000, SHAPE)


@pytest.fixture
def images(tmp_path: Path) -> list[tuple[StoredInstance, PixelFormat, np.ndarray]]:
    """Give each instance of a compressed series with its format and its pixels."""
    paths = write_series(tmp_path, PIXELS, axial_grid(SHAPE), SeriesOptions(transfer_syntax_uid=JPEGLSLossless))
    return [
        (revision_of([path]).instances[0], pixel_format(dcmread(path)), pixels)
        for path, pixels in zip(paths, PIXELS, strict=True)
    ]


def reason(decoder: DecoderProcess, instance: StoredInstance, expected: PixelFormat) -> str:
    with decoder, pytest.raises(UnsupportedPixelData) as caught:
        decoder.decode(instance, expected)
    return caught.value.code


def test_images_come_back_unchanged(images: list[tuple[StoredInstance, PixelFormat, np.ndarray]]) -> None:
    """One child decodes a whole series."""
    with DecoderProcess() as decoder:
        for instance, expected, pixels in images:
            np.testing.assert_array_equal(decoder.decode(instance, expected), pixels)


def test_reasons_come_back_by_name(images: list[tuple[StoredInstance, PixelFormat, np.ndarray]]) -> None:
    """What the child refuses is refused here with the same code, and the child goes on."""
    instance, expected, pixels = images[0]
    cut = replace(instance, path=instance.path.with_name("cut.dcm"))
    cut.path.write_bytes(instance.path.read_bytes()[:-60])
    with DecoderProcess() as decoder:
        with pytest.raises(UnsupportedPixelData) as caught:
            decoder.decode(cut, expected)
        assert caught.value.code == ReasonCode.PIXEL_CORRUPT
        np.testing.assert_array_equal(decoder.decode(instance, expected), pixels)


@pytest.mark.parametrize("child", ["no_such_module", "this", "tests.support.breaks_down"])
def test_a_child_that_breaks_down_is_a_damaged_image(
    images: list[tuple[StoredInstance, PixelFormat, np.ndarray]], child: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that ends, talks nonsense or is aborted in the middle of an answer: one named reason."""
    monkeypatch.setattr(inference.decoder_process, "_MODULE", child)
    assert reason(DecoderProcess(), *images[0][:2]) == ReasonCode.PIXEL_CORRUPT


def test_a_child_that_takes_too_long_is_ended(
    images: list[tuple[StoredInstance, PixelFormat, np.ndarray]],
) -> None:
    """A decoder that never returns does not hold the line."""
    assert reason(DecoderProcess(timeout_s=0.0), *images[0][:2]) == ReasonCode.PIXEL_CORRUPT


def test_no_child_where_nothing_is_compressed() -> None:
    """Leaving without a decode is nothing to clean up."""
    with DecoderProcess() as decoder:
        assert decoder._child is None


def test_the_child_answers_line_by_line(images: list[tuple[StoredInstance, PixelFormat, np.ndarray]]) -> None:
    """The protocol: a line with a code, or an empty object followed by the values."""
    lines = []
    for (instance, expected, _), rows in zip(images[:2], (12, 13), strict=True):
        request = {
            "path": str(instance.path),
            "transfer_syntax_uid": instance.transfer_syntax_uid,
            "identity": asdict(instance.identity),
            "format": asdict(replace(expected, rows=rows)),
        }
        lines.append(json.dumps(request).encode() + b"\n")
    answers = io.BytesIO()
    serve(io.BytesIO(b"".join(lines)), answers)
    answers.seek(0)
    assert json.loads(answers.readline()) == {}
    values = np.frombuffer(answers.read(4 * 12 * 10), dtype=np.float32)
    np.testing.assert_array_equal(values.reshape(12, 10), PIXELS[0])
    assert json.loads(answers.readline())["code"] == ReasonCode.PIXEL_CORRUPT
    assert answers.read() == b""
