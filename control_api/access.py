"""What decides about access: ports of accounts, sessions, keys and the audit trail, and what is configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from integrations.persistence.audit_trail import AuditEvent
from integrations.persistence.identities import Identity
from integrations.persistence.service_accounts import APIKey, NewAPIKey, ServiceAccount
from integrations.persistence.sessions import Grant, Reused
from integrations.persistence.users import User


class Account(Protocol):
    """Somebody who may log in."""

    @property
    def username(self) -> str:
        """The name, unique."""

    @property
    def role(self) -> str:
        """One of the roles of ``control_api.auth.roles``."""


class Accounts(Protocol):
    """Accounts of people; every method raises where the store cannot be asked."""

    def authenticate(self, username: str, password: str) -> Account | None:
        """Give the account when the password is right and the account neither inactive nor locked."""

    def find(self, username: str) -> Account | None:
        """Give an active account."""

    def set_password(self, username: str, password: str) -> None:
        """Give an account a new password; a lock-out ends."""


class Directory(Accounts, Protocol):
    """Accounts, with what an administrator may do to them."""

    def create(self, username: str, password: str, role: str) -> User:
        """Create an account."""

    def change(self, username: str, role: str | None = None, active: bool | None = None) -> User:
        """Change what somebody is, or whether they may log in; never without leaving an administrator."""

    def unlock(self, username: str) -> User:
        """End a lock-out after wrong passwords."""

    def get(self, username: str) -> User:
        """Give an account, also one that is not active."""

    def list(self) -> Sequence[User]:
        """List all accounts in order of name."""


class Sessions(Protocol):
    """From a login to a logout; every method raises where the store cannot be asked."""

    def open(self, username: str) -> Grant:
        """Begin a session."""

    def refresh(self, token: str) -> Grant | Reused | None:
        """Trade a refresh token for the next one; a used one closes its session."""

    def is_open(self, session_id: str) -> bool:
        """Say whether a session goes on."""

    def close(self, session_id: str) -> None:
        """End a session."""

    def close_all(self, username: str, keep: str = "") -> None:
        """End all sessions of somebody, but for one."""


class ServiceAccounts(Protocol):
    """Programs and their keys."""

    def create(self, name: str, description: str, scopes: Sequence[str]) -> ServiceAccount:
        """Create an account, without a key."""

    def change(self, name: str, **values: Any) -> ServiceAccount:
        """Change ``description``, ``scopes`` or ``active``."""

    def list(self) -> Sequence[ServiceAccount]:
        """List all accounts in order of name."""

    def get(self, name: str) -> ServiceAccount:
        """Give one account."""

    def issue_key(self, name: str, days: int | None) -> NewAPIKey:
        """Make a key; it is shown this once."""

    def keys(self, name: str) -> Sequence[APIKey]:
        """List the keys of an account."""

    def revoke_key(self, name: str, key_id: str) -> None:
        """Take a key back."""

    def authenticate(self, key: str) -> ServiceAccount | None:
        """Give the account of a key that works."""


class AuditTrail(Protocol):
    """Where it is kept who did what."""

    def record(self, event: AuditEvent) -> None:
        """Add an event; raises where it cannot be kept."""


class Identities(Protocol):
    """People whom an OpenID provider knows."""

    def sign_in(self, identity: Identity, username: str, role: str) -> str | None:
        """Give the name of the account of somebody whom the provider vouches for; None where it is not active."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How often one client may ask, a minute; 0: as often as it likes.

    Parameters
    ----------
    api
        Anything under ``/api/``.
    login
        Whatever checks a password or a refresh token.
    pictures
        What a person turns over quickly.
    storage
        Where it is counted: ``memory://``, which is each process for itself, or Redis.
    """

    api: int = 0
    login: int = 0
    pictures: int = 0
    storage: str = "memory://"


@dataclass(frozen=True, slots=True)
class OIDCOptions:
    """An OpenID provider that vouches for people.

    Parameters
    ----------
    issuer
        Its address; what it offers is read from ``/.well-known/openid-configuration`` below it.
    client_id, client_secret
        Who we are to it.
    public_url
        Where browsers reach us; the provider sends them back there.
    username_claim, role_claim
        Claims of the ID token that hold a name, and what somebody is.
    roles
        Role here by value of the role claim.
    """

    issuer: str
    client_id: str
    client_secret: str
    public_url: str
    username_claim: str
    role_claim: str
    roles: Mapping[str, str]
