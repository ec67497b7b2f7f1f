"""The teacher: brainchop's MeshNet (MIT), whose labels the model learns. It is given, never shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from inference.parts import largest_part

HEAD_BRIGHTNESS: Final = 0.2
"""Of the conformed intensity, 0..1: the head is above it."""

Labels = NDArray[np.uint8]


class Teacher:
    """MeshNet with 17 structures, on conformed heads.

    Parameters
    ----------
    weights
        ``model18cls_labels.onnx``.
    """

    def __init__(self, weights: Path) -> None:
        settings = onnxruntime.SessionOptions()
        settings.enable_cpu_mem_arena = False
        settings.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(str(weights), settings, providers=["CPUExecutionProvider"])

    def label(self, image: NDArray[np.uint8]) -> Labels:
        """Label a conformed head.

        Parameters
        ----------
        image : (256, 256, 256) uint8 ndarray
            Axes right to left, superior to inferior, posterior to anterior.

        Returns
        -------
        (256, 256, 256) uint8 ndarray
            0 background, 1..17 structures; what does not touch the brain is left out.
        """
        box = head_box(image)
        crop = image[box].astype(np.float32) / 255
        (found,) = self._session.run(None, {"image": crop[np.newaxis, np.newaxis]})
        labels = np.zeros(image.shape, dtype=np.uint8)
        labels[box] = np.where(largest_part(found[0, 0] > 0), found[0, 0], 0)
        return labels


def head_box(image: NDArray[np.uint8]) -> tuple[slice, slice, slice]:
    """Give the bounds of the largest bright component."""
    largest = largest_part(image > HEAD_BRIGHTNESS * 255)
    bounds = [np.flatnonzero(largest.any(axis=other)) for other in ((1, 2), (0, 2), (0, 1))]
    first, second, third = (slice(int(found[0]), int(found[-1]) + 1) for found in bounds)
    return first, second, third
