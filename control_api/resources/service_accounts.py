"""``/api/service-accounts``: programs that may call the API, and their keys, for administrators."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from flask import current_app
from flask.views import MethodView

from control_api import people
from control_api.auth import audit
from control_api.auth.roles import ADMINS, known_scopes, serves
from control_api.openapi import APIBlueprint
from control_api.schemas.service_accounts import (
    APIKeyListSchema,
    IssuedAPIKeySchema,
    NewAPIKeySchema,
    NewServiceAccountSchema,
    ServiceAccountChangeSchema,
    ServiceAccountListSchema,
    ServiceAccountSchema,
)
from control_api.services import services
from integrations.persistence.service_accounts import APIKey, NewAPIKey, ServiceAccount

blueprint = APIBlueprint(
    "service_accounts",
    __name__,
    url_prefix="/api/service-accounts",
    description="Programs that may call the API, their scopes and their keys.",
)


@blueprint.route("")
class ServiceAccounts(MethodView):
    """The list, and new programs."""

    @blueprint.response(HTTPStatus.OK, ServiceAccountListSchema)
    @serves(ADMINS)
    def get(self) -> dict[str, Any]:
        """List all programs, and the scopes that there are."""
        return {"items": services().service_accounts.list(), "known_scopes": sorted(known_scopes(current_app))}

    @blueprint.arguments(NewServiceAccountSchema)
    @blueprint.response(HTTPStatus.CREATED, ServiceAccountSchema)
    @blueprint.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    @serves(ADMINS)
    def post(self, wanted: dict[str, Any]) -> ServiceAccount:
        """Let a program in; it has no key yet."""
        people.known(wanted["scopes"], known_scopes(current_app))
        account = services().service_accounts.create(**wanted)
        audit.about(account.name)
        return account


@blueprint.route("/<string:name>")
class OneServiceAccount(MethodView):
    """One program."""

    @blueprint.response(HTTPStatus.OK, ServiceAccountSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @serves(ADMINS)
    def get(self, name: str) -> ServiceAccount:
        """Show a program."""
        return services().service_accounts.get(name)

    @blueprint.arguments(ServiceAccountChangeSchema)
    @blueprint.response(HTTPStatus.OK, ServiceAccountSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @serves(ADMINS)
    def patch(self, changes: dict[str, Any], name: str) -> ServiceAccount:
        """Change description, scopes or activity; all its keys follow at once."""
        people.known(changes.get("scopes", ()), known_scopes(current_app))
        return services().service_accounts.change(name, **changes)


@blueprint.route("/<string:name>/keys")
class Keys(MethodView):
    """The keys of a program."""

    @blueprint.response(HTTPStatus.OK, APIKeyListSchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @serves(ADMINS)
    def get(self, name: str) -> dict[str, Sequence[APIKey]]:
        """List keys, without the keys themselves."""
        return {"items": services().service_accounts.keys(name)}

    @blueprint.arguments(NewAPIKeySchema)
    @blueprint.response(HTTPStatus.CREATED, IssuedAPIKeySchema)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @serves(ADMINS)
    def post(self, wanted: dict[str, int | None], name: str) -> NewAPIKey:
        """Make a key. It is shown in this answer and never again; several may work at once, to change them over."""
        issued = services().service_accounts.issue_key(name, wanted["days"])
        audit.about(name, issued.facts.key_id)
        return issued


@blueprint.route("/<string:name>/keys/<string(length=32):key_id>")
class OneKey(MethodView):
    """One key."""

    @blueprint.response(HTTPStatus.NO_CONTENT)
    @blueprint.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    @serves(ADMINS)
    def delete(self, name: str, key_id: str) -> None:
        """Take a key back; it stays in the list as revoked."""
        services().service_accounts.revoke_key(name, key_id)
