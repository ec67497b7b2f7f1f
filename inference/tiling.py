"""Running a graph over a grid: at once, window by window, slice by slice, mirrored and averaged.

What is blended and averaged is what the graph says, logits or probabilities, before it is decided upon, as by
MONAI's ``sliding_window_inference`` and nnU-Net's predictor. Labels whose arg max was taken in the graph cannot be
averaged: each voxel takes that of the window whose centre is nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from inference.domain.model_spec import Layout, ModelSpec, OutputKind
from inference.errors import ModelContractViolated
from inference.ports import ModelRunner, Tensor
from inference.windows import Region, Shape, Window, importance, stand

Array = NDArray[np.float32]


def run_over(tensor: Array, spec: ModelSpec, runner: ModelRunner) -> tuple[Tensor, ...]:
    """Give the graph's answer for a whole grid.

    Parameters
    ----------
    tensor : (1, channels, D, H, W) float32 ndarray
        The scaled channels, at least as large as a sliding window.
    spec
        The model.
    runner
        Runs its graph on one batch; what it returns is ours to change.

    Returns
    -------
    tuple of ndarray
        For a segmentation one array, (1, classes or labels, D, H, W) float32 or float16, or (1, D, H, W) uint8 where
        the arg max was taken in the graph; else the graph's outputs.

    Raises
    ------
    WeightsMismatch, ModelContractViolated, DeviceUnavailable, DeviceOutOfMemory, NonFiniteOutput
    """
    if spec.graph.mirror_axes and spec.output in {OutputKind.LABEL_MAP, OutputKind.DETECTION}:
        name = spec.reference.model_id
        raise ModelContractViolated(
            f"model {name}: answers of the kind {spec.output} cannot be averaged over mirrors"
        )
    if not spec.output.segments:
        return _run_once(tensor, spec, runner)
    graph = _DrawingGraph(spec, runner)
    at_once = spec.graph.layout is Layout.VOLUME and tensor.shape[2:] == spec.preprocess.shape
    answer = graph(tensor) if at_once else _slide(tensor[0], graph)
    return (answer[:, 0].astype(np.uint8) if spec.output is OutputKind.LABEL_MAP else answer,)


def _run_once(tensor: Array, spec: ModelSpec, runner: ModelRunner) -> tuple[Tensor, ...]:
    """Look at the whole field of view; what is said of mirrored ones is averaged."""
    mirrored = (_as_input(_mirror(tensor, axes), spec) for axes in _combinations(spec.graph.mirror_axes))
    first, *others = (runner.run(spec, one) for one in mirrored)
    if not others:
        return first
    return (_mean([first[0], *(outputs[0] for outputs in others)]),)


def _mean(answers: Sequence[Tensor]) -> Tensor:
    total = answers[0].astype(np.float32)
    for answer in answers[1:]:
        total += answer.astype(np.float32, copy=False)
    total /= len(answers)
    return total


@dataclass(frozen=True, slots=True)
class _DrawingGraph:
    """A segmenting graph of either layout, as one from windows (n, channels, d, h, w) to (n, classes, d, h, w).

    For slices, ``d`` of the input is the number of neighbours and that of the answer is 1.
    """

    spec: ModelSpec
    runner: ModelRunner

    def __call__(self, windows: Array) -> Tensor:
        """Average over mirrored inputs; each answer is turned back first."""
        first, *others = _combinations(self.spec.graph.mirror_axes)
        answer = self._answer(windows, first)
        if not others:
            return answer
        total = answer.astype(np.float32, copy=False)
        for axes in others:
            total += self._answer(windows, axes).astype(np.float32, copy=False)
        total /= 1 + len(others)
        return total

    def _answer(self, windows: Array, axes: tuple[int, ...]) -> Tensor:
        (answer,) = self.runner.run(self.spec, _as_input(_mirror(windows, axes), self.spec))
        spatial = 3 if self.spec.graph.layout is Layout.VOLUME else 2
        if answer.ndim == spatial + 1:  # labels without an axis of their own
            answer = answer[:, np.newaxis]
        if spatial == 2:
            answer = answer[:, :, np.newaxis]
        return _mirror(answer, axes)


def _combinations(axes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """List all combinations of mirrored axes, none of them first."""
    return [chosen for count in range(len(axes) + 1) for chosen in combinations(axes, count)]


def _mirror(array: Tensor, axes: tuple[int, ...]) -> Tensor:
    return np.flip(array, tuple(axis + 2 for axis in axes)) if axes else array


def _as_input(windows: Tensor, spec: ModelSpec) -> Tensor:
    """Give windows the graph's layout and element type; a copy only where they have not both."""
    if spec.graph.layout is Layout.SLICE:
        count, channels, slices, rows, columns = windows.shape
        windows = windows.reshape(count, channels * slices, rows, columns)
    return np.ascontiguousarray(windows, dtype=spec.graph.precision)


def _slide(channels: Array, graph: _DrawingGraph) -> Tensor:
    """Run all windows of (channels, D, H, W), a batch at a time, and put their answers together."""
    spec = graph.spec
    shape: Shape = (channels.shape[1], channels.shape[2], channels.shape[3])
    windows = stand(shape, spec.preprocess.shape, spec.graph.overlap)
    whole = np.zeros((1, _classes(spec), *shape), dtype=np.float32)
    answers = _answers(channels, windows, graph)
    if _blends(windows, spec):
        _blend(answers, whole, importance(spec.preprocess.shape))
    else:
        _fit(answers, whole)
    return whole


def _blends(windows: Sequence[Window], spec: ModelSpec) -> bool:
    return spec.output is not OutputKind.LABEL_MAP and any(window.seen != window.nearest for window in windows)


def _classes(spec: ModelSpec) -> int:
    if spec.output is OutputKind.LABEL_MAP:
        return 1
    return len(spec.labels) + (spec.output is OutputKind.LABEL_MAP_LOGITS)


def _answers(channels: Array, windows: Sequence[Window], graph: _DrawingGraph) -> Iterator[tuple[Window, Tensor]]:
    """Yield each window with its (classes, d, h, w) answer."""
    for start in range(0, len(windows), graph.spec.graph.batch):
        batch = windows[start : start + graph.spec.graph.batch]
        inputs = np.stack([_cut(channels, window.seen, graph.spec.graph.context_slices) for window in batch])
        yield from zip(batch, graph(inputs), strict=True)


def _cut(channels: Array, region: Region, context: int) -> Array:
    """Cut a window out of all channels, with neighbouring slices; those at the ends stand for what is beyond."""
    slices, rows, columns = region
    if context == 1:
        return channels[:, slices, rows, columns]
    half = context // 2
    wanted = np.clip(np.arange(slices.start - half, slices.stop + half), 0, channels.shape[1] - 1)
    return channels[:, wanted, rows, columns]


def _blend(answers: Iterable[tuple[Window, Tensor]], whole: Array, bell: Array) -> None:
    """Add weighted answers up in ``whole``, (1, classes, D, H, W) zeros, and divide by the weights."""
    weights = np.zeros(whole.shape[2:], dtype=np.float32)
    for window, answer in answers:
        weights[window.seen] += bell
        for total, one in zip(whole[0], answer, strict=True):
            total[window.seen] += one * bell
    whole /= weights


def _fit(answers: Iterable[tuple[Window, Tensor]], whole: Array) -> None:
    """Fit answers together like tiles: every voxel is that of the nearest window."""
    for window, answer in answers:
        slices, rows, columns = (
            slice(part.start - seen.start, part.stop - seen.start)
            for seen, part in zip(window.seen, window.nearest, strict=True)
        )
        whole[0][(slice(None), *window.nearest)] = answer[:, slices, rows, columns]
