"""Documents about the node itself."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from control_api.schemas.job import ModelReferenceSchema


class LivenessSchema(Schema):
    """The process answers."""

    status = fields.String(validate=validate.Equal("alive"), metadata={"description": "Always `alive`."})


class PartSchema(Schema):
    """A part that the node needs."""

    name = fields.String(metadata={"description": "Which.", "example": "database"})
    ready = fields.Boolean(metadata={"description": "Whether it works."})
    detail = fields.String(allow_none=True, metadata={"description": "What is wrong with it, or null."})


class ReadinessSchema(Schema):
    """Whether the node can do its work."""

    status = fields.String(
        validate=validate.OneOf(["ready", "not ready"]), metadata={"description": "`ready` when every part is."}
    )
    parts = fields.List(fields.Nested(PartSchema), metadata={"description": "Each part by name."})


class DiskSchema(Schema):
    """Room for data."""

    free_bytes = fields.Integer(metadata={"description": "Free."})
    total_bytes = fields.Integer(metadata={"description": "In all."})


class NodeStatusSchema(Schema):
    """The node at a glance."""

    version = fields.String(metadata={"description": "Version of the node.", "example": "0.1.0"})
    ae_title = fields.String(metadata={"description": "Its AE title.", "example": "NEURONOVA"})
    now = fields.AwareDateTime(metadata={"description": "The node's time of day."})
    jobs = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "Number of jobs by state.", "example": {"COMPLETED": 12, "FAILED": 0}},
    )
    shadow_jobs = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "The same of jobs in shadow, which are only recorded.", "example": {"COMPLETED": 3}},
    )
    receiving_series = fields.Integer(metadata={"description": "Series that are still open."})
    queues = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(allow_none=True),
        metadata={
            "description": "Waiting messages by queue; null where the queue cannot be asked.",
            "example": {"inference": 0, "delivery": 0},
        },
    )
    models = fields.List(fields.Nested(ModelReferenceSchema), metadata={"description": "Active models."})
    disk = fields.Nested(DiskSchema, metadata={"description": "The disk that holds the data."})
