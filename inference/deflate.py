"""Reading a deflated data set without ever holding all of it: half a megabyte of it can stand for gigabytes."""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO, Final

CHUNK_BYTES: Final = 1 << 16
"""How much is inflated at a time, and how far back one can seek without beginning anew."""

MOST_INFLATED_BYTES: Final = 1 << 30
"""Most bytes that are inflated from one data set: more than the largest volume has as 16-bit pixels."""


class InflatedStream(io.RawIOBase):
    """What a raw deflate stream stands for, as a file to read and seek in (PS3.5 section A.5).

    Parameters
    ----------
    deflated
        At the first byte of the deflated data set.
    limit_bytes
        Most bytes to inflate, those that are only passed over and those that are read again included.

    Raises
    ------
    zlib.error
        From reading or seeking, when the stream is damaged.
    OverflowError
        From reading or seeking, beyond the limit.
    """

    def __init__(self, deflated: BinaryIO, limit_bytes: int = MOST_INFLATED_BYTES) -> None:
        self._deflated = deflated
        self._begin = deflated.tell()
        self._left = limit_bytes
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._chunk = b""
        self._start = 0
        self._at = 0

    def readable(self) -> bool:
        """Give True."""
        return True

    def seekable(self) -> bool:
        """Give True."""
        return True

    def tell(self) -> int:
        """Give the position in the inflated data set."""
        return self._start + self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Give up to ``size`` bytes, fewer only at the end."""
        parts = []
        wanted = self._left + 1 if size is None or size < 0 else size
        while wanted > 0:
            if self._at >= len(self._chunk):
                if not self._next_chunk():
                    break
                self._at = 0
            part = self._chunk[self._at : self._at + wanted]
            self._at += len(part)
            wanted -= len(part)
            parts.append(part)
        return b"".join(parts)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position, which as in any file may lie beyond the end.

        Raises
        ------
        ValueError
            If asked to count from the end, which is not known.
        """
        if whence == io.SEEK_END:
            raise ValueError("the end of a deflated data set is not known")
        target = max(0, offset + (self.tell() if whence == io.SEEK_CUR else 0))
        if target < self._start:
            self._deflated.seek(self._begin)
            self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            self._chunk, self._start = b"", 0
        while target >= self._start + len(self._chunk) and self._next_chunk():
            pass
        self._at = target - self._start
        return target

    def _next_chunk(self) -> bool:
        """Inflate the next bytes in place of those before; False at the end."""
        chunk = b""
        while not chunk and not self._inflater.eof:
            waiting = self._inflater.unconsumed_tail or self._deflated.read(CHUNK_BYTES)
            if not waiting:
                chunk = self._inflater.flush()
                break
            chunk = self._inflater.decompress(waiting, CHUNK_BYTES)
        if not chunk:
            return False
        self._left -= len(chunk)
        if self._left < 0:
            raise OverflowError("a deflated data set is larger than the node takes")
        self._start += len(self._chunk)
        self._chunk = chunk
        return True
