"""Numbers that tell a tensor, and an input that every machine can make: what golden numbers are made of."""

from __future__ import annotations

from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.domain.model_spec import ModelSpec, OutputKind
from inference.graph_contract import input_shape
from inference.ports import Tensor

POSITIONS: Final = 64
_GOLDEN_RATIO: Final = 0.6180339887498949
_CHUNK: Final = 2**22


def pattern(spec: ModelSpec) -> Tensor:
    """Make an input of any size out of its indices alone: a ball with ripples, from about -2.5 to 1.5.

    With u the index along a spatial axis a = 0, 1, ... of n elements brought to ``(2 index + 1) / n - 1``, channel c
    holds ``1 - sum(u_a**2) + 0.5 * product(cos((2 + a + c) * pi * u_a))``.

    Returns
    -------
    ndarray
        (1, channels, D, H, W), or (1, channels x context slices, H, W), of the model's precision.
    """
    _, channels, *sides = input_shape(spec, 1)
    places = [(2.0 * np.arange(side) + 1.0) / side - 1.0 for side in sides]
    tensor = np.empty((1, channels, *sides), dtype=spec.graph.precision)
    ball = 1.0 - reduce(np.add, np.ix_(*(u**2 for u in places)))
    for channel in range(channels):
        waves = np.ix_(*(np.cos((2 + axis + channel) * np.pi * u) for axis, u in enumerate(places)))
        tensor[0, channel] = ball + 0.5 * reduce(np.multiply, waves)
    return tensor


def moments(tensor: Tensor) -> tuple[float, float]:
    """Give mean and standard deviation; a piece at a time, for outputs are large."""
    if tensor.size == 0:
        return 0.0, 0.0
    total = squares = 0.0
    flat = tensor.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        piece = flat[start : start + _CHUNK].astype(np.float64)
        total += float(piece.sum())
        squares += float(np.dot(piece, piece))
    mean = total / flat.size
    return mean, float(np.sqrt(max(squares / flat.size - mean**2, 0.0)))


def samples(tensor: Tensor) -> list[float]:
    """Take elements at fixed positions that follow no side of the tensor.

    Of n elements in C order these are the ones at ``floor(n * fraction(k * 0.6180339887498949))`` for k = 1 to 64.
    """
    steps = np.arange(1, POSITIONS + 1) * _GOLDEN_RATIO
    positions = np.floor((steps % 1.0) * tensor.size).astype(np.int64)
    return [float(value) for value in tensor.reshape(-1)[positions]] if tensor.size else []


def voxels(tensor: Tensor, spec: ModelSpec) -> list[int]:
    """Count the voxels of each class of a label map; nothing for other outputs."""
    if spec.output is OutputKind.LABEL_MAP:
        classes = tensor
    elif spec.output is OutputKind.LABEL_MAP_LOGITS:
        classes = _largest(tensor)
    else:
        return []
    return [int(np.count_nonzero(classes == value)) for value in range(len(spec.labels) + 1)]


def _largest(logits: Tensor) -> NDArray[np.uint8]:
    """Give the arg max over classes, (batch, ...); class by class, which takes the memory of one."""
    best = logits[:, 0].astype(np.float32)
    chosen = np.zeros(best.shape, dtype=np.uint8)
    for value in range(1, logits.shape[1]):
        here = logits[:, value].astype(np.float32)
        chosen[here > best] = value
        np.maximum(best, here, out=best)
    return chosen


def rounded(value: float) -> float:
    """Nine digits tell any two float32 apart."""
    return float(f"{value:.9g}")
