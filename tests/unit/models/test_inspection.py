"""A package is looked over before it may run: each fault is a line that says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from inference.domain.model_spec import ModelSpec
from inference.errors import DeviceOutOfMemory
from inference.ports import ModelRunner, Tensor
from models.catalogue import builtin_models_root
from models.inspection import verify_package
from tests.support.model_packages import Graph
from tests.support.written_packages import Values, changed, cpu_runner, manifest_values, write_manifest, write_package


def lines(folder: Path, runner: ModelRunner | None = None) -> list[str]:
    return [str(fault) for fault in verify_package(folder, runner or cpu_runner())]


def with_labels(count: int) -> Values:
    values = manifest_values()
    (label,) = values["labels"]
    return values | {"labels": [label | {"value": n, "name": f"Structure {n}"} for n in range(1, count + 1)]}


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_whole_package_has_no_faults(tmp_path: Path) -> None:
    """Manifest, card, weights, graph and golden numbers."""
    assert lines(write_package(tmp_path / "small")) == []


def test_the_built_in_package_has_no_faults() -> None:
    """Its network computes here what it did where it was made."""
    assert lines(builtin_models_root() / "brain_structures") == []


# Manifest, licence and card


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model.licence": None}, "model.licence: missing. Licence of the weights"),
        ({"model.licence": " "}, "model.licence: blank. Licence of the weights"),
        ({"labels.0.plausble_ml": [0, 1]}, 'labels["Structure"].plausble_ml: unknown key; is plausible_ml meant?'),
    ],
    ids=["no licence", "blank licence", "unknown key"],
)
def test_every_fault_of_the_manifest_is_a_line(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    """Under the name of the folder; nothing is run."""
    folder = write_package(tmp_path / "mine", golden=False)
    write_manifest(folder, changed(manifest_values(), changes | {"graph.sha256": "x"}))
    first, second = sorted(lines(folder), key=lambda line: "sha256" in line)
    assert first.startswith(f"mine: manifest: {told}")
    assert second.startswith("mine: manifest: graph.sha256: ")


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text(" \n")])
def test_a_missing_card_is_told(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """Also beside a manifest that is at fault, and an empty one is none."""
    folder = write_package(tmp_path / "small")
    spoil(folder / "MODEL_CARD.md")
    (line,) = lines(folder)
    assert line.startswith("small 1.0.0: model card: no MODEL_CARD.md: say where the weights come from")
    write_manifest(folder, changed(manifest_values(), {"model.licence": None}))
    assert [line.split(": ")[1] for line in lines(folder)] == ["manifest", "model card"]


def test_a_folder_without_a_package_is_told(tmp_path: Path) -> None:
    """It has neither."""
    assert [line.split(": ")[1] for line in lines(tmp_path)] == ["manifest", "model card"]


# Weights


def test_a_flipped_byte_is_told(tmp_path: Path) -> None:
    """And the file is not run."""
    folder = write_package(tmp_path / "small")
    flip_a_byte(folder / "model.onnx")
    (line,) = lines(folder)
    assert line.startswith("small 1.0.0: weights: model.onnx: the weights are not those of the manifest; install")


def test_missing_weights_are_told(tmp_path: Path) -> None:
    """By the name of the file."""
    folder = write_package(tmp_path / "small")
    (folder / "model.onnx").unlink()
    (line,) = lines(folder)
    assert line.startswith("small 1.0.0: weights: model.onnx: the weights cannot be read; install the package again")


def test_weights_in_further_files_are_told(tmp_path: Path) -> None:
    """As exporters write them nowadays: the runtime would read them, whatever they are."""
    folder = write_package(tmp_path / "small", graph=Graph(further_file="model.onnx.data"), golden=False)
    (line,) = lines(folder)
    assert line.startswith("small 1.0.0: weights: model.onnx: the graph keeps weights in further files, which")
    assert "external_data=False" in line


# The graph


@pytest.mark.parametrize("classes", [2, "c"], ids=["declared", "left open"])
@pytest.mark.parametrize("golden", ["theirs", "none"])
def test_a_wrong_label_count_is_told_with_both_numbers(tmp_path: Path, classes: int | str, golden: str) -> None:
    """Whether the graph declares its classes or only shows them when it runs."""
    graph = Graph(output_shape=(1, classes, "d", "h", "w"))
    folder = write_package(tmp_path / "small", graph=graph)
    golden_file = folder / "golden" / "golden.json"
    content = golden_file.read_bytes()
    write_package(folder, with_labels(4), graph, golden=False)
    golden_file.unlink() if golden == "none" else golden_file.write_bytes(content)
    (line,) = [line for line in lines(folder) if ": graph: " in line]
    assert "[1, 2, " in line
    assert line.endswith("(the manifest has 4 labels, which makes 5 classes)")


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        (Graph(input_name="picture"), "no input named image"),
        (Graph(output_name="answer"), "no output named logits"),
        (Graph(input_type=11), "not float32"),
        (Graph(input_shape=(1, 3, "d", "h", "w")), "[1, 3, "),
        (Graph(input_shape=(1, 1, 32, 32, 32)), "[1, 1, 32, 32, 32]"),
        (Graph(nodes=("NoSuchOperator",)), "refuses the graph"),
    ],
    ids=["input name", "output name", "type", "channels", "size", "operator"],
)
def test_a_graph_that_is_not_the_manifest_s_is_told(tmp_path: Path, graph: Graph, told: str) -> None:
    """Names, types, channels and sizes; also where nobody made golden numbers."""
    folder = write_package(tmp_path / "small", graph=graph, golden=False)
    (line,) = [line for line in lines(folder) if ": graph: " in line]
    assert told in line


def test_a_device_that_fails_is_no_fault_of_the_package_but_is_told(tmp_path: Path) -> None:
    """What could not be tried is not in order."""

    class Full(ModelRunner):
        def run(self, spec: ModelSpec, tensor: Tensor) -> tuple[Tensor, ...]:
            raise DeviceOutOfMemory("the device had too little memory")

        def providers(self, spec: ModelSpec) -> tuple[str, ...]:
            return ()

    (line,) = lines(write_package(tmp_path / "small"), Full())
    assert line == "small 1.0.0: graph: it could not be run here: the device had too little memory"


# Golden numbers


def test_missing_golden_numbers_are_told_with_the_command(tmp_path: Path) -> None:
    """The package is not in order without."""
    folder = write_package(tmp_path / "small", golden=False)
    (line,) = lines(folder)
    assert line.startswith("small 1.0.0: golden numbers: golden/golden.json cannot be read")
    assert f"`dicom-node models golden {folder}`" in line


def test_other_numbers_are_told(tmp_path: Path) -> None:
    """A runtime, a device or a graph that computes something else."""
    folder = write_package(tmp_path / "small")
    golden = folder / "golden" / "golden.json"
    content = golden.read_bytes()
    write_package(folder, graph=Graph(nodes=("Neg", "Concat2")))
    was = golden.read_bytes()
    digest = was.split(b'"sha256": "')[1][:64]
    golden.write_bytes(content.replace(content.split(b'"sha256": "')[1][:64], digest))
    (line,) = lines(folder)
    assert line.startswith("small 1.0.0: golden numbers: pattern, logits: mean ")
    assert "of 64 values differ" in line
    assert line.endswith("this is not what the model's maker saw, do not use it here")
