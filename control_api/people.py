"""What administrators do to accounts; whatever takes something away ends the sessions of the account, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from control_api.services import Services
from inference.errors import AccountInvalid
from integrations.persistence.users import User


def change(given: Services, username: str, changes: Mapping[str, Any]) -> User:
    """Change the role of an account, or whether it may log in.

    Raises
    ------
    AccountNotFound
        If there is none.
    LastAdministrator
        If no active administrator would be left.
    """
    user = given.accounts.change(username, **changes)
    if changes:
        given.sessions.close_all(user.username)
    return user


def reset_password(given: Services, username: str, password: str) -> None:
    """Give somebody a new password.

    Raises
    ------
    AccountNotFound
        If there is no such account.
    AccountInvalid
        If the password is too short.
    """
    user = given.accounts.get(username)
    given.accounts.set_password(user.username, password)
    given.sessions.close_all(user.username)


def known(scopes: Sequence[str], there_are: frozenset[str]) -> None:
    """Refuse scopes that no operation asks for: a slip would look like a right and be none.

    Raises
    ------
    AccountInvalid
        If one is unknown.
    """
    if not there_are.issuperset(scopes):
        raise AccountInvalid("a scope is not one that an operation of this API asks for")
