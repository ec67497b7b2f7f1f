"""Documents about people who may log in, for administrators."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from control_api.schemas.auth import new_password_field
from integrations.persistence.users import PEOPLE, USERNAME

_NAME = {"description": "Name: letters, digits and . _ @ -, kept in lower case.", "example": "reader"}
IS_A_NAME = validate.Regexp(rf"^{USERNAME}$", error="A name has 1 to 64 letters, digits and . _ @ -.")
_ROLES = validate.OneOf(sorted(role.value for role in PEOPLE))


class UserSchema(Schema):
    """An account."""

    username = fields.String(required=True, metadata=_NAME)
    role = fields.String(required=True, validate=_ROLES, metadata={"description": "What they may do."})
    active = fields.Boolean(required=True, metadata={"description": "Whether they may log in."})
    locked_until = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "End of a lock-out after wrong passwords, or null."}
    )
    created_at = fields.AwareDateTime(required=True, metadata={"description": "When it was made."})


class UserListSchema(Schema):
    """All accounts."""

    items = fields.List(fields.Nested(UserSchema), metadata={"description": "In order of name."})


class NewUserSchema(Schema):
    """An account to make."""

    username = fields.String(required=True, validate=IS_A_NAME, metadata=_NAME)
    password = new_password_field("The first password, at least 12 characters.")
    role = fields.String(required=True, validate=_ROLES, metadata={"description": "What they may do."})


class UserChangeSchema(Schema):
    """What changes about an account; what is absent stays."""

    role = fields.String(validate=_ROLES, metadata={"description": "What they may do from now on."})
    active = fields.Boolean(metadata={"description": "Whether they may log in from now on."})


class PasswordResetSchema(Schema):
    """A new password for somebody else."""

    password = new_password_field("The new one, at least 12 characters.")
