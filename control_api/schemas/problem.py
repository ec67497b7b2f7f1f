"""The shape of errors (RFC 9457)."""

from __future__ import annotations

from marshmallow import Schema, fields


class FieldErrorSchema(Schema):
    """One thing that is wrong with a request."""

    location = fields.String(
        data_key="in", metadata={"description": "Where: json, query, path or package.", "example": "json"}
    )
    pointer = fields.String(
        metadata={"description": "JSON Pointer (RFC 6901) to the member.", "example": "/expected/1.2.3"}
    )
    detail = fields.String(metadata={"description": "What is wrong with it.", "example": "Not a valid integer."})


class ProblemSchema(Schema):
    """A problem document."""

    type = fields.String(
        required=True,
        metadata={"description": "URN of the kind of problem.", "example": "urn:neuronova:problem:job.not_found"},
    )
    title = fields.String(
        required=True, metadata={"description": "The kind of problem, in words.", "example": "There is no such job."}
    )
    status = fields.Integer(required=True, metadata={"description": "The HTTP status.", "example": 404})
    code = fields.String(required=True, metadata={"description": "Stable name.", "example": "job.not_found"})
    detail = fields.String(metadata={"description": "What happened this time.", "example": "there is no such job"})
    request_id = fields.String(
        metadata={"description": "Id under which the log holds the request.", "example": "c0ffee00c0ffee00"}
    )
    errors = fields.List(fields.Nested(FieldErrorSchema), metadata={"description": "Faults, member by member."})
