"""Train the student on prepared heads; the same seed and steps give the same weights on the same machine.

python -m models.brain_structures.training.train --steps 6000 --out student.pt heads/*.npz [--leave-out NAME]
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.brain_structures.training.augment import (
    FIELD,
    FULL,
    LIGHT,
    Head,
    Picture,
    Strength,
    draw,
    lattice,
    load_head,
)
from models.brain_structures.training.network import CLASSES, PHASES, Student, phase_logits

PART: Final = (72, 80, 96)
"""Voxels of the part on which the local stage learns: an eighth of the field."""

PHASES_A_STEP: Final = 2
WARM_UP: Final = 100
SEEN: Final = 20
"""A class with fewer voxels in a sample says nothing about overlap."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How long and how fast.

    Parameters
    ----------
    steps
        Samples shown, one a step.
    learning_rate
        At its highest, after the warm-up; it falls to nothing as a half cosine.
    seed
        Of everything random.
    device
        ``cpu`` or ``cuda``.
    strength
        Of the augmentation.
    rarity
        Power of a class's rarity by which cross entropy weighs it; 0 for none.
    start
        Weights to go on from; None trains from scratch.
    """

    steps: int
    learning_rate: float = 3e-3
    seed: int = 0
    device: str = "cpu"
    strength: Strength = FULL
    rarity: float = 0.25
    start: Path | None = None


class Trainer:
    """Shows samples and steps the weights; keeps their moving mean, which is what is exported.

    Parameters
    ----------
    heads
        Prepared heads.
    settings
        Schedule.
    """

    def __init__(self, heads: Sequence[Head], settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self._heads, self._settings = heads, settings
        self._rng = np.random.default_rng(settings.seed)
        self._noise = torch.Generator().manual_seed(settings.seed)
        self._net = Student()
        if settings.start is not None:
            self._net.load_state_dict(torch.load(settings.start, weights_only=True))
        self._net.to(settings.device)
        self.mean = copy.deepcopy(self._net)
        self._optimiser = torch.optim.AdamW(self._net.parameters(), settings.learning_rate, weight_decay=1e-4)
        self._weight = class_weights(heads, settings.rarity).to(settings.device)
        self._whole = lattice((0, 0, 0), (FIELD[0] // 2, FIELD[1] // 2, FIELD[2] // 2), 2)

    def step(self, done: int) -> float:
        """Show one sample; return its loss."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._learning_rate(done)
        loss = self._loss()
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._net.parameters(), 5)
        self._optimiser.step()
        self._follow(min(0.998, (done + 1) / (done + 20)))
        return float(loss.detach())

    def _learning_rate(self, done: int) -> float:
        rest = 0.5 * (1 + np.cos(np.pi * done / self._settings.steps))
        return float(self._settings.learning_rate * min(1, (done + 1) / WARM_UP) * rest)

    def _follow(self, keep: float) -> None:
        with torch.no_grad():
            for slow, fast in zip(self.mean.parameters(), self._net.parameters(), strict=True):
                slow.lerp_(fast, 1 - keep)

    def _loss(self) -> Tensor:
        device = self._settings.device
        drawn = draw(self._heads[self._rng.integers(len(self._heads))], self._rng, self._settings.strength)
        whole = Picture(drawn, self._whole)
        coarse = whole.intensities(self._noise, blur=True)
        shift, scale = coarse.mean(), coarse.std() + 1e-3
        start = self._part()
        part = Picture(drawn, lattice(start, PART, 1))
        fine = (part.intensities(self._noise, blur=False) - shift) / scale
        coarse, fine = ((coarse - shift) / scale).to(device), fine.to(device)
        coarse_labels, fine_labels = whole.labels().to(device), part.labels().to(device)
        with torch.autocast(device, torch.bfloat16):
            features = self._net.coarse(coarse)
            local = self._net.local(fine, self._net.contexts(features[_cells(start)]))
        return self._overlap(self._net.coarse.head, features, coarse_labels) + self._overlap(
            self._net.local.head, local, fine_labels
        )

    def _part(self) -> tuple[int, int, int]:
        z, y, x = (4 * int(self._rng.integers((side - n) // 4 + 1)) for side, n in zip(FIELD, PART, strict=True))
        return z, y, x

    def _overlap(self, head: torch.nn.Conv3d, features: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy and soft Dice (Milletari et al. 2016, arXiv:1606.04797) of a few of the eight phases."""
        total = torch.zeros((), device=features.device)
        for phase in self._rng.choice(PHASES, PHASES_A_STEP, replace=False):
            wanted = labels[phase // 4 :: 2, phase // 2 % 2 :: 2, phase % 2 :: 2][None]
            logits = phase_logits(head, features.float(), int(phase))
            total = total + F.cross_entropy(logits, wanted, weight=self._weight) + soft_dice_loss(logits, wanted)
        return total / PHASES_A_STEP


def _cells(start: tuple[int, int, int]) -> tuple[slice, ...]:
    """Give the part's cells of 4.4 mm."""
    cells = (slice(first // 4, (first + n) // 4) for first, n in zip(start, PART, strict=True))
    return (slice(None), slice(None), *cells)


def soft_dice_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Give one minus the mean soft Dice of the classes that are there; background is one of them."""
    p = logits.softmax(1).flatten(2)[0]
    flat = labels.flatten()
    count = torch.bincount(flat, minlength=CLASSES).float()
    right = p.gather(0, flat[None])[0]
    both = torch.zeros(CLASSES, device=p.device).index_add(0, flat, right)
    dice = (2 * both + 1) / (p.sum(1) + count + 1)
    return 1 - dice[count >= SEEN].mean()


def class_weights(heads: Sequence[Head], rarity: float) -> Tensor:
    """Weigh rare structures more, by a power of their volume: it finds them sooner, and swells them."""
    count = sum(torch.bincount(head.labels.flatten().long(), minlength=CLASSES).float() for head in heads)
    weight = (count[2] / count.clamp(min=1)) ** rarity
    return weight.clamp(0.5, 4)


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heads", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--until", type=int, help="stop after so many of the steps, for a second run to finish")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--start", type=Path, help="weights of an earlier run to finish, gently")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="NAME")
    arguments = parser.parse_args()
    heads = [load_head(path) for path in arguments.heads if path.stem not in arguments.leave_out]
    settings = Settings(
        arguments.steps,
        arguments.learning_rate,
        arguments.seed,
        arguments.device,
        *((LIGHT, 0.0) if arguments.start else (FULL, 0.25)),
        arguments.start,
    )
    trainer = Trainer(heads, settings)
    began, recent = time.monotonic(), 0.0
    for done in range(arguments.until or arguments.steps):
        recent += 0.02 * (trainer.step(done) - recent)
        if done % 100 == 99:
            print(f"{done + 1} steps, {time.monotonic() - began:.0f} s, loss {recent:.3f}", flush=True)
            torch.save(trainer.mean.state_dict(), arguments.out)
    torch.save(trainer.mean.state_dict(), arguments.out)


if __name__ == "__main__":
    main()
