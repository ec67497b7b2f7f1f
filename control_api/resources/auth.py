"""``/api/auth``: log in, log out, who am I."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response
from flask.views import MethodView
from flask_jwt_extended import current_user

from control_api.auth import tokens
from control_api.auth.roles import PUBLIC, serves
from control_api.openapi import APIBlueprint
from control_api.problems import Problem
from control_api.schemas.auth import AccessTokenSchema, AccountSchema, LoginSchema
from control_api.services import Account, services

blueprint = APIBlueprint("auth", __name__, url_prefix="/api/auth", description="Log in and out.")


@blueprint.route("/login")
class Login(MethodView):
    """Trading a password for a token."""

    @blueprint.arguments(LoginSchema)
    @blueprint.response(HTTPStatus.OK, AccessTokenSchema)
    @serves(PUBLIC)
    def post(self, login: dict[str, str]) -> tokens.AccessToken | Response:
        """Log in.

        The answer to a wrong name, a wrong password, an inactive and a locked account is the same.
        """
        account = services().accounts.authenticate(login["username"], login["password"])
        return tokens.issue(account) if account else _not_known()


def _not_known() -> Response:
    title = "The name or password is wrong, or the account is locked for some minutes."
    headers = {"WWW-Authenticate": 'Bearer realm="neuronova"'}
    return Problem(HTTPStatus.UNAUTHORIZED, "auth.invalid_credentials", title, headers=headers).response()


@blueprint.route("/logout")
class Logout(MethodView):
    """Giving a token back."""

    @blueprint.response(HTTPStatus.NO_CONTENT)
    def post(self) -> None:
        """Log out: the token that this request carries is refused from now on."""
        tokens.revoke_present()


@blueprint.route("/me")
class Me(MethodView):
    """The account behind a token."""

    @blueprint.response(HTTPStatus.OK, AccountSchema)
    def get(self) -> Account:
        """Show whose token this is."""
        account: Account = current_user
        return account
