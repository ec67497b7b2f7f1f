"""Golden numbers are the same wherever a graph computes the same, and tell where it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.domain.model_spec import Layout, ModelSpec, OutputKind
from inference.errors import ModelContractViolated
from inference.ports import ModelRunner, Tensor
from models import golden_numbers
from models.golden import differences, make_golden
from models.golden_file import Golden, read_golden, write_golden
from models.golden_numbers import moments, pattern, samples, voxels
from tests.support.model_packages import make_spec

Compute = Callable[[Tensor], Tensor | tuple[Tensor, ...]]

RANDOM = np.random.default_rng(1)


class Computed(ModelRunner):
    """Answers with what a function makes of the input."""

    def __init__(self, function: Compute) -> None:
        self._function = function

    def run(self, spec: ModelSpec, tensor: Tensor) -> tuple[Tensor, ...]:
        """Compute."""
        answer = self._function(tensor)
        return answer if isinstance(answer, tuple) else (answer,)

    def providers(self, spec: ModelSpec) -> tuple[str, ...]:
        """Name a device."""
        return ("TestExecutionProvider",)


def two_classes(tensor: Tensor) -> Tensor:
    """Give background where the input is dark, and a structure where it is bright."""
    return np.concatenate([-tensor, tensor], axis=1).astype(tensor.dtype)


def told(spec: ModelSpec, folder: Path, then: Compute, now: Compute) -> list[str]:
    """Make golden numbers with one function, and compare them with what another one says."""
    golden = make_golden(spec, folder, Computed(then))
    return list(differences(golden, spec, folder, Computed(now)))


# The input


def test_the_pattern_follows_its_formula() -> None:
    """Whoever reads the page can make it in another language."""
    spec = make_spec(shape=(8, 10, 12))
    spec = replace(spec, channels=spec.channels * 2)
    tensor = pattern(spec)
    assert tensor.shape == (1, 2, 8, 10, 12)
    assert tensor.dtype == np.float32
    for channel, index in ((0, (0, 0, 0)), (0, (3, 4, 5)), (1, (7, 2, 11))):
        u = [(2 * i + 1) / n - 1 for i, n in zip(index, (8, 10, 12), strict=True)]
        waves = [np.cos((2 + axis + channel) * np.pi * value) for axis, value in enumerate(u)]
        expected = 1 - sum(value**2 for value in u) + 0.5 * np.prod(waves)
        assert tensor[0, channel][index] == pytest.approx(expected, abs=1e-6)


def test_the_pattern_has_the_form_of_the_network_s_input() -> None:
    """Slices with their neighbours as channels, in half precision."""
    spec = make_spec(shape=(1, 16, 24))
    spec = replace(spec, graph=replace(spec.graph, layout=Layout.SLICE, context_slices=3, precision="float16"))
    tensor = pattern(spec)
    assert tensor.shape == (1, 3, 16, 24)
    assert tensor.dtype == np.float16
    assert not np.array_equal(tensor[0, 0], tensor[0, 1])


# The numbers


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.int64, np.uint8])
def test_moments_of_a_tensor_in_pieces_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    """Outputs are large; they are summed a piece at a time, in double precision."""
    monkeypatch.setattr(golden_numbers, "_CHUNK", 100)
    tensor = (RANDOM.normal(5, 2, (3, 7, 50)) * 10).clip(0, 255).astype(kind)
    exact = tensor.astype(np.float64)
    assert moments(tensor) == pytest.approx((exact.mean(), exact.std()))
    assert moments(np.zeros((0, 6), np.float32)) == (0.0, 0.0)


def test_samples_come_from_everywhere() -> None:
    """64 elements, from most rows and columns of a plane; all of a small tensor; none of none."""
    tensor = np.arange(64 * 64).reshape(1, 1, 64, 64)
    taken = np.array(samples(tensor), dtype=int)
    assert len(set(taken)) == 64
    assert len(set(taken // 64)) > 45
    assert len(set(taken % 64)) > 35
    assert set(samples(np.array([1.0, 2.0, 3.0]))) == {1.0, 2.0, 3.0}
    assert samples(np.zeros((0, 6))) == []


def test_voxels_are_counted_by_class() -> None:
    """The first of equal classes wins, as in arg max; an arg max taken in the graph is only counted."""
    spec = make_spec(labels=4)
    logits = RANDOM.integers(0, 6, (1, 5, 6, 6, 6)).astype(np.float16)
    expected = np.bincount(logits.argmax(axis=1).ravel(), minlength=5).tolist()
    assert voxels(logits, spec) == expected
    labels = logits.argmax(axis=1)
    assert voxels(labels, replace(spec, output=OutputKind.LABEL_MAP)) == expected
    assert voxels(logits, replace(spec, output=OutputKind.SIGMOID)) == []


# Making and comparing


def test_the_file_holds_what_was_made(tmp_path: Path) -> None:
    """Written and read it is the same, and the same graph says the same."""
    spec, runner = make_spec(), Computed(two_classes)
    golden = make_golden(spec, tmp_path, runner)
    assert read_golden(write_golden(golden, tmp_path).parent.parent) == golden
    assert (golden.sha256, golden.made_with) == (spec.reference.digest, "TestExecutionProvider")
    ((numbers,),) = (case.outputs for case in golden.cases)
    assert (numbers.name, numbers.type, numbers.shape) == ("logits", "float32", (1, 2, 16, 16, 16))
    assert sum(numbers.voxels) == 16**3
    assert min(numbers.voxels) > 100
    assert list(differences(golden, spec, tmp_path, runner)) == []


@pytest.mark.parametrize(
    ("now", "part"),
    [
        (lambda x: two_classes(x) + 0.05, "mean"),
        (lambda x: two_classes(x) * 1.1, "deviation"),
        (lambda x: np.roll(two_classes(x), 1, axis=-1), "of 64 values differ"),
        (lambda x: two_classes(-x), "background has"),
        (lambda x: two_classes(-x), "Structure 1 has"),
        (lambda x: two_classes(x)[..., :-1], "of shape (1, 2, 16, 16, 15) instead of"),
        (lambda x: two_classes(x).astype(np.float16), "float16 of shape"),
    ],
)
def test_another_computation_is_told(tmp_path: Path, now: Callable[[Tensor], Tensor], part: str) -> None:
    """A shift, a scale, another place, classes exchanged, another shape or type."""
    (line,) = told(make_spec(), tmp_path, two_classes, now)
    assert line.startswith("pattern, logits: ")
    assert part in line


def test_rounding_of_another_machine_is_not_told(tmp_path: Path) -> None:
    """Another order of sums changes the last digits; voxels on a border may change sides."""
    noise = RANDOM.normal(0, 1e-3, (1, 2, 16, 16, 16)).astype(np.float32)
    assert told(make_spec(), tmp_path, two_classes, lambda x: two_classes(x) + noise) == []


def test_half_precision_may_be_farther_off(tmp_path: Path) -> None:
    """What is too far off for single precision is within the rounding of half."""
    spec = make_spec()
    half = replace(spec, graph=replace(spec.graph, precision="float16"))

    def noisy(x: Tensor) -> Tensor:
        return two_classes(x) + np.asarray(0.015, dtype=x.dtype)

    assert told(spec, tmp_path, two_classes, noisy) != []
    assert told(half, tmp_path, two_classes, noisy) == []


def test_the_tolerance_is_the_file_s(tmp_path: Path) -> None:
    """A maker who knows that machines differ says so."""
    spec = make_spec()
    golden = make_golden(spec, tmp_path, Computed(two_classes), tolerance=0.2)
    assert list(differences(golden, spec, tmp_path, Computed(lambda x: two_classes(x) * 1.1))) == []


def test_a_voxel_beside_a_border_is_not_told(tmp_path: Path) -> None:
    """Of a label map that the graph gives, a value in 64 may be of the neighbouring class; more are told."""
    spec = replace(make_spec(), output=OutputKind.LABEL_MAP)

    def labels(x: Tensor) -> Tensor:
        return (x[:, 0] > 0).astype(np.int64)

    def moved(by: int) -> Callable[[Tensor], Tensor]:
        def other(x: Tensor) -> Tensor:
            answer = labels(x)
            flat = answer.reshape(-1)
            steps = np.arange(1, 1 + by) * 0.6180339887498949
            flat[np.floor(steps % 1 * flat.size).astype(int)] ^= 1
            return answer

        return other

    assert told(spec, tmp_path, labels, moved(1)) == []
    assert "3 of 64 values differ" in told(spec, tmp_path, labels, moved(3))[0]


def test_detections_have_golden_numbers(tmp_path: Path) -> None:
    """Three tensors, which may be empty."""
    spec = make_spec()
    spec = replace(
        spec, output=OutputKind.DETECTION, graph=replace(spec.graph, outputs=("boxes", "scores", "values"))
    )

    def found(count: int) -> Callable[[Tensor], tuple[Tensor, ...]]:
        return lambda _: (np.ones((count, 6), np.float32), np.ones(count, np.float32), np.ones(count, np.int64))

    assert told(spec, tmp_path, found(0), found(0)) == []
    assert told(spec, tmp_path, found(2), found(2)) == []
    assert len(told(spec, tmp_path, found(2), found(0))) == 3


def test_numbers_of_other_weights_or_outputs_are_told(tmp_path: Path) -> None:
    """They say nothing about these."""
    spec, runner = make_spec(), Computed(two_classes)
    golden = make_golden(spec, tmp_path, runner)
    other = replace(spec, reference=replace(spec.reference, digest="f" * 64))
    assert list(differences(golden, other, tmp_path, runner)) == ["they are of other weights (000000000000)"]
    renamed = replace(spec, graph=replace(spec.graph, outputs=("scores",)))
    assert list(differences(golden, renamed, tmp_path, runner)) == ["pattern: they are of other outputs"]


# Tensor files


def test_a_tensor_file_is_an_input_as_well(tmp_path: Path) -> None:
    """A prepared head says more than a pattern; it is given in the model's precision."""
    spec = make_spec()
    (tmp_path / "golden").mkdir()
    np.save(tmp_path / "golden" / "head.npy", RANDOM.normal(0, 1, (1, 1, 16, 16, 16)).astype(np.float16))
    types = []

    def watched(x: Tensor) -> Tensor:
        types.append(x.dtype.name)
        return two_classes(x)

    golden = make_golden(spec, tmp_path, Computed(watched))
    assert [case.input for case in golden.cases] == ["pattern", "head.npy"]
    assert types == ["float32", "float32"]
    (line,) = differences(golden, spec, tmp_path, Computed(lambda x: two_classes(np.where(x > 1.6, 0, x))))
    assert line.startswith("head.npy, logits: ")


@pytest.mark.parametrize(
    "tensor",
    [
        np.zeros((1, 1, 16, 16, 15), np.float32),
        np.zeros((1, 1, 16, 16, 16), np.int16),
        np.full((1, 1, 16, 16, 16), None),
        b"no tensor",
    ],
    ids=["shape", "integers", "objects", "nonsense"],
)
def test_a_tensor_file_that_does_not_fit_is_told(tmp_path: Path, tensor: object) -> None:
    """By its name."""
    path = tmp_path / "golden" / "head.npy"
    path.parent.mkdir()
    if isinstance(tensor, bytes):
        path.write_bytes(tensor)
    else:
        np.save(path, tensor)
    with pytest.raises(ModelContractViolated, match=r"golden/head\.npy"):
        make_golden(make_spec(), tmp_path, Computed(two_classes))


# The file


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda x: x | {"schema_version": 2}, "schema_version"),
        (lambda x: x | {"cases": []}, "cases"),
        (lambda x: x | {"more": 1}, "more"),
        (lambda x: [], "its start"),
    ],
)
def test_a_file_that_is_not_valid_is_told(
    tmp_path: Path, change: Callable[[dict[str, object]], object], place: str
) -> None:
    """With the place of its first fault."""
    path = write_golden(make_golden(make_spec(), tmp_path, Computed(two_classes)), tmp_path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(ModelContractViolated, match=f"is not valid, first at {place}"):
        read_golden(tmp_path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A package without golden numbers."""
    with pytest.raises(ModelContractViolated, match=r"golden/golden\.json cannot be read \(FileNotFoundError\)"):
        read_golden(tmp_path)


def test_a_case_names_no_file_elsewhere(tmp_path: Path) -> None:
    """A package reads no file outside its golden folder."""
    golden = make_golden(make_spec(), tmp_path, Computed(two_classes)).model_dump(mode="json")
    golden["cases"][0]["input"] = "../../secret.npy"
    with pytest.raises(ValueError, match="input"):
        Golden.model_validate_json(json.dumps(golden))
