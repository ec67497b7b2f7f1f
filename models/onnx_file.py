"""A look into an ONNX file, without the library for it: whether the graph keeps weights in further files.

ONNX Runtime reads such files from the graph's folder without a word, and the digest of the graph does not cover them.
Field numbers are those of onnx.proto (ONNX IR version 10); the encoding is that of protocol buffers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final, TypeAlias

_Message: TypeAlias = tuple[str, memoryview]

_PARTS: Final[Mapping[str, Mapping[int, str]]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""The messages in each message that may hold a tensor, by field number."""

_EXTERNAL_DATA: Final = 13
_VARINT: Final = 0
_BYTES: Final = 2
_SIZES: Final = {1: 8, _BYTES: 0, 5: 4}
"""Bytes of a field by its wire type; those of text and messages stand before them."""

_LONGEST_VARINT: Final = 10


def needs_further_files(path: Path) -> bool:
    """Tell whether a graph names other files that hold its weights.

    Parameters
    ----------
    path
        The ONNX file.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no ONNX file.
    """
    with path.open("rb") as file:
        waiting: list[_Message] = [("model", memoryview(mmap(file.fileno(), 0, access=ACCESS_READ)))]
    while waiting:
        kind, message = waiting.pop()
        for number, content in _fields(message):
            if kind == "tensor" and number == _EXTERNAL_DATA:
                return True
            if (part := _PARTS[kind].get(number)) is not None:
                waiting.append((part, content))
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the fields of a message that have a length; numbers are passed over."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == _VARINT:
            _, at = _varint(message, at)
            continue
        if wire not in _SIZES:
            raise ValueError("not a protocol buffer")
        length, at = _varint(message, at) if wire == _BYTES else (_SIZES[wire], at)
        if at + length > len(message):
            raise ValueError("the file is cut off")
        if wire == _BYTES:
            yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Give a number and where the next field begins."""
    value = 0
    for shift, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at + shift + 1
    raise ValueError("not a protocol buffer")
