"""Measuring a label map, and refusing one that cannot be a result."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from inference.domain.codes import BRAIN, MILLILITRE, VOLUME, Code
from inference.domain.geometry import Grid
from inference.domain.model_spec import LabelSpec, ModelSpec
from inference.domain.result import Measurement, Segment, SegmentationResult
from inference.domain.volume import Volume
from inference.errors import ImplausibleResult
from inference.uids import OutputUIDs

TOTAL_LABEL = "Brain parenchyma and ventricles"
"""Name of the sum of all structures; without the fluid around the brain."""


def measure(labels: NDArray[np.uint8], volume: Volume, spec: ModelSpec, uids: OutputUIDs) -> SegmentationResult:
    """Measure the volume and the place of every structure.

    Parameters
    ----------
    labels : (slices, rows, columns) uint8 ndarray
        Label values on the source grid.
    volume
        The source, which says where the voxels lie.
    spec
        The model, which says what the labels mean.
    uids
        Tracking identities.

    Returns
    -------
    SegmentationResult
        Volumes in mL, centroids in LPS mm.
    """
    count = np.bincount(labels.ravel(), minlength=len(spec.labels) + 1)
    present = [label for label in spec.labels if count[label.value]]
    centroids = _centroids(labels, count, volume.grid)
    segments = tuple(
        Segment(
            number=number,
            label=label,
            voxel_count=int(count[label.value]),
            centroid_lps_mm=centroids[label.value],
            volume=_volume(label, float(count[label.value]) * volume.grid.voxel_volume_ml, uids),
        )
        for number, label in enumerate(present, start=1)
    )
    absent = tuple(label for label in spec.labels if not count[label.value])
    return SegmentationResult(labels, segments, absent, (_total(segments, spec.publication.region),))


def _volume(label: LabelSpec, millilitres: float, uids: OutputUIDs) -> Measurement:
    return Measurement(
        label=label.name,
        finding=label.type,
        quantity=VOLUME,
        value=millilitres,
        unit=MILLILITRE,
        tracking_uid=uids.tracking(label.value),
        tracking_id=label.name,
    )


def _total(segments: tuple[Segment, ...], region: Code) -> Measurement:
    """Sum the structures; for a brain model the sum is of parenchyma and ventricles."""
    name = TOTAL_LABEL if region.value == BRAIN.value else f"All structures of {region.meaning}"
    total_ml = sum(segment.volume.value for segment in segments)
    return Measurement(name, region, VOLUME, total_ml, MILLILITRE)


def _centroids(
    labels: NDArray[np.uint8], count: NDArray[np.intp], grid: Grid
) -> Mapping[int, tuple[float, float, float]]:
    """Average the indices of each label by the label counts along each axis, then map them once."""
    sums = np.zeros((len(count), 3))
    for axis in range(3):
        for index in range(labels.shape[axis]):
            here = np.bincount(np.take(labels, index, axis=axis).ravel(), minlength=len(count))
            sums[:, axis] += here * index
    values = np.flatnonzero(count)
    positions = grid.to_lps(sums[values] / count[values, np.newaxis])
    return {int(value): (float(x), float(y), float(z)) for value, (x, y, z) in zip(values, positions, strict=True)}


def check_plausible(result: SegmentationResult, spec: ModelSpec) -> None:
    """Return only if the result keeps every limit of the model.

    A number that cannot be true is worse than none, so a single broken limit refuses the whole result.

    Raises
    ------
    ImplausibleResult
        Naming every broken limit.
    """
    volumes = {segment.label.value: segment.volume.value for segment in result.segments}
    faults = [
        *_total_fault(sum(volumes.values()), spec),
        *_label_faults(volumes, spec),
        *_ratio_faults(volumes, spec),
    ]
    if faults:
        raise ImplausibleResult("not the anatomy this model knows: " + "; ".join(faults))


def _total_fault(total_ml: float, spec: ModelSpec) -> list[str]:
    lowest, highest = spec.plausibility.total_ml
    if lowest <= total_ml <= highest:
        return []
    return [f"{total_ml:.0f} mL in total, plausible are {lowest:g} to {highest:g}"]


def _label_faults(volumes: Mapping[int, float], spec: ModelSpec) -> list[str]:
    return [
        f"{label.name} {volumes.get(label.value, 0.0):.1f} mL, plausible are"
        f" {label.min_volume_ml:g} to {label.max_volume_ml:g}"
        for label in spec.labels
        if not label.min_volume_ml <= volumes.get(label.value, 0.0) <= label.max_volume_ml
    ]


def _ratio_faults(volumes: Mapping[int, float], spec: ModelSpec) -> list[str]:
    names = {label.value: label.name for label in spec.labels}
    faults = []
    for numerator, denominator, lowest, highest in spec.plausibility.ratios:
        below = volumes.get(denominator, 0.0)
        ratio = volumes.get(numerator, 0.0) / below if below else float("inf")
        if not lowest <= ratio <= highest:
            faults.append(f"{names[numerator]} to {names[denominator]} {ratio:.2f}, not {lowest:g} to {highest:g}")
    return faults
