"""Shift the classes' last biases until the volumes of the training heads are right on average.

Cross entropy with soft Dice leaves thin structures a little too thick. One number a class, found on heads of the
training, moves the borders back; nothing else of the network changes.

python -m models.brain_structures.training.calibrate student.pt calibrated.pt heads/*.npz
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.brain_structures.training.augment import FIELD, Head, lattice, load_head
from models.brain_structures.training.network import CLASSES, PHASES, Student

ROUNDS: Final = 12
RATE: Final = 0.7
"""Of the logarithm of a volume's ratio, in logits, that a round moves a class."""


def sampled(head: Head) -> tuple[Tensor, Tensor]:
    """Give the picture, (1, 1, D, H, W) and z-scored, and its labels on the network's grid around the brain."""
    index = lattice((0, 0, 0), FIELD, 1) + torch.from_numpy(head.centre.astype(np.float32))
    grid = (index / 127.5 - 1)[..., [2, 1, 0]][None]
    x = torch.nn.functional.grid_sample(head.images[0], grid, align_corners=True)
    labels = torch.nn.functional.grid_sample(head.labels, grid, mode="nearest", align_corners=True)
    return (x - x.mean()) / x.std(), labels[0, 0].long()


def found_shifts(network: Student, heads: Sequence[Head]) -> Tensor:
    """Give what to add to each class's logits, (classes,) float32; background stays."""
    answers, wanted = [], []
    with torch.no_grad():
        for head in heads:
            x, labels = sampled(head)
            answers.append(network(x)[0])
            wanted.append(torch.bincount(labels.flatten(), minlength=CLASSES).float())
    shifts = torch.zeros(CLASSES)
    for _ in range(ROUNDS):
        ratios = [
            torch.bincount((answer + shifts.half()[:, None, None, None]).argmax(0).flatten(), minlength=CLASSES)
            / volume
            for answer, volume in zip(answers, wanted, strict=True)
        ]
        error = torch.stack(ratios).clamp(0.2, 5).log().mean(0)
        print(" ".join(f"{100 * (float(part.exp()) - 1):+.0f}" for part in error[1:]), "%", flush=True)
        shifts[1:] -= RATE * error[1:]
    return shifts


def main() -> None:
    """Calibrate and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("heads", nargs="+", type=Path)
    arguments = parser.parse_args()
    network = Student()
    network.load_state_dict(torch.load(arguments.weights, map_location="cpu", weights_only=True))
    heads = [head for head in map(load_head, arguments.heads) if head.images]
    shifts = found_shifts(network.eval(), heads)
    bias = network.local.head.bias
    if bias is None:
        raise ValueError("the network's head has no bias")
    bias.data += shifts.repeat_interleave(PHASES)
    torch.save(network.state_dict(), arguments.out)


if __name__ == "__main__":
    main()
