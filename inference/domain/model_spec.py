"""The contract of a model: what it wants, what it says, and when not to believe it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inference.domain.codes import ANATOMICAL_STRUCTURE, Code
from inference.domain.job import ModelReference
from inference.domain.phrases import sided


class Weighting(StrEnum):
    """The MR contrast that a channel wants."""

    T1 = "T1"
    """T1-weighted, before contrast medium."""
    T1_CONTRAST = "T1-Gd"
    """T1-weighted, after contrast medium."""
    T2 = "T2"
    FLAIR = "FLAIR"


class Plane(StrEnum):
    """How the slices of a series lie."""

    AXIAL = "axial"
    SAGITTAL = "sagittal"
    CORONAL = "coronal"


class Normalisation(StrEnum):
    """How the intensities of a channel are brought to the network's scale, after clipping."""

    ZSCORE = "zscore"
    """Mean 0 and standard deviation 1 over the field of view."""
    ZSCORE_NONZERO = "zscore_nonzero"
    """The same over its voxels that are not zero; zero stays zero (MONAI ``NormalizeIntensity(nonzero=True)``)."""
    MINMAX = "minmax"
    """0 to 1 over the field of view."""
    FIXED = "fixed"
    """``(value - mean) / deviation`` with the manifest's numbers (nnU-Net for CT)."""
    NONE = "none"


class Placement(StrEnum):
    """How the network's field of view is placed in the volume."""

    HEAD = "head"
    """Once, centred on the brain, estimated from the outline of the head."""
    CENTRE = "centre"
    """Once, centred on the volume."""
    SLIDING = "sliding"
    """As a window that is slid over all of the volume; what overlaps is blended."""


class Registration(StrEnum):
    """How further channels are brought to the reference."""

    NONE = "none"
    """By the patient coordinates in their headers."""
    RIGID = "rigid"
    """By rotation and translation that are searched for on the images (mutual information)."""


class Layout(StrEnum):
    """What the graph's input holds."""

    VOLUME = "volume"
    """(batch, channels, D, H, W)."""
    SLICE = "slice"
    """(batch, channels x context slices, H, W): a 2-D network, or a 2.5-D one with neighbours as channels."""


class OutputKind(StrEnum):
    """What the graph says."""

    LABEL_MAP_LOGITS = "label_map_logits"
    """(batch, labels + 1, ...) logits or probabilities of classes that exclude each other, class 0 background."""
    LABEL_MAP = "label_map"
    """(batch, 1, ...) or (batch, ...) integers: the arg max was taken in the graph."""
    SIGMOID_LOGITS = "sigmoid_logits"
    """(batch, labels, ...) logits, each label for itself: segments may overlap."""
    SIGMOID = "sigmoid"
    """The same as probabilities."""
    CLASSIFICATION_LOGITS = "classification_logits"
    """(batch, labels + 1) logits of classes that exclude each other, class 0 none of the findings."""
    CLASSIFICATION = "classification"
    """(batch, labels) probabilities, each finding for itself."""
    DETECTION = "detection"
    """Three tensors: boxes (n, 6) or points (n, 3), scores (n,), label values (n,)."""

    @property
    def segments(self) -> bool:
        """Whether the answer is drawn voxel by voxel."""
        return self in {self.LABEL_MAP_LOGITS, self.LABEL_MAP, self.SIGMOID_LOGITS, self.SIGMOID}

    @property
    def overlaps(self) -> bool:
        """Whether a voxel may have several labels."""
        return self in {self.SIGMOID_LOGITS, self.SIGMOID}


class Task(StrEnum):
    """The type of job, in the words of the clinical system; it decides what else the result says."""

    SEGMENTATION = "segmentation"
    CLASSIFICATION = "classification"
    DETECTION = "detection"
    TUMOR_DETECTION = "tumor_detection"
    """The result carries ``tumor_detected``, ``confidence``, ``location`` and ``volume_ml``."""


class Deployment(StrEnum):
    """What a node does with a model."""

    ACTIVE = "active"
    """It runs and its results are published."""
    SHADOW = "shadow"
    """It runs and its results are recorded; nothing is published."""
    INACTIVE = "inactive"
    """It does not run."""
    RECALLED = "recalled"
    """It was found to be faulty: its results were withdrawn and it can not be activated again."""


@dataclass(frozen=True, slots=True)
class SliceRule:
    """What a channel accepts of how slices lie, and which of several images at a position it wants.

    Parameters
    ----------
    missing_slices
        How many slices may be missing inside the volume; they are interpolated, with a warning.
    spacing_deviation
        How far a distance between slices may be off the median one, as a part of it.
    time_point, echo
        Which of several time points, and of several echoes by echo time: 1 is the first, -1 the last. None refuses
        a series that has several.
    """

    missing_slices: int = 1
    spacing_deviation: float = 0.01
    time_point: int | None = None
    echo: int | None = None


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """Which series a channel wants.

    Parameters
    ----------
    modality
        DICOM Modality, e.g. ``MR``.
    sequence
        The MR contrast to demand, decided from acquisition parameters and, where those are absent, from the
        descriptions; None for any.
    exclude_description
        Case-insensitive regular expressions; a match in SeriesDescription (in ProtocolName where that is empty)
        refuses the series.
    body_parts
        Accepted BodyPartExamined values; a series without the attribute is not refused for it.
    min_slices
        Fewest slices.
    max_slice_spacing_mm
        Largest distance between slice centres, mm.
    plane
        How its slices must lie; None for any.
    include_description
        Case-insensitive regular expressions; where there are some, one must match the description.
    slices
        What is accepted of their geometry.
    """

    modality: str
    sequence: Weighting | None
    exclude_description: tuple[str, ...]
    body_parts: frozenset[str]
    min_slices: int
    max_slice_spacing_mm: float
    plane: Plane | None = None
    include_description: tuple[str, ...] = ()
    slices: SliceRule = SliceRule()


@dataclass(frozen=True, slots=True)
class IntensitySpec:
    """How a channel's intensities are scaled, over the network's field of view or, for a sliding window, the volume.

    Parameters
    ----------
    normalisation
        Scaling, after clipping.
    clip_percentiles
        Values below the first and above the second percentile are clipped.
    clip_range
        Limits in modality values, e.g. HU, instead of percentiles.
    mean, deviation
        For ``Normalisation.FIXED``, modality values.
    """

    normalisation: Normalisation
    clip_percentiles: tuple[float, float] = (0.0, 100.0)
    clip_range: tuple[float, float] | None = None
    mean: float = 0.0
    deviation: float = 1.0


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """One input channel.

    Parameters
    ----------
    name
        Name for people and in results, e.g. ``T1``.
    selection
        Which series it is.
    intensity
        How its values are scaled.
    required
        Whether the model can not run without it; a missing optional channel is zero everywhere after scaling, and the
        result says so. The first channel is always required: results lie on its grid.
    """

    name: str
    selection: SelectionRule
    intensity: IntensitySpec
    required: bool = True


@dataclass(frozen=True, slots=True)
class PreprocessSpec:
    """How the network's grid lies in the patient.

    Parameters
    ----------
    orientation
        Three letters, one per array axis: the patient direction in which the index grows, e.g. ``LIA`` for axes
        right→left, superior→inferior, posterior→anterior.
    spacing_mm
        Voxel size along each array axis.
    shape
        Voxels along each array axis: of the field of view, or of the sliding window. For ``Layout.SLICE`` the first
        is 1; what draws is given every slice of the volume, what says something of the whole the one in the middle.
    placement
        Where the field of view is placed.
    registration
        How the further channels are brought to the first.
    """

    orientation: str
    spacing_mm: tuple[float, float, float]
    shape: tuple[int, int, int]
    placement: Placement
    registration: Registration = Registration.NONE


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """The ONNX graph and how it is run.

    Parameters
    ----------
    weights
        The ONNX file.
    input
        Name of its input.
    outputs
        Names of its outputs: one, or boxes, scores and label values for a detection.
    layout
        What the input holds.
    context_slices
        For ``Layout.SLICE``: an odd number of neighbouring slices given as channels, 1 for a 2-D network.
    precision
        Element type of the input, ``float32`` or ``float16``.
    batch
        Windows run together.
    overlap
        Part of a sliding window's side that the next one shares, 0 to below 1.
    mirror_axes
        Array axes: the answers to the input mirrored along each of them, and along all combinations, are averaged.
    """

    weights: Path
    input: str
    outputs: tuple[str, ...]
    layout: Layout = Layout.VOLUME
    context_slices: int = 1
    precision: str = "float32"
    batch: int = 1
    overlap: float = 0.5
    mirror_axes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """One class of a label map, one overlapping segment, or one finding.

    Parameters
    ----------
    value
        Value in the model's output, 1-based; 0 is background. Channel ``value - 1`` where each label is for itself.
    name
        Name for people, e.g. ``Thalamus``.
    category, type
        Segmented property (CID 7150 / CID 7151).
    colour_rgb
        Recommended display colour, 0..255 each.
    min_volume_ml, max_volume_ml
        Plausibility limits of this structure; outside, the whole result is implausible.
    threshold
        Probability from which on a segment that may overlap, a classified finding or a detection is there.
    smallest_ml
        Connected parts smaller than this are taken for noise and left out.
    anatomy
        Where it is, for what is no anatomical structure itself (CID 7192 and others); None for the model's region.
    laterality
        Its side (CID 244); None where it has none.
    usual_ml
        Lowest and highest usual volume, mL, shown beside what was measured; None where the model states none.
    diameters
        Whether its long and short axis are measured.
    """

    value: int
    name: str
    category: Code
    type: Code
    colour_rgb: tuple[int, int, int]
    min_volume_ml: float
    max_volume_ml: float
    threshold: float = 0.5
    smallest_ml: float = 0.0
    anatomy: Code | None = None
    laterality: Code | None = None
    usual_ml: tuple[float, float] | None = None
    diameters: bool = False

    @property
    def sided_name(self) -> str:
        """The name with the side."""
        return sided(self.name, self.laterality)

    def site(self, region: Code) -> Code:
        """Name where it is: a structure is its own site, anything else lies where the label or the model says.

        Parameters
        ----------
        region
            Of the model.
        """
        return self.type if self.category == ANATOMICAL_STRUCTURE else self.anatomy or region


@dataclass(frozen=True, slots=True)
class Plausibility:
    """Limits on the result as a whole.

    Parameters
    ----------
    total_ml
        Smallest and largest sum of all structures, mL.
    ratio
        ``(numerator label, denominator label, lowest, highest)`` limits of volume ratios.
    contrasts
        The same for ratios of mean source values, e.g. that ventricles are darker than white matter in a T1-weighted
        image. A network that learnt where structures lie paints them into anything round; the source tells.
    """

    total_ml: tuple[float, float]
    ratios: tuple[tuple[int, int, float, float], ...]
    contrasts: tuple[tuple[int, int, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Publication:
    """What is made of a result.

    Parameters
    ----------
    seg, sr, fhir
        Whether the object is written.
    series_number
        Series Number of the SEG; the SR takes the next.
    procedure
        Procedure reported and FHIR report code, e.g. LOINC 24590-2.
    region
        Anatomic region of the findings.
    total
        Name of the sum of all structures; None where a sum means nothing.
    sc, pdf, parametric_map, key_images
        Whether Secondary Captures, the one-page report, maps of probabilities and the selection of key images are
        made for destinations that take them.
    """

    seg: bool
    sr: bool
    fhir: bool
    series_number: int
    procedure: Code
    region: Code
    total: str | None = None
    sc: bool = True
    pdf: bool = True
    parametric_map: bool = False
    key_images: bool = True


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model package as the node knows it.

    Parameters
    ----------
    reference
        Id, semantic version and weights digest (hexadecimal SHA-256).
    title
        Name for people, at most 40 characters so that it fits Series Description.
    intended_use, licence, manufacturer
        Statements shown with every result.
    task
        The type of job.
    channels
        Its input, in the order of the tensor's channels; the first is the reference.
    preprocess, graph, output, labels, plausibility, publication
        The contract.
    deployment
        What this node does with it.
    """

    reference: ModelReference
    title: str
    intended_use: str
    licence: str
    manufacturer: str
    task: Task
    channels: tuple[ChannelSpec, ...]
    preprocess: PreprocessSpec
    graph: GraphSpec
    output: OutputKind
    labels: tuple[LabelSpec, ...]
    plausibility: Plausibility
    publication: Publication
    deployment: Deployment = Deployment.ACTIVE
