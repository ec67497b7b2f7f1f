"""What the gateway is given to work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import structlog

from integrations.logs import short_hash
from integrations.upstream.exchange import Server


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody's access to data that are elsewhere.

    Parameters
    ----------
    actor, role
        Who.
    action
        What, e.g. ``ris.read``.
    target
        Study Instance UID, or resource type and id; identifies a patient to those who hold the archive.
    status
        HTTP status of the answer.
    """

    actor: str
    role: str
    action: str
    target: str
    status: int


class AccessTrail(Protocol):
    """Keeps who has seen or written what."""

    def record(self, access: Access) -> None:
        """Keep it; raises where that cannot be done, and then nothing is answered."""


class LoggedAccess:
    """A trail in the log, where what was accessed is a short hash."""

    def record(self, access: Access) -> None:
        """Write one line."""
        structlog.get_logger(__name__).info(
            "gateway.access",
            actor=access.actor,
            role=access.role,
            action=access.action,
            target_hash=short_hash(access.target) if access.target else None,
            status=access.status,
        )


@dataclass(frozen=True, slots=True)
class ViewerOptions:
    """How sessions of the viewer are made.

    Parameters
    ----------
    minutes
        Life of a session.
    secure
        Whether its cookie travels by https only.
    path
        Where OHIF is served.
    folder
        Holds OHIF, where the API serves it itself; None: somebody else does.
    """

    minutes: int = 30
    secure: bool = True
    path: str = "/pacs-viewer"
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Gateway:
    """The servers behind the gateway; None where the node has none.

    Parameters
    ----------
    archive
        DICOMweb.
    reports
        FHIR R4.
    emr_fhir, emr_api
        The medical record: its FHIR R4 and its own API.
    emr_keys
        Public keys by which the medical record knows us.
    trail
        Where accesses are kept.
    viewer
        Sessions of the viewer.
    public_url
        Address under which clients reach the node; None: as the request says.
    """

    archive: Server | None = None
    reports: Server | None = None
    emr_fhir: Server | None = None
    emr_api: Server | None = None
    emr_keys: Mapping[str, Any] = field(default_factory=lambda: {"keys": []})
    trail: AccessTrail = field(default_factory=LoggedAccess)
    viewer: ViewerOptions = ViewerOptions()
    public_url: str | None = None
