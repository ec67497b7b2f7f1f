"""``/metrics`` for Prometheus, on the inside only: the gateway does not pass it on."""

from __future__ import annotations

from flask import Blueprint, Flask, Response

from control_api.auth.roles import PUBLIC, serves
from control_api.services import services
from inference.domain.job import QueueName
from inference.errors import QueueUnavailable
from integrations.metrics import CONTENT_TYPE, exposition, make_metrics


def register(app: Flask) -> None:
    """Serve what the database and the queue say; each process that works or receives has numbers of its own."""
    blueprint = Blueprint("metrics", __name__)

    @blueprint.get("/metrics")
    @serves(PUBLIC)
    def page() -> Response:
        """Give the numbers in Prometheus' text format."""
        return Response(_numbers(), content_type=CONTENT_TYPE)

    app.register_blueprint(blueprint)


def _numbers() -> bytes:
    metrics, given = make_metrics(), services()
    metrics.show_series(given.queries.decision_counts())
    metrics.show_ended_jobs(given.queries.ending_counts())
    metrics.show_jobs(given.queries.job_counts())
    metrics.show_deliveries(given.queries.delivery_counts())
    metrics.show_shadow_jobs(given.queries.job_counts(shadow=True))
    metrics.show_read_cache(given.documents.cache.counts())
    for queue in QueueName:
        try:
            metrics.show_queue(queue, given.queue.depth(queue))
        except QueueUnavailable:
            continue
    return exposition(metrics)
