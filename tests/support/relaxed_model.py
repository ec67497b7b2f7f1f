"""A package whose network calls bright what is brighter than the mean, for small volumes that are no heads."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.support.model_packages import Graph
from tests.support.written_packages import manifest_values, write_package

MODEL_ID: Final = "relaxed"

BRIGHT: Final = Graph(nodes=("Neg", "ConcatInput"))
"""Of a scaled input x the logits are -x for background and x for the one label."""


def write_relaxed_model(root: Path) -> Path:
    """Write the package into a folder of packages, and give the folder."""
    write_package(root / MODEL_ID, manifest_values(MODEL_ID), BRIGHT)
    return root
