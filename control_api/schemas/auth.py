"""Documents about logging in."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class LoginSchema(Schema):
    """Who somebody says they are."""

    username = fields.String(
        required=True, validate=validate.Length(1, 64), metadata={"description": "Name.", "example": "reader"}
    )
    password = fields.String(
        required=True,
        load_only=True,
        validate=validate.Length(1, 1024),
        metadata={"description": "Password.", "format": "password", "example": "correct horse battery staple"},
    )


class AccessTokenSchema(Schema):
    """A token and what it is good for."""

    access_token = fields.String(
        required=True,
        metadata={"description": "Send it as `Authorization: Bearer …`.", "example": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"},
    )
    token_type = fields.String(required=True, metadata={"description": "Always `Bearer`.", "example": "Bearer"})
    role = fields.String(required=True, metadata={"description": "What its holder may do.", "example": "radiologist"})
    expires_at = fields.AwareDateTime(
        required=True, metadata={"description": "When it ends.", "example": "2026-01-02T13:00:00+00:00"}
    )


class AccountSchema(Schema):
    """Who the token belongs to."""

    username = fields.String(required=True, metadata={"description": "Name.", "example": "reader"})
    role = fields.String(required=True, metadata={"description": "Role.", "example": "radiologist"})
