"""The audit trail, written and read, on SQLite and on MariaDB."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine

from control_api.audit_log import AuditFilter, AuditLog
from inference.errors import StoreUnavailable
from integrations.persistence import audit_trail
from integrations.persistence.audit_trail import AuditEvent, Outcome, SQLAuditTrail
from integrations.persistence.engine import engine_for
from integrations.persistence.transactions import Transactions
from tests.support.fakes import NOON, FixedClock

RETRY = AuditEvent(
    NOON, "ada", "radiologist", "POST /api/jobs/{job_id}/retry", "a" * 32, Outcome.DONE, 202, "trace-01", "10.0.0.7"
)


@pytest.fixture
def trail(database: Engine) -> SQLAuditTrail:
    """Give an empty trail."""
    return SQLAuditTrail(database, FixedClock())


@pytest.fixture
def log(database: Engine) -> AuditLog:
    """Give what reads it."""
    return AuditLog(Transactions(database, FixedClock()))


def test_an_event_is_read_as_it_was_written(trail: SQLAuditTrail, log: AuditLog) -> None:
    """Who, what, to what, when, from where, how it ended."""
    trail.record(RETRY)

    listing = log.list_events(AuditFilter(), 10)

    assert (listing.items, listing.next) == ((RETRY,), None)


def test_pages_neither_repeat_nor_miss_while_events_arrive(trail: SQLAuditTrail, log: AuditLog) -> None:
    """Newest first, also among events of one moment; those that come meanwhile are on no later page."""
    events = [replace(RETRY, at=NOON + timedelta(seconds=number // 3), object=str(number)) for number in range(8)]
    for one in events:
        trail.record(one)

    read, cursor = [], None
    while True:
        page = log.list_events(AuditFilter(), 3, cursor)
        read += page.items
        trail.record(replace(RETRY, at=NOON + timedelta(hours=1), object="later"))
        cursor = page.next
        if cursor is None:
            break

    assert [one.object for one in read] == [str(number) for number in reversed(range(8))]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (AuditFilter(actor="zoe"), ["2"]),
        (AuditFilter(role="service"), ["3"]),
        (AuditFilter(action="/review"), ["2"]),
        (AuditFilter(action="%"), []),
        (AuditFilter(object="1"), ["1"]),
        (AuditFilter(outcome=Outcome.REFUSED), ["3"]),
        (AuditFilter(request_id="trace-09"), ["1"]),
        (AuditFilter(since=NOON + timedelta(minutes=2)), ["3", "2"]),
        (AuditFilter(until=NOON + timedelta(minutes=1)), ["1"]),
        (AuditFilter(actor="zoe", outcome=Outcome.REFUSED), []),
    ],
)
def test_events_are_found_by_what_they_say(
    trail: SQLAuditTrail, log: AuditLog, wanted: AuditFilter, found: list[str]
) -> None:
    """All conditions must hold; texts are found literally."""
    at = [NOON + timedelta(minutes=number) for number in range(4)]
    trail.record(replace(RETRY, at=at[1], object="1", request_id="trace-09"))
    trail.record(replace(RETRY, at=at[2], object="2", actor="zoe", action="POST /api/jobs/{job_id}/review"))
    trail.record(replace(RETRY, at=at[3], object="3", role="service", outcome=Outcome.REFUSED))

    assert [one.object for one in log.list_events(wanted, 10).items] == found


def test_an_endless_text_is_cut(trail: SQLAuditTrail, log: AuditLog) -> None:
    """An event is kept, whatever somebody sends."""
    trail.record(replace(RETRY, object="x" * 10_000, client="y" * 500))

    [event] = log.list_events(AuditFilter(), 10).items
    assert (event.object, event.client) == ("x" * 255, "y" * 64)


def test_the_trail_can_only_be_added_to() -> None:
    """The node has no code that changes or removes an event."""
    source = inspect.getsource(audit_trail)

    assert "update(" not in source
    assert "delete(" not in source


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    """Whoever asked decides what becomes of the answer then."""
    without_schema = engine_for(URL.create("sqlite", database=str(tmp_path / "empty.sqlite3")))

    with pytest.raises(StoreUnavailable):
        SQLAuditTrail(without_schema, FixedClock()).record(RETRY)
    without_schema.dispose()
