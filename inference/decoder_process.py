"""Decoding compressed images in a process of their own, because decoders of foreign pixel data can break down.

Measured by changing bytes of real files: of a hundred damaged JPEG or JPEG-LS streams, one or two end in SIGABRT or
SIGSEGV inside a native decoder, which no ``except`` sees. So the decoder runs in a child: when that dies or takes too
long, one series has damaged pixel data, and nothing else is disturbed.

The protocol is one JSON line per image to the child, and back one JSON line, followed by the float32 values when they
were decoded. Run as ``python -m inference.decoder_process``.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import IO, Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray

from inference.decoding import PixelFormat, decode
from inference.domain.identifiers import UID
from inference.domain.study import InstanceIdentity, StoredInstance
from inference.errors import ReasonCode, UnsupportedPixelData

IMAGE_TIMEOUT_S: Final = 60.0
"""Longest time for one image; most take milliseconds."""

CHILD_MEMORY_BYTES: Final = 4 * 2**30
"""Address space of the child: room for the largest image, and an end for one that would expand without end."""

_MODULE: Final = "inference.decoder_process"


class DecoderProcess:
    """A child that decodes one image after the other; a context manager.

    Parameters
    ----------
    timeout_s
        Longest time for one image.
    """

    def __init__(self, timeout_s: float = IMAGE_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()

    def decode(self, instance: StoredInstance, expected: PixelFormat) -> NDArray[np.float32]:
        """Decode one image as ``inference.decoding.decode`` does.

        Parameters
        ----------
        instance
            Which image.
        expected
            What its header promised.

        Returns
        -------
        (rows, columns) float32 ndarray
            Modality values.

        Raises
        ------
        UnsupportedPixelData
            As ``decode``; PIXEL_CORRUPT also when the child breaks down or takes too long.
        """
        child = self._running()
        watchdog = Timer(self._timeout_s, child.kill)
        watchdog.start()
        try:
            return _ask(child, instance, expected)
        except (OSError, ValueError, EOFError) as error:
            message = "a decoder broke down on the pixel data of an image"
            raise UnsupportedPixelData(ReasonCode.PIXEL_CORRUPT, message) from error
        finally:
            watchdog.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        """Start the child with the first image; decoders' own complaints are not for our log."""
        if self._child is None:
            self._child = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._child


def _ask(child: subprocess.Popen[bytes], instance: StoredInstance, expected: PixelFormat) -> NDArray[np.float32]:
    requests, answers = cast("IO[bytes]", child.stdin), cast("IO[bytes]", child.stdout)
    request = {
        "path": str(instance.path),
        "transfer_syntax_uid": instance.transfer_syntax_uid,
        "identity": asdict(instance.identity),
        "format": asdict(expected),
    }
    requests.write(json.dumps(request).encode() + b"\n")
    requests.flush()
    answer = json.loads(answers.readline())
    if "code" in answer:
        raise UnsupportedPixelData(ReasonCode(answer["code"]), answer["message"])
    content = answers.read(4 * expected.rows * expected.columns)
    return np.frombuffer(content, dtype=np.float32).reshape(expected.rows, expected.columns)


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more: what the child does.

    Parameters
    ----------
    requests, answers
        Binary streams of the protocol above.
    """
    for line in requests:
        instance, expected = _parsed(json.loads(line))
        try:
            values = decode(instance, expected)
        except UnsupportedPixelData as error:
            answers.write(json.dumps({"code": error.code, "message": error.message}).encode() + b"\n")
        else:
            answers.write(b"{}\n" + values.tobytes())
        answers.flush()


def _parsed(request: dict[str, Any]) -> tuple[StoredInstance, PixelFormat]:
    identity = InstanceIdentity(**{name: UID(value) for name, value in request["identity"].items()})
    uid, path = UID(request["transfer_syntax_uid"]), Path(request["path"])
    return StoredInstance(identity, uid, path, "", 0), PixelFormat(**request["format"])


if __name__ == "__main__":  # pragma: no cover - only the child gets here
    resource.setrlimit(resource.RLIMIT_AS, (CHILD_MEMORY_BYTES, CHILD_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer)
