"""What this node does with each version of a model: the log's word, and a rule where the log is silent."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from inference.domain.deployment import DeploymentEvent, present
from inference.domain.job import ModelReference
from inference.domain.model_spec import Deployment

Precedence: TypeAlias = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]


def deployments(
    packages: Mapping[ModelReference, bool], events: Sequence[DeploymentEvent]
) -> Mapping[ModelReference, Deployment]:
    """Decide what the node does with each package.

    The log's last word on a version holds. A version it has no word on is inactive, with one exception: a folder that
    is dropped beside the others works without a command. Until somebody activates a version of a model, or switches
    the model off, its highest version that needs no activation is active, but never one below a recalled version.

    Parameters
    ----------
    packages
        The versions that are there, and whether each needs to be activated (it lies in the managed store).
    events
        The log, oldest first.
    """
    state = present(events)
    decided = {reference: state.get(reference, Deployment.INACTIVE) for reference in packages}
    free = [reference for reference, managed in packages.items() if not managed and reference not in state]
    for model_id in {reference.model_id for reference in free}:
        chosen = _of_itself([reference for reference in free if reference.model_id == model_id], events)
        if chosen is not None:
            decided[chosen] = Deployment.ACTIVE
    return decided


def precedence(version: str) -> Precedence:
    """Give a key that puts versions in order (Semantic Versioning 2.0.0, item 11).

    Parameters
    ----------
    version
        ``major.minor.patch``, with a pre-release after a hyphen if it is one.
    """
    release, _, pre_release = version.partition("-")
    identifiers = tuple(_identifier(text) for text in pre_release.split(".")) if pre_release else ()
    return tuple(int(number) for number in release.split(".")), not pre_release, identifiers


def _identifier(text: str) -> tuple[bool, int, str]:
    """Numbers come before words, and are compared as numbers."""
    number = re.fullmatch("[0-9]+", text)
    return (False, int(text), "") if number else (True, 0, text)


def _of_itself(versions: Collection[ModelReference], events: Sequence[DeploymentEvent]) -> ModelReference | None:
    """Give the version of one model that is active although nobody said so."""
    highest = max(versions, key=lambda reference: precedence(reference.version))
    about = [event for event in events if event.model.model_id == highest.model_id]
    if any(event.deployment is Deployment.ACTIVE for event in about) or _switched_off(about):
        return None
    recalled = [event.model.version for event in about if event.deployment is Deployment.RECALLED]
    if any(precedence(version) >= precedence(highest.version) for version in recalled):
        return None
    return highest


def _switched_off(events: Sequence[DeploymentEvent]) -> bool:
    """Whether somebody took the model out of use; to end a trial in shadow does not."""
    last: dict[ModelReference, Deployment] = {}
    for event in events:
        if event.deployment is Deployment.INACTIVE and last.get(event.model) is not Deployment.SHADOW:
            return True
        last[event.model] = event.deployment
    return False
