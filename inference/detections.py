"""Boxes and points in the network's voxels to detections in the patient."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from inference.domain.answer import Detected, Detection
from inference.domain.geometry import FloatArray, Grid
from inference.domain.model_spec import ModelSpec
from inference.errors import ModelContractViolated, NonFiniteOutput
from inference.ports import Tensor


def detected(outputs: tuple[Tensor, ...], grid: Grid, spec: ModelSpec) -> Detected:
    """Place what was detected in the patient.

    Parameters
    ----------
    outputs
        Boxes (n, 6), (z0, y0, x0, z1, y1, x1), or points (n, 3), (z, y, x), in voxels of the network grid, whole
        numbers being voxel centres; scores (n,) 0..1; label values (n,).
    grid
        The network grid.
    spec
        The model, whose labels have thresholds.

    Returns
    -------
    Detected
        At or above their label's threshold, surest first.

    Raises
    ------
    ModelContractViolated
        If the shapes do not agree, a score is no probability, a label is not the model's or a box is inside out.
    NonFiniteOutput
        If a number is none.
    """
    places, scores = (output.astype(np.float64) for output in outputs[:2])
    values = outputs[2].astype(np.intp)
    _check(places, scores, values, spec)
    thresholds = np.array([label.threshold for label in spec.labels])[values - 1]
    kept = np.flatnonzero(scores >= thresholds)
    surest_first = kept[np.argsort(-scores[kept], kind="stable")]
    return Detected(
        tuple(_detection(places[index], grid, int(values[index]), float(scores[index])) for index in surest_first)
    )


def _check(places: FloatArray, scores: FloatArray, values: NDArray[np.intp], spec: ModelSpec) -> None:
    name, count = f"model {spec.reference.model_id}", len(scores)
    if scores.shape != (count,) or values.shape != (count,) or places.shape not in {(count, 3), (count, 6)}:
        shapes = f"{places.shape}, {scores.shape} and {values.shape}"
        raise ModelContractViolated(f"{name}: the outputs are {shapes}, not (n, 6) or (n, 3), (n,) and (n,)")
    if not (np.isfinite(places).all() and np.isfinite(scores).all()):
        raise NonFiniteOutput(f"{name}: a detection is not finite")
    if ((scores < 0) | (scores > 1)).any():
        raise ModelContractViolated(f"{name}: a score is not between 0 and 1")
    if ((values < 1) | (values > len(spec.labels))).any():
        raise ModelContractViolated(f"{name}: a detection has a label that is not the manifest's")
    if places.size > 3 * count and (places[:, :3] > places[:, 3:]).any():
        raise ModelContractViolated(f"{name}: a box ends before it begins")


def _detection(place: NDArray[np.float64], grid: Grid, value: int, score: float) -> Detection:
    if len(place) == 3:
        return Detection(value, score, _position(grid.to_lps(place)))
    corners = grid.to_lps(np.array(list(product(*zip(place[:3], place[3:], strict=True)))))
    centre = grid.to_lps((place[:3] + place[3:]) / 2)
    return Detection(value, score, _position(centre), tuple(_position(corner) for corner in corners))


def _position(lps_mm: FloatArray) -> tuple[float, float, float]:
    x, y, z = lps_mm
    return float(x), float(y), float(z)
