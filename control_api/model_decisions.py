"""What an administrator does with models over HTTP: the same decisions as by command, by the same rules.

A process of the API cannot run models. Where a command looks a package over itself, the API asks what an inference
worker has recorded of it (ADR 0022).
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from control_api.model_cards import ShownVerification, show, version_of
from control_api.model_services import ModelServices
from control_api.services import Services
from inference.domain.job import About, Hint, ModelReference, QueueName
from inference.domain.model_spec import Deployment, ModelSpec
from inference.errors import ModelRecalled, QueueUnavailable
from models.deployment import Change, DeploymentPlaces, ModelDeployment
from models.installation import remove_package
from models.proof import recorded_proof, subject_of
from models.recall import Recalled
from models.recall import recall as recall_version


def deployment(given: Services, actor: str) -> ModelDeployment:
    """Give what carries decisions out; a version that is not recorded to have proved itself is not activated.

    Parameters
    ----------
    given
        The API's services.
    actor
        Who decides.
    """
    proof = recorded_proof(given.models.verifications, given.models.node_version)
    return ModelDeployment(places(given, actor), proof)


def places(given: Services, actor: str) -> DeploymentPlaces:
    """Give what decisions are made on.

    Parameters
    ----------
    given
        The API's services.
    actor
        Who decides.
    """
    return DeploymentPlaces(given.models.packages, given.models.decisions, given.jobs, given.clock, actor)


def activate(given: Services, actor: str, model_id: str, version: str) -> Change:
    """Let a version run on what arrives, instead of the one that does.

    Raises
    ------
    ModelNotFound, ModelRecalled
    DeploymentRefused
        If it has not proved itself on this node.
    """
    return deployment(given, actor).activate(model_id, version)


def shadow(given: Services, actor: str, model_id: str, version: str) -> Change:
    """Let a version run beside the active one; what it says is recorded and not published.

    Raises
    ------
    ModelNotFound, ModelRecalled, DeploymentRefused
        As ``activate``.
    """
    return deployment(given, actor).shadow(model_id, version)


def deactivate(given: Services, actor: str, model_id: str, version: str) -> Change:
    """Switch a version off; jobs that were made for it are done.

    Raises
    ------
    ModelNotFound, ModelRecalled
    """
    return deployment(given, actor).deactivate(model_id, version)


def roll_back(given: Services, actor: str, model_id: str) -> Change:
    """Go back to the version that was active before.

    Raises
    ------
    DeploymentRefused
        If there is none to go back to.
    """
    return deployment(given, actor).roll_back(model_id)


def recall(given: Services, actor: str, model_id: str, version: str, reason: str) -> Sequence[Recalled]:
    """Stop a faulty version for good, and order the withdrawal of every result that it published.

    Raises
    ------
    ModelNotFound
        If this node never had it.
    """
    return recall_version(places(given, actor), model_id, version, reason)


def remove(given: Services, actor: str, model_id: str, version: str) -> ModelReference:
    """Delete a version that was added, does not run and has no unfinished jobs.

    Raises
    ------
    ModelNotFound, DeploymentRefused, StoreUnavailable
    """
    return remove_package(places(given, actor), given.models.store, model_id, version)


def verify(given: Services, actor: str, model_id: str, version: str) -> ShownVerification:
    """Ask an inference worker to look a version over; asked again before it has, it looks once.

    Raises
    ------
    ModelNotFound
        If it is not here.
    ModelRecalled
        If it was recalled: it is not run again.
    """
    return order_verification(given, actor, version_of(given.models, model_id, version))


def order_verification(given: Services, actor: str, spec: ModelSpec) -> ShownVerification:
    """Ask for a look at a version that is here.

    Raises
    ------
    ModelRecalled
        If it was recalled.
    """
    models: ModelServices = given.models
    if spec.deployment is Deployment.RECALLED:
        raise ModelRecalled(f"{spec.reference.model_id} {spec.reference.version} was recalled, for good")
    subject = subject_of(spec.reference, models.packages.folder(spec.reference), models.node_version)
    look = models.verifications.request(subject, actor)
    _tell_a_worker(given, Hint(QueueName.INFERENCE, look.verification_id, About.VERIFICATION))
    return show(models, look)


def _tell_a_worker(given: Services, hint: Hint) -> None:
    """Send a hint now; where the queue cannot be reached a dispatcher does it later from the database."""
    try:
        given.queue.enqueue(hint)
    except QueueUnavailable as error:
        structlog.get_logger(__name__).warning("queue.hint_lost", verification=hint.job_id, error=error.code)
        return
    given.models.verifications.dispatched(hint)
