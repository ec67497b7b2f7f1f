"""Answers with a tag: who has the present one is told so (304), and mostly the database is not asked.

For each topic there is a *version*, a fingerprint of what changed last (``control_api.changes``), kept for half a
second. Under the version and the request's name the answer's tag is kept, under the tag the answer. An unchanged poll
is two looks into the cache. A change that somebody makes through this API is seen at once, any other within that half
second, and nothing is kept longer than a minute, whatever happens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from control_api.changes import ChangeFeed, Topic
from integrations.read_cache import Lookup, ReadCache

VERSION_SECONDS: Final = 0.5
"""How long a change by somebody else may go unseen."""

KEPT_SECONDS: Final = 60.0
"""How long a tag and its answer are kept: what a fingerprint cannot see, as rows that were deleted, ends by this."""


@dataclass(frozen=True, slots=True)
class Documents:
    """Answers that were given a moment ago.

    Parameters
    ----------
    cache
        Where they are kept.
    changes
        What tells whether they are still true.
    version_seconds
        How long a version is believed.
    """

    cache: ReadCache
    changes: ChangeFeed
    version_seconds: float = VERSION_SECONDS

    def version(self, topic: Topic) -> str:
        """Give the version of a topic, at most as old as versions are believed."""
        kept = self.cache.get(_version_key(topic))
        if kept is not None:
            return kept.decode()
        version = self.changes.version(topic)
        self.cache.put(_version_key(topic), version.encode(), self.version_seconds)
        return version

    def tag(self, topic: Topic, name: str, make: Callable[[], bytes]) -> tuple[str, bytes | None]:
        """Give the tag of an answer, and the answer where it had to be made.

        Parameters
        ----------
        topic
            What it is about.
        name
            What was asked, in one spelling.
        make
            Makes the answer.
        """
        key = f"tag {self.version(topic)} {name}"
        kept = self.cache.get(key)
        self.cache.count(Lookup.MISS if kept is None else Lookup.HIT)
        if kept is not None:
            return kept.decode(), None
        content = make()
        tag = tag_of(content)
        self.cache.put(key, tag.encode(), KEPT_SECONDS)
        self.cache.put(_content_key(tag), content, KEPT_SECONDS)
        return tag, content

    def content(self, tag: str) -> bytes | None:
        """Give the answer with a tag; None where it is not kept any more."""
        return self.cache.get(_content_key(tag))

    def forget_versions(self) -> None:
        """Look anew at what changed: this process has just changed something."""
        self.cache.forget(*map(_version_key, Topic))


def tag_of(content: bytes) -> str:
    """Give the tag of an answer: equal answers have equal ones."""
    return hashlib.sha256(content).hexdigest()[:32]


def _version_key(topic: Topic) -> str:
    return f"version {topic.value}"


def _content_key(tag: str) -> str:
    return f"content {tag}"
