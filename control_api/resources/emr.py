"""``/api/emr``: the medical record (OpenEMR 7), FHIR R4 and its own API; and the keys by which it knows us."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView

from control_api.auth.principal import current_user
from control_api.auth.roles import PUBLIC, RECORD_READERS, serves
from control_api.gateway import record, reports
from control_api.openapi import APIBlueprint
from control_api.resources.relaying import FROM_BEHIND, let_through
from control_api.services import services

blueprint = APIBlueprint(
    "emr", __name__, url_prefix="/api/emr", description="The medical record: patients, encounters, appointments."
)

blueprint_of_keys = APIBlueprint("keys", __name__, url_prefix="/api", description="The node's public keys.")


@blueprint_of_keys.route("/jwks.json")
class Keys(MethodView):
    """Our public keys (RFC 7517)."""

    @blueprint_of_keys.alt_response(
        HTTPStatus.OK, description="A JSON Web Key Set; empty where no key is set.", success=True
    )
    @serves(PUBLIC)
    def get(self) -> Response:
        """Give the public keys of the node, which OpenEMR fetches to check who asks for a token."""
        keys: Mapping[str, Any] = services().gateway.emr_keys
        return jsonify(keys)


@blueprint.route("/fhir/<path:path>")
class Resource(MethodView):
    """FHIR R4."""

    @blueprint.doc(responses=FROM_BEHIND)
    @serves(RECORD_READERS)
    def get(self, path: str) -> Response:
        """Read or search: `metadata`, `{type}`, `{type}/{id}`."""
        return let_through(reports.pass_on_to_record(services().gateway, request, path, current_user.role))

    @blueprint.doc(responses=FROM_BEHIND)
    @serves(RECORD_READERS)
    def post(self, path: str) -> Response:
        """Create (`{type}`), or search with a form (`{type}/_search`)."""
        return let_through(reports.pass_on_to_record(services().gateway, request, path, current_user.role))

    @blueprint.doc(responses=FROM_BEHIND)
    @serves(RECORD_READERS)
    def put(self, path: str) -> Response:
        """Update `{type}/{id}`."""
        return let_through(reports.pass_on_to_record(services().gateway, request, path, current_user.role))


@blueprint.route("/<path:path>")
class Record(MethodView):
    """The standard API."""

    @blueprint.doc(responses=FROM_BEHIND)
    @serves(RECORD_READERS)
    def get(self, path: str) -> Response:
        """Read `patients`, `patients/{id}`, its `/encounters` and `/appointments`, or `appointments`."""
        return let_through(record.pass_on(services().gateway, request, path, current_user.role))

    @blueprint.doc(responses=FROM_BEHIND)
    @serves(RECORD_READERS)
    def post(self, path: str) -> Response:
        """Create a patient, an encounter or an appointment."""
        return let_through(record.pass_on(services().gateway, request, path, current_user.role))

    @blueprint.doc(responses=FROM_BEHIND)
    @serves(RECORD_READERS)
    def put(self, path: str) -> Response:
        """Change a patient or an encounter."""
        return let_through(record.pass_on(services().gateway, request, path, current_user.role))
