"""A deflated stream reads like the file it stands for, and never further than asked."""

from __future__ import annotations

import io
import zlib

import pytest

from inference.deflate import CHUNK_BYTES, InflatedStream

CONTENT = bytes(range(256)) * (3 * CHUNK_BYTES // 256) + b"the end"


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def stream(content: bytes = CONTENT, limit_bytes: int = 1 << 24) -> InflatedStream:
    return InflatedStream(io.BytesIO(deflated(content)), limit_bytes)


@pytest.mark.parametrize("size", [1, 1000, CHUNK_BYTES, CHUNK_BYTES + 1, len(CONTENT), len(CONTENT) + 10])
def test_pieces_of_any_size_are_the_content(size: int) -> None:
    """In order, up to the end, and then nothing."""
    read = stream(CONTENT[:200_000] if size == 1 else CONTENT)
    pieces = []
    while piece := read.read(size):
        pieces.append(piece)
    assert b"".join(pieces) == (CONTENT[:200_000] if size == 1 else CONTENT)
    assert read.read() == b""


def test_one_can_seek_forwards_and_backwards() -> None:
    """Also across chunks, and relative to where one is."""
    read = stream()
    for position in (10, 2 * CHUNK_BYTES + 5, 3, CHUNK_BYTES, 0):
        assert read.seek(position) == read.tell() == position
        assert read.read(9) == CONTENT[position : position + 9]
    assert read.seek(100, io.SEEK_CUR) == 109
    assert read.read(1) == CONTENT[109:110]
    assert (read.readable(), read.seekable()) == (True, True)


def test_behind_the_end_there_is_nothing() -> None:
    """As in a file: the position is kept, and nothing is read there."""
    read = stream()
    assert read.seek(len(CONTENT) + 50) == len(CONTENT) + 50
    assert read.read(4) == b""
    read.seek(-57, io.SEEK_CUR)
    assert read.read() == b"the end"


def test_the_end_is_not_known_beforehand() -> None:
    """Nobody may count from there."""
    with pytest.raises(ValueError, match="not known"):
        stream().seek(0, io.SEEK_END)


def test_it_begins_where_the_file_is() -> None:
    """Preamble and File Meta come before, and are not deflated."""
    file = io.BytesIO(b"before" + deflated(b"content"))
    file.seek(6)
    read = InflatedStream(file)
    assert read.read(4) == b"cont"
    read.seek(0)
    assert read.read() == b"content"


def test_a_bomb_is_not_inflated_beyond_the_limit() -> None:
    """Neither by reading, nor by seeking, nor by reading the beginning again and again."""
    bomb = deflated(bytes(1 << 24))
    assert len(bomb) < 20_000
    for touch in (lambda read: read.read(), lambda read: read.seek(1 << 24)):
        with pytest.raises(OverflowError):
            touch(InflatedStream(io.BytesIO(bomb), 1 << 20))
    read = InflatedStream(io.BytesIO(bomb), 1 << 20)
    for _ in range(3):
        read.seek(1 << 18)
        read.seek(0)
    with pytest.raises(OverflowError):
        read.seek(1 << 18)


def test_a_damaged_stream_is_no_content() -> None:
    """Zlib says so."""
    with pytest.raises(zlib.error):
        InflatedStream(io.BytesIO(b"\xff\xff\xff no deflate stream")).read()


def test_a_stream_that_is_cut_short_ends_early() -> None:
    """What was there can be read; whoever counts sees that it is too little."""
    packed = deflated(CONTENT)
    assert len(InflatedStream(io.BytesIO(packed[: len(packed) // 2])).read()) < len(CONTENT)
