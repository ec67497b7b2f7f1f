"""Documents about who did what, for administrators."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from control_api.audit_log import AuditFilter
from control_api.schemas.paging import NEXT, CursorField, PageQuerySchema
from integrations.persistence.audit_trail import Outcome


class AuditQuerySchema(PageQuerySchema):
    """Which events to list."""

    actor = fields.String(validate=validate.Length(max=64), metadata={"description": "Exactly this account."})
    role = fields.String(validate=validate.Length(max=16), metadata={"description": "Exactly this role."})
    action = fields.String(
        validate=validate.Length(max=160), metadata={"description": "Part of the action.", "example": "/review"}
    )
    object = fields.String(validate=validate.Length(max=255), metadata={"description": "Part of the object's ids."})
    outcome = fields.Enum(Outcome, by_value=True, metadata={"description": "How it ended."})
    request_id = fields.String(validate=validate.Length(max=64), metadata={"description": "Exactly this request."})
    since = fields.AwareDateTime(metadata={"description": "From then on."})
    until = fields.AwareDateTime(metadata={"description": "Until then."})

    @post_load
    def _filter(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        page = {name: data.pop(name) for name in ("limit", "after") if name in data}
        return page | {"wanted": AuditFilter(**data)}


class AuditEventSchema(Schema):
    """Something that somebody did, or tried to."""

    at = fields.AwareDateTime(required=True, metadata={"description": "When."})
    actor = fields.String(required=True, metadata={"description": "Account; empty: nobody who is known."})
    role = fields.String(required=True, metadata={"description": "What they were then.", "example": "radiologist"})
    action = fields.String(
        required=True,
        metadata={"description": "Method and pattern of the path.", "example": "POST /api/jobs/{job_id}/retry"},
    )
    object = fields.String(required=True, metadata={"description": "Ids of what it was done to."})
    outcome = fields.Enum(Outcome, by_value=True, required=True, metadata={"description": "How it ended."})
    status = fields.Integer(required=True, metadata={"description": "HTTP status.", "example": 202})
    request_id = fields.String(required=True, metadata={"description": "Under which the log has it."})
    client = fields.String(required=True, metadata={"description": "Address of the client.", "example": "10.0.0.7"})


class AuditListSchema(Schema):
    """A page of events."""

    items = fields.List(fields.Nested(AuditEventSchema), metadata={"description": "Newest first."})
    next = CursorField(allow_none=True, metadata=NEXT)
