"""What the API is given to show and to change models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inference.domain.job import Hint, ModelReference
from inference.domain.model_spec import ModelSpec
from inference.domain.verification import Subject, Verification
from inference.ports import DeploymentLog
from models.model_store import ModelStore


class BrokenPackage(Protocol):
    """A model package that cannot be used."""

    @property
    def folder(self) -> Path:
        """Where it is."""

    @property
    def reason(self) -> str:
        """Why it cannot be used."""


class Packages(Protocol):
    """The models that are here."""

    def all(self) -> Sequence[ModelSpec]:
        """List every usable package with what the node does with it, in order of id and version."""

    def folder(self, reference: ModelReference) -> Path:
        """Give the folder of a package."""

    @property
    def broken(self) -> Sequence[BrokenPackage]:
        """The packages that were found and cannot be used."""


class Verifications(Protocol):
    """Where people ask for looks at versions, and workers record them."""

    def request(self, subject: Subject, requested_by: str) -> Verification:
        """Ask for a look."""

    def dispatched(self, hint: Hint) -> None:
        """Note that a worker was told."""

    def of(self, subject: Subject) -> Sequence[Verification]:
        """List the looks at exactly this version, manifest and node, the latest first."""

    def latest(self) -> Mapping[ModelReference, Verification]:
        """Give the latest look at each version of each model."""


@dataclass(frozen=True, slots=True)
class ModelServices:
    """Everything that views about models may call.

    Parameters
    ----------
    packages
        The models that are here.
    decisions
        The log of what people decided.
    store
        Where uploaded packages are kept.
    verifications
        Which versions proved themselves.
    node_version
        Version of the node: what another one computed proves nothing.
    upload_bytes
        Size of the largest package that is taken, as it is sent; unpacked it may be twice as large.
    """

    packages: Packages
    decisions: DeploymentLog
    store: ModelStore
    verifications: Verifications
    node_version: str
    upload_bytes: int = 1 << 30
