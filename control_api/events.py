"""Server-sent events: what changed, told as it changes (HTML standard, section 9.2).

An event is a hint, as a message of the queue is: it names what changed, and the client asks for the rest. Whoever was
away says with ``Last-Event-ID`` since when, and is told again what it may have missed; some of it twice, none of it
never. A stream holds a thread of the server for as long as it lives, so its life is short and streams are few: one
too many is told what there is to tell and sent away, to come back a little later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore
from typing import Any, Final

from control_api.changes import Change, ChangeFeed, JobChange, Topic
from control_api.documents import Documents
from inference.errors import StoreUnavailable
from inference.ports import Clock

LIFE_SECONDS: Final = 15.0
"""A stream's life; within the time that the server gives requests to end when it stops (20 s)."""

LOOK_SECONDS: Final = 0.5
"""Between two looks at the version; all streams of a node share it, so a look costs hardly more than the wait."""

HEARTBEAT_SECONDS: Final = 5.0
"""Silence after which a comment is sent: proxies keep the line open, and the server learns that a client has gone."""

OVERLAP: Final = timedelta(seconds=5)
"""How far a look goes back: a change may become visible after a later one, and clocks differ a little."""

MOST_AT_ONCE: Final = 500
"""Changes that are told one by one; of more, or of what was missed for longer, the client is told to ask for all."""

LONGEST_ABSENCE: Final = timedelta(minutes=10)

SOON_MS: Final = 1000
LATER_MS: Final = 5000
"""When a client comes back, as ``retry`` tells it: after a whole life, and where there was no room."""


@dataclass(frozen=True, slots=True)
class Source:
    """What streams are fed from.

    Parameters
    ----------
    documents
        Give the version that tells whether to look.
    changes
        Give what changed.
    clock
        Time.
    """

    documents: Documents
    changes: ChangeFeed
    clock: Clock


class Places:
    """As many streams as may live in this process at the same time.

    Parameters
    ----------
    most
        How many; 0 for none.
    """

    def __init__(self, most: int) -> None:
        self._free = BoundedSemaphore(most) if most else None

    def take(self) -> bool:
        """Take a place, if there is one."""
        return self._free is not None and self._free.acquire(blocking=False)

    def leave(self) -> None:
        """Give a place back that was taken."""
        if self._free is not None:
            self._free.release()


def parse_last_id(text: str) -> datetime | None:
    """Read a ``Last-Event-ID``: microseconds since 1970; None where it is none of ours."""
    if not text.isascii() or not text.isdecimal() or len(text) > 17:
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(text))


def stream(source: Source, last: datetime | None, *, lives: bool) -> Iterator[str]:
    """Tell what changes, or what has changed since a time.

    Parameters
    ----------
    source
        What it is fed from.
    last
        Up to when the client knows everything; None for a client that has just asked for all.
    lives
        Whether there is a place to live in; else the stream ends at once.
    """
    telling = _Telling(source, last)
    yield _message("ready", telling.mark, {}, retry_ms=SOON_MS if lives else LATER_MS)
    yield from telling.missed()
    clock = source.clock
    end, spoken = clock.monotonic() + LIFE_SECONDS, clock.monotonic()
    while lives and clock.monotonic() < end:
        clock.wait(LOOK_SECONDS)
        said = False
        for message in telling.look():
            said = True
            yield message
        if said:
            spoken = clock.monotonic()
        elif clock.monotonic() - spoken >= HEARTBEAT_SECONDS:
            spoken = clock.monotonic()
            yield ": still here\n\n"


class _Telling:
    """What one stream has told so far."""

    def __init__(self, source: Source, last: datetime | None) -> None:
        self._source = source
        self._last = last
        self._version = ""
        self._told: dict[str, datetime] = {}
        self.mark = last or source.clock.now()

    def missed(self) -> Iterator[str]:
        """Tell what the client missed; note for a new one what it need not be told."""
        if self._last is None:
            self._version = self._source.documents.version(Topic.STUDIES)
            self._note(self._source.changes.since(self.mark - OVERLAP, MOST_AT_ONCE))
        elif abs(self._source.clock.now() - self._last) > LONGEST_ABSENCE:
            self.mark = self._source.clock.now()
            yield _message("reset", self.mark, {})
        else:
            yield from self.look()

    def look(self) -> Iterator[str]:
        """Tell what has changed since the last look; a database that is away for a moment is looked at later."""
        try:
            version = self._source.documents.version(Topic.STUDIES)
            if version == self._version:
                return
            found = self._source.changes.since(self.mark - OVERLAP, MOST_AT_ONCE + 1)
        except StoreUnavailable:
            return
        self._version = version
        if len(found) > MOST_AT_ONCE:
            self.mark = self._source.clock.now()
            yield _message("reset", self.mark, {})
            return
        for change in self._note(found):
            self.mark = max(self.mark, change.at)  # and no further: a client may be cut off after any of them
            kind, values = _told(change)
            yield _message(kind, self.mark, values)

    def _note(self, found: Iterable[Change]) -> list[Change]:
        """Give what was not told yet, and take it as told."""
        fresh = [change for change in found if self._told.get(_key(change)) != change.at]
        before = self.mark - 2 * OVERLAP
        self._told = {key: at for key, at in self._told.items() if at >= before}
        self._told |= {_key(change): change.at for change in fresh}
        return fresh


def _key(change: Change) -> str:
    return change.job_id if isinstance(change, JobChange) else change.study_uid


def _told(change: Change) -> tuple[str, Mapping[str, Any]]:
    if isinstance(change, JobChange):
        names = {"job_id": change.job_id, "study_uid": change.study_uid}
        return "job", {**names, "state": change.state.value, "shadow": change.shadow, "at": change.at.isoformat()}
    return "study", {"study_uid": change.study_uid, "at": change.at.isoformat()}


def _message(kind: str, mark: datetime, values: Mapping[str, Any], retry_ms: int | None = None) -> str:
    """Write an event; JSON has no line break in it."""
    number = (mark - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    retry = f"retry: {retry_ms}\n" if retry_ms is not None else ""
    return f"{retry}id: {number}\nevent: {kind}\ndata: {json.dumps(dict(values))}\n\n"
