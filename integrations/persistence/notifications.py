"""The outbox of notifications: a row for each event and channel, so that nothing is lost or told twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, func, insert, select, update

from inference.domain.identifiers import JobID
from inference.domain.job import JobState
from inference.ports import Clock
from integrations.logs import short_hash
from integrations.notify.notification import JOB_ENDED, Channel, Notification
from integrations.persistence.tables import jobs, notification_channels, notifications
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions

WAITING: Final = "waiting"
SENT: Final = "sent"
GIVEN_UP: Final = "given_up"

MARGIN: Final = timedelta(minutes=10)
"""How far back a look at the jobs reaches beyond the last one: clocks differ, and commits come after their times."""

LEASE: Final = timedelta(minutes=2)
"""How long a claimed notification is nobody else's; longer than any attempt takes."""

LONGEST_ERROR: Final = 255


class SQLNotificationOutbox:
    """The rows in SQLite, MySQL or MariaDB.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        Time.
    channels
        Who is told.
    """

    def __init__(self, engine: Engine, clock: Clock, channels: Sequence[Channel]) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock
        self._channels = tuple(channels)

    def tell_of(self, job_id: JobID) -> None:
        """Note the end of a job for every channel that wants to know; again, it changes nothing."""
        if self._channels:
            self._transactions.write(lambda connection: self._note(connection, jobs.c.job_id == job_id))

    def look(self) -> None:
        """Note the ends of jobs that nobody noted, because a process died or the database was away."""
        now = self._clock.now()

        def look(connection: Connection) -> None:
            """Look at what changed since the last look, channel by channel."""
            for channel in self._channels:
                since = self._since(connection, channel)
                self._note(connection, jobs.c.updated_at >= since, [channel])
                later = max(since, to_column(now - MARGIN))
                known = notification_channels.c.channel == channel.name
                connection.execute(update(notification_channels).where(known).values(since=later))

        self._transactions.write(look)

    def add(self, channel: str, event: str, kind: str, content: Mapping[str, Any]) -> None:
        """Note another event for one channel; again, it changes nothing."""
        row = {"channel": channel, "event": event, "kind": kind, "content": dict(content)}
        self._transactions.write(lambda connection: self._insert(connection, [row]))

    def claim(self, limit: int, leave: Collection[str] = ()) -> Sequence[Notification]:
        """Take what is due; each row is one taker's until its lease is over.

        Parameters
        ----------
        limit
            Most rows to take.
        leave
            Channels of which nothing is taken.
        """
        now = self._clock.now()
        due = (notifications.c.state == WAITING, notifications.c.next_run_at <= to_column(now))

        def claim(connection: Connection) -> list[Notification]:
            """Move each row's next attempt away, and count this one, if nobody else did."""
            wanted = select(notifications).where(*due, self._is_asked(leave))
            in_order = (notifications.c.next_run_at, notifications.c.id)
            rows = connection.execute(wanted.order_by(*in_order).limit(limit)).all()
            return [_notification(row) for row in rows if self._take(connection, row, now)]

        return self._transactions.write(claim)

    def sent(self, notification: Notification) -> None:
        """Note that it arrived."""
        self._settle(notification, state=SENT, error=None)

    def give_up(self, notification: Notification, error: str) -> None:
        """Note that it is not tried any more."""
        self._settle(notification, state=GIVEN_UP, error=error[:LONGEST_ERROR])

    def put_off(self, notification: Notification, error: str, next_run_at: datetime) -> None:
        """Note why an attempt failed, and when the next one is."""
        values = {"error": error[:LONGEST_ERROR], "next_run_at": to_column(next_run_at)}
        self._write(notification, values)

    def given_up_since(self, time: datetime) -> int:
        """Count what was given up."""
        since = notifications.c.settled_at >= to_column(time)
        statement = select(func.count()).select_from(notifications)
        with self._transactions.read() as connection:
            return int(connection.execute(statement.where(notifications.c.state == GIVEN_UP, since)).scalar_one())

    def prune(self, before: datetime) -> int:
        """Delete what was settled long ago, and give how many rows that were."""
        old = notifications.c.settled_at < to_column(before)
        statement = delete(notifications).where(old)
        return self._transactions.write(lambda connection: connection.execute(statement).rowcount)

    def _is_asked(self, leave: Collection[str]) -> ColumnElement[bool]:
        """Leave also what waits for a channel that was removed from the settings: it may come back."""
        names = [channel.name for channel in self._channels if channel.name not in leave]
        return notifications.c.channel.in_(names)

    def _since(self, connection: Connection, channel: Channel) -> datetime:
        """Give since when a channel is told; a new one is told from now on, not of the past."""
        table = notification_channels
        since: datetime | None = connection.scalar(select(table.c.since).where(table.c.channel == channel.name))
        if since is None:
            since = to_column(self._clock.now())
            connection.execute(insert(table).values(channel=channel.name, since=since))
        return since

    def _note(
        self, connection: Connection, which: ColumnElement[bool], channels: Sequence[Channel] | None = None
    ) -> None:
        """Insert what is missing about some jobs; those in shadow, and those that no model wanted, are no news."""
        ended = {state for channel in channels or self._channels for state in channel.states}
        wanted = (which, jobs.c.state.in_(sorted(ended)), jobs.c.shadow.is_(False), jobs.c.model_id != "")
        rows = connection.execute(select(jobs).where(*wanted)).all()
        self._insert(
            connection,
            [
                {"channel": channel.name, "event": _event(row), "kind": JOB_ENDED, "content": _content(row)}
                for channel in channels or self._channels
                for row in rows
                if JobState(row.state) in channel.states
            ],
        )

    def _insert(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        now = to_column(self._clock.now())
        for row in rows:
            same = (notifications.c.channel == row["channel"], notifications.c.event == row["event"])
            if connection.execute(select(notifications.c.id).where(*same)).first() is None:
                times = {"created_at": now, "next_run_at": now}
                connection.execute(insert(notifications).values(**row, **times, state=WAITING, attempts=0))

    def _take(self, connection: Connection, row: Row[Any], now: datetime) -> bool:
        as_read = (
            notifications.c.id == row.id,
            notifications.c.state == WAITING,
            notifications.c.attempts == row.attempts,
        )
        values = {"attempts": row.attempts + 1, "next_run_at": to_column(now + LEASE)}
        return connection.execute(update(notifications).where(*as_read).values(values)).rowcount == 1

    def _settle(self, notification: Notification, *, state: str, error: str | None) -> None:
        settled = to_column(self._clock.now())
        self._write(notification, {"state": state, "error": error, "settled_at": settled, "next_run_at": None})

    def _write(self, notification: Notification, values: Mapping[str, Any]) -> None:
        """Write the outcome of an attempt, unless its lease was over and another one began."""
        ours = (notifications.c.id == notification.number, notifications.c.attempts == notification.attempts)
        self._transactions.write(
            lambda connection: connection.execute(update(notifications).where(*ours).values(dict(values)))
        )


def _event(row: Row[Any]) -> str:
    """Name the end of a job: the lease's token counts up with every claim, so a job that ends again is news."""
    return f"{row.job_id}.{row.lease_token}.{row.state.lower()}"


def _content(row: Row[Any]) -> dict[str, Any]:
    """Give what may leave the hospital's network: no text, and the study only as the log names it."""
    return {
        "job_id": row.job_id,
        "study": short_hash(row.study_instance_uid),
        "state": row.state,
        "code": row.error_code,
        "model": row.model_id,
        "model_version": row.model_version,
        "ended_at": from_column(row.updated_at).isoformat(),
    }


def _notification(row: Row[Any]) -> Notification:
    return Notification(
        number=row.id,
        channel=row.channel,
        event=row.event,
        kind=row.kind,
        content=row.content,
        attempts=row.attempts + 1,
        created_at=from_column(row.created_at),
    )
