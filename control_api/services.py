"""What the API is given to work with; wired by ``bootstrap``, replaced by fakes in tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, tzinfo
from pathlib import Path
from typing import Final, Protocol, cast

from flask import current_app

from control_api.access import (
    Account,
    Accounts,
    AuditTrail,
    Directory,
    Identities,
    OIDCOptions,
    RateLimits,
    ServiceAccounts,
    Sessions,
)
from control_api.audit_log import AuditLog
from control_api.changes import ChangeFeed
from control_api.documents import Documents
from control_api.events import Places, Source
from control_api.gateway.ports import Gateway
from control_api.model_services import ModelServices, Packages
from control_api.node_services import NodeServices
from control_api.queries import ReadModel
from inference.domain.model_spec import ModelSpec
from inference.domain.study import SeriesRevision
from inference.ports import Clock, JobQueue, JobStore, ModelCatalogue, PreviewStore, StudyIndex, UIDSource
from integrations.orthanc.priors import ArchivedStudy
from integrations.persistence.master_data import SQLMasterData

__all__ = [
    "APIOptions",
    "Account",
    "Accounts",
    "Catalogue",
    "Probe",
    "Services",
    "attach",
    "services",
]

_KEY: Final = "neuronova-services"

Probe = Callable[[], None]
"""Returns when a part works; raises, whatever it likes, when it does not."""


class Priors(Protocol):
    """An archive that is asked for earlier studies, and sends them."""

    def latest(self, patient_id: str, before: date, modalities: Collection[str]) -> ArchivedStudy | None:
        """Give the latest study of a patient before a day that has images of one of some modalities."""

    def send(self, study: ArchivedStudy) -> None:
        """Have a study sent to this node."""


class Catalogue(ModelCatalogue, Packages, Protocol):
    """The catalogue, with what is broken in it."""


@dataclass(frozen=True, slots=True)
class APIOptions:
    """Facts of this node.

    Parameters
    ----------
    version
        Version of the node.
    ae_title
        Its DICOM application entity title.
    jwt_key
        Signing key of access tokens, at least 32 bytes.
    access_minutes
        Life of an access token.
    data_dir
        The folder whose disk is reported.
    organization
        Of the people who review results here.
    zone
        Where the site is.
    cookie_secure
        Whether browsers send our cookies by https only.
    trusted_proxies
        How many proxies in front of us name the client in ``X-Forwarded-For``.
    limits
        How often a client may ask.
    oidc
        The OpenID provider; None: passwords only.
    """

    version: str
    ae_title: str
    jwt_key: str
    access_minutes: int
    data_dir: Path
    organization: str = "not stated"
    zone: tzinfo = UTC
    cookie_secure: bool = True
    trusted_proxies: int = 0
    limits: RateLimits = field(default_factory=RateLimits)
    oidc: OIDCOptions | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a view may call.

    Parameters
    ----------
    jobs, studies, queue, catalogue, clock, uid_source
        Ports.
    accounts, sessions, service_accounts, identities
        Who may come in: people, while they are logged in, programs, and those whom an OpenID provider knows.
    audit, audit_log
        Where it is written who did what, and where it is read.
    queries, changes
        The read side, and what changed in it.
    documents
        Answers that were given a moment ago.
    previews
        Pictures of results.
    priors
        The archive that has earlier studies; None where there is none to ask.
    event_places
        Room for streams of events.
    master_data
        Medications, diagnoses and laboratory tests.
    match
        Gives the active models that want a series; raises NoMatchingModel with the reason where none does.
    probes
        Readiness checks by the name under which they are shown.
    models
        What views about models call.
    node
        What views about the node itself call.
    options
        Facts of this node.
    gateway
        The servers behind the gateway.
    """

    jobs: JobStore
    studies: StudyIndex
    queue: JobQueue
    catalogue: Catalogue
    accounts: Directory
    sessions: Sessions
    service_accounts: ServiceAccounts
    identities: Identities
    audit: AuditTrail
    audit_log: AuditLog
    queries: ReadModel
    changes: ChangeFeed
    documents: Documents
    event_places: Places
    master_data: SQLMasterData
    previews: PreviewStore
    priors: Priors | None
    match: Callable[[SeriesRevision], Sequence[ModelSpec]]
    probes: Mapping[str, Probe]
    clock: Clock
    uid_source: UIDSource
    models: ModelServices
    node: NodeServices
    options: APIOptions
    gateway: Gateway = field(default_factory=Gateway)

    @property
    def event_source(self) -> Source:
        """What streams of events are fed from."""
        return Source(self.documents, self.changes, self.clock)


def attach(extensions: dict[str, object], given: Services) -> None:
    """Keep the services with an application."""
    extensions[_KEY] = given


def services() -> Services:
    """Give the services of the present application."""
    return cast("Services", current_app.extensions[_KEY])
