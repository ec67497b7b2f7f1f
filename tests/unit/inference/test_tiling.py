"""A graph is run over a grid window by window, slice by slice and mirrored, and its answers are put together."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from inference.domain.model_spec import Layout, ModelSpec, OutputKind
from inference.errors import ModelContractViolated
from inference.ports import Tensor
from inference.tiling import run_over
from inference.windows import importance
from tests.support.function_runner import FunctionRunner
from tests.support.model_packages import make_spec

WINDOW = (6, 8, 8)
LOGITS, LABELS, SIGMOID = OutputKind.LABEL_MAP_LOGITS, OutputKind.LABEL_MAP, OutputKind.SIGMOID_LOGITS
RNG = np.random.default_rng(0)
BUMPS = RNG.normal(size=(2, *WINDOW)).astype(np.float32)
"""What the network adds by place in the window, and so by window: an answer that is not the same everywhere."""


def spec_of(output: OutputKind = LOGITS, shape: tuple[int, int, int] = WINDOW, **graph: Any) -> ModelSpec:
    spec = make_spec(labels=1 if output is LOGITS else 2, shape=shape)
    return replace(spec, output=output, graph=replace(spec.graph, **graph))


def slices_of(output: OutputKind = LOGITS, **graph: Any) -> ModelSpec:
    return spec_of(output, (1, *WINDOW[1:]), layout=Layout.SLICE, **graph)


def tensor(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(1, *shape)).astype(np.float32)


def network(windows: Tensor) -> Tensor:
    """Say two classes that depend on the brightness and the place in the window."""
    return np.stack([windows[:, 0], -windows[:, 0]], axis=1) + BUMPS


def plain_loop(whole: np.ndarray, step: tuple[int, int, int]) -> np.ndarray:
    """Blend windows at fixed steps the plain way, in double precision."""
    shape = whole.shape[2:]
    total, weights = np.zeros((2, *shape)), np.zeros(shape)
    weight = importance(WINDOW).astype(np.float64)
    for start in product(*(range(0, n - side + 1, s) for n, side, s in zip(shape, WINDOW, step, strict=True))):
        here = tuple(slice(at, at + side) for at, side in zip(start, WINDOW, strict=True))
        total[(slice(None), *here)] += network(whole[(slice(None), slice(None), *here)])[0] * weight
        weights[here] += weight
    return total / weights


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_windows_are_blended_by_their_weights(batch: int) -> None:
    """Whatever the batch; the last one may be smaller."""
    whole, runner = tensor(1, 12, 12, 16), FunctionRunner(network)
    (answer,) = run_over(whole, spec_of(batch=batch), runner)
    assert answer.shape == (1, 2, 12, 12, 16)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer[0], plain_loop(whole, (3, 4, 4)), atol=1e-5)
    assert {len(one) for one in runner.inputs} <= {batch, 18 % batch or batch, 18}
    assert sum(len(one) for one in runner.inputs) == 3 * 2 * 3


def test_a_field_of_view_is_seen_at_once_and_nothing_is_copied() -> None:
    """Input and output are the arrays themselves, for they may be large."""
    whole, said = tensor(1, *WINDOW), tensor(2, *WINDOW)
    runner = FunctionRunner(lambda _: (said,))
    (answer,) = run_over(whole, spec_of(), runner)
    assert answer is said
    assert np.shares_memory(runner.inputs[0], whole)


def test_half_precision_goes_in_and_single_precision_is_blended() -> None:
    """Sums of many windows would lose what half precision cannot hold."""
    whole = tensor(1, 12, 8, 8)
    runner = FunctionRunner(lambda windows: network(windows).astype(np.float16))
    (answer,) = run_over(whole, spec_of(precision="float16"), runner)
    assert all(one.dtype == np.float16 for one in runner.inputs)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer[0], plain_loop(whole, (3, 4, 4)), atol=1e-2)


@pytest.mark.parametrize("axes", [(0,), (1, 2), (0, 1, 2)])
def test_mirrored_answers_are_averaged_over_all_combinations(axes: tuple[int, ...]) -> None:
    """Each is turned back first."""
    whole, runner = tensor(1, *WINDOW), FunctionRunner(network)
    (answer,) = run_over(whole, spec_of(mirror_axes=axes), runner)
    flips = [
        tuple(axis + 2 for axis, on in zip(axes, used, strict=True) if on)
        for used in product((0, 1), repeat=len(axes))
    ]
    expected = np.mean([np.flip(network(np.flip(whole, flip)), flip) for flip in flips], axis=0)
    np.testing.assert_allclose(answer, expected, atol=1e-6)
    assert len(runner.inputs) == 2 ** len(axes)


def test_mirrored_windows_are_blended() -> None:
    """Both at once: a mirrored network's answers are blended like any other's."""
    whole = tensor(1, 12, 8, 8)
    (answer,) = run_over(whole, spec_of(mirror_axes=(2,), batch=3), FunctionRunner(network))
    mirrored = np.flip(plain_loop(np.flip(whole, 4), (3, 4, 4)), 3)
    np.testing.assert_allclose(answer[0], (plain_loop(whole, (3, 4, 4)) + mirrored) / 2, atol=1e-5)


@pytest.mark.parametrize("with_axis", [True, False])
@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_labels_are_taken_from_the_nearest_window(with_axis: bool, kind: type) -> None:
    """They cannot be averaged; the first window labels its side up to the middle of what both see."""
    numbers = iter(range(1, 3))

    def by_window(windows: Tensor) -> Tensor:
        labels = np.full((1, *WINDOW), next(numbers), dtype=kind)
        return labels[np.newaxis] if with_axis else labels

    (answer,) = run_over(tensor(1, 10, 8, 8), spec_of(LABELS, overlap=0.2), FunctionRunner(by_window))
    assert answer.shape == (1, 10, 8, 8)
    assert answer.dtype == np.uint8
    assert (answer[0, :5] == 1).all()
    assert (answer[0, 5:] == 2).all()


def test_labels_of_a_field_of_view_come_as_bytes() -> None:
    """One form for what follows, whatever integers the graph has."""
    said = np.ones((1, 1, *WINDOW), dtype=np.int64)
    (answer,) = run_over(tensor(1, *WINDOW), spec_of(LABELS), FunctionRunner(lambda _: (said,)))
    assert answer.shape == (1, *WINDOW)
    assert answer.dtype == np.uint8


@pytest.mark.parametrize("batch", [1, 4])
def test_slices_are_given_one_after_the_other(batch: int) -> None:
    """A 2-D network sees every slice of the grid; in-plane windows that do not overlap need no blending."""
    whole = tensor(2, 5, 8, 8)
    runner = FunctionRunner(lambda slices: np.stack([slices[:, 0], slices[:, 1]], axis=1))
    (answer,) = run_over(whole, slices_of(batch=batch), runner)
    assert {one.shape[1:] for one in runner.inputs} == {(2, 8, 8)}
    assert sum(len(one) for one in runner.inputs) == 5
    np.testing.assert_array_equal(answer, whole)


def test_slices_are_blended_in_their_plane() -> None:
    """With the weights of a window of one slice."""
    whole = tensor(1, 3, 12, 8)
    bumps = BUMPS[:, 0]
    runner = FunctionRunner(lambda slices: np.stack([slices[:, 0], -slices[:, 0]], axis=1) + bumps)
    (answer,) = run_over(whole, slices_of(), runner)
    weight = importance((1, 8, 8))[0]
    expected, weights = np.zeros((2, 3, 12, 8)), np.zeros((12, 8))
    for row in (0, 4):
        window = whole[0, 0, :, row : row + 8]
        expected[:, :, row : row + 8] += (np.stack([window, -window]) + bumps[:, None]) * weight
        weights[row : row + 8] += weight
    np.testing.assert_allclose(answer[0], expected / weights, atol=1e-5)


def test_neighbours_come_channel_by_channel_and_are_repeated_at_the_ends() -> None:
    """The first channel's slices, then the second's; beyond the ends the last slice stands for what is not there."""
    whole = np.stack([np.arange(4.0), 10 + np.arange(4.0)])[None, :, :, None, None] * np.ones((8, 8))
    runner = FunctionRunner(lambda slices: slices[:, :2])
    run_over(whole.astype(np.float32), slices_of(context_slices=3), runner)
    seen = [one[0, :, 0, 0].tolist() for one in runner.inputs]
    assert seen == [[0, 0, 1, 10, 10, 11], [0, 1, 2, 10, 11, 12], [1, 2, 3, 11, 12, 13], [2, 3, 3, 12, 13, 13]]


def test_mirroring_across_slices_turns_the_neighbours_around() -> None:
    """The answer is about the slice in the middle and stays as it is; in the plane it is turned back."""
    whole = tensor(1, 4, 8, 8)
    runner = FunctionRunner(lambda slices: slices[:, [0, 0]] * np.arange(8))
    (answer,) = run_over(whole, slices_of(context_slices=3, mirror_axes=(0, 2)), runner)
    first, last = whole[0, 0, [0, 0, 1, 2]], whole[0, 0, [1, 2, 3, 3]]
    weights = (np.arange(8) + np.arange(8)[::-1]) / 2
    np.testing.assert_allclose(answer[0, 0], (first + last) / 2 * weights, atol=1e-5)


def test_slices_labelled_in_the_graph_are_stacked() -> None:
    """(batch, H, W) integers, as a 2-D network with arg max gives them."""
    whole = (tensor(1, 5, 8, 8) > 0).astype(np.float32)
    runner = FunctionRunner(lambda slices: slices[:, 0].astype(np.int32))
    (answer,) = run_over(whole, slices_of(LABELS, batch=2), runner)
    np.testing.assert_array_equal(answer, whole[:, 0])


def test_a_classifier_sees_the_field_of_view_once() -> None:
    """What it says of mirrored ones is averaged, and has no axes to be turned."""
    whole = tensor(1, *WINDOW)
    spec = spec_of(OutputKind.CLASSIFICATION, precision="float16", mirror_axes=(0, 1))
    runner = FunctionRunner(lambda windows: windows[:, 0, 0, 0, :2])
    (answer,) = run_over(whole, spec, runner)
    assert answer.dtype == np.float32
    corners = [whole[0, 0, d, h, :2] for d in (0, -1) for h in (0, -1)]
    np.testing.assert_allclose(answer[0], np.mean(corners, axis=0), atol=1e-3)


def test_a_classifier_of_slices_is_given_the_slice_with_its_neighbours() -> None:
    """All of the grid's slices are channels of one input."""
    whole = tensor(2, 3, 8, 8)
    runner = FunctionRunner(lambda slices: slices[:, :2, 0, 0])
    run_over(whole, slices_of(OutputKind.CLASSIFICATION, context_slices=3), runner)
    (given,) = runner.inputs
    np.testing.assert_array_equal(given, whole.reshape(1, 6, 8, 8))


def test_a_detection_comes_as_the_graph_said_it() -> None:
    """Three outputs in the manifest's order."""
    said = (np.zeros((2, 6)), np.zeros(2), np.ones(2, dtype=np.int64))
    outputs = run_over(tensor(1, *WINDOW), spec_of(OutputKind.DETECTION), FunctionRunner(lambda _: said))
    assert all(output is one for output, one in zip(outputs, said, strict=True))


@pytest.mark.parametrize("output", [OutputKind.DETECTION, LABELS])
def test_what_cannot_be_averaged_is_not_mirrored(output: OutputKind) -> None:
    """Refused before the graph runs, rather than averaged into nonsense."""
    runner = FunctionRunner(network)
    with pytest.raises(ModelContractViolated, match="cannot be averaged"):
        run_over(tensor(1, *WINDOW), spec_of(output, mirror_axes=(0,)), runner)
    assert not runner.inputs


def test_overlapping_segments_are_blended_like_classes() -> None:
    """One channel per label, no background."""
    whole = tensor(1, 12, 8, 8)
    (answer,) = run_over(whole, spec_of(SIGMOID), FunctionRunner(network))
    np.testing.assert_allclose(answer[0], plain_loop(whole, (3, 4, 4)), atol=1e-5)
