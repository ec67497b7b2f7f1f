"""Times are aware in Python and naive UTC in the database, because MySQL and SQLite keep no zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


def to_column(time: datetime) -> datetime:
    """Give an aware time as the naive UTC that a column holds.

    Raises
    ------
    ValueError
        If the time has no zone: guessing one would shift it unseen.
    """
    if time.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    return time.astimezone(UTC).replace(tzinfo=None)


@overload
def from_column(time: datetime) -> datetime: ...
@overload
def from_column(time: None) -> None: ...
@overload
def from_column(time: datetime | None) -> datetime | None: ...
def from_column(time: datetime | None) -> datetime | None:
    """Give a column's naive UTC as an aware time; None stays None."""
    return None if time is None else time.replace(tzinfo=UTC)
