"""``dicom-node models``: looking at packages, from a data scientist's folder or on a node."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from dicom_node import bootstrap
from dicom_node.cli import cli
from inference.errors import ModelContractViolated, ModelNotFound, WeightsMismatch
from models.manifest import manifest_schema
from tests.support.model_packages import Graph
from tests.support.written_packages import Values, changed, manifest_values, write_manifest, write_package

Models = Callable[..., Result]

IN_ORDER = "manifest, model card, weights, graph and golden numbers are in order"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Models:
    """Give the command on a node whose further models lie in ``models``."""
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("NODE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("NODE_MODELS_DIRS", str(tmp_path / "models"))
    monkeypatch.setenv("NODE_EXECUTION_PROVIDER", "cpu")
    monkeypatch.setattr(bootstrap, "configure_logs", lambda _: None)
    return lambda *arguments: CliRunner().invoke(cli, ["models", *map(str, arguments)])


def broken(folder: Path) -> None:
    write_manifest(folder, {"schema_version": 2, "nonsense": 1})


# verify


def test_a_package_that_is_in_order_is_said_to_be(models: Models, tmp_path: Path) -> None:
    """Exit status 0, nothing on standard error, and no trace in the data folder."""
    folder = write_package(tmp_path / "mine")
    verified = models("verify", folder)
    assert (verified.exit_code, verified.stderr) == (0, "")
    assert verified.stdout == f"{folder}: {IN_ORDER}\n"
    assert not (tmp_path / "data").exists()


def flip_a_byte(folder: Path) -> None:
    weights = folder / "model.onnx"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)


def count_wrong(folder: Path) -> None:
    """Give the manifest a label that the graph does not have."""
    values = manifest_values()
    (label,) = values["labels"]
    labels = [label, {**label, "value": 2, "name": "Another"}]
    write_package(folder, {**values, "labels": labels}, Graph(), golden=False)


def change(**changes: object) -> Callable[[Path], object]:
    """Change the manifest by dotted places, with ``__`` for the dot."""
    places = {place.replace("__", "."): value for place, value in changes.items()}

    def apply(folder: Path) -> None:
        write_manifest(folder, changed(values_of(folder), places))

    return apply


def values_of(folder: Path) -> Values:
    digest = next(word for word in (folder / "manifest.toml").read_text().split('"') if len(word) == 64)
    return changed(manifest_values(), {"graph.sha256": digest})


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (flip_a_byte, "small 1.0.0: weights: model.onnx: the weights are not those of the manifest; "),
        (count_wrong, "small 1.0.0: graph: output logits is [1, 2, 'd', 'h', 'w'], the manifest says [1, 3, "),
        (change(labels__0__plausble_ml=[0, 1]), 'mine: manifest: labels["Structure"].plausble_ml: unknown key; '),
        (change(model__licence=None), "mine: manifest: model.licence: missing. "),
        (change(model__licence=""), "mine: manifest: model.licence: blank. "),
        (lambda folder: (folder / "MODEL_CARD.md").unlink(), "small 1.0.0: model card: no MODEL_CARD.md: "),
        (lambda folder: (folder / "golden" / "golden.json").unlink(), "small 1.0.0: golden numbers: "),
    ],
    ids=["flipped byte", "label count", "unknown key", "no licence", "blank licence", "no card", "no golden numbers"],
)
def test_what_is_wrong_is_one_clear_line(
    models: Models, tmp_path: Path, spoil: Callable[[Path], object], line: str
) -> None:
    """On standard error, with exit status 1."""
    folder = write_package(tmp_path / "mine")
    spoil(folder)
    verified = models("verify", folder)
    assert verified.exit_code == 1
    assert verified.stdout == ""
    (told,) = verified.stderr.splitlines()
    assert told.startswith(line)


def test_a_wrong_label_count_is_told_with_both_numbers(models: Models, tmp_path: Path) -> None:
    """The graph's classes and the manifest's labels."""
    count_wrong(folder := tmp_path / "mine")
    told = models("verify", folder).stderr
    assert "[1, 2, " in told
    assert "(the manifest has 2 labels, which makes 3 classes)" in told


def test_every_package_of_the_node_is_verified_whatever_is_wrong_with_another(models: Models, tmp_path: Path) -> None:
    """Damaged weights are found although another package has the same weights unharmed."""
    write_package(tmp_path / "models" / "whole", manifest_values("whole"))
    flip_a_byte(write_package(tmp_path / "models" / "flipped", manifest_values("flipped")))
    broken(tmp_path / "models" / "odd")
    verified = models("verify")
    assert verified.exit_code == 1
    assert [Path(line.split(": ")[0]).name for line in verified.stdout.splitlines()] == ["brain_structures", "whole"]
    flipped, odd = verified.stderr.splitlines()
    assert flipped.startswith("flipped 1.0.0: weights: ")
    assert odd.startswith("odd: ")
    assert "nonsense: unknown key" in odd


def test_all_versions_of_one_model_can_be_verified(models: Models, tmp_path: Path) -> None:
    """By its id; one that nobody knows is an error."""
    for version in ("1.0.0", "2.0.0"):
        write_package(tmp_path / "models" / "small" / version, manifest_values(version=version))
    broken(tmp_path / "models" / "other")
    verified = models("verify", "small")
    assert (verified.exit_code, verified.stderr) == (0, "")
    assert verified.stdout.count(IN_ORDER) == 2
    assert models("verify", "other").exit_code == 1
    assert isinstance(models("verify", "unknown").exception, ModelNotFound)


# list


def test_packages_are_listed_with_those_that_cannot_be_used(models: Models, tmp_path: Path) -> None:
    """Id, version, digest, what the node does with it, title; a broken package is told on standard error."""
    for version in ("1.0.0", "1.1.0"):
        write_package(tmp_path / "models" / version, manifest_values(version=version), golden=False)
    broken(tmp_path / "models" / "odd")
    listed = models("list")
    first, *small = [line.split("\t") for line in listed.stdout.splitlines()]
    assert first[0] == "brain_structures"
    assert [(row[1], row[3], row[4]) for row in small] == [
        ("1.0.0", "inactive", "Small model"),
        ("1.1.0", "active", "Small model"),
    ]
    assert all(len(row[2]) == 12 for row in small)
    assert listed.stderr.startswith("odd\tunusable\t")


# golden and schema


def test_golden_numbers_are_made_by_a_command(models: Models, tmp_path: Path) -> None:
    """After it the package is in order; what they were made with stands in the file."""
    folder = write_package(tmp_path / "mine", golden=False)
    assert models("verify", folder).exit_code == 1
    made = models("golden", folder, "--tolerance", "0.2")
    assert made.exit_code == 0, made.output
    golden = json.loads((folder / "golden" / "golden.json").read_text())
    assert golden["made_with"] == "CPUExecutionProvider"
    assert golden["cases"][0]["outputs"][0]["tolerance"]["relative"] == 0.2
    assert models("verify", folder).exit_code == 0


@pytest.mark.parametrize(
    ("spoil", "error"), [(flip_a_byte, WeightsMismatch), (change(model__licence=None), ModelContractViolated)]
)
def test_no_golden_numbers_are_made_of_a_faulty_package(
    models: Models, tmp_path: Path, spoil: Callable[[Path], object], error: type[Exception]
) -> None:
    """They would bless what is not the maker's."""
    folder = write_package(tmp_path / "mine", golden=False)
    spoil(folder)
    assert isinstance(models("golden", folder).exception, error)
    assert not (folder / "golden").exists()


def test_the_schema_is_printed(models: Models) -> None:
    """JSON Schema, ready for an editor."""
    printed = json.loads(models("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(printed)
    assert printed == manifest_schema()
    jsonschema.validate(manifest_values(), printed)
