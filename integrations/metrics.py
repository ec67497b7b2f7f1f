"""Numbers for Prometheus; nothing in here names a patient, a study or a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from inference.domain.arrival import Arrival, Decision
from inference.domain.job import JobState, QueueName, StageTime

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Content type of ``exposition`` (Prometheus text format)."""

STAGE_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
"""Seconds: from a header that is read to a network that runs on two busy cores."""


@dataclass(frozen=True, slots=True)
class NodeMetrics:
    """The instruments of one process; made by :func:`make_metrics`.

    Parameters
    ----------
    registry
        Where they are collected.
    received
        Instances received, by what their arrival meant.
    decisions
        Series decided, by reason (``analysed`` or a reason code).
    jobs, shadow_jobs
        Jobs by state, as the database counts them: those that publish, and those that are only recorded.
    stage_seconds
        Duration of stages.
    queue_depth
        Waiting messages by queue.
    """

    registry: CollectorRegistry
    received: Counter
    decisions: Counter
    jobs: Gauge
    shadow_jobs: Gauge
    stage_seconds: Histogram
    queue_depth: Gauge

    def observe_arrival(self, arrival: Arrival) -> None:
        """Count a received instance."""
        self.received.labels(arrival.value).inc()

    def observe_decision(self, decision: Decision) -> None:
        """Count a decided series."""
        self.decisions.labels(decision.code or "analysed").inc()

    def observe_stage(self, time: StageTime) -> None:
        """Note how long a stage took."""
        self.stage_seconds.labels(time.stage.value).observe(time.seconds)

    def show_jobs(self, counts: Mapping[JobState, int]) -> None:
        """Show how many jobs are in each state; states that are not named show 0."""
        for state in JobState:
            self.jobs.labels(state.value).set(counts.get(state, 0))

    def show_shadow_jobs(self, counts: Mapping[JobState, int]) -> None:
        """Show the same of jobs in shadow."""
        for state in JobState:
            self.shadow_jobs.labels(state.value).set(counts.get(state, 0))

    def show_queue(self, queue: QueueName, depth: int) -> None:
        """Show how many messages wait in a queue."""
        self.queue_depth.labels(queue.value).set(depth)


def make_metrics(registry: CollectorRegistry | None = None) -> NodeMetrics:
    """Make the instruments of a process on a registry of their own.

    Parameters
    ----------
    registry
        Where to register them; a new one by default, so that tests and processes do not meet.
    """
    where = registry or CollectorRegistry()
    return NodeMetrics(
        registry=where,
        received=Counter("node_instances_received", "Instances received.", ["arrival"], registry=where),
        decisions=Counter("node_series_decided", "Series decided, by reason.", ["reason"], registry=where),
        jobs=Gauge("node_jobs", "Jobs by state.", ["state"], registry=where),
        shadow_jobs=Gauge("node_shadow_jobs", "Jobs in shadow by state.", ["state"], registry=where),
        stage_seconds=Histogram(
            "node_stage_seconds", "Duration of stages.", ["stage"], buckets=STAGE_BUCKETS, registry=where
        ),
        queue_depth=Gauge("node_queue_depth", "Messages that wait in a queue.", ["queue"], registry=where),
    )


def exposition(metrics: NodeMetrics) -> bytes:
    """Give the text that Prometheus reads."""
    return generate_latest(metrics.registry)
