"""Server-sent events: nothing is missed, and no stream starves the server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from control_api.events import LIFE_SECONDS, parse_last_id, stream
from inference.domain.identifiers import UID
from inference.domain.job import JobState
from inference.errors import StoreUnavailable
from integrations.persistence.tables import jobs
from integrations.persistence.times import to_column
from tests.support.control_api import STUDY, ControlAPI
from tests.support.fakes import NOON, FixedClock


class TellingClock(FixedClock):
    """A clock whose waits let something happen.

    Parameters
    ----------
    happens
        What, at each wait in turn.
    """

    def __init__(self, *happens: Callable[[], object]) -> None:
        super().__init__()
        self.happens = list(happens)

    def wait(self, seconds: float) -> None:
        """Move on, and let the next thing happen."""
        super().wait(seconds)
        if self.happens:
            self.happens.pop(0)()


def _id(at: datetime) -> str:
    return str((at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1))


def _parsed(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Read events as a browser does; comments are dropped."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events


def _names(messages: Iterator[str] | str) -> list[str]:
    text = messages if isinstance(messages, str) else "".join(messages)
    return [values.get("job_id") or values.get("study_uid") or kind for kind, values in _parsed(text)]


@pytest.fixture
def clock() -> TellingClock:
    """Give a clock to which a test tells what happens."""
    return TellingClock()


@pytest.fixture
def api(api_with: Callable[..., ControlAPI], clock: TellingClock) -> ControlAPI:
    """Give an API with that clock."""
    return api_with(clock=clock)


def test_what_changes_is_told_as_it_changes(api: ControlAPI, clock: TellingClock) -> None:
    """With what a client needs to decide whether to ask for more; once, and nothing that was there before."""
    api.has_job(0, updated_at=to_column(NOON))
    made: list[str] = []

    def work() -> None:
        made.append(api.has_job(1, JobState.PROCESSING, updated_at=to_column(clock.now())))
        api.has_study(UID("1.2"), minutes=0)

    clock.happens = [lambda: None, work]
    answer = api.get("/api/events")

    assert (answer.mimetype, answer.headers["X-Accel-Buffering"]) == ("text/event-stream", "no")
    (ready, _), *told = _parsed(answer.get_data(as_text=True))
    assert ready == "ready"
    values = dict(told)
    assert values["job"] == {
        "job_id": made[0],
        "study_uid": STUDY,
        "state": "PROCESSING",
        "shadow": False,
        "at": "2026-01-02T12:00:01+00:00",
    }
    assert values["study"]["study_uid"] == "1.2"
    assert len(told) == 2


def test_a_stream_ends_by_itself_and_breathes_until_then(api: ControlAPI, clock: TellingClock) -> None:
    """A thread of the server is free again soon, and a proxy does not take silence for death."""
    start = clock.monotonic()

    text = api.get("/api/events").get_data(as_text=True)

    assert LIFE_SECONDS <= clock.monotonic() - start < LIFE_SECONDS + 1
    assert text.count(": still here\n\n") == 3
    assert text.startswith("retry: 1000\n")


def test_who_was_away_is_told_what_was_missed(api: ControlAPI, clock: TellingClock) -> None:
    """Also what became visible late, with a time shortly before the last event that was seen."""
    seen = NOON + timedelta(seconds=60)
    api.has_job(0, updated_at=to_column(seen - timedelta(minutes=1)))
    late = api.has_job(1, updated_at=to_column(seen - timedelta(seconds=2)))
    missed = api.has_job(2, updated_at=to_column(seen + timedelta(seconds=2)))
    clock.advance(70)

    headers = {**api.bearer("nurse"), "Last-Event-ID": _id(seen)}
    text = api.client.get("/api/events", headers=headers).get_data(as_text=True)

    assert _names(text) == ["ready", late, missed]
    assert re.findall(r"id: (\d+)", text) == [_id(seen), _id(seen), _id(seen + timedelta(seconds=2))]


def test_a_change_that_becomes_visible_late_is_told(api: ControlAPI, clock: TellingClock) -> None:
    """Its transaction began before the one whose change was told already."""
    made: list[str] = []

    def commit(number: int, seconds_ago: float) -> None:
        at = clock.now() - timedelta(seconds=seconds_ago)
        made.append(api.has_job(number, updated_at=to_column(at)))

    clock.happens = [lambda: commit(1, 0), lambda: commit(2, 1)]

    assert _names(api.get("/api/events").get_data(as_text=True)) == ["ready", *made]


def test_a_job_that_changes_again_is_told_again(api: ControlAPI, clock: TellingClock) -> None:
    """Each change is an event, though it is the same job."""
    job_id = api.has_job(1, JobState.QUEUED, updated_at=to_column(NOON - timedelta(hours=1)))

    def change() -> None:
        with api.engine.begin() as connection:
            connection.execute(update(jobs).values(updated_at=to_column(clock.now())))

    clock.happens = [change, change]

    assert _names(api.get("/api/events").get_data(as_text=True)) == ["ready", job_id, job_id]


@pytest.mark.parametrize("text", ["", "nonsense", "-1", "1" * 18, "1²"])
def test_an_id_that_is_none_of_ours_is_no_id(text: str) -> None:
    """A client that speaks nonsense begins like a new one."""
    assert parse_last_id(text) is None


def test_who_was_away_for_long_is_told_to_ask_for_all(api: ControlAPI, clock: TellingClock) -> None:
    """Telling a day's changes one by one helps nobody."""
    api.has_job(1)
    clock.advance(3600)

    headers = {**api.bearer("nurse"), "Last-Event-ID": _id(NOON)}
    text = api.client.get("/api/events", headers=headers).get_data(as_text=True)

    assert _names(text) == ["ready", "reset"]


def test_who_missed_much_is_told_to_ask_for_all(api: ControlAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream does not begin with thousands of events."""
    monkeypatch.setattr("control_api.events.MOST_AT_ONCE", 2)
    for number in range(3):
        api.has_job(number)

    headers = {**api.bearer("nurse"), "Last-Event-ID": _id(NOON)}
    text = api.client.get("/api/events", headers=headers).get_data(as_text=True)

    assert _names(text) == ["ready", "reset"]


def test_one_stream_too_many_is_told_what_there_is_and_sent_away(api: ControlAPI, clock: TellingClock) -> None:
    """It would hold a thread that others need; it comes back with the id that it was given, and misses nothing."""
    headers = {**api.bearer("nurse"), "Last-Event-ID": _id(NOON)}
    missed = api.has_job(0, updated_at=to_column(NOON + timedelta(seconds=1)))
    first = api.client.get("/api/events", headers=headers, buffered=False)
    before = clock.monotonic()

    second = api.client.get("/api/events", headers=headers).get_data(as_text=True)

    assert (_names(second), clock.monotonic()) == (["ready", missed], before)
    assert second.startswith("retry: 5000\n")
    first.close()
    assert api.get("/api/events").get_data(as_text=True).startswith("retry: 1000\n")


def test_a_stream_that_nobody_reads_gives_its_place_back(api: ControlAPI) -> None:
    """Also where it never began, as with HEAD: places that leak are gone until the server starts anew."""
    for _ in range(3):
        api.client.head("/api/events", headers=api.bearer("nurse")).close()

    assert api.get("/api/events").get_data(as_text=True).startswith("retry: 1000\n")


def test_a_node_without_room_for_streams_tells_all_the_same(api_with: Callable[..., ControlAPI]) -> None:
    """An event is then told a little later, as by polling."""
    api = api_with(event_streams=0)

    assert api.get("/api/events").get_data(as_text=True).startswith("retry: 5000\n")


def test_a_database_that_is_away_for_a_moment_ends_no_stream(
    api: ControlAPI, clock: TellingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happens meanwhile is told later."""
    changes = type(api.services.changes)
    works = changes.version

    def away(*_: Any) -> str:
        raise StoreUnavailable("the database cannot be reached")

    def change() -> None:
        monkeypatch.setattr(changes, "version", works)
        api.has_job(1, updated_at=to_column(clock.now()))

    clock.happens = [lambda: monkeypatch.setattr(changes, "version", away), lambda: None, change]

    assert len(_names(stream(api.services.event_source, None, lives=True))) == 2


def test_events_are_for_those_who_are_logged_in(api: ControlAPI) -> None:
    """A study's UID leads to a person."""
    assert api.client.get("/api/events").status_code == 401
