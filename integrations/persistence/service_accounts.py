"""Programs that may call the API: service accounts with scopes, and keys of which only a hash is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, insert, select, update

from inference.errors import AccountExists, AccountNotFound
from inference.ports import Clock, UIDSource
from integrations.persistence.tables import api_keys, service_accounts
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions
from integrations.persistence.users import account_name

KEY_MARK: Final = "nnk_"
"""How a key begins, so that scanners of repositories recognise one that was committed."""

SHOWN_CHARACTERS: Final = 12
"""Of a key, with its mark; too few to guess the rest from."""

_LAST_USED_STEP: Final = timedelta(minutes=1)
"""Use is noted to the minute: a program that polls would otherwise write with every question."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A program.

    Parameters
    ----------
    name
        Lower case, unique among programs.
    description
        What it is, and who answers for it.
    scopes
        What it may do, e.g. ``jobs:read``.
    active
        Whether its keys work.
    created_at
        When it was made.
    """

    name: str
    description: str
    scopes: tuple[str, ...]
    active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class APIKey:
    """A key, without the key.

    Parameters
    ----------
    key_id
        Names it.
    prefix
        Its first characters.
    service_account
        Whose it is.
    created_at, expires_at, revoked_at, last_used_at
        Its life; None: never.
    """

    key_id: str
    prefix: str
    service_account: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewAPIKey:
    """A key as it is shown, once.

    Parameters
    ----------
    key
        The key itself.
    facts
        What is kept of it.
    """

    key: str
    facts: APIKey


class SQLServiceAccounts:
    """Service accounts and their keys in SQLite, MySQL or MariaDB.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        Time of expiry.
    uid_source
        Where ids and unguessable keys come from.
    """

    def __init__(self, engine: Engine, clock: Clock, uid_source: UIDSource) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock
        self._uid_source = uid_source

    def create(self, name: str, description: str, scopes: Sequence[str]) -> ServiceAccount:
        """Create an account, without a key.

        Raises
        ------
        AccountExists
            If the name is taken.
        AccountInvalid
            If the name is not valid.
        """
        account = ServiceAccount(account_name(name), description, tuple(sorted(set(scopes))), True, self._clock.now())

        def create(connection: Connection) -> None:
            """Insert the account, unless the name is taken."""
            if _account_row(connection, account.name) is not None:
                raise AccountExists(f"there is a service account {account.name} already")
            row = {"name": account.name, "description": description, "scopes": list(account.scopes)}
            now = to_column(account.created_at)
            connection.execute(insert(service_accounts).values(**row, created_at=now))

        self._transactions.write(create)
        return account

    def change(self, name: str, **values: Any) -> ServiceAccount:
        """Change ``description``, ``scopes`` or ``active``.

        Raises
        ------
        AccountNotFound
            If there is no such account.
        """
        if "scopes" in values:
            values["scopes"] = sorted(set(values["scopes"]))

        def change(connection: Connection) -> ServiceAccount:
            """Change the row, and give it as it is then."""
            if values:
                connection.execute(update(service_accounts).where(service_accounts.c.name == name).values(values))
            return _account(_account_or_raise(connection, name))

        return self._transactions.write(change)

    def list(self) -> Sequence[ServiceAccount]:
        """List all accounts in order of name."""
        with self._transactions.read() as connection:
            rows = connection.execute(select(service_accounts).order_by(service_accounts.c.name))
            return [_account(row) for row in rows]

    def get(self, name: str) -> ServiceAccount:
        """Give one account.

        Raises
        ------
        AccountNotFound
            If there is no such account.
        """
        with self._transactions.read() as connection:
            return _account(_account_or_raise(connection, name))

    def issue_key(self, name: str, days: int | None) -> NewAPIKey:
        """Make a key; it is shown this once.

        Parameters
        ----------
        name
            The account.
        days
            Its life; None: without an end.

        Raises
        ------
        AccountNotFound
            If there is no such account.
        """
        key, now = KEY_MARK + self._uid_source.token(), self._clock.now()
        expires_at = None if days is None else now + timedelta(days=days)
        facts = APIKey(self._uid_source.job_id(), key[:SHOWN_CHARACTERS], name, now, expires_at, None, None)

        def issue(connection: Connection) -> None:
            """Insert what is kept of the key."""
            _account_or_raise(connection, name)
            row = {"key_id": facts.key_id, "key_hash": _hash(key), "prefix": facts.prefix, "service_account": name}
            ends = None if expires_at is None else to_column(expires_at)
            connection.execute(insert(api_keys).values(**row, created_at=to_column(now), expires_at=ends))

        self._transactions.write(issue)
        return NewAPIKey(key, facts)

    def keys(self, name: str) -> Sequence[APIKey]:
        """List the keys of an account, oldest first, also those that do not work any more.

        Raises
        ------
        AccountNotFound
            If there is no such account.
        """
        statement = select(api_keys).where(api_keys.c.service_account == name)
        with self._transactions.read() as connection:
            _account_or_raise(connection, name)
            rows = connection.execute(statement.order_by(api_keys.c.created_at, api_keys.c.key_id))
            return [_key(row) for row in rows]

    def revoke_key(self, name: str, key_id: str) -> None:
        """Take a key back; one that was taken back stays so.

        Raises
        ------
        AccountNotFound
            If the account has no such key.
        """
        which = (api_keys.c.service_account == name, api_keys.c.key_id == key_id)
        now = to_column(self._clock.now())

        def revoke(connection: Connection) -> None:
            """Note when, unless that is noted."""
            if connection.execute(select(api_keys.c.key_id).where(*which)).one_or_none() is None:
                raise AccountNotFound("the service account has no such key")
            connection.execute(update(api_keys).where(*which, api_keys.c.revoked_at.is_(None)).values(revoked_at=now))

        self._transactions.write(revoke)

    def authenticate(self, key: str) -> ServiceAccount | None:
        """Give the account of a key that works, and note that it was used.

        Raises
        ------
        StoreUnavailable
            If that cannot be known: let nobody in then.
        """
        statement = select(service_accounts, api_keys.c.last_used_at).join(api_keys).where(*self._works(key))
        with self._transactions.read() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        self._note_use(key, row.last_used_at)
        return _account(row)

    def _works(self, key: str) -> tuple[Any, ...]:
        now = to_column(self._clock.now())
        lives = (api_keys.c.expires_at.is_(None)) | (api_keys.c.expires_at > now)
        return api_keys.c.key_hash == _hash(key), api_keys.c.revoked_at.is_(None), lives, service_accounts.c.active

    def _note_use(self, key: str, last: datetime | None) -> None:
        now = to_column(self._clock.now())
        if last is not None and now - last < _LAST_USED_STEP:
            return
        noted = update(api_keys).where(api_keys.c.key_hash == _hash(key)).values(last_used_at=now)
        self._transactions.write(lambda connection: connection.execute(noted))


def _hash(key: str) -> str:
    """Hash a key; its 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


def _account_row(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(service_accounts).where(service_accounts.c.name == name)).one_or_none()


def _account_or_raise(connection: Connection, name: str) -> Row[Any]:
    row = _account_row(connection, name)
    if row is None:
        raise AccountNotFound("there is no such service account")
    return row


def _account(row: Row[Any]) -> ServiceAccount:
    return ServiceAccount(row.name, row.description, tuple(row.scopes), row.active, from_column(row.created_at))


def _key(row: Row[Any]) -> APIKey:
    return APIKey(
        row.key_id,
        row.prefix,
        row.service_account,
        from_column(row.created_at),
        from_column(row.expires_at),
        from_column(row.revoked_at),
        from_column(row.last_used_at),
    )
