"""The engine runs what the manifest describes, refuses what does not fit, and names why."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from inference.domain.model_spec import Layout, ModelSpec, OutputKind
from inference.engine import CPU, CUDA, EngineOptions, OnnxModelRunner
from inference.errors import (
    DeviceOutOfMemory,
    DeviceUnavailable,
    ModelContractViolated,
    NonFiniteOutput,
    WeightsMismatch,
)
from tests.support.model_packages import Graph, make_spec, write_onnx

SHAPE = (8, 8, 8)
ON_CPU = EngineOptions(provider="cpu", intra_op_threads=1)


def spec_of(folder: Path, graph: Graph | None = None) -> ModelSpec:
    return make_spec(labels=1, shape=SHAPE, weights=write_onnx(folder / "model.onnx", graph or Graph()))


def kind_of(output: OutputKind, labels: int, **graph: Any) -> ModelSpec:
    """Make a model of two channels."""
    spec = make_spec(labels=labels, shape=SHAPE)
    channels = (spec.channels[0], replace(spec.channels[0], name="T2"))
    return replace(spec, channels=channels, output=output, graph=replace(spec.graph, **graph))


def slices_of() -> ModelSpec:
    """Make a 2.5-D model of two channels with three slices each, and twelve overlapping labels."""
    spec = kind_of(OutputKind.SIGMOID_LOGITS, 12, layout=Layout.SLICE, context_slices=3, batch=4)
    return replace(spec, preprocess=replace(spec.preprocess, shape=(1, 8, 8)))


def ramp() -> np.ndarray:
    return np.arange(np.prod(SHAPE), dtype=np.float32).reshape(1, 1, *SHAPE)


def test_output_is_the_graphs(tmp_path: Path) -> None:
    """What the graph computes comes back unchanged."""
    (output,) = OnnxModelRunner(ON_CPU).run(spec_of(tmp_path), ramp())
    assert output.shape == (1, 2, *SHAPE)
    assert output.dtype == np.float32
    np.testing.assert_array_equal(output[:, 1:], ramp())


def test_weights_are_verified_once_before_loading(tmp_path: Path) -> None:
    """The verifier sees a model before its first run, not before each; after close it is asked again."""
    seen: list[str] = []
    runner = OnnxModelRunner(replace(ON_CPU, verify=lambda spec: seen.append(spec.reference.digest)))
    spec = spec_of(tmp_path)
    runner.warm(spec)
    runner.run(spec, ramp())
    assert seen == [spec.reference.digest]
    runner.close()
    runner.run(spec, ramp())
    assert len(seen) == 2


def test_unverified_weights_are_not_loaded(tmp_path: Path) -> None:
    """What the verifier refuses never becomes a session."""

    def refuse(spec: ModelSpec) -> None:
        raise WeightsMismatch("other weights")

    with pytest.raises(WeightsMismatch):
        OnnxModelRunner(replace(ON_CPU, verify=refuse)).run(spec_of(tmp_path), ramp())


def test_threads_share_one_session(tmp_path: Path) -> None:
    """Runs at the same time load the model once and do not mix their results."""
    seen: list[str] = []
    runner = OnnxModelRunner(replace(ON_CPU, verify=lambda spec: seen.append(spec.reference.digest)))
    spec = spec_of(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda n: runner.run(spec, ramp() + n), range(8)))
    assert len(seen) == 1
    assert [float(output[0, 0, 0, 0, 0]) for (output,) in outputs] == list(range(8))


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        (Graph(input_name="picture"), "no input named image"),
        (Graph(output_name="scores"), "no output named logits"),
        (Graph(input_type=11), "not float32"),
        (Graph(nodes=("Relu",), output_shape=(1, 1, "d", "h", "w")), "the manifest says [1, 2, 8, 8, 8]"),
        (Graph(input_shape=(1, 1, 16, "h", "w")), "the manifest says [1, 1, 8, 8, 8]"),
        (Graph(input_shape=(1, 1, "d", "h")), "input image"),
        (Graph(nodes=("NoSuchOperator",)), "refuses the graph"),
        (Graph(second_input=True), "more than one input"),
    ],
)
def test_a_graph_that_is_not_the_manifests_is_refused(tmp_path: Path, graph: Graph, told: str) -> None:
    """Names, types and fixed sizes are compared when the model is loaded, and the difference is told."""
    with pytest.raises(ModelContractViolated) as caught:
        OnnxModelRunner(ON_CPU).warm(spec_of(tmp_path, graph))
    assert told in caught.value.message


KINDS: Mapping[str, tuple[ModelSpec, tuple[int | str, ...], tuple[int | str, ...]]] = {
    "slices": (slices_of(), ("n", 6, 8, 8), ("n", 12, "h", "w")),
    "slices, fixed": (slices_of(), (4, 6, 8, 8), (4, 12, 8, 8)),
    "classes": (kind_of(OutputKind.LABEL_MAP_LOGITS, 3), (1, 2, 8, 8, 8), (1, 4, 8, 8, 8)),
    "overlapping": (kind_of(OutputKind.SIGMOID, 4), (1, 2, 8, 8, 8), (1, 4, 8, 8, 8)),
}
"""Models that are as their graphs are: two inputs side by side."""


@pytest.mark.parametrize("name", KINDS)
def test_graphs_of_other_kinds_are_taken(tmp_path: Path, name: str) -> None:
    """Channels, neighbours, labels with and without background, symbolic and fixed batches."""
    spec, inputs, outputs = KINDS[name]
    weights = write_onnx(tmp_path / "model.onnx", Graph(input_shape=inputs, output_shape=outputs))
    OnnxModelRunner(ON_CPU).warm(replace(spec, graph=replace(spec.graph, weights=weights)))


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("slices", {"context_slices": 1}, "[4, 2, 8, 8]"),
        ("slices", {"layout": Layout.VOLUME, "context_slices": 3}, "[4, 6, 1, 8, 8]"),
        ("slices, fixed", {"batch": 2}, "[2, 6, 8, 8]"),
        ("classes", {"precision": "float16"}, "not float16"),
    ],
)
def test_graphs_of_other_kinds_are_held_to_their_manifest(
    tmp_path: Path, name: str, changes: dict[str, Any], told: str
) -> None:
    """What the manifest says of the graph is what the graph must have."""
    spec, inputs, outputs = KINDS[name]
    weights = write_onnx(tmp_path / "model.onnx", Graph(input_shape=inputs, output_shape=outputs))
    with pytest.raises(ModelContractViolated) as caught:
        OnnxModelRunner(ON_CPU).warm(replace(spec, graph=replace(spec.graph, weights=weights, **changes)))
    assert told in caught.value.message


def test_a_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    """The last windows of a volume are fewer than the graph wants; of what is filled in nothing comes back."""
    spec = slices_of()
    graph = Graph(input_shape=(4, 6, 8, 8), output_shape=(4, 12, 8, 8))
    weights = write_onnx(tmp_path / "model.onnx", graph)
    given = np.random.default_rng(0).normal(size=(3, 6, 8, 8)).astype(np.float32)
    (output,) = OnnxModelRunner(ON_CPU).run(replace(spec, graph=replace(spec.graph, weights=weights)), given)
    np.testing.assert_array_equal(output, np.concatenate([given, given], axis=1))


def test_a_manifest_that_changed_is_compared_although_the_weights_are_loaded(tmp_path: Path) -> None:
    """Two packages may have the same weights; each is held to its own manifest."""
    runner, spec = OnnxModelRunner(ON_CPU), spec_of(tmp_path)
    runner.warm(spec)
    with pytest.raises(ModelContractViolated, match="manifest says"):
        runner.warm(replace(spec, labels=make_spec(labels=2).labels))


def versions(folder: Path, count: int) -> list[ModelSpec]:
    """Write versions of a model, each with weights of its own."""
    return [
        make_spec(shape=SHAPE, weights=write_onnx(folder / f"{n}.onnx", Graph(nodes=("Relu",) * n + ("Concat2",))))
        for n in range(1, count + 1)
    ]


def test_versions_that_are_not_used_any_more_leave_the_memory(tmp_path: Path) -> None:
    """Only the models used last stay loaded."""
    seen: list[str] = []
    options = replace(ON_CPU, verify=lambda spec: seen.append(spec.reference.digest), most_sessions=2)
    runner, (first, second, third) = OnnxModelRunner(options), versions(tmp_path, 3)
    for spec in (first, second, first, third, first):
        runner.warm(spec)
    assert seen == [spec.reference.digest for spec in (first, second, third)]
    runner.warm(second)
    assert seen[3:] == [second.reference.digest]


def test_a_model_can_be_forgotten(tmp_path: Path) -> None:
    """One that is rolled back is loaded anew when it is asked for again; one that is not loaded is no error."""
    seen: list[str] = []
    runner = OnnxModelRunner(replace(ON_CPU, verify=lambda spec: seen.append(spec.reference.digest)))
    first, second = versions(tmp_path, 2)
    runner.warm(first)
    runner.forget(first)
    runner.forget(second)
    runner.warm(first)
    assert seen == [first.reference.digest] * 2


def test_an_output_of_another_size_is_refused(tmp_path: Path) -> None:
    """A graph that promises nothing about its output is checked by what comes out."""
    any_channels = (1, "c", "d", "h", "w")
    graph = Graph(nodes=("Relu",), input_shape=any_channels, output_shape=any_channels)
    with pytest.raises(ModelContractViolated, match="the output logits is"):
        OnnxModelRunner(ON_CPU).warm(spec_of(tmp_path, graph))


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    """Damaged weights that nobody verified end as a named error, not as a foreign one."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(ModelContractViolated):
        OnnxModelRunner(ON_CPU).warm(make_spec(shape=SHAPE, weights=path))


def test_nan_is_never_a_result(tmp_path: Path) -> None:
    """The square root of a negative input is caught."""
    with pytest.raises(NonFiniteOutput):
        OnnxModelRunner(ON_CPU).run(spec_of(tmp_path, Graph(nodes=("Sqrt", "Concat2"))), -1 - ramp())


def test_out_of_memory_is_retryable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that is full now may be free later: the error says so, whatever ONNX Runtime calls it."""

    def full(*_: object) -> None:
        raise RuntimeError("Failed to allocate memory for requested buffer of size 1")

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", full)
    with pytest.raises(DeviceOutOfMemory) as caught:
        OnnxModelRunner(ON_CPU).run(spec_of(tmp_path), ramp())
    assert caught.value.retryable


@pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="this ONNX Runtime has CUDA")
def test_cuda_is_not_silently_replaced(tmp_path: Path) -> None:
    """Who demands CUDA and has none gets an error; who leaves it open gets the CPU."""
    spec = spec_of(tmp_path)
    with pytest.raises(DeviceUnavailable):
        OnnxModelRunner(EngineOptions(provider="cuda")).warm(spec)
    assert OnnxModelRunner(EngineOptions(provider="auto")).providers(spec) == (CPU,)


def test_cuda_that_does_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime falls back to the CPU when a driver is missing; that is no CUDA run."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    load = onnxruntime.InferenceSession

    def without_driver(path: str, settings: object, providers: object) -> object:
        return load(path, settings, providers=[CPU])

    monkeypatch.setattr(onnxruntime, "InferenceSession", without_driver)
    spec = spec_of(tmp_path)
    with pytest.raises(DeviceUnavailable):
        OnnxModelRunner(EngineOptions(provider="cuda")).warm(spec)
    OnnxModelRunner(EngineOptions(provider="auto")).warm(spec)
