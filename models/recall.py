"""Recalling a faulty version of a model: it never runs again, and what it published is withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.domain.deployment import DeploymentEvent
from inference.domain.job import ModelReference
from inference.domain.model_spec import Deployment
from inference.errors import ModelNotFound
from models.deployment import DeploymentPlaces, known_versions, note_decision


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a recall came to.

    Parameters
    ----------
    model
        The version that was recalled.
    before
        Whether it had been recalled before, and this command only carried on.
    withdrawn
        Results whose withdrawal was ordered now.
    """

    model: ModelReference
    before: bool
    withdrawn: int


def recall(places: DeploymentPlaces, model_id: str, version: str, reason: str) -> Sequence[Recalled]:
    """Recall a version, whether its package is still here or not; asked again, carry on with what is left.

    The decision is written first: from then on nothing of the model begins or is delivered. Then the withdrawal of
    every result is ordered, which the delivery workers carry out.

    Parameters
    ----------
    places
        What is decided on.
    model_id, version
        Which version.
    reason
        Why, for readers of its results; no patient data. Of a version that was recalled before the first one holds.

    Raises
    ------
    ModelNotFound
        If this node never had it.
    """
    known = known_versions(places, model_id, version)
    if not known:
        raise ModelNotFound(f"this node never had {model_id} {version}")
    return [_recall_one(places, model, reason) for model in known]


def _recall_one(places: DeploymentPlaces, model: ModelReference, reason: str) -> Recalled:
    earlier = next((event for event in places.log.events() if _recalls(event, model)), None)
    if earlier is None:
        note_decision(places, model, Deployment.RECALLED, reason)
    ordered = places.jobs.withdraw(model, earlier.reason if earlier else reason)
    return Recalled(model, earlier is not None, len(ordered))


def _recalls(event: DeploymentEvent, model: ModelReference) -> bool:
    return event.model == model and event.deployment is Deployment.RECALLED
