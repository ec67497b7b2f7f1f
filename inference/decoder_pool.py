"""Decoding compressed frames in processes of their own, because decoders of foreign pixel data can break down.

Measured by changing bytes of real files: of a hundred damaged JPEG or JPEG-LS streams, one or two end in SIGABRT or
SIGSEGV inside a native decoder, which no ``except`` sees. So decoders run in children with a limit on memory and
time: when one dies, a series has damaged pixel data, and nothing else is disturbed. Several of them decode at once.

The protocol is one JSON line and the codestream to the child, and back one JSON line, followed by the stored values
when they were decoded. Run as ``python -m inference.decoder_pool``.
"""

from __future__ import annotations

import json
import os
import resource
import select
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from threading import Lock
from types import TracebackType
from typing import IO, Any, Final, Self, cast

import numpy as np

from inference.decoding import Stored, decode_codestream
from inference.errors import ReasonCode, UnsupportedPixelData
from inference.pixel_format import PixelFormat

FRAME_TIMEOUT_S: Final = 30.0
"""Longest time for one frame; most take milliseconds."""

CHILD_MEMORY_BYTES: Final = 2 * 2**30
"""Address space of a child: room for the largest frame, and an end for one that would expand without end."""

MOST_CHILDREN: Final = 4
"""More do not pay: the parent has to feed them."""

_PIPE_BYTES: Final = 2**20
"""A frame of ordinary size passes at once, so that parent and child need not take turns."""

_MODULE: Final = "inference.decoder_pool"


@dataclass(frozen=True, eq=False, slots=True)
class CompressedFrame:
    """A frame to decode.

    Parameters
    ----------
    index
        Which, for whoever asked.
    codestream
        Its bytes.
    transfer_syntax_uid
        Their encoding.
    form
        What the header promises.
    """

    index: int
    codestream: bytes
    transfer_syntax_uid: str
    form: PixelFormat


class DecoderPool:
    """Children that decode frames of one series; a context manager, at whose end they are gone.

    No child decodes for two series: what hostile pixel data do to one can not reach the pixels of another patient.

    Parameters
    ----------
    children
        Started and not used yet, at least one.
    """

    def __init__(self, children: Sequence[DecoderChild]) -> None:
        self._children = children

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children:
            child.close()

    def decode(self, frames: Iterable[CompressedFrame], done: Callable[[int, Stored], None]) -> None:
        """Decode frames, several at once.

        Parameters
        ----------
        frames
            Any number; they are asked for one after the other, as children become free.
        done
            Given the index and the stored values of each, in any order and from several threads.

        Raises
        ------
        UnsupportedPixelData
            As ``decode_codestream``, and as ``frames`` and ``done`` do; PIXEL_CORRUPT also when a child breaks down
            or takes too long.
        """
        shared = _Shared(iter(frames))
        with ThreadPoolExecutor(len(self._children)) as threads:
            work = [threads.submit(_drain, child, shared, done) for child in self._children]
        for finished in work:
            finished.result()


class DecoderSupply:
    """Gives each series its pool, and keeps the children of the next one ready where that pays.

    A child takes a quarter of a second to start, and a series often less to decode. The first pool starts when it is
    asked for; children that wait end by themselves with the process that holds them. Several threads may ask at once.

    Parameters
    ----------
    children
        How many for a series; by default one for each core that this process may use, up to ``MOST_CHILDREN``.
    keeps_ready
        Whether to start the next series' children when one is done: for a process that goes on.
    timeout_s
        Longest time for one frame.
    """

    def __init__(
        self, children: int | None = None, *, keeps_ready: bool = False, timeout_s: float = FRAME_TIMEOUT_S
    ) -> None:
        self._count = children or min(MOST_CHILDREN, len(os.sched_getaffinity(0)))
        self._keeps_ready = keeps_ready
        self._timeout_s = timeout_s
        self._lock = Lock()
        self._ready: list[DecoderChild] = []

    @contextmanager
    def pool(self) -> Iterator[DecoderPool]:
        """Give the pool for one series, whose children are ready or starting."""
        with DecoderPool(self._take() or self._start()) as pool:
            yield pool
        if self._keeps_ready:
            with self._lock:
                self._ready = self._ready or self._start()

    def close(self) -> None:
        """End the children that wait."""
        for child in self._take():
            child.close()

    def _take(self) -> list[DecoderChild]:
        """Give the children that wait, to nobody else."""
        with self._lock:
            waiting, self._ready = self._ready, []
        return waiting

    def _start(self) -> list[DecoderChild]:
        return [DecoderChild(self._timeout_s) for _ in range(self._count)]


class _Shared:
    """An iterator that several threads take from; the failure of one ends it for all."""

    def __init__(self, frames: Iterator[CompressedFrame]) -> None:
        self._frames = frames
        self._lock = Lock()
        self._stopped = False

    def take(self) -> CompressedFrame | None:
        """Give the next, None if there is none or no more are wanted."""
        with self._lock:
            return None if self._stopped else next(self._frames, None)

    def stop(self) -> None:
        """Want no more."""
        with self._lock:
            self._stopped = True


def _drain(child: DecoderChild, shared: _Shared, done: Callable[[int, Stored], None]) -> None:
    try:
        while (frame := shared.take()) is not None:
            done(frame.index, child.decode(frame))
    except BaseException:
        shared.stop()
        raise


class DecoderChild:
    """One process that decodes one frame after the other; its decoders' own complaints are not for our log.

    Parameters
    ----------
    timeout_s
        Longest time for one frame.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pipesize=_PIPE_BYTES,
        )
        self._answers = select.poll()
        self._answers.register(cast("IO[bytes]", self._process.stdout), select.POLLIN)

    def decode(self, frame: CompressedFrame) -> Stored:
        """Decode one frame.

        Raises
        ------
        UnsupportedPixelData
            What is wrong with it.
        """
        try:
            return self._ask(frame)
        except (OSError, ValueError, LookupError, TypeError) as error:
            message = "a decoder broke down on the pixel data of an image"
            raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, message) from error

    def _ask(self, frame: CompressedFrame) -> Stored:
        requests, answers = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        request = {
            "bytes": len(frame.codestream),
            "transfer_syntax_uid": frame.transfer_syntax_uid,
            "form": asdict(frame.form),
        }
        requests.write(json.dumps(request).encode() + b"\n" + frame.codestream)
        requests.flush()
        if not self._answers.poll(1000 * self._timeout_s):
            self._process.kill()
        answer = json.loads(answers.readline())
        if "code" in answer:
            raise UnsupportedPixelData(ReasonCode(answer["code"]), answer["message"])
        rows, columns = frame.form.rows, frame.form.columns
        kind = np.dtype(answer["kind"])
        return np.frombuffer(answers.read(rows * columns * kind.itemsize), dtype=kind).reshape(rows, columns)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more: what a child does.

    Parameters
    ----------
    requests, answers
        Binary streams of the protocol above.
    """
    for line in requests:
        request = json.loads(line)
        codestream = requests.read(request["bytes"])
        answers.write(_answer(codestream, request))
        answers.flush()


def _answer(codestream: bytes, request: dict[str, Any]) -> bytes:
    try:
        stored = decode_codestream(codestream, request["transfer_syntax_uid"], PixelFormat(**request["form"]))
    except UnsupportedPixelData as error:
        return json.dumps({"code": error.code, "message": error.message}).encode() + b"\n"
    return json.dumps({"kind": stored.dtype.str}).encode() + b"\n" + stored.tobytes()


def main() -> None:  # pragma: no cover - only the child gets here
    """Limit what this process may take, then serve."""
    resource.setrlimit(resource.RLIMIT_AS, (CHILD_MEMORY_BYTES, CHILD_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":  # pragma: no cover - only the child gets here
    main()
