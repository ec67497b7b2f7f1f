"""Whether a package may be activated although it is not run here and now: what was recorded of it decides."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from inference.domain.job import ModelReference
from inference.domain.verification import OPEN, Subject, Verification, VerificationState
from inference.errors import ModelContractViolated
from models.manifest import MANIFEST_NAME, load_manifest


class Verifications(Protocol):
    """Where looks at versions are recorded."""

    def of(self, subject: Subject) -> Sequence[Verification]:
        """List the looks at exactly this version, manifest and node, the latest first."""


def subject_of(model: ModelReference, folder: Path, node_version: str) -> Subject:
    """Give what a look at the package in a folder is a look at.

    Parameters
    ----------
    model
        The version that lies there.
    folder
        The package.
    node_version
        Version of the node that computes.

    Raises
    ------
    ModelContractViolated
        If its manifest cannot be read any more.
    """
    try:
        manifest = (folder / MANIFEST_NAME).read_bytes()
    except OSError as error:
        raise ModelContractViolated(f"the manifest cannot be read ({type(error).__name__})") from error
    return Subject(model, hashlib.sha256(manifest).hexdigest(), node_version)


def recorded_proof(verifications: Verifications, node_version: str) -> Callable[[Path], Sequence[str]]:
    """Give what stands in for a look of one's own in a process that cannot run models: the latest one that ended.

    Parameters
    ----------
    verifications
        What was recorded.
    node_version
        Version of the node: what another one computed proves nothing.

    Returns
    -------
    callable
        Lists what speaks against the package in a folder; empty where it has proved itself.
    """

    def faults(folder: Path) -> Sequence[str]:
        """List what speaks against a package."""
        reference = load_manifest(folder / MANIFEST_NAME).reference
        looks = verifications.of(subject_of(reference, folder, node_version))
        name = f"{reference.model_id} {reference.version}"
        ended = next((look for look in looks if look.state not in OPEN), None)
        if ended is None:
            return [f"{name} has not proved itself on this node yet: {_advice(looks)}"]
        if ended.state is VerificationState.PASSED:
            return []
        return [f"{name}: {fault.part}: {fault.message}" for fault in ended.faults]

    return faults


def _advice(looks: Sequence[Verification]) -> str:
    return "its verification has not ended" if looks else "verify it first"
