"""A model package's ``manifest.toml``: read strictly, checked as a whole, turned into the core's ModelSpec.

An unknown key is an error, for a misspelt limit would otherwise silently not hold; and every fault is reported at
once, for a person who fixes a manifest wants to do it in one go.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from inference.domain.codes import Code
from inference.domain.job import ModelReference
from inference.domain.model_spec import (
    ChannelSpec,
    GraphSpec,
    IntensitySpec,
    LabelSpec,
    Layout,
    ModelSpec,
    Normalisation,
    OutputKind,
    Placement,
    Plane,
    Plausibility,
    PreprocessSpec,
    Publication,
    Registration,
    SelectionRule,
    Task,
    Weighting,
)
from inference.errors import ModelContractViolated

MANIFEST_NAME = "manifest.toml"

_AXIS_OF = {"L": "x", "R": "x", "P": "y", "A": "y", "S": "z", "I": "z"}


def _regular_expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return value


def _three_axes(value: str) -> str:
    if len(value) != 3 or {_AXIS_OF.get(letter) for letter in value} != {"x", "y", "z"}:
        raise ValueError("three letters of RLAPSI, one per patient axis")
    return value


def _inside_package(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError("a file inside the package folder")
    return value


def _ascending(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] >= value[1]:
        raise ValueError("the first limit must be below the second")
    return value


_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Range = Annotated[tuple[_NotNegative, _Positive], AfterValidator(_ascending)]
_Byte = Annotated[int, Field(ge=0, le=255)]
_Text = Annotated[str, Field(min_length=1)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Percentile = Annotated[float, Field(ge=0, le=100)]
_SideLength = Annotated[int, Field(ge=1, le=1024)]


_SEGMENTS = frozenset(kind for kind in OutputKind if kind.segments)
_CLASSIFIES = frozenset({OutputKind.CLASSIFICATION, OutputKind.CLASSIFICATION_LOGITS})
_KINDS_OF = {
    Task.SEGMENTATION: _SEGMENTS,
    Task.CLASSIFICATION: _CLASSIFIES,
    Task.DETECTION: frozenset({OutputKind.DETECTION}),
    Task.TUMOR_DETECTION: _SEGMENTS - {OutputKind.LABEL_MAP},
}
"""The outputs that a task can be answered with; a tumour's confidence needs probabilities."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Code(_Section):
    value: _Text
    scheme: _Text
    meaning: Annotated[str, Field(min_length=1, max_length=64)]

    def to_code(self) -> Code:
        """Give the code."""
        return Code(self.value, self.scheme, self.meaning)


class _Model(_Section):
    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")]
    task: Task = Task.SEGMENTATION
    title: Annotated[str, Field(min_length=1, max_length=40)]
    intended_use: _Text
    licence: _Text
    manufacturer: _Text


class _Graph(_Section):
    """The ONNX file and how it is run."""

    file: Annotated[str, AfterValidator(_inside_package)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    input: _Text
    outputs: Annotated[tuple[_Text, ...], Field(min_length=1, max_length=3)]
    layout: Layout = Layout.VOLUME
    context_slices: Annotated[int, Field(ge=1, le=31)] = 1
    precision: Literal["float32", "float16"] = "float32"
    batch: Annotated[int, Field(ge=1, le=64)] = 1
    overlap: Annotated[float, Field(ge=0, lt=0.95)] = 0.5
    mirror_axes: tuple[Annotated[int, Field(ge=0, le=2)], ...] = ()

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        if self.context_slices % 2 == 0:
            raise ValueError("context_slices must be odd: the slice itself is in the middle")
        if self.context_slices > 1 and self.layout is not Layout.SLICE:
            raise ValueError('context_slices need layout = "slice"')
        if len(set(self.mirror_axes)) != len(self.mirror_axes):
            raise ValueError("an axis is mirrored once")
        return self

    def to_graph(self, folder: Path) -> GraphSpec:
        """Give the graph, whose file lies in the folder."""
        values = {name: value for name, value in self if name not in {"file", "sha256"}}
        return GraphSpec(weights=folder / self.file, **values)


class _Selection(_Section):
    """Which series a channel wants."""

    modality: _Text
    sequence: Weighting | None = None
    plane: Plane | None = None
    include_description: tuple[Annotated[str, AfterValidator(_regular_expression)], ...] = ()
    exclude_description: tuple[Annotated[str, AfterValidator(_regular_expression)], ...] = ()
    body_parts: frozenset[_Text] = frozenset()
    min_slices: Annotated[int, Field(ge=1)]
    max_slice_spacing_mm: _Positive


class _Intensity(_Section):
    """How a channel's intensities are scaled."""

    normalisation: Normalisation
    clip_percentiles: Annotated[tuple[_Percentile, _Percentile], AfterValidator(_ascending)] = (0.0, 100.0)
    clip_range: Annotated[tuple[_Finite, _Finite], AfterValidator(_ascending)] | None = None
    mean: _Finite = 0.0
    deviation: _Positive = 1.0

    @model_validator(mode="after")
    def _numbers_are_used(self) -> Self:
        if self.normalisation is not Normalisation.FIXED and {"mean", "deviation"} & self.model_fields_set:
            raise ValueError('mean and deviation belong to normalisation = "fixed"')
        if self.clip_range is not None and "clip_percentiles" in self.model_fields_set:
            raise ValueError("clip by percentiles or by a range, not by both")
        return self


class _Channel(_Section):
    """One input channel."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _-]{0,31}$")]
    required: bool = True
    selection: _Selection
    intensity: _Intensity

    def to_channel(self) -> ChannelSpec:
        """Give the channel."""
        selection = SelectionRule(**dict(self.selection))
        return ChannelSpec(self.name, selection, IntensitySpec(**dict(self.intensity)), self.required)


class _Preprocess(_Section):
    """How the network's grid lies in the patient."""

    orientation: Annotated[str, AfterValidator(_three_axes)]
    spacing_mm: tuple[_Positive, _Positive, _Positive]
    shape: tuple[_SideLength, _SideLength, _SideLength]
    placement: Placement
    registration: Registration = Registration.NONE


class _Output(_Section):
    """What the graph says."""

    kind: OutputKind


class _Label(_Section):
    value: Annotated[int, Field(ge=1, le=255)]
    name: _Text
    category: _Code
    type: _Code
    colour_rgb: tuple[_Byte, _Byte, _Byte]
    plausible_ml: _Range = (0.0, 1e6)
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    smallest_ml: _NotNegative = 0.0

    def to_label(self) -> LabelSpec:
        """Give the label."""
        lowest, highest = self.plausible_ml
        return LabelSpec(
            value=self.value,
            name=self.name,
            category=self.category.to_code(),
            type=self.type.to_code(),
            colour_rgb=self.colour_rgb,
            min_volume_ml=lowest,
            max_volume_ml=highest,
            threshold=self.threshold,
            smallest_ml=self.smallest_ml,
        )


class _Ratio(_Section):
    numerator: int
    denominator: int
    range: _Range


def _limits(ratios: tuple[_Ratio, ...]) -> tuple[tuple[int, int, float, float], ...]:
    return tuple((ratio.numerator, ratio.denominator, *ratio.range) for ratio in ratios)


class _Plausibility(_Section):
    total_ml: _Range = (0.0, 1e6)
    ratios: tuple[_Ratio, ...] = ()
    contrasts: tuple[_Ratio, ...] = ()

    def to_plausibility(self) -> Plausibility:
        """Give the limits."""
        return Plausibility(self.total_ml, _limits(self.ratios), _limits(self.contrasts))


class _Publication(_Section):
    seg: bool
    sr: bool
    fhir: bool
    series_number: Annotated[int, Field(ge=1, le=9998)]
    procedure: _Code
    region: _Code
    total: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class _Manifest(_Section):
    schema_version: Literal[2]
    model: _Model
    graph: _Graph
    channels: Annotated[tuple[_Channel, ...], Field(min_length=1, max_length=16)]
    preprocess: _Preprocess
    output: _Output
    plausibility: _Plausibility = _Plausibility()
    publication: _Publication
    labels: Annotated[tuple[_Label, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _labels_agree(self) -> Self:
        values = [label.value for label in self.labels]
        if values != list(range(1, len(values) + 1)):
            raise ValueError("label values must count up from 1 without a hole")
        if len({label.name for label in self.labels}) != len(values):
            raise ValueError("label names must differ")
        ratios = self.plausibility.ratios + self.plausibility.contrasts
        named = {value for ratio in ratios for value in (ratio.numerator, ratio.denominator)}
        if not named <= set(values):
            raise ValueError("a ratio names a label that does not exist")
        return self

    @model_validator(mode="after")
    def _channels_agree(self) -> Self:
        if not self.channels[0].required:
            raise ValueError("the first channel is the reference and must be required")
        if len({channel.name for channel in self.channels}) != len(self.channels):
            raise ValueError("channel names must differ")
        return self

    @model_validator(mode="after")
    def _output_agrees(self) -> Self:
        kind, task, outputs = self.output.kind, self.model.task, len(self.graph.outputs)
        if outputs != (3 if kind is OutputKind.DETECTION else 1):
            raise ValueError(f"{kind} has {3 if kind is OutputKind.DETECTION else 1} outputs, not {outputs}")
        if kind not in _KINDS_OF[task]:
            raise ValueError(f"a {task} model cannot have the output {kind}")
        sliding = self.preprocess.placement is Placement.SLIDING
        if sliding and not kind.segments:
            raise ValueError(f"{kind} looks at the whole field of view; a window cannot be slid")
        if kind is OutputKind.LABEL_MAP and self.graph.mirror_axes:
            raise ValueError("labels whose arg max was taken cannot be averaged over mirrored inputs")
        if self.graph.layout is Layout.SLICE and self.preprocess.shape[0] != 1:
            raise ValueError('layout = "slice" has a shape of one slice')
        return self

    def to_spec(self, folder: Path) -> ModelSpec:
        """Give the model, whose weights lie beside the manifest."""
        model = self.model
        return ModelSpec(
            reference=ModelReference(model.id, model.version, self.graph.sha256),
            title=model.title,
            intended_use=model.intended_use,
            licence=model.licence,
            manufacturer=model.manufacturer,
            task=model.task,
            channels=tuple(channel.to_channel() for channel in self.channels),
            preprocess=PreprocessSpec(**dict(self.preprocess)),
            graph=self.graph.to_graph(folder),
            output=self.output.kind,
            labels=tuple(label.to_label() for label in self.labels),
            plausibility=self.plausibility.to_plausibility(),
            publication=self._publication(),
        )

    def _publication(self) -> Publication:
        publication = self.publication
        codes = {"procedure": publication.procedure.to_code(), "region": publication.region.to_code()}
        return Publication(**{**dict(publication), **codes})


def load_manifest(path: Path) -> ModelSpec:
    """Read and check one manifest.

    The weights file is not opened here: a node lists its models quickly, and the engine verifies the weights before
    it loads them.

    Parameters
    ----------
    path
        The ``manifest.toml``; the weights are sought in its folder.

    Raises
    ------
    ModelContractViolated
        If the file cannot be read or breaks the schema; the message lists every fault.
    """
    package = path.parent.name
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelContractViolated(f"model package {package}: the manifest cannot be read: {error}") from error
    try:
        return _Manifest.model_validate(content).to_spec(path.parent)
    except ValidationError as error:
        faults = "; ".join(_describe(fault["loc"], fault["msg"]) for fault in error.errors())
        raise ModelContractViolated(f"model package {package}: {faults}") from error


def _describe(location: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, location)) or 'manifest'}: {message}"
