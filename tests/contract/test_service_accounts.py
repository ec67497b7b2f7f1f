"""Programs and their keys, on SQLite and on MariaDB."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, select

from inference.errors import AccountExists, AccountInvalid, AccountNotFound
from integrations.persistence.service_accounts import KEY_MARK, SHOWN_CHARACTERS, SQLServiceAccounts
from integrations.persistence.tables import api_keys
from integrations.system import RandomUIDSource
from tests.support.fakes import FixedClock

DAY = 86400.0


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that the test moves."""
    return FixedClock()


@pytest.fixture
def store(database: Engine, clock: FixedClock) -> SQLServiceAccounts:
    """Give programs, of which there is one."""
    store = SQLServiceAccounts(database, clock, RandomUIDSource())
    store.create("Bridge", "RIS bridge", ["studies:read", "jobs:read", "jobs:read"])
    return store


def test_a_key_opens_for_its_account(store: SQLServiceAccounts) -> None:
    """With the scopes that the account has now, each once and in order."""
    key = store.issue_key("bridge", days=30).key

    account = store.authenticate(key)

    assert account is not None
    assert (account.name, account.scopes) == ("bridge", ("jobs:read", "studies:read"))
    store.change("bridge", scopes=["models:read"])
    changed = store.authenticate(key)
    assert changed is not None
    assert changed.scopes == ("models:read",)


def test_only_a_hash_of_a_key_is_kept(store: SQLServiceAccounts, database: Engine) -> None:
    """What is shown of it afterwards tells keys apart and opens nothing."""
    issued = store.issue_key("bridge", days=None)

    with database.connect() as connection:
        kept = str(connection.execute(select(api_keys)).all())
    assert issued.key.startswith(KEY_MARK)
    assert issued.key not in kept
    assert issued.facts.prefix == issued.key[:SHOWN_CHARACTERS]
    assert list(store.keys("bridge")) == [issued.facts]
    assert store.authenticate(issued.facts.prefix) is None


def test_a_key_ends_when_it_says(store: SQLServiceAccounts, clock: FixedClock) -> None:
    """One without an end goes on."""
    ends, stays = store.issue_key("bridge", days=30), store.issue_key("bridge", days=None)
    assert ends.facts.expires_at == clock.now() + timedelta(days=30)

    clock.advance(30 * DAY)

    assert store.authenticate(ends.key) is None
    assert store.authenticate(stays.key) is not None


def test_a_revoked_key_is_worth_nothing_and_stays_in_the_list(store: SQLServiceAccounts, clock: FixedClock) -> None:
    """Others of the same program go on; taking back twice keeps the first time."""
    first, second = store.issue_key("bridge", days=None), store.issue_key("bridge", days=None)

    store.revoke_key("bridge", first.facts.key_id)
    at = clock.now()
    clock.advance(60)
    store.revoke_key("bridge", first.facts.key_id)

    assert store.authenticate(first.key) is None
    assert store.authenticate(second.key) is not None
    revoked = {key.key_id: key.revoked_at for key in store.keys("bridge")}
    assert revoked == {first.facts.key_id: at, second.facts.key_id: None}


def test_a_program_that_is_switched_off_is_out_with_all_keys(store: SQLServiceAccounts) -> None:
    """And in again with them."""
    key = store.issue_key("bridge", days=None).key

    assert not store.change("bridge", active=False).active
    assert store.authenticate(key) is None

    store.change("bridge", active=True)
    assert store.authenticate(key) is not None


def test_use_is_noted_to_the_minute(store: SQLServiceAccounts, clock: FixedClock, database: Engine) -> None:
    """A program that polls does not write with every question."""
    key, begun = store.issue_key("bridge", days=None).key, clock.now()
    updates: list[str] = []
    event.listen(database, "before_cursor_execute", lambda *args: updates.append(args[2]))

    for _ in range(5):
        store.authenticate(key)
        clock.advance(10)
    [noted] = store.keys("bridge")
    assert noted.last_used_at == begun
    assert len([one for one in updates if one.startswith("UPDATE")]) == 1

    clock.advance(60)
    store.authenticate(key)
    assert [one.last_used_at for one in store.keys("bridge")] == [clock.now()]


@pytest.mark.parametrize("key", ["", "nnk_", "nnk_guess", "x" * 10_000])
def test_what_is_no_key_opens_nothing(store: SQLServiceAccounts, key: str) -> None:
    """Nothing that was not handed out is a key."""
    store.issue_key("bridge", days=None)

    assert store.authenticate(key) is None


def test_programs_are_listed_in_order(store: SQLServiceAccounts) -> None:
    """By name, which is unique among them."""
    store.create("archive", "", [])

    assert [account.name for account in store.list()] == ["archive", "bridge"]
    assert store.get("bridge").description == "RIS bridge"
    with pytest.raises(AccountExists):
        store.create("BRIDGE", "", [])
    with pytest.raises(AccountInvalid):
        store.create("a b", "", [])


def test_what_is_not_there_is_said(store: SQLServiceAccounts) -> None:
    """A key belongs to one program, and cannot be taken back in the name of another."""
    key_id = store.issue_key("bridge", days=None).facts.key_id
    store.create("other", "", [])

    for ask in (
        lambda: store.get("nobody"),
        lambda: store.keys("nobody"),
        lambda: store.issue_key("nobody", days=1),
        lambda: store.change("nobody", active=False),
        lambda: store.revoke_key("other", key_id),
    ):
        with pytest.raises(AccountNotFound):
            ask()
