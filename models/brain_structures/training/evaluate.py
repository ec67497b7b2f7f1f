"""Measure the model through the node's own code, and write the tables of its card.

python -m models.brain_structures.training.evaluate --teacher model18cls_labels.onnx NAME=PATH[@PERCENTILE]

It needs nothing that the node does not need. ``make evaluate`` runs it on the developers' heads.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dicom_node.demo.phantom import Rendering, load_labels, write
from inference.domain.answer import Segmented
from inference.domain.geometry import Grid
from inference.domain.model_spec import ModelSpec
from inference.domain.volume import Volume
from inference.engine import EngineOptions, OnnxModelRunner
from inference.postprocess import postprocess
from inference.preprocess import preprocess
from inference.tiling import run_over
from models.brain_structures.training.compare import changed, dice, mirrored, volume_of, volumes_ml
from models.brain_structures.training.heads import conform, conformed_grid, open_volume
from models.brain_structures.training.teacher import Teacher
from models.manifest import load_manifest

PACKAGE: Final = Path(__file__).parents[1]
LARGE_ML: Final = 5.0
"""Structures of this volume and more are compared by volume."""

WHITE_MATTER, THALAMUS = 0, 6

Labels = NDArray[np.uint8]
Segment = Callable[[Volume, Grid], Labels]


@dataclass(frozen=True, eq=False)
class Compared:
    """One head against its reference.

    Parameters
    ----------
    name
        Of the head.
    dice : (17,) float64 ndarray
    ours_ml, theirs_ml : (17,) float64 ndarrays
        Volumes.
    """

    name: str
    dice: NDArray[np.float64]
    ours_ml: NDArray[np.float64]
    theirs_ml: NDArray[np.float64]

    @property
    def changes(self) -> NDArray[np.float64]:
        """Relative differences of the volumes."""
        return self.ours_ml / self.theirs_ml - 1


def segmenter(spec: ModelSpec) -> Segment:
    """Give what labels a volume on any grid, as the node does."""
    runner = OnnxModelRunner(EngineOptions(provider="cpu", intra_op_threads=os.cpu_count() or 1))

    def segment(volume: Volume, grid: Grid) -> Labels:
        given = preprocess([volume], spec)
        answer = postprocess(run_over(given.tensor, spec, runner), given.grid, grid, spec)
        if not isinstance(answer, Segmented):
            raise TypeError("the model does not segment")
        return answer.masks.astype(np.uint8)

    return segment


def compare(name: str, volume: Volume, reference: Labels, segment: Segment) -> Compared:
    """Compare on the teacher's grid."""
    grid = conformed_grid(volume.grid)
    ours = segment(volume, grid)
    overlap, voxel_ml = dice(ours, reference), grid.voxel_volume_ml
    return Compared(name, overlap, volumes_ml(ours, voxel_ml), volumes_ml(reference, voxel_ml))


def phantom(folder: Path, segment: Segment) -> Compared:
    """Compare the digital phantom with its truth, on its own grid."""
    volume = volume_of(*open_volume(write(folder, Rendering())[0].parent))
    truth = load_labels()
    truth = np.where(truth <= 17, truth, 0).astype(np.uint8)
    # the label map runs right to left, superior to inferior, posterior to anterior; slices run from the feet up
    on_slices = np.ascontiguousarray(truth[:, ::-1, ::-1].transpose(1, 2, 0))
    ours = segment(volume, volume.grid)
    voxel_ml = volume.grid.voxel_volume_ml
    return Compared(
        "phantom (truth)", dice(ours, on_slices), volumes_ml(ours, voxel_ml), volumes_ml(on_slices, voxel_ml)
    )


def retest(volume: Volume, segment: Segment) -> Iterator[tuple[str, float]]:
    """Give by how much each change of the picture moves the total volume, as a part of it."""
    total = float(volumes_ml(segment(volume, volume.grid), volume.grid.voxel_volume_ml).sum())
    for name, other in changed(volume).items():
        yield name, float(volumes_ml(segment(other, other.grid), other.grid.voxel_volume_ml).sum()) / total - 1


def laterality(volume: Volume, segment: Segment) -> float:
    """Give the mean overlap of the mirrored head's labels with the mirrored labels."""
    turned, axis = mirrored(volume)
    return float(dice(segment(turned, turned.grid), np.flip(segment(volume, volume.grid), axis)).mean())


def speed(volume: Volume, spec: ModelSpec) -> str:
    """Time the inference stage on a head of 256³: locate, resample, run, resample back."""
    segment = segmenter(spec)
    grid = conformed_grid(volume.grid)
    head = volume_of(conform(volume.array, volume.grid).astype(np.float32), grid)
    segment(head, grid)
    cpu, wall = time.process_time(), time.perf_counter()
    segment(head, grid)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return f"{cpu:.1f} CPU-s, {wall:.1f} s on {os.cpu_count()} cores; peak of this process {peak:.2f} GiB"


def heads_table(rows: Sequence[Compared]) -> str:
    """Lay out one row a head."""
    lines = [
        "| head | mean Dice | white matter | thalamus | total mL | reference mL | large structures within 10 % |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows:
        large = row.theirs_ml >= LARGE_ML
        within = int((np.abs(row.changes[large]) <= 0.1).sum())
        lines.append(
            f"| {row.name} | {row.dice.mean():.3f} | {row.dice[WHITE_MATTER]:.3f} | {row.dice[THALAMUS]:.3f}"
            f" | {row.ours_ml.sum():.0f} | {row.theirs_ml.sum():.0f} | {within} of {large.sum()} |"
        )
    return "\n".join(lines)


def structures_table(rows: Sequence[Compared], spec: ModelSpec) -> str:
    """Lay out one row a structure: Dice and difference of volume for each head."""
    lines = ["| structure | " + " | ".join(row.name for row in rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for index, label in enumerate(spec.labels):
        cells = [f"{row.dice[index]:.2f} ({100 * row.changes[index]:+.0f} %)" for row in rows]
        lines.append(f"| {label.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Evaluate on the heads that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--package", type=Path, default=PACKAGE, help="folder with manifest.toml")
    parser.add_argument("--weights", type=Path, help="another ONNX file than the package's, for a left-out head")
    parser.add_argument("--work", type=Path, default=Path("evaluation"), help="where the phantom is written")
    parser.add_argument("heads", nargs="+", metavar="NAME=PATH[@PERCENTILE]")
    arguments = parser.parse_args()
    spec = load_manifest(arguments.package / "manifest.toml")
    if arguments.weights:
        spec = replace(spec, graph=replace(spec.graph, weights=arguments.weights))
    heads = [_head(text) for text in arguments.heads]
    segment, teacher = segmenter(spec), Teacher(arguments.teacher)
    rows = [
        compare(name, volume, teacher.label(conform(volume.array, volume.grid, clip)), segment)
        for name, volume, clip in heads
    ]
    rows.append(phantom(arguments.work / "phantom", segment))
    print(heads_table(rows), structures_table(rows, spec), sep="\n\n", flush=True)
    for name, volume, _ in heads:
        moved = ", ".join(f"{what} {100 * part:+.1f} %" for what, part in retest(volume, segment))
        print(f"\n{name}: total volume when {moved}; mirrored Dice {laterality(volume, segment):.3f}", flush=True)
    print(f"\nInference stage: {speed(heads[0][1], spec)}")


def _head(text: str) -> tuple[str, Volume, float]:
    name, _, rest = text.partition("=")
    path, _, percentile = rest.partition("@")
    return name, volume_of(*open_volume(Path(path))), float(percentile or 99.9)


if __name__ == "__main__":
    main()
