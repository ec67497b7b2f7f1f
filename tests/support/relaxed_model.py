"""The built-in network under a manifest that believes anything, for small volumes that are no heads."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from models.catalogue import builtin_models_root

MODEL_ID: Final = "relaxed"

_CHANGES: Final = (
    ('id = "brain_structures"', f'id = "{MODEL_ID}"'),
    (r"shape = .*", "shape = [16, 16, 16]"),
    (r"min_slices = .*", "min_slices = 10"),
    ('placement = "head"', 'placement = "centre"'),
    (r"total_ml = .*", "total_ml = [0.0, 1e6]"),
    (r"plausible_ml = .*", "plausible_ml = [0.0, 1e6]"),
    (r"(?s)ratios = \[\n.*?\n\]\n", ""),
    (r"(?s)contrasts = \[\n.*?\n\]\n", ""),
)


def write_relaxed_model(root: Path) -> Path:
    """Write the package into a folder of packages, and give the folder."""
    built_in, folder = builtin_models_root() / "brain_structures", root / MODEL_ID
    folder.mkdir(parents=True)
    shutil.copy(built_in / "model.onnx", folder)
    manifest = (built_in / "manifest.toml").read_text(encoding="utf-8")
    for pattern, replacement in _CHANGES:
        manifest, count = re.subn(pattern, replacement, manifest)
        assert count, pattern
    (folder / "manifest.toml").write_text(manifest, encoding="utf-8")
    return root
