"""Bringing a channel's intensities to the network's scale, in place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.domain.model_spec import IntensitySpec, Normalisation

Array = NDArray[np.float32]


def scale(values: Array, wanted: IntensitySpec) -> None:
    """Clip, then scale; what is constant becomes zeros, for nothing is divided by a deviation of zero.

    Parameters
    ----------
    values : (D, H, W) float32 ndarray
        Modality values of the field of view; changed.
    wanted
        What the channel wants.
    """
    _clip(values, wanted)
    if wanted.normalisation is Normalisation.ZSCORE_NONZERO:
        seen = values != 0
        shift, extent = _moments(values, seen)
        np.subtract(values, np.float32(shift), out=values, where=seen)
        np.divide(values, np.float32(extent or 1.0), out=values, where=seen)
        return
    shift, extent = _shift_and_extent(values, wanted)
    values -= np.float32(shift)
    values /= np.float32(extent or 1.0)


def _clip(values: Array, wanted: IntensitySpec) -> None:
    if wanted.clip_range is not None:
        low, high = wanted.clip_range
        np.clip(values, low, high, out=values)
        return
    low_part, high_part = wanted.clip_percentiles
    cut = [part for part in (low_part, high_part) if 0 < part < 100]
    limits = dict(zip(cut, np.percentile(values, cut), strict=True)) if cut else {}
    if low_part in limits:
        np.maximum(values, np.float32(limits[low_part]), out=values)
    if high_part in limits:
        np.minimum(values, np.float32(limits[high_part]), out=values)


def _shift_and_extent(values: Array, wanted: IntensitySpec) -> tuple[float, float]:
    if wanted.normalisation is Normalisation.ZSCORE:
        return _moments(values)
    if wanted.normalisation is Normalisation.MINMAX:
        return float(values.min()), float(np.ptp(values))
    if wanted.normalisation is Normalisation.FIXED:
        return wanted.mean, wanted.deviation
    return 0.0, 1.0


def _moments(values: Array, seen: NDArray[np.bool_] | None = None) -> tuple[float, float]:
    """Give mean and standard deviation, of the seen voxels only where some are named; slice by slice, to be lean."""
    where = True if seen is None else seen
    count = values.size if seen is None else int(np.count_nonzero(seen))
    if not count:
        return 0.0, 0.0
    mean = float(values.sum(dtype=np.float64, where=where)) / count
    slices = values if seen is None else (one[chosen] for one, chosen in zip(values, seen, strict=True))
    squares = sum(float(np.square(np.subtract(one, mean, dtype=np.float64)).sum()) for one in slices)
    return mean, float(np.sqrt(squares / count))
