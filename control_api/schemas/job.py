"""Documents about jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_dump, post_load, validate, validates_schema

from control_api.identifiers import UIDField
from control_api.records import JobFilter
from control_api.schemas.delivery import DeliverySchema
from control_api.schemas.paging import NEXT, CursorField, PageQuerySchema
from control_api.schemas.review import ReviewSchema
from inference.domain.identifiers import UID
from inference.domain.job import JobState
from inference.domain.model_spec import Task

_UID_EXAMPLE = "1.2.826.0.1.3680043.8.498.1"
_TIME = {"example": "2026-01-02T12:00:00+00:00"}


@dataclass(frozen=True, slots=True)
class RunOrder:
    """A person's wish that something is analysed (again).

    Parameters
    ----------
    study_uid, series_uid
        What; exactly one is given.
    model_id
        With which model; None for every active model that wants it.
    """

    study_uid: UID | None
    series_uid: UID | None
    model_id: str | None


class RunOrderSchema(Schema):
    """What to analyse: a study or one of its series."""

    study_uid = UIDField(
        load_default=None, metadata={"description": "Study Instance UID: all its series.", "example": _UID_EXAMPLE}
    )
    series_uid = UIDField(load_default=None, metadata={"description": "Series Instance UID: this series only."})
    model_id = fields.String(
        load_default=None,
        validate=validate.Length(1, 64),
        metadata={
            "description": "Model to run, whether or not its rule selects the series; absent: every active model "
            "that wants it. A model that reads several series runs once for the study, and must want one of them.",
            "example": "brain_structures",
        },
    )

    @validates_schema
    def _exactly_one(self, data: dict[str, Any], **_: Any) -> None:
        if (data.get("study_uid") is None) == (data.get("series_uid") is None):
            raise ValidationError("Give either study_uid or series_uid.")

    @post_load
    def _order(self, data: dict[str, Any], **_: Any) -> RunOrder:
        return RunOrder(**data)


class RerunOrderSchema(Schema):
    """With which model a job's input is analysed again."""

    model_id = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 64),
        metadata={"description": "Absent: the job's own, in the version that is active now.", "example": "tumor"},
    )


class JobQuerySchema(PageQuerySchema):
    """Which jobs to list."""

    state = fields.Enum(JobState, by_value=True, metadata={"description": "Only this state."})
    study_uid = UIDField(metadata={"description": "Only this study."})
    series_uid = UIDField(metadata={"description": "Only this series."})
    patient_id = fields.String(metadata={"description": "Exactly this Patient ID."})
    model = fields.String(metadata={"description": "Only this model id."})
    shadow = fields.Boolean(metadata={"description": "Only jobs in shadow, or only those that publish."})
    created_from = fields.AwareDateTime(metadata={"description": "Made at this time or later.", **_TIME})
    created_before = fields.AwareDateTime(metadata={"description": "Made before this time.", **_TIME})

    @post_load
    def _filter(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        page = {name: data.pop(name) for name in ("limit", "after") if name in data}
        return page | {"wanted": JobFilter(**data)}


class ModelReferenceSchema(Schema):
    """Which model, exactly."""

    model_id = fields.String(data_key="id", metadata={"description": "Id.", "example": "brain_structures"})
    version = fields.String(metadata={"description": "Semantic version.", "example": "1.0.0"})
    digest = fields.String(metadata={"description": "SHA-256 of the weights, hexadecimal."})


class ReasonSchema(Schema):
    """Why something ended without a result."""

    code = fields.String(metadata={"description": "Stable name.", "example": "geometry.gap"})
    message = fields.String(metadata={"description": "For a person.", "example": "two slices are missing"})


class WithdrawalSchema(Schema):
    """A result that does not stand any more, because its model was recalled or a reader rejected it."""

    reason = fields.String(metadata={"description": "Why."})
    at = fields.AwareDateTime(metadata={"description": "When."})
    by = fields.String(
        allow_none=True, metadata={"description": "Account of the reader; null where the model was recalled."}
    )


class JobSchema(Schema):
    """A job in a list, first under the clinical system's names: `study_id` to `task_id`."""

    study_id = fields.String(metadata={"description": "The same as `study_uid`.", "example": _UID_EXAMPLE})
    patient_id = fields.String(metadata={"description": "Patient ID of its study."})
    model_type = fields.String(
        allow_none=True,
        metadata={"description": "The same as the `id` of `model`.", "example": "brain_structures"},
    )
    status = fields.Enum(JobState, by_value=True, metadata={"description": "The same as `state`."})
    task_id = fields.String(metadata={"description": "The same as `job_id`."})
    job_id = fields.String(metadata={"description": "Id.", "example": "0f8fad5bd9cb469fa16570867728950e"})
    study_uid = fields.String(metadata={"description": "Study Instance UID.", "example": _UID_EXAMPLE})
    series_uid = fields.String(metadata={"description": "Series Instance UID.", "example": _UID_EXAMPLE + ".2"})
    revision = fields.Integer(metadata={"description": "Revision of the series; late instances open a new one."})
    model = fields.Nested(
        ModelReferenceSchema, allow_none=True, metadata={"description": "Null where no model wanted the series."}
    )
    run = fields.Integer(metadata={"description": "0 for the run that arrival made; counts up with every re-run."})
    state = fields.Enum(JobState, by_value=True, metadata={"description": "State."})
    attempt = fields.Integer(metadata={"description": "Attempts begun."})
    error = fields.Nested(
        ReasonSchema,
        allow_none=True,
        metadata={"description": "Why it failed, was rejected, or waits for another attempt; else null."},
    )
    created_at = fields.AwareDateTime(metadata={"description": "When it was made."})
    updated_at = fields.AwareDateTime(metadata={"description": "When it last changed."})
    next_run_at = fields.AwareDateTime(allow_none=True, metadata={"description": "Not before this time, or null."})
    superseded_by = fields.String(
        allow_none=True, metadata={"description": "Later job whose result replaces this one, or null."}
    )
    shadow = fields.Boolean(
        metadata={"description": "Whether its model is on trial: its result is recorded, and not published."}
    )
    withdrawn = fields.Nested(
        WithdrawalSchema,
        allow_none=True,
        metadata={"description": "Why its result is or was withdrawn, else null; its numbers are not shown."},
    )
    valid = fields.Boolean(
        metadata={"description": "Whether there is a published result, neither superseded nor withdrawn."}
    )


class StageTimeSchema(Schema):
    """How long a stage took."""

    stage = fields.String(metadata={"description": "Stage.", "example": "infer"})
    attempt = fields.Integer(metadata={"description": "In which attempt.", "example": 1})
    started_at = fields.AwareDateTime(metadata={"description": "When it began."})
    seconds = fields.Float(metadata={"description": "How long it took.", "example": 4.2})


class MeasurementSchema(Schema):
    """A number that the model found."""

    label = fields.String(metadata={"description": "What was measured.", "example": "Thalamus"})
    code = fields.String(metadata={"description": "Its code (SNOMED CT).", "example": "42695009"})
    laterality = fields.String(
        allow_none=True,
        dump_default=None,
        metadata={"description": "Code of its side (SNOMED CT), or null.", "example": "7771000"},
    )
    value = fields.Float(metadata={"description": "The number.", "example": 14.2})
    unit = fields.String(metadata={"description": "UCUM unit.", "example": "mL"})
    quantity = fields.String(
        dump_default="Volume", metadata={"description": "Which property was measured.", "example": "Volume"}
    )
    usual = fields.List(
        fields.Float(),
        allow_none=True,
        dump_default=None,
        metadata={"description": "Lowest and highest usual value, or null.", "example": [10.0, 20.0]},
    )
    tracking_uid = fields.String(
        allow_none=True,
        dump_default=None,
        metadata={"description": "Under which SEG, SR and FHIR know it; null for a total.", "example": _UID_EXAMPLE},
    )


class LocationSchema(Schema):
    """A place in patient coordinates, mm (DICOM: x to the patient's left, y to the back, z to the head)."""

    x = fields.Float(metadata={"description": "Towards the left.", "example": -12.5})
    y = fields.Float(metadata={"description": "Towards the back.", "example": 30.25})
    z = fields.Float(metadata={"description": "Towards the head.", "example": 41.0})


class FindingSchema(Schema):
    """Something that was looked for."""

    label = fields.String(metadata={"description": "What.", "example": "Tumour"})
    code = fields.String(metadata={"description": "Its code (SNOMED CT).", "example": "108369006"})
    present = fields.Boolean(metadata={"description": "Whether it is there."})
    probability = fields.Float(
        allow_none=True, metadata={"description": "0 to 1; null where the model gives none.", "example": 0.934}
    )
    location = fields.Nested(LocationSchema, allow_none=True, metadata={"description": "Its middle, or null."})
    tracking_uid = fields.String(
        metadata={"description": "Under which SR and FHIR know it.", "example": _UID_EXAMPLE}
    )


class AnswerSchema(Schema):
    """The answer to the job's task: what of it there is depends on the task."""

    task = fields.String(
        validate=validate.OneOf([task.value for task in Task]),
        metadata={"description": "Type of job.", "example": "tumor_detection"},
    )
    tumor_detected = fields.Boolean(metadata={"description": "Tumour detection: whether a tumour was found."})
    confidence = fields.Float(
        metadata={
            "description": "Tumour detection: probability of tumour, 0 to 1; the mean over what was found, or the "
            "highest anywhere where nothing was.",
            "example": 0.875,
        }
    )
    location = fields.Nested(
        LocationSchema,
        allow_none=True,
        metadata={"description": "Tumour detection: centre of the largest part; null where nothing was found."},
    )
    volume_ml = fields.Float(metadata={"description": "Tumour detection: all parts, mL.", "example": 3.25})
    findings = fields.List(
        fields.Nested(FindingSchema),
        metadata={"description": "Classification and detection: everything looked for, found or not."},
    )


class ArtifactSchema(Schema):
    """A result object."""

    kind = fields.String(metadata={"description": "SEG, SR, SC, PDF, PM or KOS.", "example": "SEG"})
    sop_instance_uid = fields.String(
        allow_none=True, metadata={"description": "SOP Instance UID of a DICOM object.", "example": _UID_EXAMPLE}
    )
    series_instance_uid = fields.String(allow_none=True, metadata={"description": "Its series."})


class JobDetailSchema(JobSchema):
    """A job with all that is known of it."""

    stages = fields.List(fields.Nested(StageTimeSchema), metadata={"description": "Stages, in order."})
    result = fields.Nested(
        AnswerSchema,
        allow_none=True,
        metadata={
            "description": "The answer to the job's task; null until there is one.",
            "example": {
                "task": "tumor_detection",
                "tumor_detected": True,
                "confidence": 0.875,
                "location": {"x": -12.5, "y": 30.25, "z": 41.0},
                "volume_ml": 3.25,
            },
        },
    )
    measurements = fields.List(
        fields.Nested(MeasurementSchema),
        attribute="result.measurements",
        dump_default=[],
        metadata={"description": "Findings."},
    )
    absent = fields.List(
        fields.String(),
        attribute="result.absent",
        dump_default=[],
        metadata={"description": "Structures that were looked for and not found."},
    )
    artifacts = fields.List(
        fields.Nested(ArtifactSchema),
        attribute="result.artifacts",
        dump_default=[],
        metadata={"description": "Result objects."},
    )
    report = fields.String(
        attribute="result.report",
        dump_default=None,
        allow_none=True,
        metadata={"description": "Address of the stored FHIR report, or null.", "example": "DiagnosticReport/7"},
    )
    warnings = fields.List(
        fields.String(),
        attribute="result.warnings",
        dump_default=[],
        metadata={"description": "What a reader should know."},
    )
    reviews = fields.List(
        fields.Nested(ReviewSchema), metadata={"description": "What readers said of it, oldest first."}
    )
    deliveries = fields.List(
        fields.Nested(DeliverySchema), metadata={"description": "Where it has arrived, and where not yet."}
    )

    @post_dump
    def _answer(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Give null where the job has no answer yet, or was done before answers were kept."""
        return data if "task" in (data.get("result") or {}) else data | {"result": None}


class JobListSchema(Schema):
    """A page of jobs."""

    items = fields.List(fields.Nested(JobSchema), metadata={"description": "Newest first."})
    next = CursorField(allow_none=True, metadata=NEXT)


class CreatedJobsSchema(Schema):
    """The jobs that a wish led to."""

    jobs = fields.List(
        fields.Nested(JobSchema), metadata={"description": "One per series and model, or study and model."}
    )
