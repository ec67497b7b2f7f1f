"""Model packages on disk: a network that calls bright voxels bright, in as many versions as a test wants."""

from __future__ import annotations

import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inference.domain.job import ModelReference
from models.manifest import load_manifest
from tests.support import written_packages
from tests.support.model_packages import Graph

GRAPH_SHAPE: Final = (1, 1, "d", "h", "w")


@dataclass(frozen=True)
class Package:
    """What distinguishes a package.

    Parameters
    ----------
    version
        Semantic version.
    model_id
        Id.
    threshold
        From which probability on a voxel counts: another answer from the same weights.
    nodes
        Operators of the graph, all of which change nothing: other weights' digest.
    card
        The model card.
    golden
        Whether it has golden numbers.
    """

    version: str = "1.0.0"
    model_id: str = "bright_tissue"
    threshold: float = 0.5
    nodes: tuple[str, ...] = ("Identity",)
    card: str = "# Bright tissue\nFor tests only."
    golden: bool = False


def write_package(folder: Path, package: Package = Package()) -> Path:
    """Write a package into a folder, which is made, and give it."""
    changes = {
        "model.title": f"Bright tissue {package.version}",
        "preprocess.spacing_mm": [4.0, 4.0, 4.0],
        "preprocess.shape": [48, 48, 48],
        "output.kind": "sigmoid_logits",
        "labels.0.name": "Bright tissue",
        "labels.0.threshold": package.threshold,
    }
    values = written_packages.changed(written_packages.manifest_values(package.model_id, package.version), changes)
    graph = Graph(package.nodes, GRAPH_SHAPE, GRAPH_SHAPE)
    written_packages.write_package(folder, values, graph, package.golden)
    (folder / "MODEL_CARD.md").write_text(package.card, encoding="utf-8")
    return folder


def reference_of(package: Path) -> ModelReference:
    """Give the model that a package folder holds."""
    return load_manifest(package / "manifest.toml").reference


def as_zip(package: Path, path: Path, top: str = "") -> Path:
    """Pack a package folder as a zip archive, below ``top`` where that is given."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(package.rglob("*")):
            archive.write(file, f"{top}{file.relative_to(package)}")
    return path


def as_tar(package: Path, path: Path, top: str = ".") -> Path:
    """Pack a package folder as a tar archive, compressed as its name says."""
    with tarfile.open(path, f"w:{path.suffix.removeprefix('.').replace('tgz', 'gz')}") as archive:
        archive.add(package, top)
    return path
