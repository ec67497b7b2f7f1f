"""People who may log in, and what they are to this node."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Engine, Row, insert, select, update

from inference.errors import AccountExists, AccountInvalid, AccountNotFound, LastAdministrator
from inference.ports import Clock
from integrations.persistence.tables import users
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions

SHORTEST_PASSWORD: Final = 12
"""Characters; NIST SP 800-63B asks for at least 8, and for 15 where the password is the only factor."""

LONGEST_PASSWORD: Final = 1024
"""Characters; hashing without a bound would let anybody keep a core busy."""

FAILURES_BEFORE_LOCK: Final = 5
LOCK_SECONDS: Final = 300.0

USERNAME: Final = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"
"""What a name looks like as somebody writes it; it is kept in lower case."""


class Role(StrEnum):
    """Who somebody is; what that allows is for the API to say."""

    ADMIN = "admin"
    RADIOLOGIST = "radiologist"
    DOCTOR = "doctor"
    NURSE = "nurse"
    TECHNICIAN = "technician"
    SERVICE = "service"


PEOPLE: Final = frozenset(Role) - {Role.SERVICE}
"""Roles of those who log in with a password; programs have keys (``service_accounts``)."""


@dataclass(frozen=True, slots=True)
class User:
    """An account, without its password.

    Parameters
    ----------
    username
        Lower case, unique.
    role
        Who it is.
    active
        Whether it may log in at all.
    locked_until
        End of a lock-out after wrong passwords, or None.
    created_at
        When it was made.
    """

    username: str
    role: Role
    active: bool
    locked_until: datetime | None
    created_at: datetime


class SQLUserStore:
    """Accounts in SQLite, MySQL or MariaDB; passwords as argon2id hashes (RFC 9106).

    Parameters
    ----------
    engine
        A migrated database.
    clock
        Time of lock-outs.
    hasher
        How passwords are hashed; argon2-cffi's defaults, which are RFC 9106's low-memory profile. An older hash is
        renewed at the next login.
    """

    def __init__(self, engine: Engine, clock: Clock, hasher: PasswordHasher | None = None) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock
        self._hasher = hasher or PasswordHasher()

    def create(self, username: str, password: str, role: str) -> User:
        """Create an account.

        Raises
        ------
        AccountExists
            If the name is taken.
        AccountInvalid
            If the name is not valid, the password too short, or the role not one of a person.
        """
        name, known_role, hashed = account_name(username), role_of_a_person(role), self._hash(password)

        def create(connection: Connection) -> None:
            """Insert the account, unless the name is taken."""
            if _row(connection, name) is not None:
                raise AccountExists(f"there is a user {name} already")
            now = to_column(self._clock.now())
            connection.execute(
                insert(users).values(username=name, password_hash=hashed, role=known_role, created_at=now)
            )

        self._transactions.write(create)
        return User(name, known_role, active=True, locked_until=None, created_at=self._clock.now())

    def set_password(self, username: str, password: str) -> None:
        """Give an account a new password; a lock-out ends.

        Raises
        ------
        AccountNotFound
            If there is no such account.
        AccountInvalid
            If the password is too short.
        """
        values = {"password_hash": self._hash(password), "failed_logins": 0, "locked_until": None}
        self._change(username, values)

    def change(self, username: str, role: str | None = None, active: bool | None = None) -> User:
        """Change what somebody is, or whether they may log in; what is None stays.

        Raises
        ------
        AccountNotFound
            If there is no such account.
        AccountInvalid
            If the role is not one of a person.
        LastAdministrator
            If no active administrator would be left.
        """
        values: dict[str, Any] = {} if role is None else {"role": role_of_a_person(role)}
        values |= {} if active is None else {"active": active}
        name = username.lower()

        def change(connection: Connection) -> User:
            """Change the row, unless nobody could undo it then."""
            _refuse_without_administrator(connection, name, values)
            return _updated(connection, name, values)

        return self._transactions.write(change)

    def deactivate(self, username: str) -> None:
        """Keep an account from logging in, and from using the tokens it has; as ``change``."""
        self.change(username, active=False)

    def unlock(self, username: str) -> User:
        """End a lock-out after wrong passwords.

        Raises
        ------
        AccountNotFound
            If there is no such account.
        """
        values = {"failed_logins": 0, "locked_until": None}
        return self._transactions.write(lambda connection: _updated(connection, username.lower(), values))

    def get(self, username: str) -> User:
        """Give an account, also one that is not active.

        Raises
        ------
        AccountNotFound
            If there is no such account.
        """
        with self._transactions.read() as connection:
            return _user(_row_or_raise(connection, username.lower()))

    def list(self) -> Sequence[User]:
        """List all accounts in order of name."""
        with self._transactions.read() as connection:
            return [_user(row) for row in connection.execute(select(users).order_by(users.c.username))]

    def find(self, username: str) -> User | None:
        """Give an active account, or None."""
        with self._transactions.read() as connection:
            row = _row(connection, username.lower())
        return _user(row) if row is not None and row.active else None

    def authenticate(self, username: str, password: str) -> User | None:
        """Give the account when the password is right and the account neither inactive nor locked.

        Whoever asks learns nothing else: an unknown name costs one verification too, and a locked account is
        refused after it.
        """
        with self._transactions.read() as connection:
            row = _row(connection, username.lower())
        stored = _nobodys_hash(self._hasher) if row is None else row.password_hash
        right = len(password) <= LONGEST_PASSWORD and self._verify(stored, password)
        if row is None or not row.active or self._is_locked(row):
            return None
        if not right:
            self._transactions.write(lambda connection: self._count_failure(connection, row.username))
            return None
        self._welcome(row, password)
        return _user(row)

    def _hash(self, password: str) -> str:
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise AccountInvalid(f"a password needs {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
        return self._hasher.hash(password)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    def _is_locked(self, row: Row[Any]) -> bool:
        return row.locked_until is not None and row.locked_until > to_column(self._clock.now())

    def _count_failure(self, connection: Connection, username: str) -> None:
        """Count in SQL, so that parallel guesses all count; the lock starts again with every full count."""
        connection.execute(
            update(users).where(users.c.username == username).values(failed_logins=users.c.failed_logins + 1)
        )
        until = to_column(self._clock.now() + timedelta(seconds=LOCK_SECONDS))
        full = (users.c.username == username, users.c.failed_logins >= FAILURES_BEFORE_LOCK)
        connection.execute(update(users).where(*full).values(failed_logins=0, locked_until=until))

    def _welcome(self, row: Row[Any], password: str) -> None:
        values: dict[str, Any] = {"failed_logins": 0, "locked_until": None}
        if self._hasher.check_needs_rehash(row.password_hash):
            values["password_hash"] = self._hasher.hash(password)
        elif row.failed_logins == 0 and row.locked_until is None:
            return
        self._change(row.username, values)

    def _change(self, username: str, values: dict[str, Any]) -> None:
        self._transactions.write(lambda connection: _updated(connection, username.lower(), values))


@lru_cache(maxsize=4)
def _nobodys_hash(hasher: PasswordHasher) -> str:
    """Give the hash that a wrong name is compared with; made once, because making it takes as long as a check."""
    return hasher.hash("the password of nobody")


def _row(connection: Connection, username: str) -> Row[Any] | None:
    return connection.execute(select(users).where(users.c.username == username)).one_or_none()


def _row_or_raise(connection: Connection, name: str) -> Row[Any]:
    row = _row(connection, name)
    if row is None:
        raise AccountNotFound(f"there is no user {name}")
    return row


def _updated(connection: Connection, name: str, values: dict[str, Any]) -> User:
    if values:
        connection.execute(update(users).where(users.c.username == name).values(values))
    return _user(_row_or_raise(connection, name))


def _refuse_without_administrator(connection: Connection, name: str, values: dict[str, Any]) -> None:
    """Lock the administrators' rows, so that two who remove each other at once do not both succeed."""
    is_admin = (users.c.role == Role.ADMIN, users.c.active)
    admins = set(connection.scalars(select(users.c.username).where(*is_admin).with_for_update()))
    stays = values.get("role", Role.ADMIN) == Role.ADMIN and values.get("active", True)
    if admins == {name} and not stays:
        raise LastAdministrator("this is the only active administrator; make another one first")


def _user(row: Row[Any]) -> User:
    return User(row.username, Role(row.role), row.active, from_column(row.locked_until), from_column(row.created_at))


def account_name(username: str) -> str:
    """Give a name as it is kept, in lower case.

    Raises
    ------
    AccountInvalid
        If it is not the name of an account.
    """
    name = username.lower()
    if not re.fullmatch(USERNAME, name):
        raise AccountInvalid("a name has 1 to 64 letters, digits and . _ @ -")
    return name


def role_of_a_person(role: str) -> Role:
    """Give the role of somebody with a password; a program has keys instead.

    Raises
    ------
    AccountInvalid
        If it is not such a role.
    """
    if role not in PEOPLE:
        raise AccountInvalid(f"a role is one of {', '.join(sorted(PEOPLE))}")
    return Role(role)
