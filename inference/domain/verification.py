"""Whether a version of a model has proved itself on this node: what was looked over, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from inference.domain.identifiers import JobID
from inference.domain.job import ModelReference


class VerificationState(StrEnum):
    """The life of a verification; it goes forward only."""

    REQUESTED = "requested"
    """Somebody asked for it; no worker has begun."""
    RUNNING = "running"
    """An inference worker is at it."""
    PASSED = "passed"
    """The version computes on this node what its maker saw."""
    FAILED = "failed"
    """Something speaks against it; the faults say what."""


OPEN: Final = frozenset({VerificationState.REQUESTED, VerificationState.RUNNING})
"""States in which nothing is known yet."""


@dataclass(frozen=True, slots=True)
class VerificationFault:
    """One reason not to run a version.

    Parameters
    ----------
    part
        What is at fault, e.g. ``weights``, ``graph`` or ``golden numbers``.
    message
        What is wrong and what to do.
    """

    part: str
    message: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked over: the weights by their digest, and the manifest, which says how they are used.

    Parameters
    ----------
    model
        Which version.
    manifest_sha256
        Digest of its manifest: whoever changes preprocessing has another model.
    node_version
        Version of the node that computes: another one may compute otherwise.
    """

    model: ModelReference
    manifest_sha256: str
    node_version: str


@dataclass(frozen=True, slots=True)
class Verification:
    """A look at a version of a model, asked for by a person and made by an inference worker.

    Parameters
    ----------
    verification_id
        32 hexadecimal digits, as a job's.
    subject
        What is looked over.
    state
        How far it has come.
    requested_at, requested_by
        When, and by whom.
    attempt
        How often a worker has begun.
    started_at, finished_at
        When the last worker began, and when it was done.
    worker
        Which worker that is.
    provider
        ONNX Runtime's name of what computed it; None where nothing was computed.
    faults
        Why it failed.
    """

    verification_id: JobID
    subject: Subject
    state: VerificationState
    requested_at: datetime
    requested_by: str
    attempt: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    worker: str | None = None
    provider: str | None = None
    faults: tuple[VerificationFault, ...] = ()
