"""Answers are kept alike in memory and in Redis; where nothing is kept nothing breaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from integrations.read_cache import PAUSE_SECONDS, Lookup, MemoryCache, ReadCache, RedisCache
from integrations.system import SystemClock
from tests.support.fakes import FixedClock
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

SECRET = "s" * 32


def _redis_cache(server: RedisServer, clock: FixedClock | None = None, secret: str = SECRET) -> RedisCache:
    client = redis.Redis.from_url(server.url, socket_connect_timeout=1, socket_timeout=1)
    return RedisCache(client, secret, clock or SystemClock())


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.integration)])
def cache(request: pytest.FixtureRequest) -> ReadCache:
    """Give an empty cache of each kind."""
    if request.param == "memory":
        return MemoryCache(SystemClock())
    server: RedisServer = request.getfixturevalue("redis_server")
    server.client().flushall()
    return _redis_cache(server)


def test_what_is_put_is_given(cache: ReadCache) -> None:
    """Byte for byte, until it is forgotten or replaced."""
    cache.put("one", b"\x00first", 60)
    cache.put("two", b"second", 60)
    cache.put("two", b"", 60)
    cache.forget("one", "nothing of that name")

    assert (cache.get("one"), cache.get("two"), cache.get("three")) == (None, b"", None)


def test_nothing_is_kept_for_longer_than_was_said(cache: ReadCache) -> None:
    """Whatever else fails, that is when a stale answer ends."""
    cache.put("short", b"value", 0.05)
    cache.put("not at all", b"value", 0)

    wait_until(lambda: cache.get("short") is None, 5, "the end of what was kept")
    assert cache.get("not at all") is None


def test_lookups_are_counted(cache: ReadCache) -> None:
    """Each by how it ended."""
    for lookup in (Lookup.HIT, Lookup.HIT, Lookup.MISS):
        cache.count(lookup)

    assert cache.counts() == {Lookup.HIT: 2, Lookup.MISS: 1}


def test_the_oldest_makes_room_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedded node must not grow with every question that is asked of it."""
    monkeypatch.setattr("integrations.read_cache.MOST_KEPT", 2)
    cache = MemoryCache(FixedClock())
    for name in ("a", "b", "a", "c"):
        cache.put(name, name.encode(), 60)

    assert [cache.get(name) for name in ("a", "b", "c")] == [b"a", None, b"c"]


@pytest.mark.integration
def test_redis_shows_nothing_of_what_it_keeps(redis_server: RedisServer) -> None:
    """Answers and questions name patients, and Redis writes to disk."""
    redis_server.client().flushall()
    _redis_cache(redis_server).put("?patient_id=SECRET-77", b'{"patient_id": "SECRET-77"}', 60)

    client = redis_server.client()
    kept = {name: client.get(name) for name in client.scan_iter()}

    assert len(kept) == 1
    assert "SECRET" not in str(kept)


@pytest.mark.integration
def test_what_others_put_into_redis_is_not_believed(redis_server: RedisServer) -> None:
    """Whoever reaches Redis could else say anything in our name."""
    redis_server.client().flushall()
    cache = _redis_cache(redis_server)
    cache.put("one", b"ours", 60)
    [name] = redis_server.client().scan_iter()

    redis_server.client().set(name, b"theirs")
    forged = cache.get("one")
    _redis_cache(redis_server, secret="t" * 32).put("one", b"of another node", 60)

    assert (forged, cache.get("one")) == (None, None)


@pytest.mark.integration
def test_processes_share_what_is_kept_and_counted(redis_server: RedisServer) -> None:
    """The hit rate is that of the whole node, whichever process is asked."""
    redis_server.client().flushall()
    one, other = _redis_cache(redis_server), _redis_cache(redis_server)
    one.put("name", b"value", 60)
    one.count(Lookup.MISS)
    other.count(Lookup.HIT)
    one.counts()

    assert other.get("name") == b"value"
    assert other.counts() == {Lookup.HIT: 1, Lookup.MISS: 1}


def _away(cache: RedisCache) -> list[Callable[[], object]]:
    return [
        lambda: cache.get("one"),
        lambda: cache.put("one", b"value", 60),
        lambda: cache.forget("one"),
        lambda: cache.count(Lookup.HIT),
        cache.counts,
    ]


@pytest.mark.integration
def test_a_redis_that_is_away_is_an_empty_cache(own_redis_server: RedisServer) -> None:
    """Nothing raises, nothing is counted twice or lost, and after a pause it is used again."""
    clock = FixedClock()
    cache = _redis_cache(own_redis_server, clock)
    cache.put("one", b"value", 600)
    own_redis_server.kill()

    for call in _away(cache):
        call()
        clock.advance(PAUSE_SECONDS + 1)
    before = cache.counts()[Lookup.HIT]
    own_redis_server.restart()
    clock.advance(PAUSE_SECONDS + 1)
    cache.put("two", b"value", 600)

    assert (before, cache.counts()[Lookup.HIT], cache.get("two")) == (1, 1, b"value")


@pytest.mark.integration
def test_a_redis_that_is_away_is_left_alone_for_a_while(own_redis_server: RedisServer) -> None:
    """Every request would else wait for it."""
    clock = FixedClock()
    cache = _redis_cache(own_redis_server, clock)
    own_redis_server.kill()
    cache.get("one")
    own_redis_server.restart()

    cache.put("one", b"value", 600)
    at_once = cache.get("one")
    clock.advance(PAUSE_SECONDS + 1)
    cache.put("one", b"value", 600)

    assert (at_once, cache.get("one")) == (None, b"value")
