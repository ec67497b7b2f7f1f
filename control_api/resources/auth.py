"""``/api/auth``: log in, stay logged in, log out, who am I."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response
from flask.views import MethodView

from control_api.auth import audit, logins, oidc
from control_api.auth.pace import Pace, paced
from control_api.auth.principal import Principal, current_user
from control_api.auth.roles import EVERYONE, NO_SCOPE, PEOPLE, PUBLIC, serves
from control_api.openapi import APIBlueprint
from control_api.schemas.auth import (
    AccountSchema,
    LoginMethodsSchema,
    LoginSchema,
    PasswordChangeSchema,
    RefreshSchema,
    TokensSchema,
)

blueprint = APIBlueprint("auth", __name__, url_prefix="/api/auth", description="Log in and out.")

_SENT_ON = {"Location": {"description": "Where the browser goes next.", "schema": {"type": "string"}}}


@blueprint.route("/methods")
class Methods(MethodView):
    """What a login page offers."""

    @blueprint.response(HTTPStatus.OK, LoginMethodsSchema)
    @serves(PUBLIC)
    def get(self) -> dict[str, bool]:
        """Say how one can log in here."""
        return {"password": True, "oidc": oidc.is_on()}


@blueprint.route("/login")
class Login(MethodView):
    """Trading a password for tokens."""

    @blueprint.arguments(LoginSchema)
    @blueprint.response(HTTPStatus.OK, TokensSchema)
    @paced(Pace.LOGIN)
    @serves(PUBLIC)
    def post(self, login: dict[str, str]) -> logins.Tokens | Response:
        """Log in.

        The answer to a wrong name, a wrong password, an inactive and a locked account is the same.
        """
        return logins.log_in(login["username"], login["password"], by_cookie=login["refresh"] == "cookie")


@blueprint.route("/refresh")
class Refresh(MethodView):
    """Trading a refresh token for the next tokens."""

    @blueprint.arguments(RefreshSchema)
    @blueprint.response(HTTPStatus.OK, TokensSchema)
    @paced(Pace.LOGIN)
    @serves(PUBLIC)
    def post(self, kept: dict[str, str | None]) -> logins.Tokens | Response:
        """Stay logged in: get a new access token and a new refresh token.

        A refresh token works once. Whoever brings a used one ends its session, because one of two holds a copy.
        """
        return logins.refresh(kept["refresh_token"])


@blueprint.route("/logout")
class Logout(MethodView):
    """Ending a session."""

    @blueprint.response(HTTPStatus.NO_CONTENT)
    @serves(PEOPLE)
    def post(self) -> None:
        """Log out: the tokens of this session are refused from now on."""
        logins.log_out()


@blueprint.route("/password")
class Password(MethodView):
    """One's own password."""

    @blueprint.arguments(PasswordChangeSchema)
    @blueprint.response(HTTPStatus.NO_CONTENT)
    @paced(Pace.LOGIN)
    @serves(PEOPLE)
    def post(self, change: dict[str, str]) -> Response | None:
        """Change the password; all other sessions of the account end."""
        return logins.change_password(change["old_password"], change["new_password"])


@blueprint.route("/me")
class Me(MethodView):
    """The account behind a token."""

    @blueprint.response(HTTPStatus.OK, AccountSchema)
    @serves(EVERYONE, scope=NO_SCOPE)
    def get(self) -> Principal:
        """Show whose token this is."""
        return current_user


@blueprint.route("/oidc/login")
class OIDCLogin(MethodView):
    """To the OpenID provider."""

    @blueprint.response(HTTPStatus.FOUND, headers=_SENT_ON)
    @paced(Pace.LOGIN)
    @serves(PUBLIC)
    def get(self) -> Response:
        """Send a browser to the provider; 404 where there is none."""
        return oidc.leave()


@blueprint.route("/oidc/callback")
class OIDCCallback(MethodView):
    """Back from the OpenID provider."""

    @blueprint.response(HTTPStatus.SEE_OTHER, headers=_SENT_ON)
    @audit.audited
    @paced(Pace.LOGIN)
    @serves(PUBLIC)
    def get(self) -> Response:
        """Let somebody in whom the provider vouches for, with a refresh cookie; 404 where there is no provider."""
        return oidc.come_back()
