"""Addresses within a stream of bytes, replaced as it passes, also where they lie across two parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator


def replaced(chunks: Iterable[bytes], old: str, new: str) -> Iterator[bytes]:
    r"""Replace an address in JSON, XML or text; both ``http://`` and ``http:\/\/``, as some write it in JSON.

    Parameters
    ----------
    chunks
        The stream, not compressed.
    old
        What must not be seen.
    new
        What takes its place.
    """
    pairs = {_escaped(old): _escaped(new), old.encode(): new.encode()}
    pattern = re.compile(b"|".join(re.escape(needle) for needle in pairs))
    overlap = max(len(needle) for needle in pairs) - 1
    rest = b""
    for chunk in chunks:
        rest += chunk
        parts, done = [], 0
        for match in pattern.finditer(rest):
            parts += [rest[done : match.start()], pairs[match.group()]]
            done = match.end()
        keep_from = max(done, len(rest) - overlap)
        yield b"".join([*parts, rest[done:keep_from]])
        rest = rest[keep_from:]
    yield rest


def _escaped(address: str) -> bytes:
    return address.replace("/", "\\/").encode()
