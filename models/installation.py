"""Bringing model packages to a node and taking them away; neither lets anything run."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import structlog

from inference.domain.deployment import present
from inference.domain.job import ModelReference
from inference.domain.model_spec import Deployment, ModelSpec
from inference.errors import DeploymentRefused, ModelNotFound, ModelRecalled
from models.deployment import DeploymentPlaces, known_versions
from models.model_store import ModelStore
from models.package_files import LIMITS, PackageLimits

LOG = structlog.get_logger(__name__)

_AT_REST = frozenset({Deployment.INACTIVE, Deployment.RECALLED})


def add_package(
    places: DeploymentPlaces, store: ModelStore, source: Path, limits: PackageLimits = LIMITS
) -> tuple[ModelSpec, bool]:
    """Copy a package into the store; it does nothing until it is activated or tried in shadow.

    Parameters
    ----------
    places
        What is known of the version here.
    store
        Where packages are kept.
    source
        A folder, or a zip or tar archive.
    limits
        How much it may hold.

    Returns
    -------
    spec : ModelSpec
        The model.
    added : bool
        False if the very same package is here already.

    Raises
    ------
    ModelContractViolated, WeightsMismatch, StoreUnavailable
        As ``ModelStore.add``.
    ModelRecalled
        If the version was recalled.
    DeploymentRefused
        If the version is, or was, known here with other content, or lies in a folder that needs no adding.
    """
    spec, added = store.add(source, partial(_refuse_taken, places, store), limits)
    if added:
        _log("model.added", places, spec.reference)
    return spec, added


def remove_package(places: DeploymentPlaces, store: ModelStore, model_id: str, version: str) -> ModelReference:
    """Take a version out of the store.

    Raises
    ------
    ModelNotFound
        If it is not here.
    DeploymentRefused
        If it runs, if jobs that were made for it have not ended, or if it is not in the store.
    StoreUnavailable
        If it cannot be removed.
    """
    wanted = (model_id, version)
    here = [s for s in places.packages.all() if (s.reference.model_id, s.reference.version) == wanted]
    if not here:
        raise ModelNotFound(f"no {model_id} {version} here; `dicom-node models list` shows what is")
    (spec,) = here
    if spec.deployment not in _AT_REST:
        raise DeploymentRefused(f"{model_id} {version} is {spec.deployment}: deactivate it first")
    unfinished = places.jobs.unfinished(spec.reference)
    if unfinished:
        raise DeploymentRefused(f"{unfinished} jobs of {model_id} {version} have not ended: wait for them")
    store.remove(spec.reference)
    _log("model.removed", places, spec.reference)
    return spec.reference


def _refuse_taken(places: DeploymentPlaces, store: ModelStore, spec: ModelSpec) -> None:
    reference = spec.reference
    name = f"{reference.model_id} {reference.version}"
    if present(places.log.events()).get(reference) is Deployment.RECALLED:
        raise ModelRecalled(f"{name} was recalled, for good")
    if any(known != reference for known in known_versions(places, reference.model_id, reference.version)):
        raise DeploymentRefused(f"{name} is known here with other weights: give it a new version")
    here = any(known.reference == reference for known in places.packages.all())
    if here and not store.holds(reference):
        raise DeploymentRefused(f"{name} is here already: it came with the node, or lies in NODE_MODELS_DIRS")


def _log(event: str, places: DeploymentPlaces, model: ModelReference) -> None:
    LOG.info(event, model=model.model_id, version=model.version, digest=model.digest[:12], actor=places.actor)
