"""Documents about logging in."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, post_dump, validate

from integrations.persistence.users import LONGEST_PASSWORD, SHORTEST_PASSWORD

_TOKEN_EXAMPLE = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"  # noqa: S105 - an example


def password_field(description: str, shortest: int = 1) -> fields.String:
    """Give the field of a password, which is read and never written."""
    return fields.String(
        required=True,
        load_only=True,
        validate=validate.Length(shortest, LONGEST_PASSWORD),
        metadata={"description": description, "format": "password", "example": "correct horse battery staple"},
    )


def new_password_field(description: str) -> fields.String:
    """Give the field of a password that somebody shall have from now on."""
    return password_field(description, SHORTEST_PASSWORD)


class LoginSchema(Schema):
    """Who somebody says they are."""

    username = fields.String(
        required=True, validate=validate.Length(1, 64), metadata={"description": "Name.", "example": "reader"}
    )
    password = password_field("Password.")
    refresh = fields.String(
        load_default="body",
        validate=validate.OneOf(["body", "cookie"]),
        metadata={
            "description": "Where the refresh token goes: into the answer, or, for pages of this node, into a cookie "
            "that no script can read.",
        },
    )


class RefreshSchema(Schema):
    """What keeps somebody logged in."""

    refresh_token = fields.String(
        load_default=None,
        load_only=True,
        validate=validate.Length(1, 256),
        metadata={
            "description": "The newest refresh token. Without it the cookie counts, and the request must carry "
            "`X-Requested-With`.",
            "format": "password",
        },
    )


class TokensSchema(Schema):
    """Tokens and what they are good for."""

    access_token = fields.String(
        required=True, metadata={"description": "Send it as `Authorization: Bearer …`.", "example": _TOKEN_EXAMPLE}
    )
    token_type = fields.String(required=True, metadata={"description": "Always `Bearer`.", "example": "Bearer"})
    username = fields.String(required=True, metadata={"description": "Name of its holder.", "example": "reader"})
    role = fields.String(required=True, metadata={"description": "What its holder may do.", "example": "radiologist"})
    expires_at = fields.AwareDateTime(
        required=True, metadata={"description": "When it ends.", "example": "2026-01-02T13:00:00+00:00"}
    )
    refresh_token = fields.String(
        metadata={
            "description": "Gives the next tokens at `POST /api/auth/refresh`, once: whoever brings it again ends "
            "the session. Absent where it is in a cookie.",
        }
    )
    refresh_expires_at = fields.AwareDateTime(
        required=True, metadata={"description": "When that ends.", "example": "2026-01-09T12:00:00+00:00"}
    )

    @post_dump
    def _without_cookie(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value is not None}


class PasswordChangeSchema(Schema):
    """A new password for oneself."""

    old_password = password_field("The present one.")
    new_password = new_password_field("The new one, at least 12 characters.")


class LoginMethodsSchema(Schema):
    """How one can log in here."""

    password = fields.Boolean(required=True, metadata={"description": "By `POST /api/auth/login`."})
    oidc = fields.Boolean(required=True, metadata={"description": "At a provider, by `GET /api/auth/oidc/login`."})


class AccountSchema(Schema):
    """Who the token belongs to."""

    username = fields.String(required=True, metadata={"description": "Name.", "example": "reader"})
    role = fields.String(required=True, metadata={"description": "Role.", "example": "radiologist"})
