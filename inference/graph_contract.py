"""Holding an ONNX graph to its manifest: names, element types, sizes, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from inference.domain.model_spec import Layout, ModelSpec, OutputKind
from inference.errors import ModelContractViolated, NonFiniteOutput
from inference.ports import Tensor

Size = int | None
"""Of one dimension; None is any."""

_FLOATS: Final = ("float32", "float16")
_INTEGERS: Final = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
_ONNX_NAMES: Final = {"float": "float32", "float16": "float16"}
"""ONNX Runtime's names of element types where numpy has others."""


class GraphTensor(Protocol):
    """What ONNX Runtime says of an input or output."""

    name: str
    type: str
    shape: Sequence[int | str | None]


class Wanted:
    """What a manifest says of one tensor.

    Parameters
    ----------
    name
        Its name in the graph.
    types
        Element types it may have.
    shapes
        Forms it may have; the sizes of each, None for any.
    """

    def __init__(self, name: str, types: tuple[str, ...], *shapes: tuple[Size, ...]) -> None:
        self.name = name
        self.types = types
        self.shapes = shapes

    def allows(self, shape: Sequence[int | str | None]) -> bool:
        """Tell whether a tensor may have a shape; what the graph leaves open is checked when it runs."""
        return any(
            len(form) == len(shape)
            and all(not isinstance(be, int) or wanted in {None, be} for wanted, be in zip(form, shape, strict=True))
            for form in self.shapes
        )

    def __str__(self) -> str:
        forms = (", ".join("any" if size is None else str(size) for size in form) for form in self.shapes)
        return " or ".join(f"[{form}]" for form in forms)


def input_shape(spec: ModelSpec, batch: int) -> tuple[int, ...]:
    """Give the shape of a model's input."""
    channels = len(spec.channels) * spec.graph.context_slices
    return (batch, channels, *_spatial(spec))


def check_graph(inputs: Sequence[GraphTensor], outputs: Sequence[GraphTensor], spec: ModelSpec) -> None:
    """Compare a graph with its manifest.

    Raises
    ------
    ModelContractViolated
        Naming the first difference.
    """
    wanted = Wanted(spec.graph.input, (spec.graph.precision,), input_shape(spec, spec.graph.batch))
    _check_tensor(inputs, "input", wanted, spec)
    if len(inputs) != 1:
        raise _violated(spec, "the graph has more than one input")
    for output in _wanted_outputs(spec, spec.graph.batch):
        _check_tensor(outputs, "output", output, spec)


def check_outputs(outputs: Sequence[Tensor], spec: ModelSpec, batch: int) -> None:
    """Compare what came out of a run with the manifest.

    Raises
    ------
    ModelContractViolated
        If an output has another shape or type, or labels that are not the manifest's.
    NonFiniteOutput
        If a number is NaN or infinite.
    """
    for output, wanted in zip(outputs, _wanted_outputs(spec, batch), strict=True):
        if output.dtype.name not in wanted.types:
            raise _violated(spec, f"output {wanted.name} is {output.dtype.name}, not {' or '.join(wanted.types)}")
        if not wanted.allows(output.shape):
            raise _violated(spec, f"the output {wanted.name} is {list(output.shape)}, not {wanted}")
        if output.size:
            _check_values(output, wanted, spec)


def _check_values(output: Tensor, wanted: Wanted, spec: ModelSpec) -> None:
    """Look at the extremes only, which needs no second array."""
    lowest, highest = output.min(), output.max()
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise NonFiniteOutput(f"model {spec.reference.model_id}: the output {wanted.name} is not finite")
    if spec.output is OutputKind.LABEL_MAP and not 0 <= lowest <= highest <= len(spec.labels):
        raise _violated(spec, f"labels from {lowest} to {highest}, the manifest names 1 to {len(spec.labels)}")


def _check_tensor(tensors: Sequence[GraphTensor], side: str, wanted: Wanted, spec: ModelSpec) -> None:
    found = next((tensor for tensor in tensors if tensor.name == wanted.name), None)
    if found is None:
        raise _violated(spec, f"the graph has no {side} named {wanted.name}")
    element = found.type.removeprefix("tensor(").removesuffix(")")
    element = _ONNX_NAMES.get(element, element)
    if element not in wanted.types:
        raise _violated(spec, f"{side} {wanted.name} is {element}, not {' or '.join(wanted.types)}")
    if found.shape and not wanted.allows(found.shape):
        raise _violated(spec, f"{side} {wanted.name} is {list(found.shape)}, the manifest says {wanted}")


def _wanted_outputs(spec: ModelSpec, batch: int) -> list[Wanted]:
    labels, space = len(spec.labels), _spatial(spec)
    first, *others = spec.graph.outputs
    if spec.output is OutputKind.DETECTION:
        scores, values = others
        places = Wanted(first, _FLOATS, (None, 6), (None, 3))
        return [places, Wanted(scores, _FLOATS, (None,)), Wanted(values, _INTEGERS, (None,))]
    if spec.output is OutputKind.LABEL_MAP:
        return [Wanted(first, _INTEGERS, (batch, 1, *space), (batch, *space))]
    background = spec.output in {OutputKind.LABEL_MAP_LOGITS, OutputKind.CLASSIFICATION_LOGITS}
    return [Wanted(first, _FLOATS, (batch, labels + background, *(space if spec.output.segments else ())))]


def _spatial(spec: ModelSpec) -> tuple[int, ...]:
    return spec.preprocess.shape if spec.graph.layout is Layout.VOLUME else spec.preprocess.shape[1:]


def _violated(spec: ModelSpec, what: str) -> ModelContractViolated:
    return ModelContractViolated(f"model {spec.reference.model_id}: {what}")
