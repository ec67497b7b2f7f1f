"""Results made to order: a label map with structures of known size and place, and the model that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.domain.charsets import LATIN_1
from inference.domain.codes import ANATOMICAL_STRUCTURE, BRAIN, MILLILITRE, NEOPLASM, VOLUME, Code
from inference.domain.geometry import Grid
from inference.domain.identifiers import UID
from inference.domain.job import ModelReference
from inference.domain.masks import Masks
from inference.domain.model_inputs import ModelInputs
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
from inference.domain.result import AnalysisResult, Finding, Measurement, Place, Segment, TumorDetection
from inference.domain.study import SeriesRevision
from inference.domain.volume import SourceFrame, Volume
from inference.encoding.encoding_input import EncodingInput
from inference.headers import read_headers
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


LESIONS = Code("49755003", "SCT", "Morphologically Abnormal Structure")
EDEMA = Code("79654002", "SCT", "Edema")


def lesion_spec(task: Task = Task.TUMOR_DETECTION, output: OutputKind = OutputKind.SIGMOID_LOGITS) -> ModelSpec:
    """Give a model of a tumour and the edema around it."""
    spec = make_spec(2, "tumour-finder")
    tumour, edema = (replace(label, category=LESIONS) for label in spec.labels)
    labels = (replace(tumour, name="Tumour", type=NEOPLASM), replace(edema, name="Edema", type=EDEMA))
    return replace(spec, task=task, output=output, labels=labels, title="Tumour finder")


def mask_of(labels: Masks, value: int) -> NDArray[np.bool_]:
    """Give where a label is, (slices, rows, columns)."""
    mask: NDArray[np.bool_] = labels[value - 1] == 1 if labels.ndim == 4 else labels == value
    return mask


def make_result(labels: Masks, grid: Grid, spec: ModelSpec, uids: OutputUIDs) -> AnalysisResult:
    """Measure what is drawn the slow and plain way, as an anchor for the code under test."""
    segments: list[Segment] = []
    for label in spec.labels:
        where = np.argwhere(mask_of(labels, label.value))
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
    total_ml = sum(s.volume.value for s in segments)
    total = Measurement("All structures", BRAIN, VOLUME, total_ml, MILLILITRE)
    absent = tuple(label for label in spec.labels if label.value not in found)
    return AnalysisResult(labels, tuple(segments), absent, (total,), total_ml=total_ml)


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
    charset: str = LATIN_1,
) -> Case:
    """Write a synthetic series and put a result on it; omitted slices become slices without a frame."""
    grid = axial_grid((6, 20, 16), (2.5, 1.1, 0.9)) if grid is None else grid
    labels = blocks(grid.shape) if labels is None else labels
    array = (labels.astype(np.uint16) + 1) * 100
    paths = write_series(folder, array, grid, options or SeriesOptions())
    return case_of(paths, grid, labels, spec or make_spec(max(3, int(labels.max()))), charset)


def case_of(
    paths: Sequence[Path], grid: Grid, labels: NDArray[np.uint8], spec: ModelSpec, charset: str = LATIN_1
) -> Case:
    """Put a result on a series of single-frame files that lies on ``grid``."""
    series = revision_of(paths)
    headers = [header.data_set for header in read_headers(revision_of(paths).instances, charset)]
    volume = Volume(
        np.zeros(grid.shape, dtype=np.float32), grid, _frames(headers, grid), _frame_of_reference(headers[0])
    )
    uids = OutputUIDs.derive(ModelInputs(series), spec.reference)
    result = make_result(labels, grid, spec, uids)
    return Case(paths, series, EncodingInput(volume, headers, result, spec, uids, PRODUCED_AT))


def _frames(headers: Sequence[Dataset], grid: Grid) -> tuple[SourceFrame | None, ...]:
    frames: list[SourceFrame | None] = [None] * grid.shape[0]
    for header in headers:
        index = round(grid.to_index(np.array(header.ImagePositionPatient, dtype=np.float64))[0])
        frames[index] = SourceFrame(UID(header.SOPInstanceUID), UID(header.SOPClassUID), None)
    return tuple(frames)


def _frame_of_reference(header: Dataset) -> UID | None:
    try:
        return UID(header.get("FrameOfReferenceUID", ""))
    except ValueError:
        return None


def with_result(case: Case, spec: ModelSpec, result: AnalysisResult) -> EncodingInput:
    """Put another model's result on a source."""
    uids = OutputUIDs.derive(ModelInputs(case.series), spec.reference)
    return replace(case.encoding, spec=spec, result=result, uids=uids)


def overlapping_lesions(case: Case) -> EncodingInput:
    """Draw a tumour within its edema, as a tumour job answers."""
    spec, volume = lesion_spec(), case.encoding.volume
    masks = np.zeros((2, *volume.grid.shape), dtype=np.bool_)
    masks[1, 1:5, 4:15, 3:12] = True
    masks[0, 2:4, 6:10, 5:8] = True
    result = make_result(masks, volume.grid, spec, OutputUIDs.derive(ModelInputs(case.series), spec.reference))
    (edema,) = [segment for segment in result.segments if segment.label.value == 2]
    task = TumorDetection(True, 0.875, edema.centroid_lps_mm, edema.volume.value)
    return with_result(case, spec, replace(result, task=task))


def no_lesions(case: Case) -> EncodingInput:
    """Find no tumour, as a tumour job answers."""
    spec = lesion_spec()
    masks = np.zeros((2, *case.encoding.volume.grid.shape), dtype=np.bool_)
    task = TumorDetection(False, 0.12, None, 0.0)
    return with_result(case, spec, AnalysisResult(masks, (), spec.labels, (), task=task))


def classified(case: Case) -> EncodingInput:
    """Find one of two things, without a place."""
    spec = lesion_spec(Task.CLASSIFICATION, OutputKind.CLASSIFICATION)
    uids = OutputUIDs.derive(ModelInputs(case.series), spec.reference)
    findings = tuple(
        Finding(label, probability >= label.threshold, probability, uids.tracking(label.value), label.name)
        for label, probability in zip(spec.labels, (0.93, 0.031), strict=True)
    )
    return with_result(case, spec, AnalysisResult(None, (), (), (), findings))


def detections(case: Case, places: Sequence[Place]) -> EncodingInput:
    """Find tumours at some places, and no edema."""
    spec = lesion_spec(Task.DETECTION, OutputKind.DETECTION)
    uids = OutputUIDs.derive(ModelInputs(case.series), spec.reference)
    tumour, edema = spec.labels
    findings = [
        Finding(tumour, True, 0.9, uids.tracking(1, number), f"Tumour {number}", place)
        for number, place in enumerate(places, start=1)
    ]
    findings.append(Finding(edema, False, None, uids.tracking(2), "Edema"))
    return with_result(case, spec, AnalysisResult(None, (), (), (), tuple(findings)))


def place_in(grid: Grid, low: tuple[float, float, float], high: tuple[float, float, float]) -> Place:
    """Give a box between two (slice, row, column) indices; its corners come in no order."""
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(8, 3)[[3, 6, 0, 7, 1, 4, 2, 5]]
    x, y, z = grid.to_lps(corners.mean(axis=0))
    lps = tuple((float(a), float(b), float(c)) for a, b, c in grid.to_lps(corners))
    return Place((float(x), float(y), float(z)), lps)


def items(data_set: Dataset, meaning: str) -> list[Dataset]:
    """Find content items by the meaning of their concept name, at any depth."""
    found = []
    for item in data_set.get("ContentSequence") or ():
        names = item.get("ConceptNameCodeSequence") or ()
        if names and names[0].CodeMeaning == meaning:
            found.append(item)
        found += items(item, meaning)
    return found
