"""What the processes of a node say of themselves and of the servers that they talk to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from inference.domain.job import Failure


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """A process that works, as it was when it was last heard of.

    Parameters
    ----------
    owner
        Its name, unique; the leases of its jobs bear it.
    kind
        What it works on: the name of a queue, or ``receiver``.
    host, pid
        Where it runs.
    threads
        Jobs at once.
    version
        Version of the node that it runs.
    started_at, seen_at
        Since when it is there, and when it was last heard of.
    facts
        What it says of its machine (``integrations.machine``); numbers and names of hardware only.
    """

    owner: str
    kind: str
    host: str
    pid: int
    threads: int
    version: str
    started_at: datetime
    seen_at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


class PeerKind(StrEnum):
    """How a server is asked whether it is there."""

    DICOM = "dicom"
    """C-ECHO (PS3.4 annex A)."""
    DICOMWEB = "dicomweb"
    """A search for one study (QIDO-RS)."""
    ORTHANC = "orthanc"
    """``/system`` of Orthanc's REST API."""
    FHIR = "fhir"
    """The capability statement, ``/metadata``."""
    HL7 = "hl7"
    """Whether it takes a connection."""


@dataclass(frozen=True, slots=True)
class PeerOutcome:
    """What came of asking a server whether it is there.

    Parameters
    ----------
    name, kind, address
        Which; the address holds no password.
    probed_at
        When it was asked.
    seconds
        How long the answer took, or the wait for one.
    failure
        Why it cannot be used; None where it can.
    reachable_at
        When it could last be used, None for never.
    """

    name: str
    kind: PeerKind
    address: str
    probed_at: datetime
    seconds: float
    failure: Failure | None = None
    reachable_at: datetime | None = None

    @property
    def reachable(self) -> bool:
        """Whether it can be used."""
        return self.failure is None
