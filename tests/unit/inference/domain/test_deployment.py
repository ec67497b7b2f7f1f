"""The log of decisions, folded: what runs now, and what one goes back to."""

from __future__ import annotations

import pytest

from inference.domain.deployment import DeploymentEvent, active_before, present
from inference.domain.job import ModelReference
from inference.domain.model_spec import Deployment
from tests.support.fakes import NOON

A, B, C = (ModelReference("brain", f"{number}.0.0", f"{number}" * 64) for number in (1, 2, 3))
OTHER = ModelReference("tumor", "1.0.0", "f" * 64)
ON, OFF, TRIED, RECALLED = Deployment.ACTIVE, Deployment.INACTIVE, Deployment.SHADOW, Deployment.RECALLED

Decisions = list[tuple[ModelReference, Deployment]]


def log(decisions: Decisions) -> list[DeploymentEvent]:
    """Give the events of decisions, oldest first."""
    return [DeploymentEvent(NOON, model, deployment, "operator") for model, deployment in decisions]


@pytest.mark.parametrize(
    ("decisions", "state"),
    [
        ([], {}),
        ([(A, ON)], {A: ON}),
        ([(A, ON), (OTHER, ON)], {A: ON, OTHER: ON}),
        ([(A, ON), (B, ON)], {A: OFF, B: ON}),
        ([(A, ON), (B, TRIED)], {A: ON, B: TRIED}),
        ([(A, TRIED), (B, ON)], {A: TRIED, B: ON}),
        ([(A, ON), (A, OFF)], {A: OFF}),
        ([(A, ON), (A, RECALLED), (A, ON)], {A: RECALLED}),
        ([(A, ON), (B, RECALLED), (B, ON)], {A: ON, B: RECALLED}),
    ],
)
def test_the_last_word_holds(decisions: Decisions, state: dict[ModelReference, Deployment]) -> None:
    """One version of a model is active at a time, and a recall is for ever: it takes nobody else's place either."""
    assert present(log(decisions)) == state


@pytest.mark.parametrize(
    ("decisions", "before"),
    [
        ([], None),
        ([(A, ON)], None),
        ([(A, ON), (A, ON)], None),
        ([(OTHER, ON), (A, ON)], None),
        ([(A, ON), (B, ON)], A),
        ([(A, ON), (OTHER, ON), (B, ON), (OTHER, OFF)], A),
        ([(A, ON), (B, ON), (C, ON)], B),
        ([(A, ON), (B, TRIED), (C, ON)], A),
        ([(A, ON), (B, ON), (B, OFF)], B),
        ([(A, ON), (A, OFF)], A),
        ([(A, ON), (B, ON), (B, RECALLED)], A),
        ([(A, ON), (B, ON), (A, RECALLED)], None),
        ([(A, ON), (B, ON), (C, ON), (B, RECALLED)], A),
        ([(A, ON), (A, RECALLED)], None),
    ],
)
def test_one_goes_back_to_what_was_active_before(decisions: Decisions, before: ModelReference | None) -> None:
    """Never to a trial, to another model, to itself, or to what was recalled."""
    assert active_before(log(decisions), "brain") == before


def test_going_back_twice_goes_farther_back() -> None:
    """And never forward to what was left."""
    decisions = [(A, ON), (B, ON), (C, ON)]
    for expected in (B, A, None):
        assert active_before(log(decisions), "brain") == expected
        if expected is not None:
            decisions.append((expected, ON))
