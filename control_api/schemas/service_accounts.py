"""Documents about programs that may call the API, for administrators."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from control_api.schemas.users import IS_A_NAME

_NAME = {"description": "Name: letters, digits and . _ @ -, in lower case.", "example": "ris-bridge"}
_ABOUT = {"description": "What it is, and who answers for it.", "example": "RIS bridge, radiology IT"}
_SCOPES = {"description": "What it may do: `x-scope` of the operations.", "example": ["studies:read", "jobs:read"]}
_LONGEST_LIFE_DAYS = 3650


def _scopes(*, required: bool) -> fields.List[str]:
    return fields.List(
        fields.String(validate=validate.Length(1, 64)),
        required=required,
        validate=validate.Length(max=100),
        metadata=_SCOPES,
    )


class ServiceAccountSchema(Schema):
    """A program."""

    name = fields.String(required=True, metadata=_NAME)
    description = fields.String(required=True, metadata=_ABOUT)
    scopes = fields.List(fields.String(), required=True, metadata=_SCOPES)
    active = fields.Boolean(required=True, metadata={"description": "Whether its keys work."})
    created_at = fields.AwareDateTime(required=True, metadata={"description": "When it was made."})


class ServiceAccountListSchema(Schema):
    """All programs."""

    items = fields.List(fields.Nested(ServiceAccountSchema), metadata={"description": "In order of name."})
    known_scopes = fields.List(fields.String(), metadata={"description": "Every scope that there is."})


class NewServiceAccountSchema(Schema):
    """A program to let in."""

    name = fields.String(required=True, validate=IS_A_NAME, metadata=_NAME)
    description = fields.String(load_default="", validate=validate.Length(max=255), metadata=_ABOUT)
    scopes = _scopes(required=True)


class ServiceAccountChangeSchema(Schema):
    """What changes about a program; what is absent stays."""

    description = fields.String(validate=validate.Length(max=255), metadata=_ABOUT)
    scopes = _scopes(required=False)
    active = fields.Boolean(metadata={"description": "Whether its keys work from now on."})


class APIKeySchema(Schema):
    """A key, without the key."""

    key_id = fields.String(required=True, metadata={"description": "Names it."})
    prefix = fields.String(required=True, metadata={"description": "How it begins.", "example": "nnk_8J2fQz1b"})
    created_at = fields.AwareDateTime(required=True, metadata={"description": "When it was made."})
    expires_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "When it ends; null: never."}
    )
    revoked_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "When it was taken back, or null."}
    )
    last_used_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "When it was used last, to the minute; null: never."}
    )


class APIKeyListSchema(Schema):
    """The keys of a program."""

    items = fields.List(fields.Nested(APIKeySchema), metadata={"description": "Oldest first."})


class NewAPIKeySchema(Schema):
    """A key to make."""

    days = fields.Integer(
        load_default=365,
        allow_none=True,
        strict=True,
        validate=validate.Range(1, _LONGEST_LIFE_DAYS),
        metadata={"description": "Days for which it works; null: without an end."},
    )


class IssuedAPIKeySchema(Schema):
    """A key, shown this once."""

    key = fields.String(required=True, metadata={"description": "Send it as `X-API-Key`; it is kept nowhere here."})
    facts = fields.Nested(APIKeySchema, required=True, metadata={"description": "What is kept of it."})
