"""``/api/fhir``: the report server's FHIR R4."""

from __future__ import annotations

from flask import Response, request
from flask.views import MethodView

from control_api.auth.principal import current_user
from control_api.auth.roles import EVERYONE, serves
from control_api.gateway import reports
from control_api.openapi import APIBlueprint
from control_api.resources.relaying import FROM_BEHIND, let_through
from control_api.services import services

blueprint = APIBlueprint(
    "fhir", __name__, url_prefix="/api/fhir", description="FHIR R4 of the report server: read, search, transaction."
)


def _pass_on(path: str) -> Response:
    return let_through(reports.pass_on(services().gateway, request, path, current_user.role))


@blueprint.route("")
class Root(MethodView):
    """The base address."""

    @blueprint.doc(responses=FROM_BEHIND)
    @serves(EVERYONE)
    def get(self) -> Response:
        """Give a further page of a search, as its `next` link names it."""
        return _pass_on("")

    @blueprint.doc(responses=FROM_BEHIND)
    @serves(EVERYONE)
    def post(self) -> Response:
        """Carry out a transaction or batch; each entry must be allowed to the role."""
        return _pass_on("")


@blueprint.route("/<path:path>")
class Resource(MethodView):
    """Resources by type and id."""

    @blueprint.doc(responses=FROM_BEHIND)
    @serves(EVERYONE)
    def get(self, path: str) -> Response:
        """Read or search: `metadata`, `{type}`, `{type}/{id}`, with `/_history`."""
        return _pass_on(path)

    @blueprint.doc(responses=FROM_BEHIND)
    @serves(EVERYONE)
    def post(self, path: str) -> Response:
        """Create (`{type}`), or search with a form (`{type}/_search`)."""
        return _pass_on(path)

    @blueprint.doc(responses=FROM_BEHIND)
    @serves(EVERYONE)
    def put(self, path: str) -> Response:
        """Update `{type}/{id}`, or `{type}` by a condition."""
        return _pass_on(path)
