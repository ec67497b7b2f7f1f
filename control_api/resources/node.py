"""``/api/node``: the node at a glance."""

from __future__ import annotations

import shutil
from http import HTTPStatus
from typing import Any

from flask.views import MethodView

from control_api import node_views
from control_api.auth.roles import ADMINS, serves
from control_api.node_views import depth_of
from control_api.openapi import APIBlueprint
from control_api.schemas.node import (
    DeviceListSchema,
    DiskDetailSchema,
    NodeStatusSchema,
    PeerListSchema,
    QueueListSchema,
    StageListSchema,
    ThroughputSchema,
    WindowQuerySchema,
    WorkerListSchema,
)
from control_api.services import Services, services
from inference.domain.job import QueueName
from inference.domain.model_spec import Deployment

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
        "queues": {queue.value: depth_of(given, queue) for queue in QueueName},
        "models": [s.reference for s in given.catalogue.active() if s.deployment is Deployment.ACTIVE],
        "disk": {"free_bytes": disk.free, "total_bytes": disk.total},
    }


@blueprint.route("/queues")
class Queues(MethodView):
    """What waits."""

    @blueprint.response(HTTPStatus.OK, QueueListSchema)
    def get(self) -> dict[str, Any]:
        """Show how many messages and jobs wait in each queue, and since when the oldest does."""
        return {"queues": node_views.queues(services())}


@blueprint.route("/workers")
class Workers(MethodView):
    """Who works."""

    @blueprint.response(HTTPStatus.OK, WorkerListSchema)
    def get(self) -> dict[str, Any]:
        """Show the processes that work, what each has, and when it was last heard of."""
        return {"workers": node_views.workers(services())}


@blueprint.route("/devices")
class Devices(MethodView):
    """On what."""

    @blueprint.response(HTTPStatus.OK, DeviceListSchema)
    def get(self) -> dict[str, Any]:
        """Show the machines of the workers: where models run, GPUs, cores, memory."""
        return {"devices": node_views.devices(services())}


@blueprint.route("/disk")
class Disk(MethodView):
    """Room."""

    @blueprint.response(HTTPStatus.OK, DiskDetailSchema)
    def get(self) -> node_views.DiskView:
        """Show what is free, what the node holds, and when the disk is full at the present rate."""
        return node_views.disk(services())


@blueprint.route("/peers")
class Peers(MethodView):
    """Whom the node talks to."""

    @blueprint.response(HTTPStatus.OK, PeerListSchema)
    def get(self) -> dict[str, Any]:
        """Show what each archive and report server answered when it was asked last."""
        return {"peers": node_views.peers(services())}


@blueprint.route("/peers/probe")
class Probes(MethodView):
    """Asking now."""

    @blueprint.response(HTTPStatus.ACCEPTED, PeerListSchema)
    @serves(ADMINS)
    def post(self) -> dict[str, Any]:
        """Ask a delivery worker to ask them all now; the answer shows what they said before."""
        return {"peers": node_views.order_probes(services())}


@blueprint.route("/throughput")
class Throughput(MethodView):
    """How much."""

    @blueprint.arguments(WindowQuerySchema, location="query")
    @blueprint.response(HTTPStatus.OK, ThroughputSchema)
    def get(self, window: dict[str, int]) -> dict[str, Any]:
        """Show studies, series and jobs by the hour."""
        return {"hours": node_views.hours(services(), window["hours"])}


@blueprint.route("/stages")
class Stages(MethodView):
    """How fast."""

    @blueprint.arguments(WindowQuerySchema, location="query")
    @blueprint.response(HTTPStatus.OK, StageListSchema)
    def get(self, window: dict[str, int]) -> dict[str, Any]:
        """Show how long each stage takes with each model, of the jobs that were made in the window."""
        return {"stages": node_views.stages(services(), window["hours"])}
