"""Documents about what changed since the previous study. They hold patient data, for people who are logged in."""

from __future__ import annotations

from marshmallow import Schema, fields

from control_api.comparison import NoPrior
from control_api.schemas.job import ModelReferenceSchema


class StructureChangeSchema(Schema):
    """A structure then and now."""

    label = fields.String(metadata={"description": "Its name.", "example": "Thalamus"})
    code = fields.String(metadata={"description": "Its code (SNOMED CT).", "example": "42695009"})
    laterality = fields.String(allow_none=True, metadata={"description": "Code of its side, or null."})
    unit = fields.String(metadata={"description": "UCUM unit.", "example": "mL"})
    prior = fields.Float(
        allow_none=True, metadata={"description": "Its volume then; null: not found.", "example": 14.2}
    )
    current = fields.Float(allow_none=True, metadata={"description": "And now.", "example": 13.5})
    change = fields.Float(allow_none=True, metadata={"description": "By how much it grew.", "example": -0.7})
    change_percent = fields.Float(
        allow_none=True, metadata={"description": "The same, in percent of what it was.", "example": -4.93}
    )


class ComparedResultSchema(Schema):
    """One of the two results."""

    job_id = fields.String(attribute="job.job_id", metadata={"description": "Its job."})
    study_uid = fields.String(attribute="study.study_uid", metadata={"description": "Study Instance UID."})
    series_uid = fields.String(attribute="job.series_uid", metadata={"description": "Series Instance UID."})
    series_description = fields.String(metadata={"description": "Series Description."})
    study_date = fields.String(
        attribute="study.study_date",
        metadata={"description": "Study Date as DICOM writes it.", "example": "20260102"},
    )
    model = fields.Nested(
        ModelReferenceSchema, attribute="job.model", metadata={"description": "Which model, exactly."}
    )


class ComparisonSchema(Schema):
    """A result beside the previous one of the same model."""

    current = fields.Nested(ComparedResultSchema, metadata={"description": "The result."})
    prior = fields.Nested(
        ComparedResultSchema, allow_none=True, metadata={"description": "The previous one, null where there is none."}
    )
    reason = fields.Enum(
        NoPrior,
        by_value=True,
        allow_none=True,
        metadata={
            "description": "Why there is none: the study names no patient or no date, or this node has not seen an "
            "earlier one with a result of the model."
        },
    )
    interval_days = fields.Integer(allow_none=True, metadata={"description": "Days between the two studies."})
    name_agrees = fields.Boolean(
        allow_none=True,
        metadata={"description": "Whether both name the patient alike; if not, look whether it is the same person."},
    )
    same_version = fields.Boolean(
        allow_none=True, metadata={"description": "Whether the very same version of the model said both."}
    )
    structures = fields.List(
        fields.Nested(StructureChangeSchema),
        metadata={"description": "Volumes of both; none without a previous one."},
    )


class ComparisonListSchema(Schema):
    """What changed since the previous study."""

    comparisons = fields.List(
        fields.Nested(ComparisonSchema), metadata={"description": "One for each result of the study that stands."}
    )


class FetchedPriorSchema(Schema):
    """The previous study, as far as the archive knows."""

    study_uid = fields.String(metadata={"description": "Study Instance UID."})
    study_date = fields.String(metadata={"description": "Study Date, DICOM.", "example": "20250102"})
    ordered = fields.Boolean(metadata={"description": "Whether it is sent to this node now; if not, it is here."})
