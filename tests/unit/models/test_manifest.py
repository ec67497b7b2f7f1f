"""A manifest is read strictly: what is misspelt, missing or impossible is told, all of it at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.domain.model_spec import Normalisation, OutputKind, Placement, Weighting
from inference.errors import ModelContractViolated
from models.catalogue import builtin_models_root
from models.manifest import load_manifest

MANIFEST = builtin_models_root() / "brain_structures" / "manifest.toml"


def edited(folder: Path, pattern: str, replacement: str) -> Path:
    """Write the built-in manifest with one place changed; the pattern must be there."""
    content, count = re.subn(pattern, replacement, MANIFEST.read_text(encoding="utf-8"), count=1)
    assert count == 1
    path = folder / "manifest.toml"
    path.write_text(content, encoding="utf-8")
    return path


def fault(path: Path) -> str:
    with pytest.raises(ModelContractViolated) as caught:
        load_manifest(path)
    return caught.value.message


def test_the_built_in_manifest_is_read() -> None:
    """Every part of the contract arrives in the core's words."""
    spec = load_manifest(MANIFEST)
    assert spec.reference.model_id == "brain_structures"
    assert spec.weights == MANIFEST.parent / "model.onnx"
    assert (spec.input_name, spec.output_name) == ("image", "logits")
    assert spec.selection.sequence == "T1"
    assert "HEAD" in spec.selection.body_parts
    assert spec.preprocess.orientation == "LIA"
    assert spec.preprocess.shape == (80, 80, 96)
    assert spec.preprocess.localisation is Localisation.HEAD
    assert spec.preprocess.normalisation is Normalisation.ZSCORE
    assert spec.output is OutputKind.LABEL_MAP_LOGITS
    assert [label.value for label in spec.labels] == list(range(1, 18))
    thalamus = spec.labels[6]
    assert (thalamus.type.value, thalamus.type.scheme) == ("42695009", "SCT")
    assert thalamus.min_volume_ml < 15 < thalamus.max_volume_ml
    assert spec.plausibility.total_ml[0] < 1200 < 1700 < spec.plausibility.total_ml[1]
    assert spec.plausibility.ratios
    assert spec.plausibility.contrasts
    assert spec.publication.procedure.value == "24590-2"


def test_structures_differ_in_name_code_and_colour() -> None:
    """A reader of the SEG can tell them apart."""
    labels = load_manifest(MANIFEST).labels
    for distinct in ({x.name for x in labels}, {x.type.value for x in labels}, {x.colour_rgb for x in labels}):
        assert len(distinct) == len(labels)


@pytest.mark.parametrize(
    ("pattern", "replacement", "told"),
    [
        ("min_slices = ", "minimum_slices = ", "selection.minimum_slices: Extra inputs are not permitted"),
        (r"schema_version = 1", "schema_version = 2", "schema_version"),
        (r'id = "brain_structures"', 'id = "../brain"', "model.id"),
        (r'version = "0.1.0"', 'version = "1"', "model.version"),
        (r'title = ".*"', f'title = "{"x" * 41}"', "model.title"),
        (r'sha256 = "..', 'sha256 = "', "weights.sha256"),
        (r'file = "model.onnx"', 'file = "../model.onnx"', "a file inside the package folder"),
        (r'file = "model.onnx"', 'file = "/model.onnx"', "a file inside the package folder"),
        (r'file = "model.onnx"', 'file = ""', "a file inside the package folder"),
        (r'orientation = "LIA"', 'orientation = "LRA"', "one per patient axis"),
        (r'orientation = "LIA"', 'orientation = "LIAS"', "one per patient axis"),
        (r"spacing_mm = \[2.0", "spacing_mm = [0.0", "preprocess.spacing_mm.0"),
        (r"shape = \[80", "shape = [100000", "preprocess.shape.0"),
        (r"'field", "'(field", "not a regular expression"),
        (r'sequence = "T1"', 'sequence = "T3"', "selection.sequence"),
        (r"total_ml = \[800.0, 2200.0\]", "total_ml = [2200.0, 800.0]", "the first limit must be below the second"),
        (r"total_ml = \[800.0", "total_ml = [nan", "plausibility.total_ml"),
        (r"\nvalue = 7\n", "\nvalue = 70\n", "count up from 1 without a hole"),
        (r'name = "Thalamus"', 'name = "Putamen"', "label names must differ"),
        (r"numerator = 1,", "numerator = 18,", "a ratio names a label that does not exist"),
        (r"contrasts = \[\n    \{ numerator = 2", "contrasts = [\n    { numerator = 18", "a ratio names a label"),
        (r'meaning = "Thalamus"', f'meaning = "{"x" * 65}"', "labels.6.type.meaning"),
        (r"colour_rgb = \[245", "colour_rgb = [256", "labels.0.colour_rgb.0"),
        (r"series_number = 9001", "series_number = 0", "publication.series_number"),
        (r"schema_version = 1", "schema_version = ", "cannot be read"),
    ],
)
def test_a_fault_is_named_by_its_place(tmp_path: Path, pattern: str, replacement: str, told: str) -> None:
    """Each wrong value is found and told with its key."""
    assert told in fault(edited(tmp_path, pattern, replacement))


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    """Who fixes a manifest does it in one go."""
    path = edited(tmp_path, "min_slices = ", "minimum_slices = ")
    path.write_text(path.read_text().replace('orientation = "LIA"', 'orientation = "XYZ"'))
    message = fault(path)
    for part in ("selection.min_slices", "selection.minimum_slices", "preprocess.orientation"):
        assert part in message


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"\xff\xfe\x00")])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """Absent or not UTF-8 (TOML 1.0) is a broken package, not a crash."""
    path = edited(tmp_path, "min_slices", "min_slices")
    spoil(path)
    assert "cannot be read" in fault(path)


def test_optional_parts_may_be_left_out(tmp_path: Path) -> None:
    """A model that takes any sequence and has no ratio limits is a model too."""
    content = MANIFEST.read_text(encoding="utf-8")
    tables = (r"(?s)ratios = \[.*?\n\]\n", r"(?s)contrasts = \[.*?\n\]\n")
    for pattern in (r'sequence = "T1"\n', r"body_parts = .*\n", *tables):
        content = re.sub(pattern, "", content, count=1)
    path = tmp_path / "manifest.toml"
    path.write_text(content, encoding="utf-8")
    spec = load_manifest(path)
    assert spec.selection.sequence is None
    assert spec.selection.body_parts == frozenset()
    assert spec.plausibility.ratios == spec.plausibility.contrasts == ()
