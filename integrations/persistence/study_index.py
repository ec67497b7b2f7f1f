"""The record of what arrived, in SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, select, update

from inference.domain.arrival import Arrival, ArrivalHeader, Decision, ReceivingSeries
from inference.domain.identifiers import UID, AETitle, JobID
from inference.domain.job import NewJob
from inference.domain.study import (
    CompletionEvidence,
    InstanceIdentity,
    SeriesRevision,
    StoredInstance,
    StudyContents,
)
from inference.errors import SpoolFull, StoreUnavailable, StudyNotFound
from inference.ports import Clock, StudyIndex, UIDSource
from integrations.persistence.arrivals import (
    Incoming,
    count_arrival,
    lock_series,
    lock_study,
    make_and_hold,
    place_instance,
)
from integrations.persistence.study_jobs import (
    create_job,
    find_job_of,
    hasten_if_settled,
    hold_study,
    signal_holds,
)
from integrations.persistence.tables import instances, series, studies
from integrations.persistence.times import from_column, to_column
from integrations.persistence.transactions import Transactions
from integrations.system import RandomUIDSource

_UIDS_AT_ONCE: Final = 500
"""Values in one IN list: every database takes as many, and a question about a long series stays short."""


class SQLStudyIndex(StudyIndex):
    """A study index in SQLite, MySQL or MariaDB.

    Parameters
    ----------
    engine
        A migrated database.
    clock
        Time of arrivals, signals and decisions.
    spool_root
        Folder below which instances lie; the database keeps paths relative to it, so that it may move.
    uid_source
        Ids of the jobs that ``close`` creates; random ones by default.
    """

    def __init__(self, engine: Engine, clock: Clock, spool_root: Path, uid_source: UIDSource | None = None) -> None:
        self._transactions = Transactions(engine, clock)
        self._clock = clock
        self._root = spool_root
        self._uids = uid_source or RandomUIDSource()

    def add(self, instance: StoredInstance, header: ArrivalHeader, calling_ae: AETitle) -> Arrival:
        """Commit one instance; only then may the sender be told success.

        The newest arrival is the one that counts: bytes that were replaced and come again are CHANGED, not
        DUPLICATE. The same SOP Instance UID in two series makes two instances, so that nobody can take an
        instance out of a series of somebody else.

        Raises
        ------
        SpoolFull
            If the database cannot be written.
        InstanceUnreadable
            If the series belongs to another study.
        """
        path = instance.path.relative_to(self._root).as_posix()
        incoming = Incoming(instance, header, calling_ae, path, to_column(self._clock.now()))
        try:
            return self._transactions.write(lambda connection: _add(connection, incoming))
        except StoreUnavailable as error:
            raise SpoolFull(error.message) from error

    def receiving(self) -> Sequence[ReceivingSeries]:
        """List the series that are still open and have an instance, the one that was silent longest first.

        A signal holds for a series until an instance arrives after it; where it named a number of instances, it
        holds until the series is closed.
        """
        statement = (
            select(series, studies.c.signalled_at)
            .join(studies)
            .where(series.c.receiving, series.c.instance_count > 0)
            .order_by(series.c.last_received_at, series.c.series_instance_uid)
        )
        with self._transactions.read() as connection:
            return [_receiving(row) for row in connection.execute(statement)]

    def series(self, series_instance_uid: UID, evidence: CompletionEvidence | None = None) -> SeriesRevision:
        """Give the present revision of a series with its instances (the newest bytes of each).

        An open series that is asked for without evidence is given as one that only went quiet.

        Raises
        ------
        StudyNotFound
            If the series is not known.
        """
        with self._transactions.read() as connection:
            # The row first: an instance that lands in between is then counted later and stops close().
            row = connection.execute(select(series).where(_is(series_instance_uid))).one_or_none()
            if row is None:
                raise StudyNotFound("there is no such series on this node")
            statement = select(instances).where(
                instances.c.series_instance_uid == series_instance_uid, instances.c.current
            )
            found = connection.execute(statement.order_by(instances.c.sop_instance_uid)).all()
        return self._revision(row, found, evidence)

    def study(self, study_instance_uid: UID) -> StudyContents:
        """Give the closed series of a study and whether more may come.

        A series that a signal named and of which nothing has come yet is not open; but the study is not complete
        without it, whatever the signal said.

        Raises
        ------
        StudyNotFound
            If the study is not known.
        """
        of_study = series.c.study_instance_uid == study_instance_uid
        in_order = (series.c.first_received_at, series.c.series_instance_uid)
        newest = select(instances).join(series).where(of_study, ~series.c.receiving, instances.c.current)
        found: dict[str, list[Row[Any]]] = {}
        with self._transactions.read() as connection:
            wanted = studies.c.study_instance_uid == study_instance_uid
            study = connection.execute(select(studies).where(wanted)).one_or_none()
            if study is None:
                raise StudyNotFound("there is no such study on this node")
            rows = connection.execute(select(series).where(of_study).order_by(*in_order)).all()
            for entry in connection.execute(newest.order_by(instances.c.sop_instance_uid)):
                found.setdefault(entry.series_instance_uid, []).append(entry)
        closed = (row for row in rows if not row.receiving)
        return StudyContents(
            closed=tuple(self._revision(row, found.get(row.series_instance_uid, ())) for row in closed),
            receiving=any(row.receiving and row.instance_count for row in rows),
            last_received_at=from_column(study.last_received_at),
            signalled=signal_holds(study) and all(row.instance_count for row in rows),
        )

    def signal_complete(self, study_instance_uid: UID, expected: Mapping[UID, int]) -> None:
        """Record that a study is said to be complete.

        The signal is about every series that is open now: an instance that arrives after it takes it back for its
        own series, unless ``expected`` names a number for that series. A series that is named before its first
        instance is remembered, and listed as receiving from that instance on. Numbers for series that are closed
        already, or that belong to another study, are not kept.

        Raises
        ------
        StudyNotFound
            If the study is not known.
        """
        now = to_column(self._clock.now())

        def signal(connection: Connection) -> None:
            """Note the signal on study and series."""
            wanted = studies.c.study_instance_uid == study_instance_uid
            if connection.execute(update(studies).where(wanted).values(signalled_at=now)).rowcount == 0:
                raise StudyNotFound("there is no such study on this node")
            for series_uid, count in sorted(expected.items()):
                row = {"series_instance_uid": series_uid, "study_instance_uid": study_instance_uid}
                make_and_hold(connection, series, {**row, "first_received_at": now, "last_received_at": now})
                open_here = (_is(series_uid), series.c.receiving, series.c.study_instance_uid == study_instance_uid)
                connection.execute(update(series).where(*open_here).values(expected_count=count))
            hasten_if_settled(connection, study_instance_uid, self._clock.now())

        self._transactions.write(signal)

    def close(self, series: SeriesRevision, decision: Decision, jobs: Sequence[NewJob]) -> Sequence[JobID]:
        """Declare a series complete and create its jobs with their outbox rows, in one transaction.

        If an instance arrived since ``series`` was read, nothing happens and no job is returned: the series
        stays open. Closing the same revision again changes nothing and gives the jobs of the first time. A job about
        the study that has not begun is joined, and given instead of a new one.
        """
        now = self._clock.now()
        ids = [self._uids.job_id() for _ in jobs]

        def close(connection: Connection) -> Sequence[JobID]:
            """Close the series, unless something arrived meanwhile."""
            hold_study(connection, series.study_instance_uid)
            row = _unchanged(connection, series)
            if row is None:
                return []
            if not row.receiving:
                return [job_id for job in jobs if (job_id := find_job_of(connection, job)) is not None]
            _decide(connection, series, decision, to_column(now))
            made = [create_job(connection, job, job_id, now) for job, job_id in zip(jobs, ids, strict=True)]
            hasten_if_settled(connection, series.study_instance_uid, now)
            return made

        return self._transactions.write(close)

    def held(self, sop_instance_uids: Collection[UID]) -> Mapping[UID, UID]:
        """Give the SOP Class UID of each instance that is kept here: its row is committed and its file is there.

        Raises
        ------
        StoreUnavailable
            If the database cannot be read.
        """
        wanted = sorted(set(sop_instance_uids))
        columns = (instances.c.sop_instance_uid, instances.c.sop_class_uid, instances.c.path)
        statement = select(*columns).where(instances.c.current)
        rows: list[Any] = []
        with self._transactions.read() as connection:
            for start in range(0, len(wanted), _UIDS_AT_ONCE):
                some = instances.c.sop_instance_uid.in_(wanted[start : start + _UIDS_AT_ONCE])
                rows.extend(connection.execute(statement.where(some)).all())
        present = [row for row in rows if (self._root / row.path).is_file()]
        return {UID(row.sop_instance_uid): UID(row.sop_class_uid) for row in present}

    def _revision(
        self, row: Row[Any], found: Sequence[Row[Any]], evidence: CompletionEvidence | None = None
    ) -> SeriesRevision:
        study_uid = UID(row.study_instance_uid)
        return SeriesRevision(
            study_instance_uid=study_uid,
            series_instance_uid=UID(row.series_instance_uid),
            revision=row.revision,
            instances=tuple(self._instance(study_uid, entry) for entry in found),
            evidence=evidence or CompletionEvidence(row.evidence or CompletionEvidence.QUIET_TIME),
            arrivals=row.arrivals,
            completed_at=from_column(row.completed_at),
            calling_ae=row.calling_ae,
        )

    def _instance(self, study_instance_uid: UID, row: Row[Any]) -> StoredInstance:
        identity = InstanceIdentity(
            study_instance_uid,
            UID(row.series_instance_uid),
            UID(row.sop_instance_uid),
            UID(row.sop_class_uid),
        )
        transfer_syntax_uid = UID(row.transfer_syntax_uid)
        return StoredInstance(identity, transfer_syntax_uid, self._root / row.path, row.sha256, row.size_bytes)


def _add(connection: Connection, incoming: Incoming) -> Arrival:
    lock_study(connection, incoming)
    row = lock_series(connection, incoming)
    arrival = place_instance(connection, incoming)
    if arrival is not Arrival.DUPLICATE:
        count_arrival(connection, incoming, row, arrival)
    return arrival


def _unchanged(connection: Connection, wanted: SeriesRevision) -> Row[Any] | None:
    row = connection.execute(select(series).where(_is(wanted.series_instance_uid)).with_for_update()).one_or_none()
    same = row is not None and (row.revision, row.arrivals) == (wanted.revision, wanted.arrivals)
    return row if same else None


def _decide(connection: Connection, wanted: SeriesRevision, decision: Decision, now: Any) -> None:
    connection.execute(
        update(series)
        .where(_is(wanted.series_instance_uid))
        .values(
            receiving=False,
            completed_at=now,
            evidence=wanted.evidence,
            decision="analysed" if decision.analysed else "rejected",
            reason_code=decision.code,
            reason_message=decision.message,
        )
    )


def _receiving(row: Row[Any]) -> ReceivingSeries:
    signalled_at = row.signalled_at
    holds = signalled_at is not None and (row.expected_count is not None or signalled_at >= row.last_received_at)
    return ReceivingSeries(
        study_instance_uid=UID(row.study_instance_uid),
        series_instance_uid=UID(row.series_instance_uid),
        revision=row.revision,
        instance_count=row.instance_count,
        calling_ae=row.calling_ae,
        last_received_at=from_column(row.last_received_at),
        signalled=holds,
        expected_count=row.expected_count,
        promised_count=row.promised_count,
    )


def _is(series_instance_uid: UID) -> Any:
    return series.c.series_instance_uid == series_instance_uid
