"""A person's decisions about which models run, checked against how things stand and written to the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from inference.domain.deployment import DeploymentEvent, active_before, present
from inference.domain.job import ModelReference
from inference.domain.model_spec import Deployment, ModelSpec
from inference.errors import DeploymentRefused, ModelNotFound, ModelRecalled
from inference.ports import Clock, DeploymentLog, JobStore

LOG = structlog.get_logger(__name__)

Verification = Callable[[Path], Sequence[object]]
"""Lists what is wrong with the package in a folder, on this machine; empty where nothing is."""


class Packages(Protocol):
    """What the catalogue is asked."""

    def all(self) -> Sequence[ModelSpec]:
        """List every usable package with what the node does with it, in order of id and version."""

    def folder(self, reference: ModelReference) -> Path:
        """Give the folder of a package."""


@dataclass(frozen=True, slots=True)
class DeploymentPlaces:
    """What decisions are made on.

    Parameters
    ----------
    packages
        The models that are here.
    log
        Where decisions are written.
    jobs
        The jobs of this node.
    clock
        Time.
    actor
        Who decides.
    """

    packages: Packages
    log: DeploymentLog
    jobs: JobStore
    clock: Clock
    actor: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a decision changed.

    Parameters
    ----------
    model
        The version it was about.
    before, after
        What the node did, and does, with it.
    instead_of
        The version that was active until now and is not any more.
    """

    model: ModelReference
    before: Deployment
    after: Deployment
    instead_of: ModelReference | None = None


class ModelDeployment:
    """Activates, tries in shadow, switches off and goes back.

    Parameters
    ----------
    places
        What is decided on.
    verify
        Looks a package over before it may run.
    """

    def __init__(self, places: DeploymentPlaces, verify: Verification) -> None:
        self._places = places
        self._verify = verify

    def activate(self, model_id: str, version: str | None = None) -> Change:
        """Let a version run on what arrives, instead of the one that does.

        Parameters
        ----------
        model_id
            Which model.
        version
            Which version; None for the only one that is here.

        Raises
        ------
        ModelNotFound, ModelRecalled
        DeploymentRefused
            If it does not compute what its maker saw, or it is not clear which version is meant.
        """
        return self._run(self._named(model_id, version), Deployment.ACTIVE)

    def shadow(self, model_id: str, version: str) -> Change:
        """Let a version run and record what it says, without publishing it.

        Raises
        ------
        ModelNotFound, ModelRecalled, DeploymentRefused
            As ``activate``.
        """
        return self._run(self._named(model_id, version), Deployment.SHADOW)

    def deactivate(self, model_id: str, version: str | None = None) -> Change:
        """Switch a version off; jobs that were made for it are done.

        Parameters
        ----------
        model_id
            Which model.
        version
            Which version; None for the active one.

        Raises
        ------
        ModelNotFound, ModelRecalled
        DeploymentRefused
            If no version is named and none is active.
        """
        active = self._active(model_id)
        if version is None and active is None:
            raise DeploymentRefused(f"no version of {model_id} is active")
        spec = active if version is None and active is not None else self._named(model_id, version)
        return self._decide(spec, Deployment.INACTIVE)

    def roll_back(self, model_id: str) -> Change:
        """Go back to the version that was active before.

        Its golden numbers are not asked again, as they were when it was activated: whoever goes back is in a hurry.

        Raises
        ------
        DeploymentRefused
            If there is none to go back to.
        """
        target = active_before(self._places.log.events(), model_id)
        if target is None:
            raise DeploymentRefused(f"no other version of {model_id} was active before")
        spec = next((spec for spec in self._places.packages.all() if spec.reference == target), None)
        if spec is None:
            raise DeploymentRefused(f"{model_id} {target.version} was active before, but is not here any more")
        return self._decide(spec, Deployment.ACTIVE, "rolled back")

    def _run(self, spec: ModelSpec, deployment: Deployment) -> Change:
        if spec.deployment is not deployment:
            faults = self._verify(self._places.packages.folder(spec.reference))
            if faults:
                raise DeploymentRefused("; ".join(map(str, faults)))
        return self._decide(spec, deployment)

    def _decide(self, spec: ModelSpec, deployment: Deployment, reason: str = "") -> Change:
        if spec.deployment is deployment:
            return Change(spec.reference, deployment, deployment)
        active = self._active(spec.reference.model_id)
        ends = active if deployment is Deployment.ACTIVE or spec == active else None
        if ends is not None:
            self._note_standing(ends.reference)
        note_decision(self._places, spec.reference, deployment, reason)
        replaced = ends.reference if ends is not None and ends != spec else None
        return Change(spec.reference, spec.deployment, deployment, replaced)

    def _note_standing(self, active: ModelReference) -> None:
        """Write down what was active without anybody's word and now ends, so that one can come back to it."""
        if present(self._places.log.events()).get(active) is not Deployment.ACTIVE:
            note_decision(self._places, active, Deployment.ACTIVE, "was active of itself")

    def _active(self, model_id: str) -> ModelSpec | None:
        specs = self._places.packages.all()
        wanted = (s for s in specs if s.reference.model_id == model_id and s.deployment is Deployment.ACTIVE)
        return next(wanted, None)

    def _named(self, model_id: str, version: str | None) -> ModelSpec:
        """Give the one version that is meant."""
        here = [spec for spec in self._places.packages.all() if spec.reference.model_id == model_id]
        meant = [spec for spec in here if version in {None, spec.reference.version}]
        if version is None:
            meant = [spec for spec in meant if spec.deployment is not Deployment.RECALLED] or meant
        if not meant:
            raise ModelNotFound(f"no {model_id} {version or ''} here; `dicom-node models list` shows what is".strip())
        if len(meant) > 1:
            versions = ", ".join(spec.reference.version for spec in meant)
            raise DeploymentRefused(f"which version of {model_id}? Here are {versions}")
        if meant[0].deployment is Deployment.RECALLED:
            raise ModelRecalled(f"{model_id} {meant[0].reference.version} was recalled, for good")
        return meant[0]


def known_versions(places: DeploymentPlaces, model_id: str, version: str) -> Sequence[ModelReference]:
    """List whatever was known here under an id and version: packages, decisions and jobs; mostly it is one."""
    here = (spec.reference for spec in places.packages.all())
    decided = (event.model for event in places.log.events())
    every = dict.fromkeys((*here, *decided, *places.jobs.models()))
    return [model for model in every if (model.model_id, model.version) == (model_id, version)]


def note_decision(places: DeploymentPlaces, model: ModelReference, deployment: Deployment, reason: str = "") -> None:
    """Write a decision to the log, and a line about it; the reason stays out of the line, for people wrote it."""
    places.log.record(DeploymentEvent(places.clock.now(), model, deployment, places.actor, reason))
    LOG.info(
        "model.deployed",
        model=model.model_id,
        version=model.version,
        digest=model.digest[:12],
        deployment=deployment.value,
        actor=places.actor,
    )
