"""The network: a small U-Net that sees the whole head at 2.2 mm, and a local stage that draws borders at 1.1 mm.

Both stages work on folded voxels (space to depth, Shi et al. 2016, arXiv:1609.05158): eight neighbours become eight
channels, so that the convolutions run on an eighth of the positions and the answer still has every voxel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES: Final = 18
FOLD: Final = 2
PHASES: Final = FOLD**3
SLOPE: Final = 0.01
"""Of the leaky ReLU."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Channels of the layers.

    Parameters
    ----------
    coarse
        Of the U-Net, finest level (4.4 mm) first.
    image
        What the local stage makes of the image.
    context
        What it takes over from the U-Net.
    local
        Of the local stage's hidden layers.
    """

    coarse: tuple[int, ...] = (32, 64, 128)
    image: int = 24
    context: int = 24
    local: int = 32


def fold(x: Tensor) -> Tensor:
    """Turn (N, C, 2D, 2H, 2W) into (N, 8C, D, H, W); phase ``4 z + 2 y + x`` of channel 0 comes first."""
    n, c, d, h, w = x.shape
    cells = x.reshape(n, c, d // FOLD, FOLD, h // FOLD, FOLD, w // FOLD, FOLD)
    return cells.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(n, c * PHASES, d // FOLD, h // FOLD, w // FOLD)


def unfold(x: Tensor) -> Tensor:
    """Undo ``fold``."""
    n, c, d, h, w = x.shape
    cells = x.reshape(n, c // PHASES, FOLD, FOLD, FOLD, d, h, w)
    return cells.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(n, c // PHASES, d * FOLD, h * FOLD, w * FOLD)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions with instance normalisation, which takes out what scanners do to brightness."""
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        layers += [
            nn.Conv3d(width, outputs, 3, padding=1, bias=False),
            nn.InstanceNorm3d(outputs, affine=True),
            nn.LeakyReLU(SLOPE, inplace=True),
        ]
    return nn.Sequential(*layers)


class Coarse(nn.Module):
    """Whole head at 2.2 mm, folded to 4.4 mm: features that know where in the head they are."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        c = widths.coarse
        self.down = nn.ModuleList(_block(PHASES if i == 0 else c[i - 1], c[i]) for i in range(len(c)))
        self.up = nn.ModuleList(_block(c[i] + c[i + 1], c[i]) for i in range(len(c) - 1))
        self.head = nn.Conv3d(c[0], CLASSES * PHASES, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Give the features (N, C, D/2, H/2, W/2) of a head (N, 1, D, H, W) at 2.2 mm."""
        x = fold(x)
        skips = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool3d(x, 2) if level else x)
            skips.append(x)
        for level in reversed(range(len(self.up))):
            x = self.up[level](torch.cat([skips[level], F.interpolate(x, scale_factor=2.0, mode="nearest")], 1))
        return x


class Local(nn.Module):
    """Borders at 1.1 mm, folded to 2.2 mm. No normalisation, so that a part of a head is seen as the whole is."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.image = nn.Conv3d(PHASES, widths.image, 3, padding=1)
        self.first = nn.Conv3d(widths.image + widths.context, widths.local, 3, padding=1)
        self.second = nn.Conv3d(widths.local, widths.local, 3, padding=1)
        self.head = nn.Conv3d(widths.local, CLASSES * PHASES, 1)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Give the last features of an image (N, 1, D, H, W) and a context at half its resolution."""
        image = F.leaky_relu(self.image(fold(x)), SLOPE)
        hidden = F.leaky_relu(self.first(torch.cat([image, context], 1)), SLOPE)
        return hidden + F.leaky_relu(self.second(hidden), SLOPE)


class Student(nn.Module):
    """Input (N, 1, D, H, W), 1.1 mm, z-scored over the field of view, sides multiples of 16; output logits, as large.

    Parameters
    ----------
    widths
        Channels.
    """

    def __init__(self, widths: Widths = Widths()) -> None:
        super().__init__()
        self.coarse = Coarse(widths)
        self.context = nn.Conv3d(widths.coarse[0], widths.context * PHASES, 1)
        self.local = Local(widths)

    def contexts(self, features: Tensor) -> Tensor:
        """Bring the U-Net's features to the local stage's positions."""
        return unfold(self.context(features))

    def forward(self, x: Tensor) -> Tensor:
        """Give the logits of every voxel, float16: they are the largest array by far, and that is exact enough."""
        features = self.coarse(F.avg_pool3d(x, 2))
        return unfold(self.local.head(self.local(x, self.contexts(features))).half())


def phase_logits(head: nn.Conv3d, features: Tensor, phase: int) -> Tensor:
    """Give the logits (N, classes, …) of one of the eight voxels of every cell: training need not make them all."""
    chosen = slice(phase, None, PHASES)
    return F.conv3d(features, head.weight[chosen], None if head.bias is None else head.bias[chosen])
