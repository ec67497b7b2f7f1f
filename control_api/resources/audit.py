"""``/api/audit``: who did what, for administrators."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask.views import MethodView

from control_api.auth.roles import ADMINS, serves
from control_api.openapi import APIBlueprint
from control_api.records import Listing
from control_api.schemas.audit import AuditListSchema, AuditQuerySchema
from control_api.services import services
from integrations.persistence.audit_trail import AuditEvent

blueprint = APIBlueprint("audit", __name__, url_prefix="/api/audit", description="Who did what.")


@blueprint.route("")
class Audit(MethodView):
    """The trail."""

    @blueprint.arguments(AuditQuerySchema, location="query")
    @blueprint.response(HTTPStatus.OK, AuditListSchema)
    @serves(ADMINS)
    def get(self, query: dict[str, Any]) -> Listing[AuditEvent]:
        """List what was done, newest first."""
        return services().audit_log.list_events(**query)
