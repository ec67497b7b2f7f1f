"""Documents about studies and series. They hold patient data, for people who are logged in."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from control_api.identifiers import UIDField
from control_api.records import StudyFilter
from control_api.schemas.job import JobSchema, ReasonSchema
from control_api.schemas.paging import NEXT, CursorField, PageQuerySchema
from inference.domain.job import JobState
from inference.domain.study import CompletionEvidence

_UID_EXAMPLE = "1.2.826.0.1.3680043.8.498.1"
_CALENDAR = {"description": "Study date, inclusive.", "example": "2026-01-02"}


class StudyQuerySchema(PageQuerySchema):
    """Which studies to list."""

    patient_id = fields.String(metadata={"description": "Exactly this Patient ID."})
    accession_number = fields.String(metadata={"description": "Exactly this Accession Number."})
    date_from = fields.Date(metadata=_CALENDAR)
    date_to = fields.Date(metadata=_CALENDAR)
    text = fields.String(
        validate=validate.Length(1, 64),
        metadata={"description": "Somewhere in the patient's name or id, whether large or small letters."},
    )
    has_result = fields.Boolean(metadata={"description": "Only studies with a published result, or only the others."})
    incomplete = fields.Boolean(
        metadata={"description": "Only studies of which more is awaited or known to be missing, or only the others."}
    )

    @post_load
    def _filter(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        page = {name: data.pop(name) for name in ("limit", "after") if name in data}
        return page | {"wanted": StudyFilter(**data)}


class StudySchema(Schema):
    """A study in a list."""

    study_uid = fields.String(metadata={"description": "Study Instance UID.", "example": _UID_EXAMPLE})
    patient_id = fields.String(metadata={"description": "Patient ID."})
    patient_name = fields.String(metadata={"description": "Patient's Name as DICOM writes it."})
    accession_number = fields.String(metadata={"description": "Accession Number."})
    study_date = fields.String(metadata={"description": "Study Date as DICOM writes it.", "example": "20260102"})
    study_description = fields.String(metadata={"description": "Study Description."})
    calling_ae = fields.String(metadata={"description": "Who sent it last.", "example": "ORTHANC"})
    first_received_at = fields.AwareDateTime(metadata={"description": "When the first instance was committed."})
    last_received_at = fields.AwareDateTime(metadata={"description": "When the last instance was committed."})
    signalled_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When somebody said that it is complete, or null."}
    )
    series_count = fields.Integer(metadata={"description": "Series here."})
    instance_count = fields.Integer(metadata={"description": "Instances here."})
    receiving = fields.Boolean(metadata={"description": "Whether a series is still open."})
    incomplete = fields.Boolean(
        metadata={"description": "Whether a series is still open, or lacks instances that were announced."}
    )
    missing_count = fields.Integer(metadata={"description": "Instances that were announced and are not here."})
    has_result = fields.Boolean(metadata={"description": "Whether there is a published result that stands."})
    jobs = fields.Dict(
        keys=fields.Enum(JobState, by_value=True),
        values=fields.Integer(),
        metadata={"description": "Jobs that publish, counted by state.", "example": {"COMPLETED": 1}},
    )
    reasons = fields.List(
        fields.Nested(ReasonSchema),
        metadata={"description": "Why a series is not analysed or a job failed, each once."},
    )


class SeriesSchema(Schema):
    """A series and what was decided about it."""

    series_uid = fields.String(metadata={"description": "Series Instance UID.", "example": _UID_EXAMPLE + ".2"})
    modality = fields.String(metadata={"description": "Modality.", "example": "MR"})
    series_description = fields.String(metadata={"description": "Series Description."})
    calling_ae = fields.String(metadata={"description": "Who sent it last."})
    revision = fields.Integer(metadata={"description": "Counts up when instances arrive after completion."})
    receiving = fields.Boolean(metadata={"description": "Whether it is still open."})
    instance_count = fields.Integer(metadata={"description": "Distinct instances here."})
    expected_count = fields.Integer(allow_none=True, metadata={"description": "Instances that a signal named."})
    promised_count = fields.Integer(
        allow_none=True, metadata={"description": "Instances that the headers promise, as far as that counts."}
    )
    missing_count = fields.Integer(
        allow_none=True, metadata={"description": "How many of them are not here; null where nobody named a number."}
    )
    incomplete = fields.Boolean(metadata={"description": "Whether it is open, or lacks what was announced."})
    evidence = fields.String(
        allow_none=True,
        validate=validate.OneOf([item.value for item in CompletionEvidence]),
        metadata={"description": "What showed that it was complete; null while it is open."},
    )
    decision = fields.String(
        allow_none=True,
        validate=validate.OneOf(["analysed", "rejected"]),
        metadata={"description": "Null until there is one."},
    )
    reason = fields.Nested(
        ReasonSchema, allow_none=True, metadata={"description": "Why it is not analysed, or null."}
    )
    first_received_at = fields.AwareDateTime(metadata={"description": "First instance."})
    last_received_at = fields.AwareDateTime(metadata={"description": "Last instance."})
    completed_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was closed."})
    jobs = fields.List(fields.Nested(JobSchema), metadata={"description": "Its jobs, oldest first."})


class StudyDetailSchema(StudySchema):
    """A study with its series."""

    series = fields.List(fields.Nested(SeriesSchema), metadata={"description": "In order of arrival."})


class StudyListSchema(Schema):
    """A page of studies."""

    items = fields.List(fields.Nested(StudySchema), metadata={"description": "The one received last first."})
    next = CursorField(allow_none=True, metadata=NEXT)


class CompletionSchema(Schema):
    """The word that a study is complete."""

    expected = fields.Dict(
        keys=UIDField(),
        values=fields.Integer(strict=True, validate=validate.Range(1, 1_000_000)),
        load_default=dict,
        metadata={
            "description": "Number of instances by Series Instance UID, as far as they are known; "
            "a series with more to come stays open until they are here.",
            "example": {_UID_EXAMPLE + ".2": 192},
        },
    )
