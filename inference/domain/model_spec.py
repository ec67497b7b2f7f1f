"""The contract of a model: what it wants, what it says, and when not to believe it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inference.domain.codes import Code
from inference.domain.job import ModelReference


class Localisation(StrEnum):
    """How the network's field of view is placed in the volume."""

    HEAD = "head"
    """Centred on the brain, estimated from the outline of the head."""
    CENTRE = "centre"
    """Centred on the volume."""


class Normalisation(StrEnum):
    """How intensities are brought to the network's scale, over the network's field of view."""

    ZSCORE = "zscore"
    MINMAX = "minmax"
    NONE = "none"


class OutputKind(StrEnum):
    """What the graph's output means."""

    LABEL_MAP_LOGITS = "label_map_logits"
    """(1, classes, D, H, W) float32 logits, class 0 background."""


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """Which series a model wants.

    Parameters
    ----------
    modality
        DICOM Modality, e.g. ``MR``.
    sequence
        ``T1`` to demand a T1-weighted MR, decided from acquisition parameters and, where those are absent, from
        the descriptions; None for any.
    exclude_description
        Case-insensitive regular expressions; a match in SeriesDescription (in ProtocolName where that is empty)
        refuses the series.
    body_parts
        Accepted BodyPartExamined values; a series without the attribute is not refused for it.
    min_slices
        Fewest slices.
    max_slice_spacing_mm
        Largest distance between slice centres, mm.
    """

    modality: str
    sequence: str | None
    exclude_description: tuple[str, ...]
    body_parts: frozenset[str]
    min_slices: int
    max_slice_spacing_mm: float


@dataclass(frozen=True, slots=True)
class PreprocessSpec:
    """How the network's input is made from the source volume.

    Parameters
    ----------
    orientation
        Three letters, one per array axis: the patient direction in which the index grows, e.g. ``LIA`` for axes
        right→left, superior→inferior, posterior→anterior.
    spacing_mm
        Voxel size along each array axis.
    shape
        Voxels along each array axis.
    localisation
        Where the field of view is placed.
    clip_percentile
        Intensities above this percentile of the field of view are clipped.
    normalisation
        Scaling, after clipping.
    """

    orientation: str
    spacing_mm: tuple[float, float, float]
    shape: tuple[int, int, int]
    localisation: Localisation
    clip_percentile: float
    normalisation: Normalisation


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """One class of a label map.

    Parameters
    ----------
    value
        Value in the model's output, 1-based; 0 is background.
    name
        Name for people, e.g. ``Thalamus``.
    category, type
        Segmented property (CID 7150 / CID 7151).
    colour_rgb
        Recommended display colour, 0..255 each.
    min_volume_ml, max_volume_ml
        Plausibility limits of this structure; outside, the whole result is implausible.
    """

    value: int
    name: str
    category: Code
    type: Code
    colour_rgb: tuple[int, int, int]
    min_volume_ml: float
    max_volume_ml: float


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
    """

    seg: bool
    sr: bool
    fhir: bool
    series_number: int
    procedure: Code
    region: Code


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
    weights
        The ONNX file.
    input_name, output_name
        Tensor names of the graph.
    selection, preprocess, output, labels, plausibility, publication
        The contract.
    """

    reference: ModelReference
    title: str
    intended_use: str
    licence: str
    manufacturer: str
    weights: Path
    input_name: str
    output_name: str
    selection: SelectionRule
    preprocess: PreprocessSpec
    output: OutputKind
    labels: tuple[LabelSpec, ...]
    plausibility: Plausibility
    publication: Publication
