"""Documents about where a result has arrived."""

from __future__ import annotations

from marshmallow import Schema, fields

from inference.domain.delivery import DeliveryState


class DeliverySchema(Schema):
    """One errand to one destination."""

    destination = fields.String(metadata={"description": "Archive or report server.", "example": "pacs"})
    errand = fields.String(
        metadata={"description": "What is brought: result, note, withdrawal, or a review.", "example": "result"}
    )
    state = fields.Enum(DeliveryState, by_value=True, metadata={"description": "How far it has come."})
    attempts = fields.Integer(metadata={"description": "Attempts that ended."})
    since = fields.AwareDateTime(metadata={"description": "Since when it is tried."})
    next_run_at = fields.AwareDateTime(allow_none=True, metadata={"description": "Not before this time, or null."})
    settled_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it arrived or failed."})
    code = fields.String(allow_none=True, metadata={"description": "Why the last attempt failed, or null."})
    message = fields.String(allow_none=True, metadata={"description": "The same for a person, or null."})
    address = fields.String(allow_none=True, metadata={"description": "Where it is kept, or null."})
