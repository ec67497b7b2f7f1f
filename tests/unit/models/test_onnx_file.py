"""A graph that keeps weights in further files is known, wherever in the graph they are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import WeightsMismatch
from models.catalogue import builtin_models_root
from models.onnx_file import needs_further_files
from models.weights import verify
from tests.support.model_packages import Graph, make_spec, write_onnx


def message(*fields: tuple[int, bytes]) -> bytes:
    """Encode fields that have a length, each shorter than 128 bytes."""
    return b"".join(bytes([*_key(number), len(content)]) + content for number, content in fields)


def _key(number: int) -> list[int]:
    key = number << 3 | 2
    return [key] if key < 0x80 else [key & 0x7F | 0x80, key >> 7]


def written(folder: Path, content: bytes) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(content)
    return path


def test_a_graph_with_its_weights_inside_needs_no_further_file(tmp_path: Path) -> None:
    """The built-in network, whose weights are inside, and one without weights."""
    assert not needs_further_files(builtin_models_root() / "brain_structures" / "model.onnx")
    assert not needs_further_files(write_onnx(tmp_path / "model.onnx"))


def test_weights_elsewhere_are_seen_and_refused(tmp_path: Path) -> None:
    """Although the digest of the graph is right."""
    path = write_onnx(tmp_path / "model.onnx", Graph(further_file="model.onnx.data"))
    assert needs_further_files(path)
    with pytest.raises(WeightsMismatch, match="further files"):
        verify(make_spec(weights=path))


TENSOR = message((8, b"w"), (13, message((1, b"location"), (2, b"w.bin"))))
GRAPH = message((5, TENSOR))


@pytest.mark.parametrize(
    "graph",
    [
        message((1, message((5, message((5, TENSOR)))))),
        message((1, message((5, message((10, TENSOR)))))),
        message((1, message((5, message((6, GRAPH)))))),
        message((1, message((5, message((11, GRAPH)))))),
        message((15, message((1, TENSOR)))),
        message((1, message((5, message((22, message((2, TENSOR)))))))),
    ],
    ids=["constant", "constants", "branch", "branches", "sparse", "sparse constant"],
)
def test_every_place_is_looked_at(tmp_path: Path, graph: bytes) -> None:
    """A constant of a node, the branches of an If, sparse tensors."""
    assert needs_further_files(written(tmp_path, message((2, b"maker"), (7, graph))))


def test_functions_of_a_model_are_looked_at(tmp_path: Path) -> None:
    """Their nodes hold constants as well."""
    assert needs_further_files(written(tmp_path, message((25, message((7, message((5, message((5, TENSOR))))))))))


def test_other_fields_are_passed_over(tmp_path: Path) -> None:
    """Numbers of every kind, and text that happens to look like something else."""
    others = b"\x08\x0a" + b"\x09" + bytes(8) + b"\x0d" + bytes(4) + message((6, TENSOR))
    assert not needs_further_files(written(tmp_path, others))
    assert needs_further_files(written(tmp_path, others + message((7, GRAPH))))


@pytest.mark.parametrize(
    "content",
    [b"", b"no graph", b"\x3a\x7f\x00", b"\x80" * 12, b"\x0b"],
    ids=["empty", "text", "cut off", "endless number", "group"],
)
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """What cannot be read to its end might hide something; a right digest does not help."""
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=r".+"):
        needs_further_files(path)
    with pytest.raises(WeightsMismatch, match="not an ONNX file"):
        verify(make_spec(weights=path))
