"""Sessions and their refresh tokens, on SQLite and on MariaDB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from integrations.persistence.sessions import LONGEST_SESSION, Grant, Reused, SQLSessions
from integrations.persistence.tables import refresh_tokens, sessions
from integrations.system import RandomUIDSource
from tests.support.fakes import FixedClock

DAY = 86400.0


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that the test moves."""
    return FixedClock()


@pytest.fixture
def store(database: Engine, clock: FixedClock) -> SQLSessions:
    """Give sessions whose refresh tokens live for a week."""
    return SQLSessions(database, clock, RandomUIDSource(), refresh_days=7)


def test_a_session_goes_on_by_tokens_that_work_once(store: SQLSessions, clock: FixedClock) -> None:
    """Every token gives the next one, for the same session and person, and another week."""
    first = store.open("ada")
    clock.advance(DAY)
    second = store.refresh(first.refresh_token)

    assert isinstance(second, Grant)
    assert (second.session_id, second.username) == (first.session_id, "ada")
    assert second.refresh_token != first.refresh_token
    assert second.expires_at == clock.now() + timedelta(days=7)
    assert isinstance(store.refresh(second.refresh_token), Grant)
    assert store.is_open(first.session_id)


def test_a_used_token_ends_the_whole_session(store: SQLSessions) -> None:
    """A thief and the owner cannot be told apart, so both are out, whoever came first."""
    first = store.open("ada")
    second = store.refresh(first.refresh_token)
    other = store.open("ada")

    assert store.refresh(first.refresh_token) == Reused("ada")

    assert isinstance(second, Grant)
    assert store.refresh(second.refresh_token) is None
    assert not store.is_open(first.session_id)
    assert store.is_open(other.session_id)


def test_of_two_who_bring_the_same_token_at_once_none_stays(store: SQLSessions) -> None:
    """At most one gets a successor, and the other's coming ends the session: racing does not help a thief."""
    token = store.open("ada").refresh_token

    with ThreadPoolExecutor(4) as pool:
        grants = [grant for grant in pool.map(store.refresh, [token] * 4) if isinstance(grant, Grant)]

    assert len(grants) <= 1
    assert all(not store.is_open(grant.session_id) for grant in grants)
    assert all(store.refresh(grant.refresh_token) is None for grant in grants)


def test_a_token_ends_after_a_week(store: SQLSessions, clock: FixedClock) -> None:
    """Whoever does not come for a week logs in again."""
    token = store.open("ada").refresh_token

    clock.advance(7 * DAY)

    assert store.refresh(token) is None


def test_no_session_lasts_for_ever(store: SQLSessions, clock: FixedClock) -> None:
    """A stolen session that is refreshed day after day ends a month after the login."""
    begun, grant = clock.now(), store.open("ada")
    while grant.expires_at - begun < LONGEST_SESSION:
        clock.advance(6 * DAY)
        following = store.refresh(grant.refresh_token)
        assert isinstance(following, Grant)
        grant = following

    assert grant.expires_at == begun + LONGEST_SESSION
    clock.advance(6 * DAY)
    assert store.refresh(grant.refresh_token) is None


def test_a_closed_session_is_over(store: SQLSessions) -> None:
    """After a logout neither kind of token is worth anything, and closing again changes nothing."""
    grant = store.open("ada")

    store.close(grant.session_id)
    store.close(grant.session_id)

    assert not store.is_open(grant.session_id)
    assert store.refresh(grant.refresh_token) is None


def test_all_other_sessions_of_one_person_end(store: SQLSessions) -> None:
    """After a new password: the present session stays, those of others too."""
    kept, ended, foreign = store.open("ada"), store.open("ada"), store.open("zoe")

    store.close_all("ada", keep=kept.session_id)

    assert [store.is_open(grant.session_id) for grant in (kept, ended, foreign)] == [True, False, True]
    store.close_all("ada")
    assert not store.is_open(kept.session_id)


@pytest.mark.parametrize("token", ["", "unknown", "x" * 10_000])
def test_what_is_no_token_gives_nothing(store: SQLSessions, token: str) -> None:
    """Nothing that was not handed out opens anything."""
    assert store.refresh(token) is None
    assert not store.is_open(token)


def test_tokens_are_kept_as_hashes(store: SQLSessions, database: Engine) -> None:
    """Whoever reads the database, or a copy of it, cannot log in with what is there."""
    grant = store.open("ada")

    with database.connect() as connection:
        kept = str(connection.execute(select(refresh_tokens)).all())
    assert grant.refresh_token not in kept


def test_what_has_expired_is_dropped(store: SQLSessions, database: Engine, clock: FixedClock) -> None:
    """The tables do not grow for ever; used tokens of living sessions stay, to be recognised."""
    store.refresh(store.open("gone").refresh_token)
    clock.advance(4 * DAY)
    living = store.open("ada")
    store.refresh(living.refresh_token)
    clock.advance(4 * DAY)

    store.open("zoe")

    with database.connect() as connection:
        assert set(connection.scalars(select(sessions.c.username))) == {"ada", "zoe"}
        assert connection.scalar(select(func.count()).select_from(refresh_tokens)) == 3
