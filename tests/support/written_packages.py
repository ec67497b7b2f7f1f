"""Model packages on disk, whole and small: a manifest to be changed, a graph by hand, a card and golden numbers."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from inference.engine import EngineOptions, OnnxModelRunner
from models.golden import make_golden
from models.golden_file import write_golden
from models.inspection import MODEL_CARD
from models.manifest import MANIFEST_NAME, load_manifest
from tests.support.model_packages import Graph, write_onnx

Values = dict[str, Any]

_CODE: Final = {"value": "1001", "scheme": "99NEURONOVA", "meaning": "Structure"}

_VALUES: Final[Values] = {
    "schema_version": 2,
    "model": {
        "id": "small",
        "version": "1.0.0",
        "title": "Small model",
        "intended_use": "Tests",
        "licence": "Apache-2.0",
        "manufacturer": "Tests",
    },
    "graph": {"file": "model.onnx", "sha256": "0" * 64, "input": "image", "outputs": ["logits"]},
    "channels": [
        {
            "name": "T1",
            "selection": {"modality": "MR", "sequence": "T1", "min_slices": 10, "max_slice_spacing_mm": 3.0},
            "intensity": {"normalisation": "zscore"},
        }
    ],
    "preprocess": {
        "orientation": "LIA",
        "spacing_mm": [2.0, 2.0, 2.0],
        "shape": [16, 16, 16],
        "placement": "centre",
    },
    "output": {"kind": "label_map_logits"},
    "publication": {
        "seg": True,
        "sr": True,
        "fhir": True,
        "series_number": 900,
        "procedure": {"value": "24590-2", "scheme": "LN", "meaning": "MR Brain"},
        "region": {"value": "12738006", "scheme": "SCT", "meaning": "Brain"},
    },
    "labels": [
        {
            "value": 1,
            "name": "Structure",
            "category": {"value": "91723000", "scheme": "SCT", "meaning": "Anatomical Structure"},
            "type": _CODE,
            "colour_rgb": [200, 30, 30],
        }
    ],
}


def manifest_values(model_id: str = "small", version: str = "1.0.0") -> Values:
    """Give the values of a small manifest, to be changed at will: one T1 series, one label, 16 voxels a side."""
    values = deepcopy(_VALUES)
    values["model"] |= {"id": model_id, "version": version}
    return values


def changed(values: Values, changes: dict[str, object]) -> Values:
    """Give a copy with other values at dotted places, e.g. ``labels.0.threshold``; None takes a key out."""
    copy = deepcopy(values)
    for place, value in changes.items():
        *way, last = place.split(".")
        table: Any = copy
        for part in way:
            table = table[int(part)] if isinstance(table, list) else table.setdefault(part, {})
        if value is None:
            del table[last]
        else:
            table[int(last) if isinstance(table, list) else last] = value
    return copy


def write_manifest(folder: Path, values: Values) -> Path:
    """Write a manifest and give the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / MANIFEST_NAME
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in values.items()), encoding="utf-8")
    return path


def write_package(
    folder: Path, values: Values | None = None, graph: Graph | None = None, golden: bool = True
) -> Path:
    """Write a package and give its folder.

    Parameters
    ----------
    folder
        Made where it is not there.
    values
        Of the manifest; the digest is put in.
    graph
        The network; the default gives two classes of which background wins everywhere.
    golden
        Whether golden numbers are made, which runs the graph.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = write_onnx(folder / "model.onnx", graph or Graph())
    values = deepcopy(values) if values is not None else manifest_values()
    values["graph"]["sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    manifest = write_manifest(folder, values)
    (folder / MODEL_CARD).write_text("# Small model\n\nFor tests.\n", encoding="utf-8")
    if golden:
        write_golden(make_golden(load_manifest(manifest), folder, cpu_runner()), folder)
    return folder


def cpu_runner() -> OnnxModelRunner:
    """Give an engine on the CPU with one thread."""
    return OnnxModelRunner(EngineOptions(provider="cpu", intra_op_threads=1))


def _toml(value: object) -> str:
    """Write a value as TOML, tables inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value)
