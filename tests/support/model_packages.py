"""Models made to order: specs with a few labels, and ONNX graphs small enough to be written by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inference.domain.codes import ANATOMICAL_STRUCTURE, BRAIN, Code
from inference.domain.job import ModelReference
from inference.domain.model_spec import (
    ChannelSpec,
    GraphSpec,
    IntensitySpec,
    LabelSpec,
    ModelSpec,
    Normalisation,
    OutputKind,
    Placement,
    Plausibility,
    PreprocessSpec,
    Publication,
    SelectionRule,
    Task,
    Weighting,
)

ANY_T1 = SelectionRule(
    modality="MR",
    sequence=Weighting.T1,
    exclude_description=("flair",),
    body_parts=frozenset({"HEAD"}),
    min_slices=10,
    max_slice_spacing_mm=3.0,
)
"""A rule like that of a real head model."""


def make_label(value: int, min_volume_ml: float = 0.0, max_volume_ml: float = 1e6) -> LabelSpec:
    """Make a label that is called after its value."""
    code = Code(f"100{value}", "99NEURONOVA", f"Structure {value}")
    return LabelSpec(
        value, f"Structure {value}", ANATOMICAL_STRUCTURE, code, (10, 20, 30), min_volume_ml, max_volume_ml
    )


def make_spec(
    labels: int | Sequence[LabelSpec] = 1,
    shape: tuple[int, int, int] = (16, 16, 16),
    weights: Path = Path("absent.onnx"),
) -> ModelSpec:
    """Make a model of upright 2 mm voxels centred on the volume; change the rest with ``dataclasses.replace``.

    Parameters
    ----------
    labels
        Number of labels, or the labels themselves.
    shape
        Of the network's input.
    weights
        The ONNX file; its digest is taken where it exists.
    """
    made = tuple(make_label(value) for value in range(1, labels + 1)) if isinstance(labels, int) else tuple(labels)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else "0" * 64
    return ModelSpec(
        reference=ModelReference("test_model", "1.0.0", digest),
        title="Test model",
        intended_use="Tests",
        licence="Apache-2.0",
        manufacturer="Tests",
        task=Task.SEGMENTATION,
        channels=(ChannelSpec("T1", ANY_T1, IntensitySpec(Normalisation.NONE)),),
        preprocess=PreprocessSpec("LIA", (2.0, 2.0, 2.0), shape, Placement.CENTRE),
        graph=GraphSpec(weights, "image", ("logits",)),
        output=OutputKind.LABEL_MAP_LOGITS,
        labels=made,
        plausibility=Plausibility((0.0, 1e6), ()),
        publication=Publication(True, True, True, 900, Code("24590-2", "LN", "MR Brain"), BRAIN, "Whole brain"),
    )


def with_id(spec: ModelSpec, model_id: str) -> ModelSpec:
    """Give the same model another id."""
    return replace(spec, reference=replace(spec.reference, model_id=model_id))


@dataclass(frozen=True)
class Graph:
    """An ONNX graph of one chain of operators from ``input_name`` to ``output_name``.

    Parameters
    ----------
    nodes
        Operators in order; each takes the output before it. ``Concat2`` joins two copies along the class axis,
        ``ConcatInput`` that output and the graph's input.
    input_shape, output_shape
        Declared sizes; a string is a symbolic dimension.
    input_name, output_name
        Tensor names.
    input_type
        ONNX element type: 1 is float32, 11 float64.
    second_input
        Whether the graph also wants an input that no node uses.
    further_file
        A file that holds the values of a constant, which no node uses; none where it is empty.
    """

    nodes: tuple[str, ...] = ("Concat2",)
    input_shape: tuple[int | str, ...] = (1, 1, "d", "h", "w")
    output_shape: tuple[int | str, ...] = (1, 2, "d", "h", "w")
    input_name: str = "image"
    output_name: str = "logits"
    input_type: int = 1
    second_input: bool = False
    further_file: str = ""


_CONCATENATIONS = ("Concat2", "ConcatInput")


def write_onnx(path: Path, graph: Graph = Graph()) -> Path:
    """Write a graph as an ONNX file, field by field of the protocol buffer (onnx.proto, IR version 8, opset 13)."""
    names = [graph.input_name, *(f"t{number}" for number in range(1, len(graph.nodes))), graph.output_name]
    body = b"".join(
        _field(1, _node(operator, (names[index], graph.input_name), names[index + 1]))
        for index, operator in enumerate(graph.nodes)
    )
    body += _field(2, b"g")
    if graph.further_file:
        body += _field(5, _constant_elsewhere(graph.further_file))
    body += _field(11, _value_info(graph.input_name, graph.input_shape, graph.input_type))
    if graph.second_input:
        body += _field(11, _value_info("second", graph.input_shape, graph.input_type))
    body += _field(12, _value_info(graph.output_name, graph.output_shape, graph.input_type))
    path.write_bytes(_number(1, 8) + _field(7, body) + _field(8, _number(2, 13)))
    return path


def _node(operator: str, sources: tuple[str, str], target: str) -> bytes:
    """Encode an operator on the first source; a concatenation is one of it with itself or with the second."""
    before, graph_input = (_field(1, source.encode()) for source in sources)
    if operator not in _CONCATENATIONS:
        return before + _field(2, target.encode()) + _field(4, operator.encode())
    axis = _field(1, b"axis") + _number(3, 1) + _number(20, 2)
    other = graph_input if operator == "ConcatInput" else before
    return before + other + _field(2, target.encode()) + _field(4, b"Concat") + _field(5, axis)


def _constant_elsewhere(file: str) -> bytes:
    location = _field(1, b"location") + _field(2, file.encode())
    return _number(1, 4) + _number(2, 1) + _field(8, b"constant") + _field(13, location) + _number(14, 1)


def _value_info(name: str, shape: Sequence[int | str], element_type: int) -> bytes:
    sizes = (_number(1, size) if isinstance(size, int) else _field(2, size.encode()) for size in shape)
    dimensions = b"".join(_field(1, size) for size in sizes)
    tensor = _number(1, element_type) + _field(2, dimensions)
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
