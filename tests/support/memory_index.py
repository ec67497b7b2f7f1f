"""A study index in memory, for tests of the doors that do not need a database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from inference.domain.arrival import Arrival, ArrivalHeader, Decision, ReceivingSeries
from inference.domain.identifiers import UID, AETitle, JobID
from inference.domain.job import NewJob
from inference.domain.study import CompletionEvidence, SeriesRevision, StoredInstance, StudyContents
from inference.errors import StudyNotFound
from inference.ports import Clock, StudyIndex


@dataclass
class SeriesRow:
    """What is known of one series."""

    study_instance_uid: UID
    calling_ae: str
    last_received_at: datetime
    revision: int = 1
    receiving: bool = True
    arrivals: int = 0
    signalled: bool = False
    expected_count: int | None = None
    promised_count: int | None = None
    instances: dict[UID, StoredInstance] = field(default_factory=dict)
    decisions: list[tuple[CompletionEvidence, Decision]] = field(default_factory=list)
    jobs: list[NewJob] = field(default_factory=list)


class MemoryIndex(StudyIndex):
    """Behaves as the port says.

    ``failure``, while set, is raised by ``add``; ``headers`` keeps what came with each instance.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self.rows: dict[UID, SeriesRow] = {}
        self.headers: list[ArrivalHeader] = []
        self.failure: Exception | None = None

    def add(self, instance: StoredInstance, header: ArrivalHeader, calling_ae: AETitle) -> Arrival:
        """Keep a row."""
        if self.failure is not None:
            raise self.failure
        with self._lock:
            identity = instance.identity
            row = self.rows.setdefault(
                identity.series_instance_uid,
                SeriesRow(identity.study_instance_uid, calling_ae, self._clock.now()),
            )
            known = row.instances.get(identity.sop_instance_uid)
            if known is not None and known.sha256 == instance.sha256:
                return Arrival.DUPLICATE
            if not row.receiving:
                row.revision += 1
                row.receiving = True
                row.signalled = False
            row.instances[identity.sop_instance_uid] = instance
            row.arrivals += 1
            row.last_received_at = self._clock.now()
            row.promised_count = header.promised_instances
            self.headers.append(header)
            return Arrival.CHANGED if known is not None else Arrival.NEW

    def receiving(self) -> Sequence[ReceivingSeries]:
        """List open series."""
        return [
            ReceivingSeries(
                row.study_instance_uid,
                uid,
                row.revision,
                len(row.instances),
                row.calling_ae,
                row.last_received_at,
                row.signalled,
                row.expected_count,
                row.promised_count,
            )
            for uid, row in self.rows.items()
            if row.receiving
        ]

    def series(self, series_instance_uid: UID, evidence: CompletionEvidence | None = None) -> SeriesRevision:
        """Give the present revision."""
        row = self.rows.get(series_instance_uid)
        if row is None:
            raise StudyNotFound("no such series")
        instances = tuple(row.instances[uid] for uid in sorted(row.instances))
        return SeriesRevision(
            row.study_instance_uid,
            series_instance_uid,
            row.revision,
            instances,
            evidence or CompletionEvidence.QUIET_TIME,
            calling_ae=row.calling_ae,
        )

    def study(self, study_instance_uid: UID) -> StudyContents:
        """Give the closed series."""
        rows = {uid: row for uid, row in self.rows.items() if row.study_instance_uid == study_instance_uid}
        if not rows:
            raise StudyNotFound("no such study")
        return StudyContents(
            closed=tuple(self.series(uid) for uid, row in rows.items() if not row.receiving),
            receiving=any(row.receiving for row in rows.values()),
            last_received_at=max(row.last_received_at for row in rows.values()),
            signalled=all(row.signalled for row in rows.values()),
        )

    def signal_complete(self, study_instance_uid: UID, expected: Mapping[UID, int]) -> None:
        """Note the signal."""
        for uid, row in self.rows.items():
            if row.study_instance_uid == study_instance_uid:
                row.signalled = True
                row.expected_count = expected.get(uid)

    def close(self, series: SeriesRevision, decision: Decision, jobs: Sequence[NewJob]) -> Sequence[JobID]:
        """Close, unless an instance arrived since the series was read."""
        with self._lock:
            row = self.rows[series.series_instance_uid]
            now = tuple(row.instances[uid] for uid in sorted(row.instances))
            if not row.receiving or now != series.instances:
                return []
            row.receiving = False
            row.decisions.append((series.evidence, decision))
            row.jobs.extend(jobs)
            return [JobID(f"{number:032x}") for number, _ in enumerate(row.jobs)][-len(jobs) :]

    def held(self, sop_instance_uids: Collection[UID]) -> Mapping[UID, UID]:
        """Give the SOP classes of what is kept."""
        if self.failure is not None:
            raise self.failure
        known = {uid: one.identity.sop_class_uid for row in self.rows.values() for uid, one in row.instances.items()}
        return {uid: known[uid] for uid in sop_instance_uids if uid in known}
