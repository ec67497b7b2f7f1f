"""From the source volumes straight to the network's grid: one resampling, no intermediate volume, no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.domain.geometry import Grid
from inference.domain.model_spec import ChannelSpec, Layout, ModelSpec
from inference.domain.volume import Volume
from inference.intensity import scale
from inference.placement import place
from inference.resampling import sample

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """What the network is given, and where it lies.

    Parameters
    ----------
    tensor : (1, channels, D, H, W) float32 ndarray
        Scaled intensities, in the order of the model's channels.
    grid
        The network grid; its array axes (slice, row, column) are D, H, W. It is the undo of the resampling.
    """

    tensor: NDArray[np.float32]
    grid: Grid


def preprocess(volumes: Sequence[Volume | None], spec: ModelSpec) -> NetworkInput:
    """Place the network's field of view, sample every channel on it and bring them to the network's scale.

    A volume that is smaller than a sliding window is surrounded by zeros after scaling, as MONAI's
    ``sliding_window_inference`` and nnU-Net do.

    Parameters
    ----------
    volumes
        Modality values of each channel, each on its own grid, the reference first; None for a missing optional
        channel, which is zero everywhere.
    spec
        The model.

    Returns
    -------
    NetworkInput

    Raises
    ------
    ImplausibleResult
        HEAD_NOT_FOUND when the model wants a head and there is none.
    UnsupportedPixelData
        PIXEL_TOO_LARGE when the network's grid would have more voxels than a node should hold.
    ValueError
        If there is not one volume, or None, per channel, or no reference.
    """
    reference = volumes[0] if volumes else None
    if reference is None or len(volumes) != len(spec.channels):
        raise ValueError("one volume per channel, and the reference is always there")
    seen = place(reference, spec)
    grid, before = _enlarged(seen, _smallest(seen.shape, spec))
    tensor = np.zeros((1, len(volumes), *grid.shape), dtype=np.float32)
    inside = tuple(slice(start, start + size) for start, size in zip(before, seen.shape, strict=True))
    for channel, volume, target in zip(spec.channels, volumes, tensor[0], strict=True):
        if volume is not None:
            target[inside] = _channel(volume, seen, channel)
    return NetworkInput(tensor, grid)


def _channel(volume: Volume, grid: Grid, channel: ChannelSpec) -> NDArray[np.float32]:
    values = sample(volume.array, volume.grid, grid)
    scale(values, channel.intensity)
    return values


def _smallest(seen: Shape, spec: ModelSpec) -> Shape:
    """Give the size that holds a window, whatever the size of the volume."""
    window = (seen[0], *spec.preprocess.shape[1:]) if spec.graph.layout is Layout.SLICE else spec.preprocess.shape
    slices, rows, columns = (max(pair) for pair in zip(seen, window, strict=True))
    return slices, rows, columns


def _enlarged(grid: Grid, shape: Shape) -> tuple[Grid, Shape]:
    """Add voxels on both sides, where they are uneven one more behind; also tell how many are in front."""
    before = ((shape[0] - grid.shape[0]) // 2, (shape[1] - grid.shape[1]) // 2, (shape[2] - grid.shape[2]) // 2)
    return Grid(shape, grid.to_lps(-np.array(before, dtype=np.float64)), grid.steps_mm), before
