"""Endless different heads from a few: pose, shape, scanner, resolution, contrast, and things that are no head.

Everything random of one sample is drawn first (`Draw`) and then evaluated at any points of the field of view, so that
the whole head at 2.2 mm and a part of it at 1.1 mm show the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from dicom_node.demo.phantom import T1_BRIGHTNESS

FIELD: Final = (144, 160, 192)
"""Voxels of the network's field of view: right to left, superior to inferior, posterior to anterior."""

STEP_MM: Final = 1.1

TISSUES: Final = 24
"""0 air, 1..17 structures, 18.. the rest of the head: by brightness in real heads, by name in the phantom."""

VENTRICLES: Final = (4, 11, 12)


@dataclass(frozen=True, eq=False)
class Head:
    """A labelled head, ready to be sampled.

    Parameters
    ----------
    name
        Of the file.
    images : tuple of (1, 1, 256, 256, 256) float32 tensors
        0..1; as measured, then blurred along each axis as thick slices are. Empty for a head that is only drawn.
    labels, tissues, strip : (1, 1, 256, 256, 256) float32 tensors
        Structures; structures and the rest of the head; the brain with a margin.
    centre : (3,) ndarray
        Middle of the brain's bounds, index.
    lower_end : float
        Last index of the brain along superior to inferior.
    """

    name: str
    images: tuple[Tensor, ...]
    labels: Tensor
    tissues: Tensor
    strip: Tensor
    centre: NDArray[np.float64]
    lower_end: float


def load_head(path: Path) -> Head:
    """Read what ``prepare`` wrote, or the phantom (``labels`` only, with its own tissues)."""
    content = np.load(path)
    if "image" not in content:
        return _head(path.stem, None, *_phantom(content["labels"]))
    image = content["image"].astype(np.float32) / 255
    labels = content["labels"]
    return _head(path.stem, image, labels, _tissues(image, labels))


def _head(
    name: str, image: NDArray[np.float32] | None, labels: NDArray[np.uint8], tissues: NDArray[np.uint8]
) -> Head:
    bounds = np.array([(found.min(), found.max()) for found in np.nonzero(labels)])
    strip = ndimage.binary_dilation(labels > 0, iterations=4)
    images: tuple[Tensor, ...] = ()
    if image is not None:
        images = (_tensor(image), *(_tensor(ndimage.uniform_filter1d(image, 3, axis=axis)) for axis in range(3)))
    return Head(
        name, images, _tensor(labels), _tensor(tissues), _tensor(strip), bounds.mean(axis=1), float(bounds[1, 1])
    )


def _tensor(array: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))[None, None]


def _phantom(tissues: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    cube = np.zeros((256, 256, 256), dtype=np.uint8)
    low = [(256 - n) // 2 for n in tissues.shape]
    cube[tuple(slice(a, a + n) for a, n in zip(low, tissues.shape, strict=True))] = tissues
    return np.where(cube <= 17, cube, 0).astype(np.uint8), cube


def _tissues(image: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Tell the rest of the head apart by brightness: the ground for synthetic contrast."""
    closed = ndimage.binary_fill_holes(ndimage.binary_closing(image > 0.06, iterations=2))
    rest = closed & (labels == 0)
    limits = np.quantile(image[rest], [0.2, 0.4, 0.6, 0.85]) if rest.any() else np.zeros(4)
    tissues = labels.copy()
    tissues[rest] = 18 + np.digitize(image[rest], limits)
    return tissues


@dataclass(frozen=True, eq=False)
class Contrast:
    """Brightness of each tissue and the spread of its texture, (TISSUES,) float32 tensors."""

    means: Tensor
    spreads: Tensor


@dataclass(frozen=True, slots=True)
class Strength:
    """How far samples are from the heads they are made of.

    Parameters
    ----------
    drawn
        Part of the samples that are drawn from labels with random contrast.
    rotation
        Standard deviation of each angle, radians.
    bias
        Largest standard deviation of the logarithmic shading.
    noise
        Largest standard deviation of the noise, of the brightness range.
    thick
        Part of the samples that are blurred along an axis, as thick slices are.
    strip
        Part of the samples whose skull is taken off.
    """

    drawn: float = 0.3
    rotation: float = 0.17
    bias: float = 0.45
    noise: float = 0.06
    thick: float = 0.45
    strip: float = 0.12


FULL: Final = Strength()
LIGHT: Final = Strength(drawn=0.12, rotation=0.11, bias=0.3, noise=0.04, thick=0.3, strip=0.06)
"""For the end of the training, when what is left to learn is in the borders."""


@dataclass(frozen=True, eq=False)
class Draw:
    """Everything random of one sample; fields are ranges of the augmentation, see ``draw``."""

    head: Head
    matrix: Tensor
    centre: Tensor
    warp: Tensor
    bias: Tensor
    gamma: float
    noise: float
    image: int
    contrast: Contrast | None
    softness: float
    strip: bool
    cut: float
    blank: bool


def draw(head: Head, rng: Generator, strength: Strength = FULL) -> Draw:
    """Draw one sample's pose, shape, scanner and contrast."""
    drawn = not head.images or rng.random() < strength.drawn
    t1_like = rng.random() < (0.25 if head.images else 0.6)
    return Draw(
        head=head,
        matrix=torch.from_numpy(_pose(rng, strength.rotation).astype(np.float32)),
        centre=torch.from_numpy((head.centre + rng.normal(0, 6, 3)).astype(np.float32)),
        warp=_warp(rng),
        bias=_control(rng, 4, rng.uniform(0, strength.bias), 1),
        gamma=float(np.exp(rng.normal(0, 0.25))),
        noise=float(rng.uniform(0, strength.noise) * (rng.random() < 0.75)),
        image=0 if rng.random() >= strength.thick else int(rng.integers(1, 4)),
        contrast=_contrast(rng, t1_like) if drawn else None,
        softness=float(rng.uniform(0.2, 1)),
        strip=bool(rng.random() < strength.strip),
        cut=float(head.lower_end + rng.uniform(-2, 45)) if rng.random() < 0.5 else np.inf,
        blank=bool(rng.random() < 0.03),
    )


def _pose(rng: Generator, rotation: float) -> NDArray[np.float64]:
    """Rotation, anisotropic scale, a little shear, and sometimes a mirror."""
    angles = rng.normal(0, rotation, 3) if rng.random() < 0.9 else rng.uniform(-0.5, 0.5, 3)
    (a, b, c), (ca, cb, cc) = np.sin(angles), np.cos(angles)
    about_x = np.array([[1, 0, 0], [0, ca, -a], [0, a, ca]])
    about_y = np.array([[cb, 0, b], [0, 1, 0], [-b, 0, cb]])
    about_z = np.array([[cc, -c, 0], [c, cc, 0], [0, 0, 1]])
    shear = np.eye(3) + np.triu(rng.normal(0, 0.04, (3, 3)), 1)
    matrix = about_x @ about_y @ about_z @ shear @ np.diag(rng.uniform(0.9, 1.1) * rng.uniform(0.92, 1.08, 3))
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    return matrix


def _warp(rng: Generator) -> Tensor:
    """Draw displacements in mm, of two wavelengths."""
    wide, narrow = _control(rng, 5, rng.uniform(0, 4), 3), _control(rng, 9, rng.uniform(0, 1.8), 3)
    return narrow + F.interpolate(wide, size=(9, 9, 9), mode="trilinear", align_corners=True)


def _control(rng: Generator, points: int, spread: float, channels: int) -> Tensor:
    return torch.from_numpy(rng.normal(0, spread, (1, channels, points, points, points)).astype(np.float32))


def _contrast(rng: Generator, t1_like: bool) -> Contrast:
    """Draw a brightness and a texture for each tissue: like T1, or anything."""
    means, spreads = rng.uniform(0.1, 1, TISSUES), rng.uniform(0.01, 0.08, TISSUES)
    if t1_like:
        for tissue, brightness in T1_BRIGHTNESS.items():
            means[tissue] = brightness * rng.uniform(0.85, 1.15)
    elif rng.random() < 0.7:
        means[5], means[6] = means[1], means[2]
    means[list(VENTRICLES)] = means[3]
    means[0] = rng.uniform(0, 0.05)
    return Contrast(torch.from_numpy(means.astype(np.float32)), torch.from_numpy(spreads.astype(np.float32)))


def lattice(start: tuple[int, int, int], shape: tuple[int, int, int], step: int) -> Tensor:
    """Give points of the field of view, mm from its middle.

    Parameters
    ----------
    start
        First voxel of the 1.1 mm field.
    shape
        Points along each axis.
    step
        1 for voxels of 1.1 mm, 2 for their pairs' middles at 2.2 mm.

    Returns
    -------
    (*shape, 3) float32 tensor
    """
    axes = [
        (first + step * torch.arange(n, dtype=torch.float32) + (step - 1) / 2 - (side - 1) / 2) * STEP_MM
        for first, n, side in zip(start, shape, FIELD, strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


class Picture:
    """One draw, evaluated at points.

    Parameters
    ----------
    drawn
        The draw.
    points_mm : (D, H, W, 3) float32 tensor
        Where, from ``lattice``.
    """

    def __init__(self, drawn: Draw, points_mm: Tensor) -> None:
        self._draw = drawn
        half = torch.tensor(FIELD, dtype=torch.float32) * STEP_MM / 2
        self._relative = (points_mm / half)[..., [2, 1, 0]][None]
        warped = points_mm + self._smooth(drawn.warp)[0].permute(1, 2, 3, 0)
        index = warped @ drawn.matrix.T + drawn.centre
        self._inferior = index[..., 1]
        self._grid = (index / 127.5 - 1)[..., [2, 1, 0]][None]

    def _smooth(self, control: Tensor) -> Tensor:
        return F.grid_sample(control, self._relative, mode="bilinear", padding_mode="border", align_corners=True)

    def labels(self) -> Tensor:
        """Give the structures, (D, H, W) int64."""
        if self._draw.blank:
            return torch.zeros(self._grid.shape[1:4], dtype=torch.int64)
        return self._nearest(self._draw.head.labels).long()

    def _nearest(self, volume: Tensor) -> Tensor:
        return F.grid_sample(volume, self._grid, mode="nearest", align_corners=True)[0, 0]

    def intensities(self, generator: torch.Generator, blur: bool) -> Tensor:
        """Give the picture before normalisation, (1, 1, D, H, W) float32; ``blur`` for points of 2.2 mm."""
        drawn = self._draw
        x = self._measured() if drawn.contrast is None else self._drawn(drawn.contrast, generator)
        if drawn.blank:
            x = self._no_head(x)
        if drawn.strip:
            x = x * self._nearest(drawn.head.strip)
        if np.isfinite(drawn.cut):
            x = x * (self._inferior < drawn.cut)
        if blur:
            x = torch.lerp(x, _blurred(x), 0.4)
        x = x.clamp(0, 1.2) ** drawn.gamma * self._smooth(drawn.bias).exp()
        noise = drawn.noise * (PHASE_MEAN if blur else 1.0)
        return (x + noise * torch.randn(x.shape, generator=generator)).abs()

    def _measured(self) -> Tensor:
        return F.grid_sample(self._draw.head.images[self._draw.image], self._grid, align_corners=True)

    def _drawn(self, contrast: Contrast, generator: torch.Generator) -> Tensor:
        tissue = self._nearest(self._draw.head.tissues).long()[None, None]
        x = contrast.means[tissue] + contrast.spreads[tissue] * torch.randn(tissue.shape, generator=generator)
        return torch.lerp(x, _blurred(x), self._draw.softness)

    def _no_head(self, x: Tensor) -> Tensor:
        """Make an object that is no head: a blob of a head's size, of one or two materials."""
        folds = self._smooth(self._draw.warp.sum(1, keepdim=True))
        radius = self._relative.norm(dim=-1)[None] + 0.05 * folds
        return (radius < 0.85) * (0.5 + 0.2 * (radius < 0.4)) + 0.05 * x


def _blurred(x: Tensor) -> Tensor:
    return F.avg_pool3d(F.pad(x, (1, 1, 1, 1, 1, 1), mode="replicate"), 3, 1)


PHASE_MEAN: Final = 8**-0.5
"""What averaging eight voxels leaves of their noise."""
