"""An address is replaced wherever it lies in the stream, however that is cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from integrations.upstream.rewriting import replaced

INSIDE = "http://hapi:8080/fhir"
OUTSIDE = "https://node.example/api/fhir"
TEXT = (
    b'{"url":"http://hapi:8080/fhir/Patient/1","next":"http:\\/\\/hapi:8080\\/fhir?_getpages=7","x":"http://hapi:80"}'
)
WANTED = (
    b'{"url":"https://node.example/api/fhir/Patient/1",'
    b'"next":"https:\\/\\/node.example\\/api\\/fhir?_getpages=7","x":"http://hapi:80"}'
)


@given(st.lists(st.integers(0, len(TEXT)), max_size=12))
def test_wherever_it_is_cut(cuts: list[int]) -> None:
    """Parts of any length give the same whole; slashes may be written with a backslash, as PHP does."""
    edges = [0, *sorted(cuts), len(TEXT)]
    parts = [TEXT[start:end] for start, end in itertools.pairwise(edges)]
    assert b"".join(replaced(parts, INSIDE, OUTSIDE)) == WANTED


def test_what_takes_its_place_is_not_replaced_again() -> None:
    """The outside address may hold the inside one."""
    parts = [b"http://a/b", b"", b" http://a/b"]
    assert b"".join(replaced(parts, "http://a/b", "http://a/b/c http://a/b")) == (
        b"http://a/b/c http://a/b http://a/b/c http://a/b"
    )


def test_a_long_stream_is_not_held_back() -> None:
    """Of each part only as much waits as may be the beginning of the address."""
    parts = replaced(iter([b"x" * 1000, b"y" * 1000]), INSIDE, OUTSIDE)
    assert len(next(parts)) > 900


def test_nothing_stays_nothing() -> None:
    """An empty body is an empty body."""
    assert b"".join(replaced([], INSIDE, OUTSIDE)) == b""
