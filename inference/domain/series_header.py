"""What a series says about itself before any pixel is read: the facts on which selection decides."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from inference.domain.identifiers import UID
from inference.domain.model_spec import Plane
from inference.errors import ReasonCode


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
        Whether AngioFlag says ``Y``, or an enhanced image says time of flight or phase contrast.
    contrast_agent
        Whether ContrastBolusAgent names one (PS3.3 section C.7.6.4).
    stated_contrast
        AcquisitionContrast of an enhanced image (PS3.3 section C.8.13.3.1.2): ``T1``, ``DIFFUSION`` and so on;
        empty where it is ``UNKNOWN`` or ``MIXED``.
    """

    scanning_sequence: frozenset[str] = frozenset()
    sequence_variant: frozenset[str] = frozenset()
    repetition_time_ms: float | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    angiography: bool = False
    contrast_agent: bool = False
    stated_contrast: str = ""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something for which no model can use a series, whatever it accepts.

    Parameters
    ----------
    reason
        Its stable code.
    message
        What a technologist should know; no patient data.
    """

    reason: ReasonCode
    message: str


@dataclass(frozen=True, slots=True)
class StackHeader:
    """The frames of a series that are said to belong together; all of them, for most series.

    Parameters
    ----------
    name
        Stack ID of an enhanced image (PS3.3 section C.7.6.16.2.2.2), else empty.
    frame_count
        Frames.
    slice_count
        Distinct positions among them; the number of frames where positions are absent.
    gaps_mm
        Distances between neighbouring positions along the slice normal, in ascending order of position.
    plane
        The plane of the body nearest to all slices; None where they differ, lie far from each or do not say.
    echo_times_ms
        The echo times, ascending, where there are several at one position; else empty.
    time_points
        How often each position was imaged in time, within one echo; 1 unless that explains every repetition.
    most_at_a_position
        Most frames at one position, within one echo.
    flaw
        Why these frames are no volume.
    """

    name: str
    frame_count: int
    slice_count: int
    gaps_mm: tuple[float, ...] = ()
    plane: Plane | None = None
    echo_times_ms: tuple[float, ...] = ()
    time_points: int = 1
    most_at_a_position: int = 1
    flaw: Flaw | None = None

    @property
    def slice_spacing_mm(self) -> float | None:
        """Median distance between neighbouring slices along the slice normal; None when it cannot be told."""
        return median(self.gaps_mm) if self.gaps_mm else None


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
    study_description, series_description, protocol_name
        Free text, empty when absent.
    image_type
        Every value of ImageType and of the frame types of any instance, upper case.
    acquisition
        MR acquisition parameters.
    instance_count
        Instances in the series.
    stacks
        Its frames, at least one stack.
    has_matrix
        Whether every instance has Rows and Columns above zero.
    samples_per_pixel
        Largest Samples per Pixel of any instance.
    test_object
        Whether an instance says that it shows no patient: QualityControlSubject, ContentQualification SERVICE, a
        phantom as body part.
    burned_in
        Whether an instance says that text is part of its image (BurnedInAnnotation).
    identifier_flaw
        Why a result could not be filed to the same patient.
    pixel_flaw
        Why the pixels of an instance cannot be decoded, as far as its header tells.
    """

    sop_class_uids: frozenset[UID]
    modality: str
    body_part: str
    series_description: str
    protocol_name: str
    image_type: frozenset[str]
    acquisition: Acquisition
    instance_count: int
    stacks: tuple[StackHeader, ...]
    has_matrix: bool
    samples_per_pixel: int
    study_description: str = ""
    test_object: bool = False
    burned_in: bool = False
    identifier_flaw: Flaw | None = None
    pixel_flaw: Flaw | None = None

    @property
    def description(self) -> str:
        """The series' own description; ProtocolName, which often names the whole examination, where there is none."""
        return self.series_description or self.protocol_name
