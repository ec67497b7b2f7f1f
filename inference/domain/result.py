"""What a model says about a series, on the source grid and in coded words; no wire format in here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from inference.domain.codes import Code
from inference.domain.identifiers import UID
from inference.domain.job import ModelReference
from inference.domain.masks import Masks, plane
from inference.domain.model_spec import LabelSpec, Task
from inference.domain.phrases import sided
from inference.domain.study import InstanceIdentity


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number with its unit and meaning.

    Parameters
    ----------
    label
        Name for people, e.g. ``Thalamus``.
    finding
        What was measured.
    quantity
        Which property, e.g. Volume.
    value
        The number, in ``unit``.
    unit
        UCUM unit.
    tracking_uid, tracking_id
        The identity that SEG, SR and FHIR share for this finding; None for a derived total.
    reference_range
        Lowest and highest usual value, in ``unit``; None where the model states none.
    laterality
        Side of what was measured (CID 244); None where it has none.
    site
        Where it is, for what is no anatomical structure itself; None where ``finding`` is its own site.
    """

    label: str
    finding: Code
    quantity: Code
    value: float
    unit: Code
    tracking_uid: UID | None = None
    tracking_id: str | None = None
    reference_range: tuple[float, float] | None = None
    laterality: Code | None = None
    site: Code | None = None

    @property
    def sided_name(self) -> str:
        """The name for people with the side."""
        return sided(self.label, self.laterality)


@dataclass(frozen=True, slots=True)
class Segment:
    """One structure found.

    Parameters
    ----------
    number
        1-based Segment Number in the SEG, consecutive.
    label
        The model's class.
    voxel_count
        Voxels of the structure on the source grid.
    centroid_lps_mm
        Centre of gravity in patient coordinates, mm.
    volume
        The volume measurement, which carries the tracking identity.
    mean_value
        Mean modality value of the structure in the source.
    diameters
        Long and short axis on the slice where it is largest, mm; empty unless its label asks for them. They carry
        the same tracking identity as the volume.
    """

    number: int
    label: LabelSpec
    voxel_count: int
    centroid_lps_mm: tuple[float, float, float]
    volume: Measurement
    mean_value: float = 0.0
    diameters: tuple[Measurement, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding is, in patient LPS millimetres.

    Parameters
    ----------
    centre_lps_mm
        Its middle.
    corners_lps_mm
        The eight corners of its box; empty for a point.
    """

    centre_lps_mm: tuple[float, float, float]
    corners_lps_mm: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a model says is there or is not.

    Parameters
    ----------
    label
        What was looked for.
    present
        Whether its probability reaches the label's threshold.
    probability
        0..1; None where the model gives none, as for what a detection did not find.
    tracking_uid, tracking_id
        The identity that SR and FHIR share.
    place
        Where it is; None where the model cannot say.
    """

    label: LabelSpec
    present: bool
    probability: float | None
    tracking_uid: UID
    tracking_id: str
    place: Place | None = None

    @property
    def sided_name(self) -> str:
        """The tracking identifier, which counts several of a kind, with the side."""
        return sided(self.tracking_id, self.label.laterality)


@dataclass(frozen=True, slots=True)
class TumorDetection:
    """The answer to ``Task.TUMOR_DETECTION``, in the words of the clinical system.

    Parameters
    ----------
    tumor_detected
        Whether any part of at least the label's smallest volume was found.
    confidence
        The model's probability of tumour, 0..1: the mean over the found voxels; where none was found, the highest
        of any voxel.
    location_lps_mm
        Centre of gravity of the largest part, None where none was found.
    volume_ml
        Of all parts together.
    """

    tumor_detected: bool
    confidence: float
    location_lps_mm: tuple[float, float, float] | None
    volume_ml: float


@dataclass(frozen=True, eq=False)
class AnalysisResult:
    """What a model says about a series, on the **source** grid.

    Parameters
    ----------
    labels
        (slices, rows, columns) uint8 ndarray of label values, 0 background; or, for segments that may overlap,
        (labels, slices, rows, columns) bool ndarray in order of label value; None for a model that draws nothing.
    segments
        Non-empty structures in order of label value.
    absent
        Labels of which no voxel was found.
    totals
        Measurements over several structures.
    total_ml
        Volume of all structures together, mL; a voxel of several counts once.
    findings
        What was classified or detected, whether present or not.
    task
        The answer to the model's task where it has one of its own.
    probabilities
        (labels, slices, rows, columns) uint8 ndarray in order of label value, 255 for certainty; None unless they
        were asked for and the model gives them.
    """

    labels: Masks | None
    segments: tuple[Segment, ...]
    absent: tuple[LabelSpec, ...]
    totals: tuple[Measurement, ...]
    findings: tuple[Finding, ...] = ()
    task: TumorDetection | None = None
    total_ml: float = 0.0
    probabilities: NDArray[np.uint8] | None = None

    def plane(self, slice_index: int, label_value: int) -> NDArray[np.bool_]:
        """Give where a label is on one slice, (rows, columns), whether or not labels overlap.

        Raises
        ------
        ValueError
            If the model draws nothing.
        """
        if self.labels is None:
            raise ValueError("the model draws nothing")
        return plane(self.labels, slice_index, label_value)


@dataclass(frozen=True, slots=True)
class NameGroup:
    """One component group of a person's name (PS3.5 section 6.2.1). Patient data: never log.

    Parameters
    ----------
    representation
        ``ABC`` for the alphabetic, ``IDE`` for the ideographic, ``SYL`` for the phonetic group.
    family, given, middle, prefix, suffix
        Its components, empty when absent.
    """

    representation: str
    family: str = ""
    given: str = ""
    middle: str = ""
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """The patient, as the source names them. Patient data: never log.

    Parameters
    ----------
    patient_id, issuer
        PatientID and IssuerOfPatientID, empty when absent.
    family_name, given_name
        Parts of the first component group of PatientName.
    birth_date
        ``YYYY-MM-DD`` or empty when absent or not a date.
    sex
        ``M``, ``F``, ``O`` or empty.
    names
        Every component group of PatientName that is not empty; none in reports of versions that did not keep them.
    """

    patient_id: str
    issuer: str
    family_name: str
    given_name: str
    birth_date: str
    sex: str
    names: tuple[NameGroup, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceSeries:
    """The series that was analysed, as a report cites it.

    Parameters
    ----------
    study_instance_uid, series_instance_uid
        Identifiers.
    accession_number, study_id, study_description, series_description, modality
        As the source says, decoded; empty when absent.
    started_at
        Study date and time with zone (the source's TimezoneOffsetFromUTC, else UTC); None when absent.
    instances
        The source instances.
    """

    study_instance_uid: UID
    series_instance_uid: UID
    accession_number: str
    study_id: str
    study_description: str
    series_description: str
    modality: str
    started_at: datetime | None
    instances: tuple[InstanceIdentity, ...]


@dataclass(frozen=True, slots=True)
class EvidenceObject:
    """A DICOM result object that a report refers to."""

    kind: str
    identity: InstanceIdentity
    sha256: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a series that a model wanted was not analysed.

    Parameters
    ----------
    code
        Stable name, e.g. ``geometry.gap``.
    message
        For a person; no patient data.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a report server is told; plain data, kept as JSON beside the artefacts.

    Parameters
    ----------
    report_uid
        Derived UID of the report; the same input, model and options give the same one.
    subject, source
        Whom and what it is about.
    model
        Which model, exactly.
    model_title, manufacturer, intended_use
        Statements of the model package.
    procedure, region
        Coded procedure and anatomic region.
    measurements
        One per structure, totals after them.
    absent
        Names of structures that were looked for and not found.
    evidence
        The DICOM objects that the first destination takes.
    warnings
        What a reader should know.
    produced_at
        When the analysis ended, UTC.
    task
        The type of job.
    findings
        What was classified or detected, whether present or not.
    tumor
        The answer to ``Task.TUMOR_DETECTION``; None for any other task.
    further_sources
        The series of further channels.
    lineage_uid
        What stays the same when the same series is analysed by the same model again: under it a report server finds
        what this report replaces. None in reports of versions that did not keep it.
    pdf_base64
        The one-page report, base64; empty where none was made.
    refusal
        Why there is no result; None where there is one.
    ordered_at
        When its run was ordered, aware; None in reports of versions that did not keep it.
    """

    report_uid: UID
    subject: Subject
    source: SourceSeries
    model: ModelReference
    model_title: str
    manufacturer: str
    intended_use: str
    procedure: Code
    region: Code
    measurements: tuple[Measurement, ...]
    absent: tuple[str, ...]
    evidence: tuple[EvidenceObject, ...]
    warnings: tuple[str, ...]
    produced_at: datetime
    task: Task = Task.SEGMENTATION
    findings: tuple[Finding, ...] = ()
    tumor: TumorDetection | None = None
    further_sources: tuple[SourceSeries, ...] = ()
    lineage_uid: UID | None = None
    pdf_base64: str = ""
    refusal: Refusal | None = None
    ordered_at: datetime | None = None

    @property
    def succession(self) -> datetime:
        """By which the later of two reports of a lineage is known; repeated analyses end at the same time."""
        return self.ordered_at or self.produced_at
