"""A decoder that breaks down takes one series with it, and nothing else; several decode at once."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Lock

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import JPEGLSLossless

import inference.decoder_pool
from inference.decoder_pool import CompressedFrame, DecoderChild, DecoderSupply, serve
from inference.decoding import Stored
from inference.errors import ReasonCode, UnsupportedPixelData
from inference.headers import read_headers
from inference.pixel_data import encoded_frames
from inference.pixel_format import pixel_format
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

SHAPE = (7, 12, 10)
PIXELS = np.random.default_rng(0).integers(0, 1000, SHAPE)


@pytest.fixture
def frames(tmp_path: Path) -> list[CompressedFrame]:
    """Give each slice of a compressed series."""
    options = SeriesOptions(transfer_syntax_uid=JPEGLSLossless)
    made = []
    for index, path in enumerate(write_series(tmp_path, PIXELS, axial_grid(SHAPE), options)):
        (header,) = read_headers(revision_of([path]).instances)
        form = pixel_format(header.data_set)
        ((_, codestream),) = encoded_frames(header, form, [1])
        made.append(CompressedFrame(index, codestream, JPEGLSLossless, form))
    return made


@pytest.fixture
def supply() -> Iterator[DecoderSupply]:
    """Give children that are ended after the test."""
    made = DecoderSupply(2, keeps_ready=True)
    yield made
    made.close()


def decoded(supply: DecoderSupply, frames: Sequence[CompressedFrame]) -> NDArray[np.int64]:
    """Decode frames into one array."""
    array, lock = np.full(SHAPE, -1), Lock()

    def put(index: int, stored: Stored) -> None:
        with lock:
            array[index] = stored

    with supply.pool() as pool:
        pool.decode(frames, put)
    return array


def reason(supply: DecoderSupply, frames: Sequence[CompressedFrame]) -> str:
    with pytest.raises(UnsupportedPixelData) as caught:
        decoded(supply, frames)
    return caught.value.code


def test_frames_come_back_unchanged_whoever_decodes_them(
    supply: DecoderSupply, frames: list[CompressedFrame]
) -> None:
    """Each at its own place; and the supply serves one series after the other."""
    for _ in range(2):
        np.testing.assert_array_equal(decoded(supply, frames), PIXELS)


def test_every_series_has_children_of_its_own(supply: DecoderSupply) -> None:
    """What happened to one that decoded for another patient can not matter."""
    seen = []
    for _ in range(2):
        with supply.pool() as pool:
            seen.append({child._process.pid for child in pool._children})
    assert len(seen[0] | seen[1]) == 4


class BusySupply(DecoderSupply):
    """A supply of which every look at its waiting children takes long enough for another series to look, too."""

    def __init__(self) -> None:
        self._meeting = Barrier(2)
        self._waiting: list[DecoderChild] = []
        self.started: list[DecoderChild] = []
        super().__init__(1, keeps_ready=True)

    @property
    def _ready(self) -> list[DecoderChild]:  # type: ignore[override]
        seen = self._waiting
        with suppress(BrokenBarrierError):
            self._meeting.wait(0.2)
        self._meeting.reset()
        return seen

    @_ready.setter
    def _ready(self, children: list[DecoderChild]) -> None:
        self._waiting = children

    def _start(self) -> list[DecoderChild]:
        children = super()._start()
        self.started += children
        return children


def test_series_that_begin_at_once_have_children_of_their_own() -> None:
    """A worker may run several jobs; none is given the children of another, and none of them is left behind."""
    supply = BusySupply()
    with supply.pool():
        pass
    both = Barrier(2)

    def children_of_a_series(_: int) -> set[DecoderChild]:
        with supply.pool() as pool:
            both.wait(10)
            return set(pool._children)

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(children_of_a_series, range(2))
    assert not first & second
    supply.close()
    assert all(child._process.returncode is not None for child in supply.started)


def test_children_are_gone_when_a_series_is_done(supply: DecoderSupply) -> None:
    """None is left behind, and those that wait end with the supply."""
    with supply.pool() as pool:
        used = list(pool._children)
    assert all(child._process.returncode is not None for child in used)
    waiting = list(supply._ready)
    assert len(waiting) == 2
    supply.close()
    assert all(child._process.returncode is not None for child in waiting)


def test_a_supply_for_one_series_keeps_none_ready() -> None:
    """A command that ends leaves nothing running."""
    once = DecoderSupply(1)
    with once.pool():
        pass
    assert once._ready == []


def test_reasons_come_back_by_name(supply: DecoderSupply, frames: list[CompressedFrame]) -> None:
    """What a child refuses is refused here with the same code, and nobody waits for the others."""
    cut = replace(frames[0], codestream=frames[0].codestream[:40])
    assert reason(supply, [frames[1], cut, *frames[2:]]) == ReasonCode.PIXEL_CORRUPT


def test_what_goes_wrong_while_frames_are_read_ends_the_series_too(
    supply: DecoderSupply, frames: list[CompressedFrame]
) -> None:
    """The file that is read may be damaged behind its first frame."""

    def broken() -> Iterator[CompressedFrame]:
        yield frames[0]
        raise UnsupportedPixelData(ReasonCode.PIXEL_MISSING, "gone")

    assert reason(supply, broken()) == ReasonCode.PIXEL_MISSING  # type: ignore[arg-type]


@pytest.mark.parametrize("child", ["no_such_module", "this", "tests.support.breaks_down"])
def test_a_child_that_breaks_down_is_a_damaged_image(
    frames: list[CompressedFrame], child: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that ends, talks nonsense or is aborted in the middle of an answer: one named reason."""
    monkeypatch.setattr(inference.decoder_pool, "_MODULE", child)
    assert reason(DecoderSupply(1), frames[:1]) == ReasonCode.PIXEL_CORRUPT


def test_a_child_that_takes_too_long_is_ended(frames: list[CompressedFrame]) -> None:
    """A decoder that never returns does not hold the line."""
    assert reason(DecoderSupply(1, timeout_s=0.0), frames[:1]) == ReasonCode.PIXEL_CORRUPT


def test_a_child_has_no_more_memory_than_it_may_need(
    frames: list[CompressedFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame whose decoder asks for gigabytes is damaged, and the machine does not notice."""
    monkeypatch.setattr(inference.decoder_pool, "_MODULE", "tests.support.asks_for_memory")
    assert reason(DecoderSupply(1), frames[:1]) == ReasonCode.PIXEL_CORRUPT


def test_the_child_answers_one_after_the_other(frames: list[CompressedFrame]) -> None:
    """The protocol: a line and a codestream; back a line with a code, or one before the values."""
    requests = b""
    for frame, rows in zip(frames[:2], (12, 13), strict=True):
        request = {
            "bytes": len(frame.codestream),
            "transfer_syntax_uid": frame.transfer_syntax_uid,
            "form": asdict(replace(frame.form, rows=rows)),
        }
        requests += json.dumps(request).encode() + b"\n" + frame.codestream
    answers = io.BytesIO()
    serve(io.BytesIO(requests), answers)
    answers.seek(0)
    kind = np.dtype(json.loads(answers.readline())["kind"])
    values = np.frombuffer(answers.read(kind.itemsize * 12 * 10), dtype=kind)
    np.testing.assert_array_equal(values.reshape(12, 10), PIXELS[0])
    assert json.loads(answers.readline())["code"] == ReasonCode.PIXEL_CORRUPT
    assert answers.read() == b""
