"""People whom an OpenID provider knows, on SQLite and on MariaDB."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine

from inference.errors import AccountExists, AccountInvalid
from integrations.persistence.identities import NO_PASSWORD, Identity, SQLIdentities
from integrations.persistence.users import SQLUserStore
from tests.support.fakes import FixedClock

ADA = Identity("https://idp.example", "0001")


@pytest.fixture
def users(database: Engine) -> SQLUserStore:
    """Give the accounts."""
    return SQLUserStore(database, FixedClock(), PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def identities(database: Engine) -> SQLIdentities:
    """Give the identities."""
    return SQLIdentities(database, FixedClock())


def test_the_first_time_an_account_is_made(identities: SQLIdentities, users: SQLUserStore) -> None:
    """It has the provider's role, and no password opens it."""
    assert identities.sign_in(ADA, "Ada", "radiologist") == "ada"

    assert users.get("ada").role == "radiologist"
    assert users.authenticate("ada", NO_PASSWORD) is None
    assert users.authenticate("ada", "") is None


def test_later_the_role_is_the_providers_word_and_the_name_stays(
    identities: SQLIdentities, users: SQLUserStore
) -> None:
    """Somebody who marries keeps the account; somebody who changes the department has other rights."""
    identities.sign_in(ADA, "ada", "radiologist")

    assert identities.sign_in(ADA, "ada.king", "nurse") == "ada"

    assert [(user.username, user.role.value) for user in users.list()] == [("ada", "nurse")]


def test_an_account_that_was_made_here_is_not_opened_by_a_name(
    identities: SQLIdentities, users: SQLUserStore
) -> None:
    """Whoever may choose a name at the provider could otherwise become the administrator here."""
    users.create("root", "correct horse battery", "admin")

    with pytest.raises(AccountExists):
        identities.sign_in(ADA, "root", "admin")
    with pytest.raises(AccountExists):
        identities.sign_in(ADA, "ROOT", "admin")


def test_subjects_of_two_issuers_are_two_people(identities: SQLIdentities) -> None:
    """A subject means something with its issuer only."""
    identities.sign_in(ADA, "ada", "nurse")

    with pytest.raises(AccountExists):
        identities.sign_in(Identity("https://other.example", ADA.subject), "ada", "nurse")


def test_somebody_who_is_switched_off_here_stays_out(identities: SQLIdentities, users: SQLUserStore) -> None:
    """The provider vouches for who somebody is; the door is ours."""
    identities.sign_in(ADA, "ada", "nurse")
    users.deactivate("ada")

    assert identities.sign_in(ADA, "ada", "nurse") is None


@pytest.mark.parametrize(("name", "role"), [("a b", "nurse"), ("", "nurse"), ("ada", "king"), ("ada", "service")])
def test_what_is_no_account_is_refused(identities: SQLIdentities, users: SQLUserStore, name: str, role: str) -> None:
    """Nothing is made."""
    with pytest.raises(AccountInvalid):
        identities.sign_in(ADA, name, role)
    assert users.list() == []
