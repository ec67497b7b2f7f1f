"""An analysis small enough for unit tests: a head of blocks, a model that wants it, a runner without a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.domain.model_spec import ModelSpec
from inference.ports import ModelRunner, Tensor
from tests.support.model_packages import make_spec
from tests.support.synthetic_series import SeriesOptions, axial_grid, write_series

SHAPE: Final = (12, 16, 16)
SPACING_MM: Final = 2.0
STEP: Final = 100.0
"""Stored value of a voxel is its label times this."""

SPEC: Final = make_spec(labels=2, shape=(16, 16, 12))
"""Two structures; its network grid is as fine as the series."""

PLAIN: Final = SeriesOptions()


def blocks() -> NDArray[np.uint8]:
    """Draw two structures: 4 × 5 × 6 and 2 × 3 × 4 voxels of 8 mm³ in a (12, 16, 16) volume."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[3:7, 4:9, 5:11] = 1
    labels[8:10, 10:13, 3:7] = 2
    return labels


TRUE_VOLUMES_ML: Final = {"Structure 1": 0.96, "Structure 2": 0.192}


def write_blocks(folder: Path, options: SeriesOptions = PLAIN) -> list[Path]:
    """Write the blocks as a T1-weighted axial series of 2 mm voxels."""
    return write_series(folder, blocks() * STEP, axial_grid(SHAPE, (SPACING_MM,) * 3), options)


@dataclass
class ThresholdRunner(ModelRunner):
    """Reads the label off the brightness, which is what a network would have learnt.

    Parameters
    ----------
    classes
        Structures it tells apart, and background.
    failures
        Raised by the next runs, one each.
    on_run
        Called at the beginning of each run.
    ran
        Models that were run, in order.
    """

    classes: int = 3
    failures: list[Exception] = field(default_factory=list)
    on_run: Callable[[], object] | None = None
    ran: list[ModelSpec] = field(default_factory=list)

    def run(self, spec: ModelSpec, tensor: Tensor) -> tuple[Tensor, ...]:
        """Give the class whose brightness is nearest the highest logit."""
        self.ran.append(spec)
        if self.on_run is not None:
            self.on_run()
        if self.failures:
            raise self.failures.pop(0)
        logits = [-np.abs(tensor[:, 0] - STEP * value) for value in range(self.classes)]
        return (np.stack(logits, axis=1),)

    def providers(self, spec: ModelSpec) -> tuple[str, ...]:
        """Name what it runs on."""
        return ("TestProvider",)
