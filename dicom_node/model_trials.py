"""Letting versions of models prove themselves on this machine, as people ask for it over the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from inference.domain.identifiers import JobID
from inference.domain.job import ModelReference
from inference.domain.model_spec import ModelSpec
from inference.domain.verification import Verification, VerificationFault
from inference.errors import NodeError
from inference.ports import ModelRunner
from models.inspection import verify_package
from models.proof import subject_of

LOG = structlog.get_logger(__name__)

LEASE_SECONDS = 60.0
"""How long a worker that looks at a version may be silent; its attendance extends the lease much more often."""


class VerificationLog(Protocol):
    """Where looks are asked for and recorded."""

    def claim(self, verification_id: JobID, owner: str, lease_seconds: float) -> Verification | None:
        """Begin a look; None where there is nothing to do."""

    def finish(
        self, verification: Verification, faults: Sequence[VerificationFault], provider: str | None = None
    ) -> bool:
        """Write down what came of it."""


class Packages(Protocol):
    """The models that are here."""

    def exactly(self, reference: ModelReference) -> ModelSpec:
        """Give one version; raises where it is not here or was recalled."""

    def folder(self, reference: ModelReference) -> Path:
        """Give the folder of a package."""


class ClosableRunner(ModelRunner, Protocol):
    """Runs models, and lets go of them."""

    def close(self) -> None:
        """Let go of all sessions and their memory."""


class ModelTrials:
    """Looks versions over in the place of the jobs of an inference worker, so that the two never share the device.

    Parameters
    ----------
    log
        Where looks are asked for.
    packages
        The models that are here.
    make_runner
        Makes what runs a graph: one for each look, so that no candidate stays in memory beside the models that work.
    owner
        Name of this worker.
    """

    def __init__(
        self, log: VerificationLog, packages: Packages, make_runner: Callable[[], ClosableRunner], owner: str
    ) -> None:
        self._log = log
        self._packages = packages
        self._make_runner = make_runner
        self._owner = owner

    def run(self, verification_id: JobID) -> None:
        """Make a look that was asked for; a second message about it has no effect.

        Raises
        ------
        StoreUnavailable
            If the database cannot be asked; the request stays and is sent again.
        """
        verification = self._log.claim(verification_id, self._owner, LEASE_SECONDS)
        if verification is None:
            return
        faults, provider = self._look(verification)
        if self._log.finish(verification, faults, provider):
            model = verification.subject.model
            LOG.info("model.verified", model=model.model_id, version=model.version, passed=not faults)

    def _look(self, verification: Verification) -> tuple[list[VerificationFault], str | None]:
        try:
            return self._verified(verification)
        except NodeError as error:
            return [VerificationFault("package", error.message)], None
        except Exception as error:  # noqa: BLE001 - the worker's border: a strange package must not take it down
            LOG.warning("model.verification_failed", error=type(error).__name__)
            return [VerificationFault("package", f"it could not be looked over ({type(error).__name__})")], None

    def _verified(self, verification: Verification) -> tuple[list[VerificationFault], str | None]:
        subject = verification.subject
        spec = self._packages.exactly(subject.model)
        folder = self._packages.folder(subject.model)
        if subject_of(subject.model, folder, subject.node_version) != subject:
            return [VerificationFault("manifest", "it was changed after the verification was asked for")], None
        runner = self._make_runner()
        try:
            faults = [VerificationFault(fault.part, fault.message) for fault in verify_package(folder, runner)]
            return faults, None if faults else runner.providers(spec)[0]
        finally:
            runner.close()
