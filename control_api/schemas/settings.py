"""Documents about settings."""

from __future__ import annotations

from marshmallow import Schema, fields

from integrations.environment import Source


class SettingSchema(Schema):
    """A setting."""

    name = fields.String(metadata={"description": "Name.", "example": "quiet_time_s"})
    variable = fields.String(metadata={"description": "Environment variable.", "example": "NODE_QUIET_TIME_S"})
    guide_variable = fields.String(
        allow_none=True, metadata={"description": "The CDSS guide's own name for it, or null.", "example": "DB_HOST"}
    )
    value = fields.Raw(
        allow_none=True,
        metadata={"description": "Text, number, truth, list or null; eight asterisks for a secret that is set."},
    )
    source = fields.Enum(
        Source,
        by_value=True,
        metadata={
            "description": "`default`; `environment`; `file`: one that a variable names; `generated`: the node made "
            "it for itself."
        },
    )
    secret = fields.Boolean(metadata={"description": "Whether the value is hidden."})
    description = fields.String(metadata={"description": "What it does."})


class SettingListSchema(Schema):
    """How the node is set up."""

    settings = fields.List(fields.Nested(SettingSchema), metadata={"description": "In the order of the manual."})
