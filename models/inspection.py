"""Looking a model package over: whether this node may run it, and computes with it what its maker saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inference.domain.model_spec import ModelSpec, OutputKind
from inference.errors import ModelContractViolated, NodeError, WeightsMismatch
from inference.ports import ModelRunner
from models.golden import differences
from models.golden_file import read_golden
from models.golden_numbers import pattern
from models.manifest import MANIFEST_NAME, read_manifest
from models.weights import FURTHER_FILES, verify

MODEL_CARD: Final = "MODEL_CARD.md"


@dataclass(frozen=True, slots=True)
class PackageFault:
    """One reason not to run a package.

    Parameters
    ----------
    package
        Its id and version, or the name of its folder where the manifest does not tell.
    part
        What is at fault: ``manifest``, ``model card``, ``weights``, ``graph`` or ``golden numbers``.
    message
        What is wrong and what to do.
    """

    package: str
    part: str
    message: str

    def __str__(self) -> str:
        """Give the fault as a line."""
        return f"{self.package}: {self.part}: {self.message}"


def verify_package(folder: Path, runner: ModelRunner) -> list[PackageFault]:
    """List every reason not to run a package; an empty list means that it may be activated.

    Looks at the manifest, the model card, the weights' digest, the graph and the golden numbers, in this order; what
    needs a part that is at fault is not tried.

    Parameters
    ----------
    folder
        The package.
    runner
        Runs the graph, on the device on which the node would.
    """
    read = read_manifest(folder / MANIFEST_NAME)
    if isinstance(read, ModelSpec):
        name = f"{read.reference.model_id} {read.reference.version}"
        parts = [*_card(folder), *_computation(read, folder, runner)]
    else:
        name = folder.resolve().name
        parts = [*(("manifest", fault) for fault in read), *_card(folder)]
    return [PackageFault(name, part, message) for part, message in parts]


def _card(folder: Path) -> Iterator[tuple[str, str]]:
    try:
        written = (folder / MODEL_CARD).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        written = ""
    if not written:
        yield "model card", f"no {MODEL_CARD}: say where the weights come from, what they are for and where they fail"


def _computation(spec: ModelSpec, folder: Path, runner: ModelRunner) -> Iterator[tuple[str, str]]:
    try:
        verify(spec)
    except WeightsMismatch as error:
        said = _said(error, spec)
        yield "weights", f"{spec.graph.weights.name}: {said}; {_weights_advice(said)}"
        return
    try:
        golden = read_golden(folder)
    except ModelContractViolated as error:
        advice = f"make it with `dicom-node models golden {folder}` where the model is known to be right"
        yield "golden numbers", f"{error.message}; {advice}"
        golden = None
    try:
        if golden is None:
            runner.run(spec, pattern(spec))
            return
        for difference in differences(golden, spec, folder, runner):
            yield "golden numbers", f"{difference}; this is not what the model's maker saw, do not use it here"
    except ModelContractViolated as error:
        yield "graph", f"{_said(error, spec)} ({_classes(spec)})"
    except NodeError as error:
        yield "graph", f"it could not be run here: {_said(error, spec)}"


def _weights_advice(said: str) -> str:
    if said == FURTHER_FILES:
        return "export it as one file (torch.onnx.export with external_data=False)"
    changed = "whoever changed the file on purpose gives it a new version, graph.sha256 and golden numbers"
    return f"install the package again; {changed}"


def _said(error: NodeError, spec: ModelSpec) -> str:
    """Give an error's message without the name of the model, which stands at the head of the line."""
    return error.message.removeprefix(f"model {spec.reference.model_id}: ")


def _classes(spec: ModelSpec) -> str:
    """Say how many classes the labels of the manifest ask for."""
    count = len(spec.labels)
    with_none = spec.output in {OutputKind.LABEL_MAP_LOGITS, OutputKind.CLASSIFICATION_LOGITS, OutputKind.LABEL_MAP}
    return f"the manifest has {count} labels, which makes {count + 1 if with_none else count} classes"
