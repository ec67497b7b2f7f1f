"""Results made to order: a label map with structures of known size and place, and the model that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.codes import ANATOMICAL_STRUCTURE, BRAIN, MILLILITRE, VOLUME, Code
from inference.domain.geometry import Grid
from inference.domain.identifiers import UID
from inference.domain.job import ModelReference
from inference.domain.model_spec import (
    ChannelSpec,
    GraphSpec,
    IntensitySpec,
    LabelSpec,
    ModelSpec,
    Normalisation,
    OutputKind,
    Placement,
    Plausibility,
    PreprocessSpec,
    Publication,
    SelectionRule,
    Task,
    Weighting,
)
from inference.domain.result import Measurement, Segment, AnalysisResult
from inference.domain.study import SeriesRevision
from inference.domain.volume import SourceFrame, Volume
from inference.encoding.objects import EncodingInput
from inference.uids import OutputUIDs
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

PRODUCED_AT = datetime(2026, 1, 2, 12, 30, 15, 250000, tzinfo=UTC)

STRUCTURES = (
    ("Thalamus", Code("42695009", "SCT", "Thalamus")),
    ("Hippocampus", Code("5366008", "SCT", "Hippocampus")),
    ("Brain Stem", Code("15926001", "SCT", "Brainstem")),
    ("Caudate", Code("11000004", "SCT", "Caudate nucleus")),
)


def make_spec(labels: int = 3, model_id: str = "brain-structures", digest: str = "ab" * 32) -> ModelSpec:
    """Give a model with structures of label values 1, 2, 3 and so on."""
    return ModelSpec(
        reference=ModelReference(model_id, "1.2.0", digest),
        title="Brain structures",
        intended_use="Research on brain volumes.",
        licence="Apache-2.0",
        manufacturer="NeuroNova",
        task=Task.SEGMENTATION,
        channels=(
            ChannelSpec(
                "T1",
                SelectionRule("MR", Weighting.T1, (), frozenset({"HEAD"}), 10, 3.0),
                IntensitySpec(Normalisation.ZSCORE, (0.0, 99.5)),
            ),
        ),
        preprocess=PreprocessSpec("LIA", (1.0, 1.0, 1.0), (64, 64, 64), Placement.CENTRE),
        graph=GraphSpec(Path("model.onnx"), "input", ("output",)),
        output=OutputKind.LABEL_MAP_LOGITS,
        labels=tuple(_label(value) for value in range(1, labels + 1)),
        plausibility=Plausibility((0.0, 5000.0), ()),
        publication=Publication(True, True, True, 9000, Code("24590-2", "LN", "Brain MRI"), BRAIN),
    )


def _label(value: int) -> LabelSpec:
    name, code = STRUCTURES[(value - 1) % len(STRUCTURES)]
    turn = (value - 1) // len(STRUCTURES)
    colour = (40 * value % 256, 90 * value % 256, 200 - 7 * value % 200)
    return LabelSpec(value, f"{name} {turn}" if turn else name, ANATOMICAL_STRUCTURE, code, colour, 0.0, 1000.0)


def make_result(labels: NDArray[np.uint8], grid: Grid, spec: ModelSpec, uids: OutputUIDs) -> AnalysisResult:
    """Measure a label map the slow and plain way, as an anchor for the code under test."""
    segments: list[Segment] = []
    for label in spec.labels:
        where = np.argwhere(labels == label.value)
        if len(where) == 0:
            continue
        measurement = Measurement(
            label.name,
            label.type,
            VOLUME,
            len(where) * grid.voxel_volume_ml,
            MILLILITRE,
            uids.tracking(label.value),
            f"{spec.reference.model_id} {label.name}",
        )
        x, y, z = grid.to_lps(where.mean(axis=0))
        segments.append(Segment(len(segments) + 1, label, len(where), (float(x), float(y), float(z)), measurement))
    found = {segment.label.value for segment in segments}
    total = Measurement("All structures", BRAIN, VOLUME, sum(s.volume.value for s in segments), MILLILITRE)
    absent = tuple(label for label in spec.labels if label.value not in found)
    return AnalysisResult(labels, tuple(segments), absent, (total,))


def blocks(shape: tuple[int, int, int], count: int = 3) -> NDArray[np.uint8]:
    """Draw blocks of different sizes, none symmetric in any axis, so that a flip is seen."""
    labels = np.zeros(shape, dtype=np.uint8)
    slices, rows, columns = shape
    for value in range(1, count + 1):
        top = 1 + (value - 1) * (rows - 2) // count
        bottom = max(top + 1, top + (rows - 2) // (count + 1))
        labels[1 : 2 + value % (slices - 2), top:bottom, 2 : 4 + value % (columns - 4)] = value
    return labels


@dataclass(frozen=True, eq=False)
class Case:
    """A source on disk and a result on it.

    Parameters
    ----------
    paths
        The source files.
    series
        The source as the node holds it.
    encoding
        What the encoder is given.
    """

    paths: Sequence[Path]
    series: SeriesRevision
    encoding: EncodingInput


def make_case(
    folder: Path,
    options: SeriesOptions | None = None,
    grid: Grid | None = None,
    labels: NDArray[np.uint8] | None = None,
    spec: ModelSpec | None = None,
) -> Case:
    """Write a synthetic series and put a result on it; omitted slices become slices without a frame."""
    grid = axial_grid((6, 20, 16), (2.5, 1.1, 0.9)) if grid is None else grid
    labels = blocks(grid.shape) if labels is None else labels
    array = (labels.astype(np.uint16) + 1) * 100
    paths = write_series(folder, array, grid, options or SeriesOptions())
    return case_of(paths, grid, labels, spec or make_spec(max(3, int(labels.max()))))


def case_of(paths: Sequence[Path], grid: Grid, labels: NDArray[np.uint8], spec: ModelSpec) -> Case:
    """Put a result on a series of single-frame files that lies on ``grid``."""
    series = revision_of(paths)
    headers = [dcmread(path, stop_before_pixels=True) for path in paths]
    volume = Volume(
        np.zeros(grid.shape, dtype=np.float32), grid, _frames(headers, grid), _frame_of_reference(headers[0])
    )
    uids = OutputUIDs.derive(series, spec.reference)
    result = make_result(labels, grid, spec, uids)
    return Case(paths, series, EncodingInput(volume, headers, result, spec, uids, PRODUCED_AT))


def _frames(headers: Sequence[Dataset], grid: Grid) -> tuple[SourceFrame | None, ...]:
    frames: list[SourceFrame | None] = [None] * grid.shape[0]
    for header in headers:
        index = round(grid.to_index(np.array(header.ImagePositionPatient, dtype=np.float64))[0])
        frames[index] = SourceFrame(UID(header.SOPInstanceUID), UID(header.SOPClassUID), None)
    return tuple(frames)


def _frame_of_reference(header: Dataset) -> UID | None:
    return UID(header.FrameOfReferenceUID) if "FrameOfReferenceUID" in header else None


def items(data_set: Dataset, meaning: str) -> list[Dataset]:
    """Find content items by the meaning of their concept name, at any depth."""
    found = []
    for item in data_set.get("ContentSequence") or ():
        names = item.get("ConceptNameCodeSequence") or ()
        if names and names[0].CodeMeaning == meaning:
            found.append(item)
        found += items(item, meaning)
    return found
