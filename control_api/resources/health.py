"""``/api/health``: for orchestrators and load balancers; no token, no details that help an intruder."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask.views import MethodView

from control_api import readiness
from control_api.auth.roles import PUBLIC, serves
from control_api.openapi import APIBlueprint
from control_api.schemas.node import LivenessSchema, ReadinessSchema
from control_api.services import services

blueprint = APIBlueprint("health", __name__, url_prefix="/api/health", description="Is it alive, is it ready.")


@blueprint.route("/live")
class Live(MethodView):
    """Liveness."""

    @blueprint.response(HTTPStatus.OK, LivenessSchema)
    @serves(PUBLIC)
    def get(self) -> dict[str, str]:
        """Say that the process answers; asks nothing else."""
        return {"status": "alive"}


@blueprint.route("/ready")
class Ready(MethodView):
    """Readiness."""

    @blueprint.response(HTTPStatus.OK, ReadinessSchema)
    @blueprint.alt_response(HTTPStatus.SERVICE_UNAVAILABLE, schema=ReadinessSchema, description="Not ready")
    @serves(PUBLIC)
    def get(self) -> tuple[dict[str, Any], HTTPStatus]:
        """Say whether every part that the node needs works, part by part."""
        parts = readiness.check(services().probes)
        ready = all(part.ready for part in parts)
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return {"status": "ready" if ready else "not ready", "parts": parts}, status
