"""What the API is given to work with; wired by ``bootstrap``, replaced by fakes in tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import Final, Protocol, cast

from flask import current_app

from control_api.changes import ChangeFeed
from control_api.documents import Documents
from control_api.events import Places, Source
from control_api.queries import ReadModel
from inference.domain.model_spec import ModelSpec
from inference.domain.study import SeriesRevision
from inference.ports import Clock, JobQueue, JobStore, ModelCatalogue, PreviewStore, StudyIndex, UIDSource
from integrations.orthanc.priors import ArchivedStudy

_KEY: Final = "neuronova-services"

Probe = Callable[[], None]
"""Returns when a part works; raises, whatever it likes, when it does not."""


class Account(Protocol):
    """Somebody who may log in."""

    @property
    def username(self) -> str:
        """The name, unique."""

    @property
    def role(self) -> str:
        """One of the roles of ``control_api.auth.roles``."""


class Accounts(Protocol):
    """Accounts and the tokens that were taken back; every method raises where the store cannot be asked."""

    def authenticate(self, username: str, password: str) -> Account | None:
        """Give the account when the password is right and the account neither inactive nor locked."""

    def find(self, username: str) -> Account | None:
        """Give an active account."""

    def revoke(self, jti: str, expires_at: datetime) -> None:
        """Take a token back; the record may be dropped once the token has expired."""

    def is_revoked(self, jti: str) -> bool:
        """Say whether a token was taken back."""


class Priors(Protocol):
    """An archive that is asked for earlier studies, and sends them."""

    def latest(self, patient_id: str, before: date, modalities: Collection[str]) -> ArchivedStudy | None:
        """Give the latest study of a patient before a day that has images of one of some modalities."""

    def send(self, study: ArchivedStudy) -> None:
        """Have a study sent to this node."""


class BrokenPackage(Protocol):
    """A model package that cannot be used."""

    @property
    def folder(self) -> Path:
        """Where it is."""

    @property
    def reason(self) -> str:
        """Why it cannot be used."""


class Catalogue(ModelCatalogue, Protocol):
    """The catalogue, with what is broken in it."""

    def all(self) -> Sequence[ModelSpec]:
        """List every usable package with what the node does with it, in order of id and version."""

    @property
    def broken(self) -> Sequence[BrokenPackage]:
        """The packages that were found and cannot be used."""


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
    """

    version: str
    ae_title: str
    jwt_key: str
    access_minutes: int
    data_dir: Path
    organization: str = "not stated"
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a view may call.

    Parameters
    ----------
    jobs, studies, queue, catalogue, accounts, clock, uid_source
        Ports.
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
    match
        Gives the active models that want a series; raises NoMatchingModel with the reason where none does.
    probes
        Readiness checks by the name under which they are shown.
    options
        Facts of this node.
    """

    jobs: JobStore
    studies: StudyIndex
    queue: JobQueue
    catalogue: Catalogue
    accounts: Accounts
    queries: ReadModel
    changes: ChangeFeed
    documents: Documents
    event_places: Places
    previews: PreviewStore
    priors: Priors | None
    match: Callable[[SeriesRevision], Sequence[ModelSpec]]
    probes: Mapping[str, Probe]
    clock: Clock
    uid_source: UIDSource
    options: APIOptions

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
