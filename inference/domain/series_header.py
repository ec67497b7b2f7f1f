"""What a series says about itself before any pixel is read: the facts on which selection decides."""

from __future__ import annotations

from dataclasses import dataclass

from inference.domain.identifiers import UID
from inference.domain.model_spec import Plane


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How an MR series was acquired (PS3.3 section C.8.3.1); empty or None where the header does not say.

    Parameters
    ----------
    scanning_sequence
        ScanningSequence values: ``SE``, ``IR``, ``GR``, ``EP``, ``RM``.
    sequence_variant
        SequenceVariant values, e.g. ``SP``, ``SS``, ``MP``.
    repetition_time_ms, echo_time_ms, inversion_time_ms
        Times in milliseconds.
    angiography
        Whether AngioFlag says ``Y``.
    contrast_agent
        Whether ContrastBolusAgent names one (PS3.3 section C.7.6.4).
    """

    scanning_sequence: frozenset[str] = frozenset()
    sequence_variant: frozenset[str] = frozenset()
    repetition_time_ms: float | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    angiography: bool = False
    contrast_agent: bool = False


@dataclass(frozen=True, slots=True)
class SeriesHeader:
    """The facts of a series, taken from the headers of all its instances.

    Descriptions are free text and may hold patient data: never log them.

    Parameters
    ----------
    sop_class_uids
        Every SOP Class among the instances.
    modality, body_part
        Modality and BodyPartExamined, upper case, empty when absent.
    series_description, protocol_name
        Free text, empty when absent.
    image_type
        Every value of ImageType and of the frame types of any instance, upper case.
    acquisition
        MR acquisition parameters.
    instance_count
        Instances in the series.
    slice_count
        Distinct slice positions; the number of instances where positions are absent.
    slice_spacing_mm
        Median distance between neighbouring slices along the slice normal; None when it cannot be told.
    has_matrix
        Whether every instance has Rows and Columns above zero.
    samples_per_pixel
        Largest Samples per Pixel of any instance.
    multi_frame
        Whether any instance holds several frames or is of an enhanced class.
    plane
        The plane of the body nearest to all slices; None where they differ, lie far from each or do not say.
    """

    sop_class_uids: frozenset[UID]
    modality: str
    body_part: str
    series_description: str
    protocol_name: str
    image_type: frozenset[str]
    acquisition: Acquisition
    instance_count: int
    slice_count: int
    slice_spacing_mm: float | None
    has_matrix: bool
    samples_per_pixel: int
    multi_frame: bool
    plane: Plane | None = None
