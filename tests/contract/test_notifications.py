"""The outbox of notifications, on SQLite and on MariaDB, with who sends what is in it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select, update

from dicom_node.notifications import DEADLINE, NotificationSender
from inference.domain.identifiers import JobID
from inference.domain.job import JobState
from integrations.logs import short_hash
from integrations.notify.notification import JOB_ENDED, SUMMARY, Channel, NotDelivered, Notification
from integrations.persistence.notifications import LEASE, MARGIN, SQLNotificationOutbox
from integrations.persistence.tables import jobs, notifications
from integrations.persistence.times import to_column
from tests.support.fakes import FixedClock

FAILED, COMPLETED = JobState.FAILED, JobState.COMPLETED
EMAIL = Channel("email", frozenset({FAILED}))
HOOK = Channel("webhook-1", frozenset({FAILED, COMPLETED}))
STUDY = "1.2.826.0.1.3680043.8.498.1"


class RecordingSender:
    """Keeps what it sends; raises the next of ``failures`` instead, one each."""

    def __init__(self) -> None:
        self.sent: list[Notification] = []
        self.tried: list[Notification] = []
        self.failures: list[NotDelivered] = []

    def send(self, notification: Notification) -> None:
        """Keep it, or fail."""
        self.tried.append(notification)
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(notification)


@pytest.fixture
def clock() -> FixedClock:
    """Give a clock that the test moves."""
    return FixedClock()


@pytest.fixture
def outbox(database: Engine, clock: FixedClock) -> SQLNotificationOutbox:
    """Give an outbox of two channels that have been there for a while."""
    made = SQLNotificationOutbox(database, clock, [EMAIL, HOOK])
    made.look()
    clock.advance(3600)
    return made


@pytest.fixture
def has_job(database: Engine, clock: FixedClock) -> Callable[..., JobID]:
    """Give a maker of jobs as they stand in the database."""

    def make(number: int, state: JobState = FAILED, **columns: Any) -> JobID:
        now = to_column(clock.now())
        row = {
            "job_id": f"{number:032x}",
            "study_instance_uid": STUDY,
            "series_instance_uid": f"{STUDY}.2",
            "revision": 1,
            "run": number,
            "model_id": "brain",
            "model_version": "1.0.0",
            "model_digest": "d" * 64,
            "state": state.value,
            "error_code": "inference.out_of_memory",
            "error_message": "Doe^Jane",
            "lease_token": 1,
            "created_at": now,
            "updated_at": now,
        }
        with database.begin() as connection:
            connection.execute(insert(jobs).values(**(row | columns)))
        return JobID(f"{number:032x}")

    return make


def told(database: Engine) -> list[tuple[str, str]]:
    """List channel and event of every row."""
    with database.connect() as connection:
        rows = connection.execute(select(notifications).order_by(notifications.c.id))
        return [(row.channel, row.event) for row in rows]


def test_every_channel_gets_what_it_wants(
    database: Engine, outbox: SQLNotificationOutbox, has_job: Callable[..., JobID]
) -> None:
    """A failure is told by e-mail and by webhook, a success by webhook, other ends not at all."""
    failed, done, cancelled = has_job(1), has_job(2, COMPLETED), has_job(3, JobState.CANCELLED)
    for job_id in (failed, done, cancelled):
        outbox.tell_of(job_id)
    assert told(database) == [
        ("email", f"{failed}.1.failed"),
        ("webhook-1", f"{failed}.1.failed"),
        ("webhook-1", f"{done}.1.completed"),
    ]


def test_nothing_of_the_patient_is_told(outbox: SQLNotificationOutbox, has_job: Callable[..., JobID]) -> None:
    """The study is a short hash; the message of an error stays here."""
    job_id = has_job(1)
    outbox.tell_of(job_id)
    content = outbox.claim(1)[0].content
    assert content == {
        "job_id": job_id,
        "study": short_hash(STUDY),
        "state": "FAILED",
        "code": "inference.out_of_memory",
        "model": "brain",
        "model_version": "1.0.0",
        "ended_at": "2026-01-02T13:00:00+00:00",
    }


def test_an_end_is_told_once_and_another_end_again(
    database: Engine, outbox: SQLNotificationOutbox, has_job: Callable[..., JobID]
) -> None:
    """However often it is noted, by whom, and what else changes in its row; a retry that fails is news."""
    job_id = has_job(1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: outbox.tell_of(job_id), range(4)))
    outbox.look()
    with database.begin() as connection:
        connection.execute(update(jobs).values(superseded_by="f" * 32))
    outbox.look()
    assert len(told(database)) == 2
    with database.begin() as connection:
        connection.execute(update(jobs).values(lease_token=2))
    outbox.look()
    assert len(told(database)) == 4


def test_what_nobody_noted_is_found(
    database: Engine, clock: FixedClock, outbox: SQLNotificationOutbox, has_job: Callable[..., JobID]
) -> None:
    """Also where its time is a little before the last look: commits come late, and clocks differ."""
    outbox.look()
    has_job(1, updated_at=to_column(clock.now() - MARGIN / 2))
    outbox.look()
    assert len(told(database)) == 2
    clock.advance(86400)
    has_job(2, updated_at=to_column(clock.now() - timedelta(hours=5)))
    outbox.look()
    assert len(told(database)) == 4


def test_shadows_and_series_without_a_model_are_no_news(
    database: Engine, outbox: SQLNotificationOutbox, has_job: Callable[..., JobID]
) -> None:
    """Nobody waits for them."""
    outbox.tell_of(has_job(1, shadow=True))
    outbox.tell_of(has_job(2, model_id=""))
    outbox.look()
    assert told(database) == []


def test_a_new_channel_is_not_told_of_the_past(
    database: Engine, clock: FixedClock, outbox: SQLNotificationOutbox, has_job: Callable[..., JobID]
) -> None:
    """Who configures an address gets no flood."""
    has_job(1)
    outbox.look()
    clock.advance(60)
    more = SQLNotificationOutbox(database, clock, [EMAIL, HOOK, Channel("webhook-2", frozenset({FAILED}))])
    more.look()
    clock.advance(60)
    has_job(2)
    more.look()
    assert [event for channel, event in told(database) if channel == "webhook-2"] == [f"{2:032x}.1.failed"]


def test_one_notification_is_one_takers(
    outbox: SQLNotificationOutbox, clock: FixedClock, has_job: Callable[..., JobID]
) -> None:
    """Until the lease is over; then another takes it, and the first one's word counts no more."""
    outbox.tell_of(has_job(1, COMPLETED))
    with ThreadPoolExecutor(4) as pool:
        claimed = [one for some in pool.map(lambda _: outbox.claim(5), range(4)) for one in some]
    assert [one.attempts for one in claimed] == [1]
    clock.advance(LEASE.total_seconds() + 1)
    (again,) = outbox.claim(5)
    assert again.attempts == 2
    outbox.sent(claimed[0])
    outbox.put_off(again, "busy", clock.now())
    assert [one.attempts for one in outbox.claim(5)] == [3]


def test_a_round_tells_what_is_due(
    database: Engine, clock: FixedClock, outbox: SQLNotificationOutbox, has_job: Callable[..., JobID]
) -> None:
    """One channel that is down holds up no other; what was sent is sent once."""
    has_job(1)
    mail, hook = RecordingSender(), RecordingSender()
    sender = NotificationSender(outbox, {"email": mail, "webhook-1": hook}, clock)
    mail.failures = [NotDelivered("busy")]
    assert sender.make_round() == 1
    assert sender.make_round() == 0
    assert ([len(mail.tried), len(mail.sent), len(hook.sent)]) == [1, 0, 1]
    clock.advance(31)
    assert sender.make_round() == 1
    clock.advance(86400)
    assert sender.make_round() == 0
    assert (len(mail.sent), len(hook.tried)) == (1, 1)


def test_a_channel_that_is_down_costs_one_attempt_a_round(
    outbox: SQLNotificationOutbox, clock: FixedClock, has_job: Callable[..., JobID]
) -> None:
    """After a weekend hundreds wait: timeouts for each would keep the others waiting. When it is back, all go."""
    for number in range(5):
        has_job(number)
    mail, hook = RecordingSender(), RecordingSender()
    sender = NotificationSender(outbox, {"email": mail, "webhook-1": hook}, clock)
    hook.failures = [NotDelivered("no answer"), NotDelivered("no answer")]
    for _ in range(2):
        sender.make_round()
    assert (len(mail.sent), len(hook.tried)) == (5, 2)
    clock.advance(60)
    sender.make_round()
    assert sorted(one.event for one in hook.sent) == sorted(one.event for one in mail.sent)


def test_waits_grow_to_an_hour_and_end_after_three_days(
    database: Engine, outbox: SQLNotificationOutbox, clock: FixedClock, has_job: Callable[..., JobID]
) -> None:
    """Long enough for a weekend; what is given up is counted."""
    outbox.tell_of(has_job(1, COMPLETED))
    hook = RecordingSender()
    sender = NotificationSender(outbox, {"webhook-1": hook, "email": RecordingSender()}, clock)
    hook.failures = [NotDelivered("answered 503") for _ in range(1000)]
    began, waits = clock.now(), []
    while (due := next_run(database)) is not None:
        waits.append((due - to_column(clock.now())).total_seconds())
        clock.advance(waits[-1])
        sender.make_round()
    assert waits[0] == 0
    assert waits[1] <= 30
    assert max(waits) <= 3600
    assert sorted(waits[:7]) == waits[:7]
    assert clock.now() - began > DEADLINE
    assert outbox.given_up_since(began) == 1


def next_run(database: Engine) -> datetime | None:
    """Give when the one notification is tried next."""
    with database.connect() as connection:
        due: datetime | None = connection.scalar(select(notifications.c.next_run_at))
        return due


def test_an_address_that_is_gone_is_given_up_at_once(
    outbox: SQLNotificationOutbox, clock: FixedClock, has_job: Callable[..., JobID]
) -> None:
    """It said so itself."""
    outbox.tell_of(has_job(1, COMPLETED))
    hook = RecordingSender()
    hook.failures = [NotDelivered("answered 410", final=True)]
    sender = NotificationSender(outbox, {"webhook-1": hook, "email": RecordingSender()}, clock)
    sender.make_round()
    clock.advance(7200)
    sender.make_round()
    assert len(hook.tried) == 1


def test_what_waits_for_a_channel_that_was_removed_waits(
    database: Engine, clock: FixedClock, outbox: SQLNotificationOutbox, has_job: Callable[..., JobID]
) -> None:
    """A setting that is missing for an hour loses nothing and stops nothing."""
    outbox.tell_of(has_job(1))
    less = SQLNotificationOutbox(database, clock, [EMAIL])
    assert [one.channel for one in less.claim(5)] == ["email"]
    assert [one.channel for one in outbox.claim(5)] == ["webhook-1"]


def test_other_events_are_told_in_the_same_way(database: Engine, outbox: SQLNotificationOutbox) -> None:
    """A summary of one day is one event."""
    for _ in range(2):
        outbox.add("email", "summary.2026-01-02", SUMMARY, {"subject": "요약", "text": "…"})
    (one,) = outbox.claim(5)
    assert (one.kind, one.content["subject"], JOB_ENDED != SUMMARY) == (SUMMARY, "요약", True)
    assert told(database) == [("email", "summary.2026-01-02")]


def test_what_was_settled_long_ago_is_forgotten(
    database: Engine, clock: FixedClock, outbox: SQLNotificationOutbox, has_job: Callable[..., JobID]
) -> None:
    """What waits never is."""
    outbox.tell_of(has_job(1))
    first, _ = outbox.claim(2)
    outbox.sent(first)
    clock.advance(86400)
    assert outbox.prune(clock.now()) == 1
    with database.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(notifications)) == 1
