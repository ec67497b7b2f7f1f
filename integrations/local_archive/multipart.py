"""Answers of several parts (RFC 2046, RFC 2387; PS3.18 section 8.6.1.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from integrations.local_archive.retrieval import Part


def content_type(media_type: str, boundary: str) -> str:
    """Give the Content-Type of the whole answer.

    Parameters
    ----------
    media_type
        Of its parts, without parameters.
    boundary
        What lies between them.
    """
    return f'multipart/related; type="{media_type}"; boundary={boundary}'


def written(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    """Write parts one after the other."""
    for part in parts:
        yield f"--{boundary}\r\nContent-Type: {part.content_type}\r\n\r\n".encode()
        yield from part.chunks
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
