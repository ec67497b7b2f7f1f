"""People whom an OpenID provider knows, and the accounts that they are here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, insert, select, update

from inference.errors import AccountExists
from inference.ports import Clock
from integrations.persistence.tables import identities, users
from integrations.persistence.times import to_column
from integrations.persistence.transactions import Transactions
from integrations.persistence.users import account_name, role_of_a_person

NO_PASSWORD: Final = "!"  # noqa: S105 - no hash looks like that, so no password is right
"""In the place of a hash: this account logs in at its provider only."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is at their provider (OpenID Connect Core 1.0 section 5.7: only these two together are stable).

    Parameters
    ----------
    issuer
        The provider.
    subject
        Whom it means.
    """

    issuer: str
    subject: str


class SQLIdentities:
    """Identities in SQLite, MySQL or MariaDB.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        When an account is made.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock

    def sign_in(self, identity: Identity, username: str, role: str) -> str | None:
        """Give the name of the account of somebody whom the provider vouches for; None where it is not active.

        The first time an account is made. The role is the provider's word, every time, also where that leaves the
        node without an administrator: ``dicom-node users create-admin`` makes one.

        Parameters
        ----------
        identity
            Who it is.
        username
            The name that they want; it counts the first time only.
        role
            What the provider says that they are.

        Raises
        ------
        AccountExists
            If the name is somebody else's: a name at the provider never opens an account that was made here.
        AccountInvalid
            If the name or the role is not valid.
        """
        wanted, known_role = account_name(username), role_of_a_person(role)

        def sign_in(connection: Connection) -> str | None:
            """Find the account, or make it, and take over the role."""
            name = _known(connection, identity) or self._introduce(connection, identity, wanted)
            connection.execute(update(users).where(users.c.username == name).values(role=known_role))
            active = connection.scalar(select(users.c.active).where(users.c.username == name))
            return name if active else None

        return self._transactions.write(sign_in)

    def _introduce(self, connection: Connection, identity: Identity, name: str) -> str:
        if connection.scalar(select(users.c.username).where(users.c.username == name)) is not None:
            raise AccountExists(f"there is a user {name} already, who is somebody else")
        now = to_column(self._clock.now())
        row: dict[str, Any] = {"username": name, "password_hash": NO_PASSWORD, "role": "", "created_at": now}
        connection.execute(insert(users).values(row))
        known = {"issuer": identity.issuer, "subject": identity.subject, "username": name}
        connection.execute(insert(identities).values(known))
        return name


def _known(connection: Connection, identity: Identity) -> str | None:
    is_them = (identities.c.issuer == identity.issuer, identities.c.subject == identity.subject)
    return connection.scalar(select(identities.c.username).where(*is_them))
