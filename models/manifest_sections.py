"""The sections of a model package's ``manifest.toml``, key by key; what they say to each other is checked elsewhere.

The text under a key is its description in ``docs/model-manifest.schema.json`` and in the message about a wrong value.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from inference.domain.codes import LEFT, RIGHT, RIGHT_AND_LEFT, Code
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
    SliceRule,
    Task,
    Weighting,
)

_SIDES = {"left": LEFT, "right": RIGHT, "both": RIGHT_AND_LEFT}

_AXIS_OF = {"L": "x", "R": "x", "P": "y", "A": "y", "S": "z", "I": "z"}


def _regular_expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return value


def _three_axes(value: str) -> str:
    if {_AXIS_OF.get(letter) for letter in value} != {"x", "y", "z"}:
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


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("an odd number: the slice itself is in the middle")
    return value


def _counted(value: int) -> int:
    if value == 0:
        raise ValueError("count from 1, or backwards from -1")
    return value


_PRINTABLE = r"[^\\\x00-\x1f]"
_ONE_LINE = rf"^{_PRINTABLE}*[^\\\s\x00-\x1f]{_PRINTABLE}*$"

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Percentile = Annotated[float, Field(ge=0, le=100)]
Range = Annotated[tuple[NotNegative, Positive], AfterValidator(_ascending)]
Byte = Annotated[int, Field(ge=0, le=255)]
SideLength = Annotated[int, Field(ge=1, le=1024)]
Text = Annotated[str, Field(pattern=r"\S")]
"""Any text that says something."""
ShortString = Annotated[str, Field(max_length=16, pattern=_ONE_LINE)]
"""A value of DICOM's SH (PS3.5 6.2)."""
LongString = Annotated[str, Field(max_length=64, pattern=_ONE_LINE)]
"""A value of DICOM's LO (PS3.5 6.2)."""
RegularExpression = Annotated[str, Field(min_length=1), AfterValidator(_regular_expression)]


class Section(BaseModel):
    """A table of the manifest: an unknown key is an error, for a misspelt limit would otherwise silently not hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class CodeSection(Section):
    """A coded concept (PS3.3 8.8)."""

    value: ShortString
    """Code Value, e.g. `"24590-2"`."""
    scheme: ShortString
    """Coding Scheme Designator, e.g. `"SCT"` (SNOMED CT), `"LN"` (LOINC), `"DCM"`; `"99..."` for your own."""
    meaning: LongString
    """Code Meaning: the text that readers see."""

    def to_code(self) -> Code:
        """Give the code."""
        return Code(self.value, self.scheme, self.meaning)


class ModelSection(Section):
    """What the model is."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    """Name of the model for programs: lower-case letters, digits and `_`, beginning with a letter; all its versions
    share it."""
    version: Annotated[
        str,
        Field(
            max_length=64,
            pattern=r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$",
        ),
    ]
    """Semantic version, `major.minor.patch`, e.g. `"1.0.0"` or `"1.1.0-rc.1"`: a new one for every change of weights
    or manifest."""
    task: Task = Task.SEGMENTATION
    """Type of job, which decides what else the result says: `segmentation`, `classification`, `detection`, or
    `tumor_detection` (a segmentation whose result also says whether, where and how large)."""
    title: Annotated[str, Field(max_length=40, pattern=_ONE_LINE)]
    """Name for people, in series descriptions and reports; at most 40 characters."""
    intended_use: Text
    """What the model is for and what it is not for, in a sentence or two; shown with every result."""
    licence: Text
    """Licence of the weights, e.g. `"Apache-2.0"`; a node does not take weights whose licence nobody stated."""
    manufacturer: LongString
    """Who answers for the model."""


class GraphSection(Section):
    """The ONNX file and how it is run."""

    file: Annotated[str, AfterValidator(_inside_package)]
    """The ONNX file, relative to the package folder."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the file, 64 lower-case hexadecimal digits (`sha256sum model.onnx`); other bytes are never run."""
    input: Text
    """Name of the graph's input tensor."""
    outputs: Annotated[tuple[Text, ...], Field(min_length=1, max_length=3)]
    """Names of the output tensors: one, or for a detection three: boxes or points, scores, label values."""
    layout: Layout = Layout.VOLUME
    """What the input holds: `volume` for (batch, channels, D, H, W), `slice` for (batch, channels x context_slices,
    H, W), a 2-D or 2.5-D network that is given one slice after the other."""
    context_slices: Annotated[int, Field(ge=1, le=31), AfterValidator(_odd)] = 1
    """Only for `layout = "slice"`: an odd number of neighbouring slices that the network sees as channels, those of
    the first channel first; 1 for a 2-D network."""
    precision: Literal["float32", "float16"] = "float32"
    """Element type of the input tensor."""
    batch: Annotated[int, Field(ge=1, le=64)] = 1
    """Only for a sliding window and for slices that are drawn in: how many are run together; more is faster on a GPU,
    and wants memory."""
    overlap: Annotated[float, Field(ge=0, lt=0.95)] = 0.5
    """Only for `placement = "sliding"`: part of a window's side that the next one shares."""
    mirror_axes: tuple[Annotated[int, Field(ge=0, le=2)], ...] = ()
    """Array axes (0, 1, 2) for mirror averaging: the network also sees the input mirrored along each of them and all
    their combinations (twice the time for each axis), and what it says is averaged."""

    def to_graph(self, folder: Path) -> GraphSpec:
        """Give the graph, whose file lies in the folder."""
        values = {name: value for name, value in self if name not in {"file", "sha256"}}
        return GraphSpec(weights=folder / self.file, **values)


class SelectionSection(Section):
    """Which series a channel wants."""

    modality: ShortString
    """DICOM Modality, e.g. `"MR"` or `"CT"`."""
    sequence: Weighting | None = None
    """Only for MR: the contrast that the series must have, `T1`, `T1-Gd`, `T2` or `FLAIR`, decided from acquisition
    parameters and, where those are absent, from descriptions. Left out, any will do."""
    plane: Plane | None = None
    """How its slices must lie: `axial`, `sagittal` or `coronal`. Left out, any will do."""
    include_description: tuple[RegularExpression, ...] = ()
    """Regular expressions, upper and lower case alike; if there are any, one must be found in Series Description
    (in Protocol Name where that is empty)."""
    exclude_description: tuple[RegularExpression, ...] = ()
    """The same; if one is found, the series is refused."""
    body_parts: frozenset[ShortString] = frozenset()
    """Accepted Body Part Examined; a series that does not say is not refused. Left out, any will do."""
    min_slices: Annotated[int, Field(ge=1)]
    """Fewest slices."""
    max_slice_spacing_mm: Positive
    """Largest distance between the centres of neighbouring slices, mm."""
    max_missing_slices: Annotated[int, Field(ge=0, le=64)] = 1
    """How many slices may be missing inside the volume; they are interpolated, and the result says so."""
    spacing_tolerance: Annotated[float, Field(ge=0, le=0.2)] = 0.01
    """How far a distance between slices may be off the median one, as a part of it; rounding in headers is always
    accepted."""
    time_point: Annotated[int, Field(ge=-1000, le=1000), AfterValidator(_counted)] | None = None
    """Which image of several that were taken one after the other at each position: 1 is the first, -1 the last. Left
    out, a series that has several is refused."""
    echo: Annotated[int, Field(ge=-100, le=100), AfterValidator(_counted)] | None = None
    """Which image of several echoes at each position, in order of echo time: 1 is the first, -1 the last. Left out, a
    series that has several is refused."""

    def to_rule(self) -> SelectionRule:
        """Give the rule."""
        values = dict(self)
        slices = SliceRule(
            missing_slices=values.pop("max_missing_slices"),
            spacing_deviation=values.pop("spacing_tolerance"),
            time_point=values.pop("time_point"),
            echo=values.pop("echo"),
        )
        return SelectionRule(**values, slices=slices)


class IntensitySection(Section):
    """How a channel's intensities are scaled: first clipped, then normalised."""

    normalisation: Normalisation
    """`zscore` (mean 0, standard deviation 1), `zscore_nonzero` (the same over the voxels that are not zero, which
    stay zero), `minmax` (0 to 1), `fixed` (`(value - mean) / deviation`) or `none`."""
    clip_percentiles: Annotated[tuple[Percentile, Percentile], AfterValidator(_ascending)] = (0.0, 100.0)
    """Values below the first and above the second percentile are clipped."""
    clip_range: Annotated[tuple[Finite, Finite], AfterValidator(_ascending)] | None = None
    """Instead of percentiles: limits in modality values, e.g. HU."""
    mean: Finite = 0.0
    """Only for `fixed`, in modality values."""
    deviation: Positive = 1.0
    """Only for `fixed`, in modality values."""


class ChannelSection(Section):
    """One input channel."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _-]{0,31}$")]
    """Name for people and in results, e.g. `"T1"`."""
    required: bool = True
    """`false`: the model also runs without it; the channel is then zero everywhere, and the result says so. The first
    channel is always required: results lie on its grid and belong to its series."""
    selection: SelectionSection
    """Which series it is."""
    intensity: IntensitySection
    """How its values are scaled."""

    def to_channel(self) -> ChannelSpec:
        """Give the channel."""
        selection = self.selection.to_rule()
        return ChannelSpec(self.name, selection, IntensitySpec(**dict(self.intensity)), self.required)


class PreprocessSection(Section):
    """How the network's grid lies in the patient."""

    orientation: Annotated[str, Field(pattern=r"^[RLAPSI]{3}$"), AfterValidator(_three_axes)]
    """Three letters, one per array axis: the patient direction in which the index grows. `"LIA"`: axis 0 runs from
    right to left, axis 1 from superior to inferior, axis 2 from posterior to anterior."""
    spacing_mm: tuple[Positive, Positive, Positive]
    """Voxel size along each array axis, mm."""
    shape: tuple[SideLength, SideLength, SideLength]
    """Voxels along each array axis, of the field of view or of the sliding window: 8 to 512 for `head` and `centre`,
    8 to 1024 for `sliding`. With `layout = "slice"` the first is 1, and what is drawn is drawn in every slice."""
    placement: Placement
    """`head`: once, centred on the brain; `centre`: once, centred on the volume; `sliding`: a window over all of
    it."""
    registration: Registration = Registration.NONE
    """Only for several channels: `none` takes their patient coordinates at their word, `rigid` searches for the
    rotation and translation that lay them on the first."""


class OutputSection(Section):
    """What the graph says."""

    kind: OutputKind
    """`label_map_logits`, `label_map`, `sigmoid_logits`, `sigmoid`, `classification_logits`, `classification` or
    `detection`."""


class LabelSection(Section):
    """One class of a label map, one overlapping segment, or one finding."""

    value: Annotated[int, Field(ge=1, le=255)]
    """Its number, counting up from 1; 0 is background, or none of the findings."""
    name: LongString
    """Name for people, e.g. `"Thalamus"`."""
    category: CodeSection
    """Segmented property category (CID 7150), e.g. SCT 91723000 "Anatomical Structure"."""
    type: CodeSection
    """Segmented property type (CID 7151), or the finding."""
    colour_rgb: tuple[Byte, Byte, Byte] = (255, 255, 255)
    """For what is drawn: recommended display colour, 0 to 255 each."""
    plausible_ml: Range = (0.0, 1e6)
    """For what is drawn: smallest and largest volume that can be true, mL; outside, the whole result is refused."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Where each label is for itself (sigmoid, classification, detection): probability from which on it is there."""
    smallest_ml: NotNegative = 0.0
    """For what is drawn: connected parts smaller than this are taken for noise and left out, mL."""
    anatomy: CodeSection | None = None
    """Where it is, for what is no anatomical structure itself, e.g. SCT 83678007 "Cerebrum". Left out, the region of
    the publication."""
    laterality: Literal["left", "right", "both"] | None = None
    """On which side it is. Left out, it has none."""
    usual_ml: Range | None = None
    """For what is drawn: lowest and highest usual volume, mL, shown beside what was measured; it refuses nothing."""
    diameters: bool = False
    """For what is drawn: whether its long and short axis are measured, on the slice where it is largest."""

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
            anatomy=self.anatomy.to_code() if self.anatomy else None,
            laterality=_SIDES[self.laterality] if self.laterality else None,
            usual_ml=self.usual_ml,
            diameters=self.diameters,
        )


class RatioSection(Section):
    """Limits of a ratio between two labels."""

    numerator: int
    """Label value above."""
    denominator: int
    """Label value below."""
    range: Range
    """Lowest and highest ratio that can be true."""


def _limits(ratios: tuple[RatioSection, ...]) -> tuple[tuple[int, int, float, float], ...]:
    return tuple((ratio.numerator, ratio.denominator, *ratio.range) for ratio in ratios)


class PlausibilitySection(Section):
    """When not to believe the whole result; only for what is drawn."""

    total_ml: Range = (0.0, 1e6)
    """Smallest and largest volume of all labels together, mL; a voxel of several labels counts once."""
    ratios: tuple[RatioSection, ...] = ()
    """Limits of volume ratios."""
    contrasts: tuple[RatioSection, ...] = ()
    """Limits of ratios of mean values in the source image: a network that learnt where structures lie paints them
    into anything round; the image tells."""

    def to_plausibility(self) -> Plausibility:
        """Give the limits."""
        return Plausibility(self.total_ml, _limits(self.ratios), _limits(self.contrasts))


class PublicationSection(Section):
    """What is made of a result."""

    seg: bool
    """Whether a DICOM Segmentation is written; only for what is drawn."""
    sr: bool
    """Whether a DICOM Structured Report (TID 1500) is written."""
    fhir: bool
    """Whether a FHIR DiagnosticReport is written."""
    series_number: Annotated[int, Field(ge=1, le=9998)]
    """Series Number of the Segmentation; the Structured Report takes the next."""
    procedure: CodeSection
    """Procedure reported, also the code of the FHIR report, e.g. LOINC 24590-2 "MR Brain"."""
    region: CodeSection
    """Anatomic region of the findings, e.g. SCT 12738006 "Brain"."""
    total: LongString | None = None
    """Name of the volume of all labels together, a voxel of several counting once; only for what is drawn. Left out,
    no such sum is reported."""
    sc: bool = True
    """Whether Secondary Captures are made, key slices with coloured overlays, for destinations that take them."""
    pdf: bool = True
    """Whether the report on one page is made, as Encapsulated PDF, for destinations that take it."""
    parametric_map: bool = False
    """Whether Parametric Maps of the probabilities are made, for destinations that take them; only for what is drawn
    with probabilities."""
    key_images: bool = True
    """Whether the source slices with findings are named in a Key Object Selection, for destinations that take it."""

    def to_publication(self) -> Publication:
        """Give what is made of a result."""
        values = {name: value for name, value in self if name not in {"procedure", "region"}}
        return Publication(procedure=self.procedure.to_code(), region=self.region.to_code(), **values)


class Manifest(Section):
    """The manifest of a model package for NeuroNova Node; docs/model-packages.md explains it with examples."""

    schema_version: Literal[2]
    """Version of this format: 2."""
    model: ModelSection
    """What the model is."""
    graph: GraphSection
    """The ONNX file and how it is run."""
    channels: Annotated[tuple[ChannelSection, ...], Field(min_length=1, max_length=16)]
    """Its input, in the order of the tensor's channels; the first is the reference."""
    preprocess: PreprocessSection
    """How the network's grid lies in the patient."""
    output: OutputSection
    """What the graph says."""
    plausibility: PlausibilitySection = PlausibilitySection()
    """When not to believe the whole result; only for what is drawn."""
    publication: PublicationSection
    """What is made of a result."""
    labels: Annotated[tuple[LabelSection, ...], Field(min_length=1, max_length=255)]
    """What is drawn or found, in order of value."""

    def to_spec(self, folder: Path) -> ModelSpec:
        """Give the model, whose files lie in the folder."""
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
            publication=self.publication.to_publication(),
        )
