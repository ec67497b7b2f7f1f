"""Sessions: from a login to a logout, kept alive by refresh tokens that work once (RFC 9700 section 4.14.2)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from inference.ports import Clock, UIDSource
from integrations.persistence.tables import refresh_tokens, sessions
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions

LONGEST_SESSION: Final = timedelta(days=30)
"""After that somebody logs in again, however often the session was refreshed: a stolen one ends too."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What keeps a session alive.

    Parameters
    ----------
    session_id
        The session.
    username
        Whose it is.
    refresh_token
        Works once; it is kept nowhere.
    expires_at
        When it ends.
    """

    session_id: str
    username: str
    refresh_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Reused:
    """A refresh token came that was used before: somebody holds a copy of it.

    Parameters
    ----------
    username
        Whose session that was.
    """

    username: str


class SQLSessions:
    """Sessions in SQLite, MySQL or MariaDB.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        Time of expiry.
    uid_source
        Where unguessable tokens come from; only their SHA-256 is kept, which is enough for 256 random bits.
    refresh_days
        Life of a refresh token.
    """

    def __init__(self, engine: Engine, clock: Clock, uid_source: UIDSource, refresh_days: int) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock
        self._uid_source = uid_source
        self._life = timedelta(days=refresh_days)

    def open(self, username: str) -> Grant:
        """Begin a session of somebody who has shown who they are; what has expired is dropped on the way."""
        session_id, token, now = self._uid_source.token(), self._uid_source.token(), self._clock.now()
        expires_at = now + min(self._life, LONGEST_SESSION)

        def begin(connection: Connection) -> None:
            """Insert the session and its first token."""
            drop_expired(connection, to_column(now))
            row = {"session_id": session_id, "username": username, "created_at": to_column(now)}
            connection.execute(insert(sessions).values(**row, expires_at=to_column(expires_at)))
            _insert_token(connection, session_id, token, to_column(expires_at))

        self._transactions.write(begin)
        return Grant(session_id, username, token, expires_at)

    def refresh(self, token: str) -> Grant | Reused | None:
        """Trade a refresh token for the next one; None where it is unknown, expired, or of a closed session.

        A token that was used before closes its session: either the thief or the owner holds a copy, and which of
        them is asking cannot be told. Of two who bring the same token at once, one is late.
        """
        new_token, now = self._uid_source.token(), to_column(self._clock.now())

        def trade(connection: Connection) -> Grant | Reused | None:
            """Use the token up, in one statement, and insert the next."""
            row = _token_row(connection, token)
            if row is None or row.closed_at is not None or row.token_expires_at <= now:
                return None
            if not _use_up(connection, token, now):
                _close(connection, now, sessions.c.session_id == row.session_id)
                return Reused(row.username)
            expires_at = min(now + self._life, row.created_at + LONGEST_SESSION)
            _insert_token(connection, row.session_id, new_token, expires_at)
            _prolong(connection, row.session_id, expires_at)
            return Grant(row.session_id, row.username, new_token, from_column(expires_at))

        return self._transactions.write(trade)

    def is_open(self, session_id: str) -> bool:
        """Say whether a session goes on.

        Raises
        ------
        StoreUnavailable
            If that cannot be known: let nobody in then.
        """
        statement = select(sessions.c.closed_at).where(sessions.c.session_id == session_id)
        with self._transactions.read() as connection:
            row = connection.execute(statement).one_or_none()
        return row is not None and row.closed_at is None

    def close(self, session_id: str) -> None:
        """End a session: its access tokens and its refresh token are refused from now on."""
        now = to_column(self._clock.now())
        self._transactions.write(lambda connection: _close(connection, now, sessions.c.session_id == session_id))

    def close_all(self, username: str, keep: str = "") -> None:
        """End all sessions of somebody, but for one."""
        now, of_them = to_column(self._clock.now()), (sessions.c.username == username, sessions.c.session_id != keep)
        self._transactions.write(lambda connection: _close(connection, now, *of_them))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _token_row(connection: Connection, token: str) -> Row[Any] | None:
    statement = (
        select(sessions, refresh_tokens.c.expires_at.label("token_expires_at"))
        .join(refresh_tokens, refresh_tokens.c.session_id == sessions.c.session_id)
        .where(refresh_tokens.c.token_hash == _hash(token))
        .with_for_update()
    )
    return connection.execute(statement).one_or_none()


def _use_up(connection: Connection, token: str, now: datetime) -> bool:
    unused = (refresh_tokens.c.token_hash == _hash(token), refresh_tokens.c.used_at.is_(None))
    return connection.execute(update(refresh_tokens).where(*unused).values(used_at=now)).rowcount == 1


def _insert_token(connection: Connection, session_id: str, token: str, expires_at: datetime) -> None:
    row = {"token_hash": _hash(token), "session_id": session_id, "expires_at": expires_at}
    connection.execute(insert(refresh_tokens).values(**row))


def _prolong(connection: Connection, session_id: str, expires_at: datetime) -> None:
    connection.execute(update(sessions).where(sessions.c.session_id == session_id).values(expires_at=expires_at))


def _close(connection: Connection, now: datetime, *which: Any) -> None:
    connection.execute(update(sessions).where(sessions.c.closed_at.is_(None), *which).values(closed_at=now))


def drop_expired(connection: Connection, now: datetime) -> int:
    """Drop sessions whose last token has expired, and give how many; used tokens of living ones stay, to be known.

    Parameters
    ----------
    connection
        For writing.
    now
        Naive UTC.
    """
    gone = select(sessions.c.session_id).where(sessions.c.expires_at < now)
    connection.execute(delete(refresh_tokens).where(refresh_tokens.c.session_id.in_(gone)))
    return connection.execute(delete(sessions).where(sessions.c.expires_at < now)).rowcount
