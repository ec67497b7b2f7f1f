"""Metrics: what Prometheus reads is what the database says."""

from __future__ import annotations

from inference.domain.delivery import DeliveryState
from inference.domain.job import JobState, QueueName
from integrations.metrics import exposition, make_metrics


def test_everything_is_shown_under_its_label() -> None:
    """Each instrument shows its numbers by label."""
    metrics = make_metrics()
    metrics.show_series({"analysed": 3, "geometry.gap": 1})
    metrics.show_ended_jobs({"result.implausible": 4})
    metrics.show_jobs({JobState.FAILED: 2})
    metrics.show_deliveries({("pacs", DeliveryState.PENDING): 3})
    metrics.show_queue(QueueName.DELIVERY, 7)

    text = exposition(metrics).decode()

    for line in (
        'node_series{reason="analysed"} 3.0',
        'node_series{reason="geometry.gap"} 1.0',
        'node_ended_jobs{code="result.implausible"} 4.0',
        'node_jobs{state="FAILED"} 2.0',
        'node_jobs{state="COMPLETED"} 0.0',
        'node_deliveries{destination="pacs",state="pending"} 3.0',
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
    """There is no global registry: what one shows the other does not."""
    one, other = make_metrics(), make_metrics()
    one.show_series({"analysed": 1})

    assert "reason=" in exposition(one).decode()
    assert "reason=" not in exposition(other).decode()
