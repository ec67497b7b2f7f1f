"""The default model refuses what is no T1-weighted brain, whatever its header says: a reason, never a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from dicom_node.demo.phantom import T1_BRIGHTNESS, load_labels
from inference.domain.geometry import Grid
from inference.domain.volume import Volume
from inference.engine import EngineOptions, OnnxModelRunner
from inference.errors import ImplausibleResult
from inference.measure import check_plausible, measure
from inference.postprocess import postprocess
from inference.preprocess import preprocess
from inference.tiling import run_over
from inference.uids import OutputUIDs
from models.catalogue import FolderCatalogue, builtin_models_root
from models.weights import verify

pytestmark = pytest.mark.integration

SPEC = FolderCatalogue([builtin_models_root()]).get("brain_structures")
RUNNER = OnnxModelRunner(EngineOptions(provider="cpu", verify=verify))

LABELS = load_labels()
"""(R→L, S→I, P→A), 1 mm."""

GRID = Grid(
    LABELS.shape, np.array([-92.0, 107.0, 121.0]), np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]])
)

T2_BRIGHTNESS = {
    **dict.fromkeys(range(22), 0.3), 0: 0.01, 1: 0.35, 2: 0.55, 3: 0.95, 4: 0.95, 5: 0.35, 6: 0.55, 11: 0.95,
    12: 0.95, 18: 1.0, 19: 0.03, 20: 0.25, 21: 0.6,
}  # fmt: skip
"""Fluid bright, grey matter brighter than white."""

CT_BRIGHTNESS = {**dict.fromkeys(range(22), 0.5), 0: 0.01, 2: 0.51, 3: 0.48, 18: 0.48, 19: 1.0, 20: 0.5, 21: 0.45}
"""Bone bright, the brain flat."""

Array = NDArray[np.float32]


def drawn(brightness: Mapping[int, float], labels: NDArray[np.uint8] = LABELS) -> Array:
    """Draw a label map with partial volume and noise."""
    table = np.array([brightness[value] for value in range(22)], dtype=np.float32)
    blurred = sitk.GetArrayFromImage(sitk.DiscreteGaussian(sitk.GetImageFromArray(table[labels]), [0.4] * 3))
    return noisy(blurred)


def noisy(signal: Array) -> Array:
    rng = np.random.default_rng(1)
    real, imaginary = (rng.normal(0, 0.02, signal.shape) for _ in range(2))
    return np.hypot(signal + real, imaginary).astype(np.float32)


def radius(widths_mm: tuple[float, float, float]) -> Array:
    """Give each voxel's distance from the middle, 1 on the surface of an ellipsoid of these half-widths."""
    axes = [(np.arange(n) - n / 2) / w for n, w in zip(LABELS.shape, widths_mm, strict=True)]
    return np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij"))).astype(np.float32)


def bottle() -> Array:
    """Draw one material, round."""
    return noisy(np.where(radius((75, 90, 85)) < 1, 0.7, 0.01).astype(np.float32))


def melon() -> Array:
    """Draw a rind, flesh, and a darker, textured middle."""
    r = radius((78, 95, 88))
    texture = sitk.GetArrayFromImage(
        sitk.SmoothingRecursiveGaussian(
            sitk.GetImageFromArray(np.random.default_rng(2).normal(0, 3, r.shape).astype(np.float32)), 3.0
        )
    )
    layers = np.select([r > 1, r > 0.93, r > 0.5], [0.01, 0.3, 0.75], 0.45)
    return noisy(np.clip(layers + 0.3 * texture * (r < 0.5), 0, 1).astype(np.float32))


def empty_skull() -> Array:
    """Draw a head with water where the brain was."""
    labels = np.where((LABELS > 0) & (LABELS <= 17), 18, LABELS).astype(np.uint8)
    return drawn(T1_BRIGHTNESS, labels)


def negative() -> Array:
    """Draw the grey scale turned round, as a wrong MONOCHROME1 would be."""
    picture = drawn(T1_BRIGHTNESS)
    return picture.max() - picture


OBJECTS: Mapping[str, Callable[[], Array]] = {
    "gel bottle": bottle,
    "melon": melon,
    "empty skull": empty_skull,
    "T2 head": lambda: drawn(T2_BRIGHTNESS),
    "CT head": lambda: drawn(CT_BRIGHTNESS),
    "negative": negative,
    "upside down": lambda: np.ascontiguousarray(drawn(T1_BRIGHTNESS)[:, ::-1]),
    "noise": lambda: noisy(np.zeros(LABELS.shape, dtype=np.float32)),
}


def check(picture: Array) -> None:
    """Run the line up to the check of the result."""
    volume = Volume(picture, GRID, (None,) * GRID.shape[0])
    network = preprocess([volume], SPEC)
    answer = postprocess(run_over(network.tensor, SPEC, RUNNER), network.grid, volume.grid, SPEC)
    check_plausible(measure(answer, volume, SPEC, OutputUIDs("answer", "subject")), SPEC)


@pytest.mark.parametrize("name", list(OBJECTS))
def test_it_is_refused(name: str) -> None:
    """Either no head is found, or what the network says of it cannot be."""
    with pytest.raises(ImplausibleResult):
        check(OBJECTS[name]())


def test_a_head_is_not_refused() -> None:
    """The same drawing with the brightness of a T1-weighted image passes."""
    check(drawn(T1_BRIGHTNESS))
