"""Metrics: what Prometheus reads is what happened."""

from __future__ import annotations

from inference.domain.arrival import Arrival, Decision
from inference.domain.job import JobState, QueueName, StageTime
from inference.errors import Stage
from integrations.metrics import exposition, make_metrics
from tests.support.fakes import NOON


def test_everything_is_counted_under_its_label() -> None:
    """Each instrument shows its numbers by label."""
    metrics = make_metrics()
    metrics.observe_arrival(Arrival.NEW)
    metrics.observe_arrival(Arrival.NEW)
    metrics.observe_arrival(Arrival.DUPLICATE)
    metrics.observe_decision(Decision(analysed=True, code=None, message=None))
    metrics.observe_decision(Decision(analysed=False, code="geometry.gap", message="a slice is missing"))
    metrics.observe_stage(StageTime(Stage.INFER, 1, NOON, 3.0))
    metrics.show_jobs({JobState.FAILED: 2})
    metrics.show_queue(QueueName.DELIVERY, 7)

    text = exposition(metrics).decode()

    for line in (
        'node_instances_received_total{arrival="new"} 2.0',
        'node_instances_received_total{arrival="duplicate"} 1.0',
        'node_series_decided_total{reason="analysed"} 1.0',
        'node_series_decided_total{reason="geometry.gap"} 1.0',
        'node_stage_seconds_bucket{le="2.5",stage="infer"} 0.0',
        'node_stage_seconds_bucket{le="5.0",stage="infer"} 1.0',
        'node_stage_seconds_sum{stage="infer"} 3.0',
        'node_jobs{state="FAILED"} 2.0',
        'node_jobs{state="COMPLETED"} 0.0',
        'node_queue_depth{queue="delivery"} 7.0',
    ):
        assert line in text.splitlines()


def test_a_state_that_emptied_shows_nothing() -> None:
    """A gauge does not keep the last number of a state that has no job any more."""
    metrics = make_metrics()
    metrics.show_jobs({JobState.FAILED: 2})
    metrics.show_jobs({})

    assert 'node_jobs{state="FAILED"} 0.0' in exposition(metrics).decode()


def test_two_registries_do_not_meet() -> None:
    """There is no global registry: what one counts the other does not show."""
    one, other = make_metrics(), make_metrics()
    one.observe_arrival(Arrival.NEW)

    assert "arrival=" in exposition(one).decode()
    assert "arrival=" not in exposition(other).decode()
