"""From an analysis to its preview: what a person looks at before, or instead of, opening a viewer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inference.domain.result import AnalysisResult, Segment
from inference.domain.volume import Volume
from inference.encoding.overlay import letters
from inference.encoding.preview_file import (
    LARGEST_SIDE,
    LEVELS,
    Header,
    Masks,
    Place,
    Structure,
    compress,
    header_bytes,
)
from inference.encoding.windowing import Window


def build_preview(volume: Volume, result: AnalysisResult, window: Window, modality: str) -> list[bytes]:
    """Build the file of a preview.

    Parameters
    ----------
    volume
        The source.
    result
        What was found on its grid.
    window
        Which values are black and white.
    modality
        Of the source.

    Returns
    -------
    list of bytes
        The file, in parts.
    """
    every = -(-max(volume.grid.shape[1:]) // LARGEST_SIDE)
    array = volume.array[:, ::every, ::every]
    low, step, high = _levels(array)
    slices = compress([_stored(plane, low, step) for plane in array])
    drawn = [_drawn(result, index, every) for index in range(len(array))]
    masks = compress([plane for _, plane in drawn])
    header = Header(
        shape=array.shape,
        spacing_mm=_spacing(volume, every),
        modality=modality,
        low=low,
        step=step,
        high=high,
        window=(window.low, window.high),
        inverted=window.inverted,
        sides=_sides(volume),
        interpolated=tuple(index for index, frame in enumerate(volume.frames) if frame is None),
        structures=tuple(map(_structure, result.segments)),
    )
    places = _places([*slices, *masks])
    kept = zip(places[len(slices) :], (numbers for numbers, _ in drawn), strict=True)
    header = replace(
        header, slices=tuple(places[: len(slices)]), masks=tuple(Masks(place, numbers) for place, numbers in kept)
    )
    return [header_bytes(header), *slices, *masks]


def _levels(array: NDArray[np.float32]) -> tuple[float, float, float]:
    """Choose the value of 0, the step and the highest value: whole numbers stay whole where they fit."""
    finite = array[np.isfinite(array)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    whole = high - low <= LEVELS and bool((finite == np.rint(finite)).all())
    return low, 1.0 if whole else max(high - low, 1e-6) / LEVELS, high


def _stored(plane: NDArray[np.float32], low: float, step: float) -> bytes:
    levels = np.rint((np.nan_to_num(plane, nan=low, posinf=low, neginf=low) - low) / step)
    stored: bytes = np.clip(levels, 0, LEVELS).astype("<u2").tobytes()
    return stored


def _drawn(result: AnalysisResult, index: int, every: int) -> tuple[tuple[int, ...], bytes]:
    """Give what is drawn on a slice: a plane of label values, or masks of those that may overlap."""
    if result.labels is None:
        return (), b""
    if result.labels.ndim == 3:
        plane = result.labels[index, ::every, ::every]
        return (), plane.astype(np.uint8).tobytes() if plane.any() else b""
    values = [segment.label.value for segment in result.segments]
    planes = {value: result.labels[value - 1, index, ::every, ::every] for value in values}
    seen = {value: plane for value, plane in planes.items() if plane.any()}
    return tuple(seen), b"".join(plane.astype(np.uint8).tobytes() for plane in seen.values())


def _spacing(volume: Volume, every: int) -> tuple[float, float, float]:
    slice_mm, row_mm, column_mm = volume.grid.spacing_mm
    return slice_mm, row_mm * every, column_mm * every


def _sides(volume: Volume) -> tuple[str, str, str, str]:
    down, right = volume.grid.steps_mm[:, 1], volume.grid.steps_mm[:, 2]
    return letters(-right), letters(right), letters(-down), letters(down)


def _structure(segment: Segment) -> Structure:
    label = segment.label
    return Structure(
        number=label.value,
        label=label.name,
        code=label.type.value,
        laterality=label.laterality.value if label.laterality else None,
        colour_rgb=label.colour_rgb,
        volume_ml=round(segment.volume.value, 3),
        tracking_uid=str(segment.volume.tracking_uid),
    )


def _places(blobs: Iterable[bytes]) -> list[Place]:
    places, offset = [], 0
    for blob in blobs:
        places.append(Place(offset, len(blob)))
        offset += len(blob)
    return places
