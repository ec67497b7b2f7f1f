"""Answers that were given a moment ago, kept for who asks next: in Redis, in memory where the node is embedded.

Nothing in here is the truth: what is lost is asked of the database again, and a cache that is away is as good as one
that is empty. What lies in Redis is sealed, because answers name patients and Redis writes them to disk: who reads it
learns nothing, and who writes to it makes nobody believe anything.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Final, Protocol

import redis
import structlog
from cryptography.fernet import Fernet, InvalidToken

from inference.ports import Clock
from integrations.settings import Settings

PREFIX: Final = "neuronova:read:"
COUNTS: Final = PREFIX + "lookups"
"""Hash of how many lookups there were, by outcome; all processes count in it."""

ANSWER_SECONDS: Final = 0.25
"""How long Redis may take: asking the database instead takes less."""

PAUSE_SECONDS: Final = 5.0
"""How long a cache that did not answer is left alone."""

COUNT_SECONDS: Final = 1.0
"""How often lookups are added to the common count."""

MOST_KEPT: Final = 2048
"""Entries of the cache in memory; the one that was put first goes first."""


class Lookup(StrEnum):
    """How a lookup ended."""

    HIT = "hit"
    MISS = "miss"


class ReadCache(Protocol):
    """Keeps bytes for a while; may forget them at any time, and never raises."""

    def get(self, key: str) -> bytes | None:
        """Give what is kept, None where nothing is."""

    def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep something; for no seconds is not at all."""

    def forget(self, *keys: str) -> None:
        """Keep something no longer."""

    def count(self, lookup: Lookup) -> None:
        """Count a lookup; which reads count as one is for the caller to say."""

    def counts(self) -> Mapping[Lookup, int]:
        """Tell how many lookups there were, by outcome."""


@dataclass(frozen=True, slots=True)
class _Kept:
    value: bytes
    until: float


class MemoryCache(ReadCache):
    """A cache of this process alone.

    Parameters
    ----------
    clock
        Time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._counts = dict.fromkeys(Lookup, 0)
        self._lock = Lock()

    def get(self, key: str) -> bytes | None:
        """Give what is kept and not too old."""
        with self._lock:
            kept = self._kept.get(key)
            return kept.value if kept is not None and self._clock.monotonic() < kept.until else None

    def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep something; the oldest makes room."""
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = _Kept(value, self._clock.monotonic() + seconds)
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]

    def forget(self, *keys: str) -> None:
        """Keep something no longer."""
        with self._lock:
            for key in keys:
                self._kept.pop(key, None)

    def count(self, lookup: Lookup) -> None:
        """Count a lookup."""
        with self._lock:
            self._counts[lookup] += 1

    def counts(self) -> Mapping[Lookup, int]:
        """Tell how many there were in this process."""
        with self._lock:
            return dict(self._counts)


class RedisCache(ReadCache):
    """A cache that all processes and machines share.

    Parameters
    ----------
    client
        Redis; must give up after ``ANSWER_SECONDS``.
    secret
        Key from which names are hashed and values sealed.
    clock
        Time.
    """

    def __init__(self, client: redis.Redis, secret: str, clock: Clock) -> None:
        self._client = client
        self._name_key = _derived(secret, "names")
        self._seal = Fernet(base64.urlsafe_b64encode(_derived(secret, "values")))
        self._clock = clock
        self._away_until = 0.0
        self._pending = dict.fromkeys(Lookup, 0)
        self._counted_at = 0.0
        self._lock = Lock()

    def get(self, key: str) -> bytes | None:
        """Give what is kept and was sealed by us."""
        if self._is_away():
            return None
        try:
            sealed = self._client.get(self._named(key))
        except redis.RedisError as error:
            self._note_away(error)
            return None
        return self._opened(sealed) if isinstance(sealed, bytes) else None

    def put(self, key: str, value: bytes, seconds: float) -> None:
        """Seal and keep something."""
        if self._is_away() or seconds <= 0:
            return
        try:
            self._client.set(self._named(key), self._seal.encrypt(value), px=max(1, round(seconds * 1000)))
        except redis.RedisError as error:
            self._note_away(error)

    def forget(self, *keys: str) -> None:
        """Keep something no longer."""
        if self._is_away():
            return
        try:
            self._client.delete(*map(self._named, keys))
        except redis.RedisError as error:
            self._note_away(error)

    def count(self, lookup: Lookup) -> None:
        """Count a lookup; the common count learns of it with others, about once a second."""
        now = self._clock.monotonic()
        with self._lock:
            self._pending[lookup] += 1
            if now - self._counted_at < COUNT_SECONDS:
                return
            self._counted_at = now
        self._tell_counts()

    def counts(self) -> Mapping[Lookup, int]:
        """Tell how many there were in all processes; where Redis is away, those that it was not told of."""
        self._tell_counts()
        try:
            told = {} if self._is_away() else self._client.hgetall(COUNTS)
        except redis.RedisError as error:
            self._note_away(error)
            told = {}
        with self._lock:
            pending = dict(self._pending)
        return {one: pending[one] + int(told.get(one.encode(), 0)) for one in Lookup}

    def _tell_counts(self) -> None:
        if self._is_away():
            return
        with self._lock:
            telling, self._pending = self._pending, dict.fromkeys(Lookup, 0)
        try:
            pipeline = self._client.pipeline(transaction=False)
            for lookup, number in telling.items():
                pipeline.hincrby(COUNTS, lookup.value, number)
            pipeline.execute()
        except redis.RedisError as error:
            self._note_away(error)
            with self._lock:
                self._pending = {one: self._pending[one] + telling[one] for one in Lookup}

    def _named(self, key: str) -> str:
        """Hash a name: queries hold patient ids."""
        return PREFIX + hmac.new(self._name_key, key.encode(), hashlib.sha256).hexdigest()

    def _opened(self, sealed: bytes) -> bytes | None:
        try:
            return self._seal.decrypt(sealed)
        except InvalidToken:
            return None

    def _is_away(self) -> bool:
        return self._clock.monotonic() < self._away_until

    def _note_away(self, error: redis.RedisError) -> None:
        self._away_until = self._clock.monotonic() + PAUSE_SECONDS
        structlog.get_logger(__name__).warning("cache.away", error=type(error).__name__)


def make_read_cache(settings: Settings, clock: Clock) -> ReadCache:
    """Build the cache that the settings name; nothing is connected yet."""
    if settings.redis_url is None:
        return MemoryCache(clock)
    client = redis.Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_connect_timeout=ANSWER_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        health_check_interval=30,
    )
    return RedisCache(client, settings.queue_secret.get_secret_value(), clock)


def _derived(secret: str, purpose: str) -> bytes:
    """Derive a key of its own for a purpose, so that the secret of the queue is used for nothing else."""
    return hmac.new(secret.encode(), f"neuronova read cache: {purpose}".encode(), hashlib.sha256).digest()
