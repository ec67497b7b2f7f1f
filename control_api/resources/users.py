"""``/api/users``: who may log in, for administrators."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from flask.views import MethodView

from control_api import people
from control_api.auth import audit
from control_api.auth.roles import ADMINS, serves
from control_api.openapi import APIBlueprint
from control_api.schemas.users import (
    NewUserSchema,
    PasswordResetSchema,
    UserChangeSchema,
    UserListSchema,
    UserSchema,
)
from control_api.services import services
from integrations.persistence.users import User

blueprint = APIBlueprint("users", __name__, url_prefix="/api/users", description="People who may log in.")


@blueprint.route("")
class Users(MethodView):
    """The list, and new accounts."""

    @blueprint.response(HTTPStatus.OK, UserListSchema)
    @serves(ADMINS)
    def get(self) -> dict[str, Sequence[User]]:
        """List all accounts."""
        return {"items": services().accounts.list()}

    @blueprint.arguments(NewUserSchema)
    @blueprint.response(HTTPStatus.CREATED, UserSchema)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(ADMINS)
    def post(self, wanted: dict[str, str]) -> User:
        """Create an account."""
        user = services().accounts.create(wanted["username"], wanted["password"], wanted["role"])
        audit.about(user.username)
        return user


@blueprint.route("/<string:username>")
class OneUser(MethodView):
    """One account."""

    @blueprint.response(HTTPStatus.OK, UserSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @serves(ADMINS)
    def get(self, username: str) -> User:
        """Show an account."""
        return services().accounts.get(username)

    @blueprint.arguments(UserChangeSchema)
    @blueprint.response(HTTPStatus.OK, UserSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(ADMINS)
    def patch(self, changes: dict[str, Any], username: str) -> User:
        """Change role or activity; the account's sessions end. The last administrator stays one."""
        return people.change(services(), username, changes)


@blueprint.route("/<string:username>/password")
class PasswordOfUser(MethodView):
    """Somebody else's password."""

    @blueprint.arguments(PasswordResetSchema)
    @blueprint.response(HTTPStatus.NO_CONTENT)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @serves(ADMINS)
    def post(self, reset: dict[str, str], username: str) -> None:
        """Give somebody a new password; a lock-out and the account's sessions end."""
        people.reset_password(services(), username, reset["password"])


@blueprint.route("/<string:username>/unlock")
class Unlock(MethodView):
    """The end of a lock-out."""

    @blueprint.response(HTTPStatus.OK, UserSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @serves(ADMINS)
    def post(self, username: str) -> User:
        """End a lock-out after wrong passwords."""
        return services().accounts.unlock(username)
