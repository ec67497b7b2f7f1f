"""The exports that people have run from a manifest alone, and say what a plain ONNX Runtime loop says.

The loops here turn, cut, scale and blend by themselves, with nothing of the node's: array axes are flipped instead of
sampled, which is the same where the volume has the network's spacing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from inference.domain.answer import Answer, Classified, Detected, Segmented
from inference.domain.volume import Volume
from inference.engine import EngineOptions, OnnxModelRunner
from inference.postprocess import postprocess
from inference.preprocess import preprocess
from inference.tiling import run_over
from models.manifest import load_manifest
from tests.support.graphs.networks import (
    write_classifier,
    write_detector,
    write_nnunet,
    write_segresnet,
    write_slice_network,
)
from tests.support.synthetic_series import axial_grid

MANIFEST = """
schema_version = 2

[model]
id = "exported"
version = "1.0.0"
task = "{task}"
title = "An exported network"
intended_use = "Tests"
licence = "Apache-2.0"
manufacturer = "Tests"

[publication]
seg = {draws}
sr = true
fhir = true
series_number = 900
procedure = {{ value = "24590-2", scheme = "LN", meaning = "MR Brain" }}
region = {{ value = "12738006", scheme = "SCT", meaning = "Brain" }}
"""

CHANNEL = """
[[channels]]
name = "{name}"
[channels.selection]
modality = "MR"
min_slices = 10
max_slice_spacing_mm = 3.0
[channels.intensity]
normalisation = "{scaling}"
"""

LABEL = """
[[labels]]
value = {value}
name = "Structure {value}"
category = {{ value = "91723000", scheme = "SCT", meaning = "Anatomical Structure" }}
type = {{ value = "100{value}", scheme = "99NEURONOVA", meaning = "Structure {value}" }}
"""


@dataclass(frozen=True)
class Wants:
    """What differs between the packages.

    Parameters
    ----------
    labels
        How many.
    channels
        Their names.
    scaling
        Of their intensities.
    task
        The type of job.
    """

    labels: int = 2
    channels: tuple[str, ...] = ("T1",)
    scaling: str = "zscore"
    task: str = "segmentation"


class Package:
    """A model package, written as a person would, and run as the node does.

    Parameters
    ----------
    folder
        Holds ``model.onnx`` already.
    sections
        Graph, preprocess and output as TOML.
    wants
        The rest.
    """

    def __init__(self, folder: Path, sections: str, wants: Wants = Wants()) -> None:
        weights = folder / "model.onnx"
        draws = wants.task == "segmentation"
        file = f'file = "model.onnx"\nsha256 = "{hashlib.sha256(weights.read_bytes()).hexdigest()}"\ninput = "image"'
        colour = "colour_rgb = [200, 30, 30]\n" if draws else ""
        manifest = [
            MANIFEST.format(task=wants.task, draws=str(draws).lower()),
            sections.replace("[graph]", f"[graph]\n{file}"),
            *(CHANNEL.format(name=name, scaling=wants.scaling) for name in wants.channels),
            *(LABEL.format(value=value) + colour for value in range(1, wants.labels + 1)),
        ]
        (folder / "manifest.toml").write_text("".join(manifest), encoding="utf-8")
        self.spec = load_manifest(folder / "manifest.toml")
        self._session = onnxruntime.InferenceSession(str(weights), providers=["CPUExecutionProvider"])

    def ask(self, *volumes: Volume) -> Answer:
        """Run it as the node does."""
        given = preprocess(volumes, self.spec)
        runner = OnnxModelRunner(EngineOptions(provider="cpu"))
        return postprocess(run_over(given.tensor, self.spec, runner), given.grid, volumes[0].grid, self.spec)

    def say(self, tensor: np.ndarray) -> Any:
        """Run the graph itself."""
        return self._session.run(None, {"image": tensor})[0]


def volume_of(shape: tuple[int, int, int], seed: int = 0, spacing: tuple[float, float, float] = (1, 1, 1)) -> Volume:
    """Make an axial volume: air, and something that changes slowly in it, with a little noise."""
    rng = np.random.default_rng(seed)
    d, h, w = (np.linspace(-1, 1, n) for n in shape)
    body = (d[:, None, None] ** 2 + h[:, None] ** 2 + w**2) < 0.8
    waves = 100 + 40 * np.sin(5 * d[:, None, None] + seed) * np.cos(4 * h[:, None]) + 30 * np.sin(7 * w)
    values = np.where(body, waves + rng.normal(0, 5, shape), 0).astype(np.float32)
    return Volume(values, axial_grid(shape, spacing), (None,) * shape[0])


def zscore(values: np.ndarray, nonzero: bool = False) -> np.ndarray:
    seen = values != 0 if nonzero else np.ones(values.shape, dtype=np.bool_)
    return np.where(seen, (values - values[seen].mean()) / values[seen].std(), values)


def padded(values: np.ndarray, window: tuple[int, ...]) -> tuple[np.ndarray, tuple[slice, ...]]:
    """Add zeros on both sides until a window fits; also tell where the values are."""
    missing = [max(0, side - n) for n, side in zip(values.shape, window, strict=True)]
    before = [m // 2 for m in missing]
    widths = [(b, m - b) for b, m in zip(before, missing, strict=True)]
    return np.pad(values, widths), tuple(slice(b, b + n) for b, n in zip(before, values.shape, strict=True))


def bell(window: tuple[int, ...]) -> np.ndarray:
    """Give the weights of MONAI's ``compute_importance_map`` with ``sigma_scale=0.125``."""
    each = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 8)) ** 2) for n in window]
    total = each[0]
    for one in each[1:]:
        total = total[..., None] * one
    return np.maximum(total, 1e-3)


def slide(package: Package, channels: np.ndarray, window: tuple[int, ...], classes: int) -> np.ndarray:
    """Slide as MONAI does it: half a window at a time, the last one put back to the end."""
    shape = channels.shape[1:]
    total, weights = np.zeros((classes, *shape)), np.zeros(shape)
    starts = [
        sorted({min(s, n - side) for s in range(0, n, side // 2)}) for n, side in zip(shape, window, strict=True)
    ]
    for start in product(*starts):
        here = tuple(slice(at, at + side) for at, side in zip(start, window, strict=True))
        given = channels[(slice(None), *here)][np.newaxis].astype(np.float32)
        total[(slice(None), *here)] += package.say(given)[0] * bell(window)
        weights[here] += bell(window)
    return total / weights


def assert_labels(answer: Answer, logits: np.ndarray) -> None:
    """Compare a label map with the arg max of logits, where they are not as good as equal."""
    assert isinstance(answer, Segmented)
    ordered = np.sort(logits, axis=0)
    clear = ordered[-1] - ordered[-2] > 1e-3
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(answer.masks[clear], logits.argmax(axis=0)[clear])
    assert len(np.unique(answer.masks)) == len(logits)


def assert_masks(answer: Answer, logits: np.ndarray, rounding: float = 1e-3) -> None:
    """Compare overlapping masks with the sign of logits."""
    assert isinstance(answer, Segmented)
    clear = np.abs(logits) > rounding
    assert clear.mean() > 0.98
    np.testing.assert_array_equal(answer.masks[clear], (logits > 0)[clear])
    assert 0.01 < answer.masks.mean() < 0.99


def test_a_network_of_a_monai_bundle(tmp_path: Path) -> None:
    """RAS, two channels, z-score of what is not zero, 64 voxels a side, overlap of a half, Gaussian weights."""
    write_segresnet(tmp_path / "model.onnx")
    sections = """
[graph]
outputs = ["logits"]
overlap = 0.5
batch = 2
[preprocess]
orientation = "RAS"
spacing_mm = [1.0, 1.0, 1.0]
shape = [64, 64, 64]
placement = "sliding"
[output]
kind = "label_map_logits"
"""
    package = Package(tmp_path, sections, Wants(channels=("T1", "FLAIR"), scaling="zscore_nonzero"))
    t1, flair = volume_of((40, 70, 90)), volume_of((40, 70, 90), seed=1)
    answer = package.ask(t1, flair)

    def upright(array: np.ndarray) -> np.ndarray:
        return array.transpose(2, 1, 0)[::-1, ::-1]

    both = [padded(zscore(upright(volume.array), nonzero=True), (64, 64, 64)) for volume in (t1, flair)]
    logits = slide(package, np.stack([values for values, _ in both]), (64, 64, 64), 3)
    inner = logits[(slice(None), *both[0][1])]
    assert_labels(answer, inner[:, ::-1, ::-1].transpose(0, 3, 2, 1))


def test_a_network_of_nnunet(tmp_path: Path) -> None:
    """Five levels, instance norm, a patch of 128 voxels a side fixed in the graph, mirrored."""
    write_nnunet(tmp_path / "model.onnx")
    sections = """
[graph]
outputs = ["logits"]
overlap = 0.5
mirror_axes = [1]
[preprocess]
orientation = "SPL"
spacing_mm = [1.0, 0.9, 0.9]
shape = [128, 128, 128]
placement = "sliding"
[output]
kind = "label_map_logits"
"""
    package = Package(tmp_path, sections)
    volume = volume_of((140, 90, 100), spacing=(1.0, 0.9, 0.9))
    answer = package.ask(volume)

    values, inside = padded(zscore(volume.array), (128, 128, 128))
    total, weights = np.zeros((3, *values.shape)), np.zeros(values.shape)
    for start in (0, 12):
        window = values[np.newaxis, np.newaxis, start : start + 128].astype(np.float32)
        said = [np.flip(package.say(np.flip(window, axes)), axes) for axes in ((), (3,))]
        total[:, start : start + 128] += np.mean(said, axis=0)[0] * bell((128, 128, 128))
        weights[start : start + 128] += bell((128, 128, 128))
    assert_labels(answer, (total / weights)[(slice(None), *inside)])


def test_a_network_that_sees_slices(tmp_path: Path) -> None:
    """A 2-D network, slid in the plane of each slice; its segments may overlap."""
    write_slice_network(tmp_path / "model.onnx", 1, 2)
    sections = """
[graph]
outputs = ["logits"]
layout = "slice"
batch = 5
[preprocess]
orientation = "IAL"
spacing_mm = [2.0, 1.0, 1.0]
shape = [1, 48, 40]
placement = "sliding"
[output]
kind = "sigmoid_logits"
"""
    package = Package(tmp_path, sections, Wants(scaling="minmax"))
    volume = volume_of((12, 60, 52), spacing=(2.0, 1.0, 1.0))
    answer = package.ask(volume)
    scaled = volume.array[::-1, ::-1] / volume.array.max()
    logits = np.stack([slide(package, one[np.newaxis], (48, 40), 2) for one in scaled], axis=1)
    assert_masks(answer, logits[:, ::-1, ::-1])


def test_a_network_of_half_precision_that_sees_neighbouring_slices(tmp_path: Path) -> None:
    """A 2.5-D network with two channels of three slices each, in a fixed field of view in the plane."""
    write_slice_network(tmp_path / "model.onnx", 6, 2, np.float16)
    sections = """
[graph]
outputs = ["logits"]
layout = "slice"
context_slices = 3
precision = "float16"
[preprocess]
orientation = "SPL"
spacing_mm = [2.0, 1.0, 1.0]
shape = [1, 48, 40]
placement = "centre"
[output]
kind = "sigmoid_logits"
"""
    package = Package(tmp_path, sections, Wants(channels=("T1", "FLAIR")))
    volumes = [volume_of((12, 60, 52), seed, (2.0, 1.0, 1.0)) for seed in (0, 1)]
    answer = package.ask(*volumes)
    seen = [np.pad(zscore(volume.array[:, 6:54, 6:46]), ((1, 1), (0, 0), (0, 0)), mode="edge") for volume in volumes]
    logits = np.full((2, 12, 60, 52), -9.0)
    for index in range(12):
        given = np.concatenate([one[index : index + 3] for one in seen])[np.newaxis].astype(np.float16)
        logits[:, index, 6:54, 6:46] = package.say(given)[0]
    assert_masks(answer, logits, rounding=0.02)


def test_a_network_that_labels_by_itself(tmp_path: Path) -> None:
    """The arg max is in the graph; what lies outside its field of view is background."""
    write_slice_network(tmp_path / "model.onnx", 1, 3, arg_max=True)
    sections = """
[graph]
outputs = ["labels"]
layout = "slice"
batch = 4
[preprocess]
orientation = "SPL"
spacing_mm = [2.0, 1.0, 1.0]
shape = [1, 48, 40]
placement = "centre"
[output]
kind = "label_map"
"""
    package = Package(tmp_path, sections, Wants(labels=3))
    volume = volume_of((12, 60, 52), spacing=(2.0, 1.0, 1.0))
    answer = package.ask(volume)
    assert isinstance(answer, Segmented)
    expected = np.zeros((12, 60, 52))
    seen = zscore(volume.array[:, 6:54, 6:46]).astype(np.float32)
    expected[:, 6:54, 6:46] = package.say(seen[:, np.newaxis])
    assert (answer.masks != expected).mean() < 1e-4
    assert len(np.unique(answer.masks)) > 2


def test_a_classifier(tmp_path: Path) -> None:
    """It sees the middle of the volume, once."""
    write_classifier(tmp_path / "model.onnx")
    sections = """
[graph]
outputs = ["findings"]
[preprocess]
orientation = "LIA"
spacing_mm = [1.0, 1.0, 1.0]
shape = [32, 32, 32]
placement = "centre"
[output]
kind = "classification"
"""
    package = Package(tmp_path, sections, Wants(labels=3, task="classification"))
    volume = volume_of((40, 50, 60))
    answer = package.ask(volume)
    assert isinstance(answer, Classified)
    middle = zscore(volume.array[4:36, 9:41, 14:46].transpose(2, 0, 1)[:, ::-1, ::-1])
    expected = package.say(middle[np.newaxis, np.newaxis].astype(np.float32))[0]
    np.testing.assert_allclose(answer.probabilities, expected, atol=1e-5)


def test_a_detector(tmp_path: Path) -> None:
    """Bright spots are found where they were put, in the patient, the brightest first."""
    write_detector(tmp_path / "model.onnx")
    sections = """
[graph]
outputs = ["boxes", "scores", "values"]
[preprocess]
orientation = "ILP"
spacing_mm = [1.0, 1.0, 1.0]
shape = [32, 32, 32]
placement = "centre"
[output]
kind = "detection"
"""
    package = Package(tmp_path, sections, Wants(scaling="none", task="detection"))
    volume = volume_of((40, 50, 60))
    volume.array[:] = -9
    spots = {(10, 20, 30): 3.0, (30, 12, 40): 1.0, (20, 35, 18): 2.0}
    for place, value in spots.items():
        volume.array[place] = value
    answer = package.ask(volume)
    assert isinstance(answer, Detected)
    brightest_first = sorted(spots, key=lambda place: -spots[place])
    for found, place in zip(answer.detections, brightest_first, strict=True):
        np.testing.assert_allclose(found.centre_lps_mm, volume.grid.to_lps(place), atol=1e-6)
        assert found.score == pytest.approx(1 / (1 + np.exp(-spots[place])))
        sides = np.ptp(np.array(found.corners_lps_mm), axis=0)
        np.testing.assert_allclose(sides, [4, 6, 2])
        assert found.label_value == 1 + (place[1] - 9) % 2
