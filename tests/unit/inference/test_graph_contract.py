"""A graph, and what comes out of it, is held to its manifest, whatever it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from inference.domain.model_spec import Layout, ModelSpec, OutputKind
from inference.errors import ModelContractViolated, NonFiniteOutput
from inference.graph_contract import check_graph, check_outputs, input_shape
from tests.support.model_packages import make_spec

SHAPE = (4, 6, 8)


@dataclass
class Described:
    """What ONNX Runtime says of a tensor."""

    name: str
    shape: Sequence[int | str | None]
    type: str = "tensor(float)"


IMAGE = Described("image", ("n", 1, *SHAPE))


def spec_of(kind: OutputKind, outputs: tuple[str, ...] = ("said",), labels: int = 3, **graph: Any) -> ModelSpec:
    spec = make_spec(labels=labels, shape=SHAPE)
    return replace(spec, output=kind, graph=replace(spec.graph, outputs=outputs, **graph))


def detection() -> ModelSpec:
    return spec_of(OutputKind.DETECTION, ("boxes", "scores", "values"))


def slices() -> ModelSpec:
    spec = spec_of(OutputKind.SIGMOID, layout=Layout.SLICE, context_slices=5)
    return replace(spec, preprocess=replace(spec.preprocess, shape=(1, 6, 8)))


SEEN = (
    Described("boxes", ("k", 6)),
    Described("scores", ("k",), "tensor(float16)"),
    Described("values", (None,), "tensor(int32)"),
)


@pytest.mark.parametrize(
    ("spec", "outputs"),
    [
        (spec_of(OutputKind.LABEL_MAP_LOGITS), [Described("said", (1, 4, *SHAPE), "tensor(float16)")]),
        (spec_of(OutputKind.SIGMOID), [Described("other", (1,)), Described("said", ("n", "c", "d", "h", "w"))]),
        (spec_of(OutputKind.LABEL_MAP), [Described("said", (1, 1, *SHAPE), "tensor(int64)")]),
        (spec_of(OutputKind.LABEL_MAP), [Described("said", ("n", *SHAPE), "tensor(uint8)")]),
        (spec_of(OutputKind.CLASSIFICATION), [Described("said", ("n", 3))]),
        (spec_of(OutputKind.CLASSIFICATION_LOGITS), [Described("said", (1, 4))]),
        (spec_of(OutputKind.CLASSIFICATION), [Described("said", ())]),
        (detection(), SEEN),
        (detection(), [Described("boxes", ("k", 3)), *SEEN[1:]]),
    ],
)
def test_a_graph_as_the_manifest_says_is_taken(spec: ModelSpec, outputs: Sequence[Described]) -> None:
    """Sizes that the graph leaves open, or does not tell at all, are checked when it runs."""
    check_graph([IMAGE], outputs, spec)


@pytest.mark.parametrize(
    ("spec", "outputs", "told"),
    [
        (spec_of(OutputKind.LABEL_MAP), [Described("said", (1, 1, *SHAPE))], "float32, not uint8"),
        (
            spec_of(OutputKind.LABEL_MAP),
            [Described("said", (1, 2, *SHAPE), "tensor(int64)")],
            r"\[1, 1, 4, 6, 8\] or \[1, 4, 6, 8\]",
        ),
        (spec_of(OutputKind.SIGMOID), [Described("said", (1, 4, *SHAPE))], r"the manifest says \[1, 3, 4, 6, 8\]"),
        (spec_of(OutputKind.SIGMOID), [Described("said", (1, 3, *SHAPE), "tensor(double)")], "double, not float32"),
        (spec_of(OutputKind.CLASSIFICATION), [Described("said", (1, 4))], r"the manifest says \[1, 3\]"),
        (spec_of(OutputKind.CLASSIFICATION_LOGITS), [Described("said", (1, 3))], r"the manifest says \[1, 4\]"),
        (detection(), SEEN[:2], "no output named values"),
        (detection(), [Described("boxes", ("k", 4)), *SEEN[1:]], r"\[any, 6\] or \[any, 3\]"),
        (detection(), [*SEEN[:2], Described("values", ("k",))], "float32, not uint8"),
    ],
)
def test_a_graph_that_says_something_else_is_refused(
    spec: ModelSpec, outputs: Sequence[Described], told: str
) -> None:
    """And the difference is told."""
    with pytest.raises(ModelContractViolated, match=told):
        check_graph([IMAGE], outputs, spec)


def test_slices_are_given_with_their_neighbours_as_channels() -> None:
    """The first axis of the field of view is none of the graph's."""
    assert input_shape(slices(), 7) == (7, 5, 6, 8)
    check_graph([Described("image", ("n", 5, "h", "w"))], [Described("said", ("n", 3, "h", "w"))], slices())


def said(kind: OutputKind, value: float = 0, dtype: type = np.float32) -> list[np.ndarray]:
    shapes = {OutputKind.LABEL_MAP: (2, *SHAPE), OutputKind.CLASSIFICATION: (2, 3)}
    output = np.zeros(shapes.get(kind, (2, 3, *SHAPE)), dtype=dtype)
    output.flat[-1] = value
    return [output]


def test_what_comes_out_is_taken_when_it_is_as_promised() -> None:
    """Also nothing: a detector may find nothing."""
    check_outputs(said(OutputKind.SIGMOID), spec_of(OutputKind.SIGMOID), 2)
    check_outputs(said(OutputKind.LABEL_MAP, 3, np.int64), spec_of(OutputKind.LABEL_MAP), 2)
    check_outputs([np.zeros((0, 6), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)], detection(), 1)


@pytest.mark.parametrize(
    ("kind", "output", "told"),
    [
        (OutputKind.SIGMOID, said(OutputKind.SIGMOID, dtype=np.float64), "float64, not float32"),
        (OutputKind.CLASSIFICATION, said(OutputKind.SIGMOID), "is .2, 3, 4, 6, 8., not .2, 3."),
        (
            OutputKind.LABEL_MAP,
            said(OutputKind.LABEL_MAP, 4, np.int64),
            "labels from 0 to 4, the manifest names 1 to 3",
        ),
        (OutputKind.LABEL_MAP, said(OutputKind.LABEL_MAP, -1, np.int64), "labels from -1 to 0"),
    ],
)
def test_what_comes_out_otherwise_is_refused(kind: OutputKind, output: list[np.ndarray], told: str) -> None:
    """A symbolic graph can promise anything."""
    with pytest.raises(ModelContractViolated, match=told):
        check_outputs(output, spec_of(kind), 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    """One number among many is enough."""
    with pytest.raises(NonFiniteOutput):
        check_outputs(said(OutputKind.SIGMOID, value), spec_of(OutputKind.SIGMOID), 2)
