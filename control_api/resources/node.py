"""``/api/node``: the node at a glance."""

from __future__ import annotations

import shutil
from http import HTTPStatus
from typing import Any

from flask.views import MethodView

from control_api.openapi import APIBlueprint
from control_api.schemas.node import NodeStatusSchema
from control_api.services import Services, services
from inference.domain.job import QueueName
from inference.domain.model_spec import Deployment
from inference.errors import QueueUnavailable

blueprint = APIBlueprint("node", __name__, url_prefix="/api/node", description="The node itself.")


@blueprint.route("/status")
class Status(MethodView):
    """Version, work, room."""

    @blueprint.response(HTTPStatus.OK, NodeStatusSchema)
    def get(self) -> dict[str, Any]:
        """Show jobs by state, what is being received, queues, models and disk."""
        return _status(services())


def _status(given: Services) -> dict[str, Any]:
    disk = shutil.disk_usage(given.options.data_dir)
    return {
        "version": given.options.version,
        "ae_title": given.options.ae_title,
        "now": given.clock.now(),
        "jobs": given.queries.job_counts(),
        "shadow_jobs": given.queries.job_counts(shadow=True),
        "receiving_series": given.queries.receiving_count(),
        "queues": {queue.value: _depth(given, queue) for queue in QueueName},
        "models": [s.reference for s in given.catalogue.active() if s.deployment is Deployment.ACTIVE],
        "disk": {"free_bytes": disk.free, "total_bytes": disk.total},
    }


def _depth(given: Services, queue: QueueName) -> int | None:
    try:
        return given.queue.depth(queue)
    except QueueUnavailable:
        return None
