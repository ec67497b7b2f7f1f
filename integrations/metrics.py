"""Numbers for Prometheus; nothing in here names a patient, a study or a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from inference.domain.delivery import DeliveryState
from inference.domain.job import JobState, QueueName
from integrations.read_cache import Lookup

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Content type of ``exposition`` (Prometheus text format)."""


@dataclass(frozen=True, slots=True)
class NodeMetrics:
    """The instruments of one process; made by :func:`make_metrics`.

    Parameters
    ----------
    registry
        Where they are collected.
    series
        Series that are complete, by decision: ``analysed`` or a reason code.
    jobs, shadow_jobs
        Jobs by state, as the database counts them: those that publish, and those that are only recorded.
    ended_jobs
        Jobs that ended without a result, by code.
    deliveries
        Errands to each destination that have not arrived, by state: ``pending`` or ``failed``.
    queue_depth
        Waiting messages by queue.
    read_cache
        Reads of documents by whether the cache knew the present answer's tag.
    read_cache_hit_ratio
        The part of them for which it did, since the count began.
    """

    registry: CollectorRegistry
    series: Gauge
    jobs: Gauge
    shadow_jobs: Gauge
    ended_jobs: Gauge
    deliveries: Gauge
    queue_depth: Gauge
    read_cache: Counter
    read_cache_hit_ratio: Gauge

    def show_series(self, counts: Mapping[str, int]) -> None:
        """Show how many complete series were decided how."""
        for decision, count in counts.items():
            self.series.labels(decision).set(count)

    def show_jobs(self, counts: Mapping[JobState, int]) -> None:
        """Show how many jobs are in each state; states that are not named show 0."""
        for state in JobState:
            self.jobs.labels(state.value).set(counts.get(state, 0))

    def show_shadow_jobs(self, counts: Mapping[JobState, int]) -> None:
        """Show the same of jobs in shadow."""
        for state in JobState:
            self.shadow_jobs.labels(state.value).set(counts.get(state, 0))

    def show_ended_jobs(self, counts: Mapping[str, int]) -> None:
        """Show for each reason or failure how many jobs ended in it."""
        for code, count in counts.items():
            self.ended_jobs.labels(code).set(count)

    def show_deliveries(self, counts: Mapping[tuple[str, DeliveryState], int]) -> None:
        """Show for each destination how many errands wait for it, and how many it refused."""
        for (destination, state), count in counts.items():
            self.deliveries.labels(destination, state.value).set(count)

    def show_queue(self, queue: QueueName, depth: int) -> None:
        """Show how many messages wait in a queue."""
        self.queue_depth.labels(queue.value).set(depth)

    def show_read_cache(self, counts: Mapping[Lookup, int]) -> None:
        """Show how often the cache of answers knew what was asked; once for each set of instruments."""
        for lookup in Lookup:
            self.read_cache.labels(lookup.value).inc(counts.get(lookup, 0))
        self.read_cache_hit_ratio.set(counts.get(Lookup.HIT, 0) / max(1, sum(counts.values())))


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
        series=Gauge("node_series", "Complete series by decision.", ["reason"], registry=where),
        jobs=Gauge("node_jobs", "Jobs by state.", ["state"], registry=where),
        shadow_jobs=Gauge("node_shadow_jobs", "Jobs in shadow by state.", ["state"], registry=where),
        ended_jobs=Gauge("node_ended_jobs", "Jobs without a result, by reason or failure.", ["code"], registry=where),
        deliveries=Gauge(
            "node_deliveries", "Errands that have not arrived.", ["destination", "state"], registry=where
        ),
        queue_depth=Gauge("node_queue_depth", "Messages that wait in a queue.", ["queue"], registry=where),
        read_cache=Counter("node_read_cache_lookups", "Reads of documents.", ["outcome"], registry=where),
        read_cache_hit_ratio=Gauge(
            "node_read_cache_hit_ratio", "Part of the reads that the cache knew.", registry=where
        ),
    )


def exposition(metrics: NodeMetrics) -> bytes:
    """Give the text that Prometheus reads."""
    return generate_latest(metrics.registry)
