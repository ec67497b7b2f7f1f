"""Golden numbers: what a graph said on its maker's machine, so that any other machine can tell that it says the same.

A right digest shows that the weights are the maker's; golden numbers show that this node's runtime and device make of
them what the maker saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.domain.model_spec import ModelSpec, OutputKind
from inference.errors import ModelContractViolated
from inference.graph_contract import input_shape
from inference.ports import ModelRunner, Tensor
from models.golden_file import GOLDEN_FOLDER, PATTERN, Golden, GoldenCase, OutputNumbers, Tolerance
from models.golden_numbers import moments, pattern, rounded, samples, voxels

TOLERANCE: Final = 0.01
TOLERANCE_HALF: Final = 0.05
"""Where input or output are of half precision."""

_SMALLEST: Final = 1e-6
_HALF: Final = np.dtype(np.float16)


def make_golden(spec: ModelSpec, folder: Path, runner: ModelRunner, tolerance: float | None = None) -> Golden:
    """Run the graph on the pattern and on every tensor file of the golden folder, and note what it says.

    Parameters
    ----------
    spec
        The model.
    folder
        Its package.
    runner
        Runs the graph.
    tolerance
        Part of a tensor's standard deviation, and of a number itself, that another machine may be off; None for 0.01,
        or 0.05 where half precision is used. The count of a class may differ by a tenth of it, as part of all voxels.

    Raises
    ------
    ModelContractViolated
        If a tensor file does not fit, or the graph is not as the manifest says.
    InferenceError
        If the graph cannot be run.
    """
    files = sorted(path.name for path in (folder / GOLDEN_FOLDER).glob("*.npy"))
    cases = []
    for name in (PATTERN, *files):
        outputs = runner.run(spec, _input(name, spec, folder))
        cases.append(GoldenCase(input=name, outputs=tuple(_numbers(spec, outputs, tolerance))))
    made_with = ", ".join(runner.providers(spec))
    return Golden(schema_version=1, sha256=spec.reference.digest, made_with=made_with, cases=tuple(cases))


def differences(golden: Golden, spec: ModelSpec, folder: Path, runner: ModelRunner) -> Iterator[str]:
    """Run every case, and say where the graph says something else than it did on the maker's machine.

    Parameters
    ----------
    golden
        The package's golden numbers.
    spec
        The model.
    folder
        Its package.
    runner
        Runs the graph.

    Raises
    ------
    ModelContractViolated
        If a tensor file does not fit, or the graph is not as the manifest says.
    InferenceError
        If the graph cannot be run.
    """
    if golden.sha256 != spec.reference.digest:
        yield f"they are of other weights ({golden.sha256[:12]})"
        return
    for case in golden.cases:
        outputs = runner.run(spec, _input(case.input, spec, folder))
        found = list(_numbers(spec, outputs, None))
        if [numbers.name for numbers in found] != [numbers.name for numbers in case.outputs]:
            yield f"{case.input}: they are of other outputs"
            continue
        for now, then in zip(found, case.outputs, strict=True):
            faults = list(_deviations(now, then, spec))
            if faults:
                yield f"{case.input}, {now.name}: {', '.join(faults)}"


def _input(name: str, spec: ModelSpec, folder: Path) -> Tensor:
    """Give the input of a case, of the model's precision."""
    if name == PATTERN:
        return pattern(spec)
    try:
        tensor: NDArray[np.generic] = np.load(folder / GOLDEN_FOLDER / name, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ModelContractViolated(f"{GOLDEN_FOLDER}/{name} cannot be read ({type(error).__name__})") from error
    wanted = input_shape(spec, 1)
    if tensor.shape != wanted or tensor.dtype.kind != "f":
        found = f"{tensor.dtype} of shape {tensor.shape}"
        raise ModelContractViolated(f"{GOLDEN_FOLDER}/{name} holds {found}, not numbers of shape {wanted}")
    return tensor.astype(spec.graph.precision)


def _numbers(spec: ModelSpec, outputs: Sequence[Tensor], tolerance: float | None) -> Iterator[OutputNumbers]:
    for name, tensor in zip(spec.graph.outputs, outputs, strict=True):
        half = spec.graph.precision == "float16" or tensor.dtype == _HALF
        part = tolerance if tolerance is not None else TOLERANCE_HALF if half else TOLERANCE
        mean, deviation = moments(tensor)
        yield OutputNumbers(
            name=name,
            type=tensor.dtype.name,
            shape=tensor.shape,
            mean=rounded(mean),
            deviation=rounded(deviation),
            values=tuple(rounded(value) for value in samples(tensor)),
            voxels=tuple(voxels(tensor, spec)),
            tolerance=Tolerance(absolute=rounded(max(part * deviation, _SMALLEST)), relative=part, voxels=part / 10),
        )


def _deviations(now: OutputNumbers, then: OutputNumbers, spec: ModelSpec) -> Iterator[str]:
    """Name what is farther off than it may be; one voxel of a label map may lie just beside a border."""
    if (now.type, now.shape) != (then.type, then.shape):
        yield f"{now.type} of shape {now.shape} instead of {then.type} of shape {then.shape}"
        return
    allowed = then.tolerance
    for what in ("mean", "deviation"):
        is_, was = getattr(now, what), getattr(then, what)
        if abs(is_ - was) > allowed.absolute + allowed.relative * abs(was):
            yield f"{what} {is_:.6g} instead of {was:.6g}"
    is_, was = np.array(now.values), np.array(then.values)
    off = np.abs(is_ - was)
    wrong = np.count_nonzero(off > allowed.absolute + allowed.relative * np.abs(was))
    if wrong > (1 if spec.output is OutputKind.LABEL_MAP else 0):
        yield f"{wrong} of {was.size} values differ, by up to {off.max():.3g}"
    most = allowed.voxels * sum(then.voxels)
    names = ["background", *(label.name for label in spec.labels)]
    for name, counted, count in zip(names, now.voxels, then.voxels, strict=False):
        if abs(counted - count) > most:
            yield f"{name} has {counted} voxels instead of {count}"
