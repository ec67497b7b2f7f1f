"""From what the graph says to an answer on the source grid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.detections import detected
from inference.domain.answer import Answer, Certainty, Classified, Segmented
from inference.domain.geometry import Grid
from inference.domain.model_spec import LabelSpec, Layout, ModelSpec, OutputKind, Task
from inference.errors import ModelContractViolated
from inference.label_upsampling import upsample_labels
from inference.parts import small_parts
from inference.ports import Tensor
from inference.resampling import interpolate, nearest

ROUNDING: Final = 1e-2
"""How far a probability may lie outside 0..1, and a sum of them from 1; half precision is no better."""

_PART_OF_A_VOXEL: Final = 1e-6
"""What rounding may add to a number of voxels."""

Array = NDArray[np.float32]


def postprocess(
    outputs: tuple[Tensor, ...],
    network_grid: Grid,
    source_grid: Grid,
    spec: ModelSpec,
    *,
    keep_probabilities: bool = False,
) -> Answer:
    """Bring the graph's answer to the source grid.

    Parameters
    ----------
    outputs
        What ``run_over`` gave.
    network_grid
        Where the answer lies.
    source_grid
        Where it is wanted; may be oblique or sheared.
    spec
        The model, whose ``output`` says what the numbers mean.
    keep_probabilities
        Whether the answer carries the probability of each label at each voxel, where the graph gives it; it takes
        a byte for each.

    Returns
    -------
    Answer
        Nothing is drawn outside the network's field of view, and the probability is 0 there.

    Raises
    ------
    ModelContractViolated
        If the outputs do not have the shape or the range that the model promises.
    NonFiniteOutput
        If a detection is not finite.
    """
    if spec.output is OutputKind.DETECTION:
        return detected(outputs, _looked_at(network_grid, spec), spec)
    _check_shape(outputs[0], network_grid, spec)
    if not spec.output.segments:
        return Classified(_findings(outputs[0][0].astype(np.float64), spec))
    if spec.output.overlaps:
        return _overlapping(outputs[0][0], network_grid, source_grid, spec, keep_probabilities)
    return _exclusive(outputs[0], network_grid, source_grid, spec, keep_probabilities)


def _looked_at(grid: Grid, spec: ModelSpec) -> Grid:
    """Of a slice and its neighbours, the slice in the middle is what boxes are drawn on."""
    if spec.graph.layout is Layout.VOLUME:
        return grid
    middle = (grid.shape[0] // 2, 0, 0)
    return Grid((1, grid.shape[1], grid.shape[2]), grid.to_lps(middle), grid.steps_mm)


def _check_shape(output: Tensor, network_grid: Grid, spec: ModelSpec) -> None:
    labels = len(spec.labels)
    expected: tuple[int, ...] = {
        OutputKind.LABEL_MAP_LOGITS: (1, labels + 1, *network_grid.shape),
        OutputKind.LABEL_MAP: (1, *network_grid.shape),
        OutputKind.CLASSIFICATION_LOGITS: (1, labels + 1),
        OutputKind.CLASSIFICATION: (1, labels),
    }.get(spec.output, (1, labels, *network_grid.shape))
    if output.shape != expected:
        raise ModelContractViolated(f"the output is {output.shape}, the manifest promises {expected}")


def _findings(said: NDArray[np.float64], spec: ModelSpec) -> NDArray[np.float64]:
    """Give the probability of each finding."""
    if spec.output is OutputKind.CLASSIFICATION_LOGITS:
        powers = np.exp(said - said.max())
        probabilities: NDArray[np.float64] = powers[1:] / powers.sum()
        return probabilities
    _check_probabilities(said, spec)
    return np.clip(said, 0, 1)


def _check_probabilities(said: NDArray[np.floating], spec: ModelSpec) -> None:
    if said.min() < -ROUNDING or said.max() > 1 + ROUNDING:
        name = spec.reference.model_id
        raise ModelContractViolated(f"model {name}: the output {spec.output} holds values that are no probabilities")


def _overlapping(
    said: Tensor, network_grid: Grid, source_grid: Grid, spec: ModelSpec, keep_probabilities: bool
) -> Segmented:
    """Decide each label for itself: where its trilinearly interpolated probability reaches its threshold."""
    masks = np.zeros((len(spec.labels), *source_grid.shape), dtype=np.bool_)
    kept = np.zeros(masks.shape, dtype=np.uint8) if keep_probabilities else None
    certainty = {}
    for number, (label, mask, here) in enumerate(zip(spec.labels, masks, said, strict=True)):
        probability = here.astype(np.float32)
        if spec.output is OutputKind.SIGMOID_LOGITS:
            probability = (1 + np.tanh(probability / 2)) / 2
        else:
            _check_probabilities(probability, spec)
        upsampled = interpolate(probability, network_grid, source_grid)
        np.greater_equal(upsampled, np.float32(label.threshold), out=mask)
        if label.smallest_ml:
            mask[_noise(mask, label, source_grid)] = False
        certainty[label.value] = _certainty(upsampled, mask)
        if kept is not None:
            _keep(upsampled, mask, kept[number])
    return Segmented(masks, certainty, kept)


def _exclusive(
    said: Tensor, network_grid: Grid, source_grid: Grid, spec: ModelSpec, keep_probabilities: bool
) -> Segmented:
    gives_probabilities = spec.output is not OutputKind.LABEL_MAP
    if gives_probabilities:
        labels = upsample_labels(said[0], network_grid, source_grid)
    else:
        labels = nearest(said[0].astype(np.uint8, copy=False), network_grid, source_grid)
    for label in spec.labels:
        if label.smallest_ml:
            labels[_noise(labels == label.value, label, source_grid)] = 0
    certainty: dict[int, Certainty] = {}
    if not gives_probabilities or not (keep_probabilities or spec.task is Task.TUMOR_DETECTION):
        return Segmented(labels, certainty)
    kept = np.zeros((len(spec.labels), *source_grid.shape), dtype=np.uint8) if keep_probabilities else None
    for number, (label, probability) in enumerate(zip(spec.labels, _of_exclusive(said[0]), strict=True)):
        upsampled = interpolate(probability, network_grid, source_grid)
        mask = labels == label.value
        certainty[label.value] = _certainty(upsampled, mask)
        if kept is not None:
            _keep(upsampled, mask, kept[number])
    return Segmented(labels, certainty, kept)


def _of_exclusive(said: Tensor) -> Iterator[Array]:
    """Yield the probability of each label, (D, H, W), of (classes, D, H, W) that exclude each other.

    What is probabilities already stays; one class after the other, for all together may take gigabytes.
    """
    total = np.zeros(said.shape[1:], dtype=np.float32)
    for values in said:
        total += values
    if said.min() >= -ROUNDING and np.abs(total - 1).max() <= ROUNDING:
        yield from (values.astype(np.float32) for values in said[1:])
        return
    largest = said.max(axis=0).astype(np.float32)
    total[:] = 0
    for values in said:
        total += np.exp(values - largest)
    for values in said[1:]:
        yield np.exp(values - largest) / total


def _keep(probability: Array, mask: NDArray[np.bool_], kept: NDArray[np.uint8]) -> None:
    """Round probabilities, which are of no further use, to a byte, 255 for certainty.

    What is drawn is never impossible: logits are interpolated, so a label may win between voxels where it is not
    probable at all.
    """
    np.clip(probability, 0, 1, out=probability)
    np.multiply(probability, 255, out=probability)
    kept[:] = np.rint(probability, out=probability)
    np.maximum(kept, mask, out=kept)


def _noise(mask: NDArray[np.bool_], label: LabelSpec, grid: Grid) -> NDArray[np.bool_]:
    return small_parts(mask, label.smallest_ml / grid.voxel_volume_ml - _PART_OF_A_VOXEL)


def _certainty(probability: Array, mask: NDArray[np.bool_]) -> Certainty:
    """Say how sure the model is, on the source grid: what is inside a mask is never surer than the surest."""
    inside = float(probability.mean(where=mask, dtype=np.float64)) if mask.any() else None
    return Certainty(inside, float(probability.max()))
