"""Documents about what happened to a job."""

from __future__ import annotations

from marshmallow import Schema, fields

from control_api.history import PhaseKind


class PhaseSchema(Schema):
    """A part of a job's time."""

    kind = fields.Enum(PhaseKind, by_value=True, metadata={"description": "On what it was spent."})
    name = fields.String(
        metadata={"description": "Stage, destination, or `queue` and `pause` of a wait.", "example": "infer"}
    )
    attempt = fields.Integer(allow_none=True, metadata={"description": "In which attempt, or after how many."})
    started_at = fields.AwareDateTime(metadata={"description": "When it began."})
    ended_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it ended; null: not yet."})
    seconds = fields.Float(allow_none=True, metadata={"description": "How long it took; null: not over yet."})


class TimelineSchema(Schema):
    """How a job's time was spent."""

    started_at = fields.AwareDateTime(metadata={"description": "When the job was made."})
    ended_at = fields.AwareDateTime(metadata={"description": "When it last changed."})
    seconds = fields.Float(metadata={"description": "Between the two.", "example": 7.1})
    phases = fields.List(fields.Nested(PhaseSchema), metadata={"description": "In order of their beginning."})


class JobEventSchema(Schema):
    """Something that happened to a job."""

    at = fields.AwareDateTime(metadata={"description": "When."})
    name = fields.String(
        metadata={
            "description": "`created`, `stage`, `delivery`, `review`, `withdrawn`, or `state` for how it stands now.",
            "example": "stage",
        }
    )
    detail = fields.String(metadata={"description": "Which stage, errand, verdict or state.", "example": "infer"})
    attempt = fields.Integer(allow_none=True, metadata={"description": "In which attempt, or after how many."})
    seconds = fields.Float(allow_none=True, metadata={"description": "How long it took, or null."})
    destination = fields.String(allow_none=True, metadata={"description": "Whom it was brought to, or null."})
    by = fields.String(allow_none=True, metadata={"description": "Account of who did it; null: the node."})
    code = fields.String(allow_none=True, metadata={"description": "Stable name of what went wrong, or null."})
    message = fields.String(allow_none=True, metadata={"description": "The same, or a reason, for a person."})


class JobLogSchema(Schema):
    """What happened to a job."""

    events = fields.List(
        fields.Nested(JobEventSchema), metadata={"description": "Oldest first; the last says how it stands now."}
    )
