"""Accounts, on SQLite and on MariaDB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from sqlalchemy import Engine, select

from inference.errors import AccountExists, AccountInvalid, AccountNotFound, LastAdministrator
from integrations.persistence import users as module
from integrations.persistence.tables import users
from integrations.persistence.users import Role, SQLUserStore
from tests.support.fakes import FixedClock

PASSWORD = "correct horse battery"
WRONG = "wrong horse battery"


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that the test moves."""
    return FixedClock()


@pytest.fixture
def store(database: Engine, clock: FixedClock) -> SQLUserStore:
    """Give a store with one account and a hash that is quick to make."""
    store = SQLUserStore(database, clock, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    store.create("ada", PASSWORD, "radiologist")
    return store


def stored_hash(engine: Engine) -> str:
    """Read the hash of the account."""
    with engine.connect() as connection:
        return str(connection.scalar(select(users.c.password_hash)))


def test_the_right_password_opens(store: SQLUserStore, clock: FixedClock) -> None:
    """Name in any case, password exact."""
    user = store.authenticate("Ada", PASSWORD)

    assert user is not None
    assert (user.username, user.role, user.active, user.created_at) == ("ada", Role.RADIOLOGIST, True, clock.now())
    assert store.authenticate("ada", WRONG) is None
    assert store.authenticate("ada", PASSWORD.upper()) is None
    assert store.authenticate("nobody", PASSWORD) is None


def test_passwords_are_kept_as_argon2id(database: Engine, clock: FixedClock) -> None:
    """By default a hash is argon2id with at least RFC 9106's low-memory cost; the password is not in it."""
    SQLUserStore(database, clock).create("ada", PASSWORD, "admin")

    parameters = extract_parameters(stored_hash(database))
    assert (parameters.type, parameters.memory_cost >= 65536, parameters.time_cost >= 3) == (Type.ID, True, True)
    assert PASSWORD not in stored_hash(database)


def test_an_old_hash_is_renewed_at_login(store: SQLUserStore, database: Engine, clock: FixedClock) -> None:
    """When the cost is raised, the next login brings the hash up to it."""
    stronger = SQLUserStore(database, clock, PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))

    assert stronger.authenticate("ada", PASSWORD) is not None

    assert extract_parameters(stored_hash(database)).time_cost == 2
    assert stronger.authenticate("ada", PASSWORD) is not None


def test_an_unknown_name_costs_a_verification(store: SQLUserStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a name exists cannot be told from the work that an answer takes."""
    verified: list[str] = []
    real = PasswordHasher.verify

    def counting(self: PasswordHasher, stored: str, password: str) -> bool:
        verified.append(password)
        return real(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    for name in ("ada", "nobody"):
        assert store.authenticate(name, WRONG) is None

    assert verified == [WRONG, WRONG]


def test_five_wrong_passwords_lock_for_a_while(store: SQLUserStore, clock: FixedClock) -> None:
    """A locked account is refused even the right password, until the time is over."""
    for _ in range(module.FAILURES_BEFORE_LOCK):
        assert store.authenticate("ada", WRONG) is None
    assert store.authenticate("ada", PASSWORD) is None
    (user,) = store.list()
    assert user.locked_until == clock.now() + timedelta(seconds=module.LOCK_SECONDS)

    clock.advance(module.LOCK_SECONDS + 1)

    assert store.authenticate("ada", PASSWORD) is not None
    assert store.list()[0].locked_until is None


def test_a_good_login_forgets_failures(store: SQLUserStore) -> None:
    """Four slips a day for a year lock nobody out."""
    for _ in range(3):
        for _ in range(module.FAILURES_BEFORE_LOCK - 1):
            store.authenticate("ada", WRONG)
        assert store.authenticate("ada", PASSWORD) is not None


def test_parallel_guesses_all_count(store: SQLUserStore) -> None:
    """Guessing in parallel does not get around the lock."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.authenticate("ada", WRONG), range(8)))

    assert store.authenticate("ada", PASSWORD) is None


def test_a_new_password_ends_a_lock(store: SQLUserStore) -> None:
    """An administrator helps somebody who is locked out; the old password is worth nothing."""
    for _ in range(module.FAILURES_BEFORE_LOCK):
        store.authenticate("ada", WRONG)

    store.set_password("Ada", "another good password")

    assert store.authenticate("ada", "another good password") is not None
    assert store.authenticate("ada", PASSWORD) is None


def test_a_deactivated_account_is_out(store: SQLUserStore) -> None:
    """Neither a password nor a token that is still valid helps."""
    assert store.find("ADA") is not None

    store.deactivate("ada")

    assert store.authenticate("ada", PASSWORD) is None
    assert store.find("ada") is None
    assert [user.active for user in store.list()] == [False]


def test_accounts_are_listed_in_order(store: SQLUserStore) -> None:
    """The list has every account, by name."""
    store.create("Zoe", PASSWORD, Role.ADMIN)
    store.create("abe", PASSWORD, "nurse")

    assert [(user.username, user.role.value) for user in store.list()] == [
        ("abe", "nurse"),
        ("ada", "radiologist"),
        ("zoe", "admin"),
    ]


@pytest.mark.parametrize(
    ("name", "password", "role"),
    [
        ("ADA", PASSWORD, "admin"),
        ("bob", "short", "admin"),
        ("bob", "x" * 1025, "admin"),
        ("bob", PASSWORD, "king"),
        ("bob", PASSWORD, "service"),
        ("", PASSWORD, "admin"),
        ("bob; drop", PASSWORD, "admin"),
        ("b" * 65, PASSWORD, "admin"),
    ],
)
def test_what_is_not_an_account_is_refused(store: SQLUserStore, name: str, password: str, role: str) -> None:
    """A name that is taken or not one, a weak or endless password, an unknown role: nothing is made."""
    with pytest.raises((AccountExists, AccountInvalid)):
        store.create(name, password, role)
    assert len(store.list()) == 1


def test_an_account_that_is_not_there(store: SQLUserStore) -> None:
    """Changing nobody is an error."""
    with pytest.raises(AccountNotFound):
        store.set_password("nobody", PASSWORD)
    with pytest.raises(AccountNotFound):
        store.deactivate("nobody")
    assert store.find("nobody") is None


def test_an_endless_password_is_not_hashed(store: SQLUserStore) -> None:
    """A login with megabytes is wrong, whatever they are."""
    assert store.authenticate("ada", "x" * 10_000_000) is None


def test_a_lock_is_ended_by_an_administrator(store: SQLUserStore) -> None:
    """The password stays, and counting begins anew."""
    for _ in range(module.FAILURES_BEFORE_LOCK):
        store.authenticate("ada", WRONG)

    assert store.unlock("Ada").locked_until is None

    assert store.authenticate("ada", PASSWORD) is not None
    with pytest.raises(AccountNotFound):
        store.unlock("nobody")


def test_role_and_activity_change_one_by_one(store: SQLUserStore) -> None:
    """What is not named stays."""
    assert store.change("ADA", role="doctor").role is Role.DOCTOR
    assert store.change("ada", active=False).role is Role.DOCTOR
    assert (store.get("ada").active, store.change("ada").active) == (False, False)
    with pytest.raises(AccountInvalid):
        store.change("ada", role="king")
    with pytest.raises(AccountNotFound):
        store.change("nobody", active=True)


@pytest.mark.parametrize("change", [{"role": "nurse"}, {"active": False}])
def test_the_last_administrator_stays_one(store: SQLUserStore, change: dict[str, object]) -> None:
    """One who is switched off does not count; with a second active one, the first may go."""
    store.create("root", PASSWORD, "admin")
    store.create("retired", PASSWORD, "admin")
    store.change("retired", active=False)

    with pytest.raises(LastAdministrator):
        store.change("root", **change)

    store.change("root", role="admin", active=True)
    store.change("retired", active=True)
    store.change("root", **change)
    assert store.get("root").role != "admin" or not store.get("root").active


def test_two_administrators_cannot_remove_each_other_at_once(store: SQLUserStore) -> None:
    """Of two who do so at the same time, one stays."""
    store.create("one", PASSWORD, "admin")
    store.create("two", PASSWORD, "admin")

    def remove(name: str) -> bool:
        try:
            store.change(name, active=False)
        except LastAdministrator:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        removed = list(pool.map(remove, ("one", "two")))

    assert sorted(removed) == [False, True]
