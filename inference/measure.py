"""Measuring an answer of any kind, and refusing one that cannot be a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.diameters import long_and_short_axis
from inference.domain.answer import Answer, Classified, Detected, Segmented
from inference.domain.codes import LONG_AXIS, MILLILITRE, MILLIMETRE, SHORT_AXIS, VOLUME
from inference.domain.geometry import Grid
from inference.domain.masks import Masks, foreground, labelled_voxels, without
from inference.domain.model_spec import LabelSpec, ModelSpec, Publication, Task
from inference.domain.result import AnalysisResult, Finding, Measurement, Segment
from inference.domain.volume import Volume
from inference.errors import ImplausibleResult
from inference.findings import classified, detected
from inference.tumor import detect_tumor
from inference.uids import OutputUIDs

MOST_FAULTS: Final = 3
"""A person reads so many; what is no head at all breaks every limit."""


def measure(answer: Answer, volume: Volume, spec: ModelSpec, uids: OutputUIDs) -> AnalysisResult:
    """Measure the volume and the place of every structure, or name what was classified or detected.

    Parameters
    ----------
    answer
        What the network said, on the source grid.
    volume
        The source, which says where the voxels lie.
    spec
        The model, which says what the labels mean.
    uids
        Tracking identities.

    Returns
    -------
    AnalysisResult
        Volumes in mL, places in LPS mm.

    Raises
    ------
    ModelContractViolated
        If a tumour was looked for by a model that gives no probabilities.
    """
    if isinstance(answer, Segmented):
        return _segmented(answer, volume, spec, uids)
    findings = _findings(answer, spec, uids)
    return AnalysisResult(labels=None, segments=(), absent=(), totals=(), findings=findings)


def _findings(answer: Classified | Detected, spec: ModelSpec, uids: OutputUIDs) -> tuple[Finding, ...]:
    if isinstance(answer, Classified):
        return classified(answer, spec, uids)
    return detected(answer, spec, uids)


def _segmented(answer: Segmented, volume: Volume, spec: ModelSpec, uids: OutputUIDs) -> AnalysisResult:
    masks = _on_images(answer.masks, volume, len(spec.labels) + 1)
    sums = _sums(masks, volume.array, len(spec.labels) + 1)
    segments = _segments(masks, sums, volume, spec, uids)
    lesion = foreground(masks)
    total_ml = int(np.count_nonzero(lesion)) * volume.grid.voxel_volume_ml
    is_tumor = spec.task is Task.TUMOR_DETECTION
    return AnalysisResult(
        labels=masks,
        segments=segments,
        absent=tuple(label for label in spec.labels if not sums.count[label.value]),
        totals=_totals(total_ml, spec.publication),
        task=detect_tumor(lesion, volume.grid, segments, answer.certainty) if is_tumor else None,
        total_ml=total_ml,
        probabilities=answer.probabilities,
    )


@dataclass(frozen=True, eq=False)
class _Sums:
    """Per label value: voxels, their source values summed, and their (slice, row, column) indices summed."""

    count: NDArray[np.float64]
    value: NDArray[np.float64]
    index: NDArray[np.float64]


def _segments(masks: Masks, sums: _Sums, volume: Volume, spec: ModelSpec, uids: OutputUIDs) -> tuple[Segment, ...]:
    grid = volume.grid
    present = [label for label in spec.labels if sums.count[label.value]]
    return tuple(
        Segment(
            number=number,
            label=label,
            voxel_count=int(sums.count[label.value]),
            centroid_lps_mm=_centroid(sums, label.value, grid),
            volume=_volume(label, float(sums.count[label.value]) * grid.voxel_volume_ml, spec, uids),
            mean_value=float(sums.value[label.value] / sums.count[label.value]),
            diameters=_diameters(label, masks, volume, spec, uids) if label.diameters else (),
        )
        for number, label in enumerate(present, start=1)
    )


def _volume(label: LabelSpec, millilitres: float, spec: ModelSpec, uids: OutputUIDs) -> Measurement:
    """Give the volume of a structure, with its name, its site and the identity that all objects share."""
    site = label.site(spec.publication.region)
    return Measurement(
        label=label.name,
        finding=label.type,
        quantity=VOLUME,
        value=millilitres,
        unit=MILLILITRE,
        tracking_uid=uids.tracking(label.value),
        tracking_id=label.name,
        reference_range=label.usual_ml,
        laterality=label.laterality,
        site=None if site == label.type else site,
    )


def _diameters(
    label: LabelSpec, masks: Masks, volume: Volume, spec: ModelSpec, uids: OutputUIDs
) -> tuple[Measurement, ...]:
    long_mm, short_mm = long_and_short_axis(masks, label.value, volume)
    of_label = replace(_volume(label, 0.0, spec, uids), unit=MILLIMETRE, reference_range=None)
    return tuple(
        replace(of_label, quantity=quantity, value=value)
        for quantity, value in ((LONG_AXIS, long_mm), (SHORT_AXIS, short_mm))
    )


def _totals(total_ml: float, publication: Publication) -> tuple[Measurement, ...]:
    """Name the sum of the structures, where the model has a name for it."""
    if publication.total is None:
        return ()
    return (Measurement(publication.total, publication.region, VOLUME, total_ml, MILLILITRE),)


def _on_images(masks: Masks, volume: Volume, classes: int) -> Masks:
    """Leave out labels that are on interpolated slices alone: no image shows them, and nothing can refer to one."""
    framed = list(volume.framed)
    if len(framed) in (0, len(volume.frames)):
        return masks
    counts = np.array(
        [np.bincount(labelled_voxels(masks, n)[0], minlength=classes) for n in range(len(volume.frames))]
    )
    unseen = np.flatnonzero(counts.any(axis=0) & ~counts[framed].any(axis=0))
    return without(masks, unseen.tolist()) if unseen.size else masks


def _sums(masks: Masks, values: NDArray[np.float32], classes: int) -> _Sums:
    """Sum slice by slice over labelled voxels only, so that no temporary is as large as the volume."""
    count, value, index = np.zeros(classes), np.zeros(classes), np.zeros((classes, 3))
    for number, slice_values in enumerate(values):
        found, rows, columns = labelled_voxels(masks, number)
        here = np.bincount(found, minlength=classes)
        count += here
        value += np.bincount(found, weights=slice_values[rows, columns], minlength=classes)
        index[:, 0] += here * number
        index[:, 1] += np.bincount(found, weights=rows, minlength=classes)
        index[:, 2] += np.bincount(found, weights=columns, minlength=classes)
    return _Sums(count, value, index)


def _centroid(sums: _Sums, label_value: int, grid: Grid) -> tuple[float, float, float]:
    x, y, z = grid.to_lps(sums.index[label_value] / sums.count[label_value])
    return float(x), float(y), float(z)


_Limits = tuple[ModelSpec, tuple[tuple[int, int, float, float], ...]]


def check_plausible(result: AnalysisResult, spec: ModelSpec) -> None:
    """Return only if the result keeps every limit of the model; limits are for what is drawn.

    A number that cannot be true is worse than none, so a single broken limit refuses the whole result.

    Raises
    ------
    ImplausibleResult
        Naming the first broken limits, and how many more there are.
    """
    if result.labels is None:
        return
    volumes = {segment.label.value: segment.volume.value for segment in result.segments}
    means = {segment.label.value: segment.mean_value for segment in result.segments}
    faults = [
        *_total_fault(result.total_ml, spec),
        *_label_faults(volumes, spec),
        *_ratio_faults("volume", volumes, (spec, spec.plausibility.ratios)),
        *_ratio_faults("brightness", means, (spec, spec.plausibility.contrasts)),
    ]
    if faults:
        more = f"; and {len(faults) - MOST_FAULTS} more" if len(faults) > MOST_FAULTS else ""
        raise ImplausibleResult("not the anatomy this model knows: " + "; ".join(faults[:MOST_FAULTS]) + more)


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


def _ratio_faults(what: str, values: Mapping[int, float], limits: _Limits) -> list[str]:
    """Name the ratios outside their limits; of two structures that are both absent there is none."""
    spec, ratios = limits
    names = {label.value: label.name for label in spec.labels}
    faults = []
    for numerator, denominator, lowest, highest in ratios:
        if numerator not in values and denominator not in values:
            continue
        below = values.get(denominator, 0.0)
        ratio = values.get(numerator, 0.0) / below if below else float("inf")
        if not lowest <= ratio <= highest:
            pair = f"{names[numerator]} to {names[denominator].lower()}"
            faults.append(f"{what} of {pair} {ratio:.2f}, plausible are {lowest:g} to {highest:g}")
    return faults
