"""Which models run: a log of decisions, folded into the present state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from inference.domain.job import ModelReference
from inference.domain.model_spec import Deployment


@dataclass(frozen=True, slots=True)
class DeploymentEvent:
    """A person's decision about one version of a model.

    Parameters
    ----------
    at
        When, aware, UTC.
    model
        Which version, exactly.
    deployment
        What was decided.
    actor
        Who decided.
    reason
        Why; demanded for a recall.
    """

    at: datetime
    model: ModelReference
    deployment: Deployment
    actor: str
    reason: str = ""


def present(events: Iterable[DeploymentEvent]) -> Mapping[ModelReference, Deployment]:
    """Fold the log: the last word on each version holds, and a recall is the last word for ever.

    Activating one version deactivates the others of the same id that were active.

    Parameters
    ----------
    events
        The log, oldest first.
    """
    state: dict[ModelReference, Deployment] = {}
    for event in events:
        if state.get(event.model) is Deployment.RECALLED:
            continue
        if event.deployment is Deployment.ACTIVE:
            for other in [
                m for m, d in state.items() if m.model_id == event.model.model_id and d is Deployment.ACTIVE
            ]:
                state[other] = Deployment.INACTIVE
        state[event.model] = event.deployment
    return state


def active_before(events: Iterable[DeploymentEvent], model_id: str) -> ModelReference | None:
    """Give the version to go back to: the one that was active before the present one was.

    Going back is remembered: whoever goes back twice comes to the version before that, and never to the one that was
    left. A version that was switched off or recalled since is gone back to, or past, in the same way.

    Parameters
    ----------
    events
        The log, oldest first.
    model_id
        Which model.

    Returns
    -------
    ModelReference or None
        None where no other version was active before.
    """
    log = [event for event in events if event.model.model_id == model_id]
    state = present(log)
    trail: list[ModelReference] = []
    for event in log:
        if event.deployment is not Deployment.ACTIVE or state[event.model] is Deployment.RECALLED:
            continue
        if event.model in trail:
            del trail[trail.index(event.model) + 1 :]
        else:
            trail.append(event.model)
    if trail and state[trail[-1]] is Deployment.ACTIVE:
        trail.pop()
    return trail[-1] if trail else None
