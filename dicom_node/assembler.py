"""The assembler: decides from evidence, not by a fixed wait, that a series is complete (ARCHITECTURE section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Protocol

import structlog

from inference.domain.arrival import ReceivingSeries
from inference.domain.identifiers import UID, JobID
from inference.domain.study import CompletionEvidence, SeriesRevision
from inference.errors import NodeError
from inference.ports import ArchiveCounter, Clock, StudyIndex
from integrations.logs import short_hash

LOG = structlog.get_logger(__name__)


class Admission(Protocol):
    """Where a complete series goes."""

    def admit(self, series: SeriesRevision) -> Sequence[JobID]:
        """Close it and make its jobs; none if an instance arrived meanwhile."""


class Associations(Protocol):
    """Who is connected."""

    def open_associations(self, calling_ae: str) -> int:
        """Count the established associations of a sender."""


@dataclass(frozen=True, slots=True)
class AssemblerOptions:
    """How long to wait for what, in seconds.

    Parameters
    ----------
    quiet_time_s
        Without other evidence, a series is complete when nothing came for this long.
    settle_time_s
        Least time between the two answers of the archive that must agree, and after a kept promise.
    tick_s
        Time between two looks at all open series.
    patience
        How many quiet times to wait while the sender is still connected, or a signal named more instances.
    archive_pause_s
        How long not to ask an archive that did not answer.
    """

    quiet_time_s: float = 30.0
    settle_time_s: float = 2.0
    tick_s: float = 0.5
    patience: float = 10.0
    archive_pause_s: float = 30.0


@dataclass(slots=True)
class _Watch:
    """What is remembered of an open series between two looks; all times are monotonic seconds."""

    seen: tuple[int, int, datetime]
    changed_at: float
    longest_pause_s: float = 0.0
    asked_at: float | None = None
    agreed: bool = False

    def disagree(self) -> None:
        """Start the archive's two answers anew."""
        self.asked_at = None
        self.agreed = False


class Assembler:
    """Looks at every open series again and again, and closes those that are complete.

    Nothing is kept that a restart could lose: the open series are in the index, and quiet time counts from the last
    arrival that this process saw or from its start, whichever is later. Only monotonic time is used, so a clock that
    jumps closes nothing.

    Parameters
    ----------
    index
        The open series.
    intake
        Where complete ones go.
    counter
        The archive's count, where there is an archive.
    associations
        Who is connected.
    clock
        Time.
    options
        How long to wait.
    """

    def __init__(
        self,
        index: StudyIndex,
        intake: Admission,
        counter: ArchiveCounter | None,
        associations: Associations,
        clock: Clock,
        options: AssemblerOptions,
    ) -> None:
        self._index = index
        self._intake = intake
        self._counter = counter
        self._associations = associations
        self._clock = clock
        self._options = options
        self._watches: dict[UID, _Watch] = {}
        self._ask_archive_from = clock.monotonic()

    def run(self, stop: Event) -> None:
        """Tick until told to stop.

        Parameters
        ----------
        stop
            Ends the loop when set.
        """
        while not stop.wait(self._options.tick_s):
            self.tick()

    def tick(self) -> None:
        """Look at every open series once; the failure of one never keeps the others from being looked at."""
        try:
            open_series = self._index.receiving()
        except NodeError as error:
            LOG.warning("assembler cannot read the index", code=error.code)
            return
        present = {series.series_instance_uid for series in open_series}
        self._watches = {uid: watch for uid, watch in self._watches.items() if uid in present}
        for series in open_series:
            try:
                self._look_at(series)
            except Exception as error:  # noqa: BLE001 - one broken series must not stop the others
                LOG.warning(
                    "series left open", series=short_hash(series.series_instance_uid), exception=type(error).__name__
                )

    def _look_at(self, series: ReceivingSeries) -> None:
        evidence = self._evidence(series, self._watch(series))
        if evidence is None:
            return
        jobs = self._intake.admit(self._index.series(series.series_instance_uid, evidence))
        if jobs:
            LOG.info(
                "series complete",
                series=short_hash(series.series_instance_uid),
                evidence=evidence.value,
                jobs=len(jobs),
            )

    def _watch(self, series: ReceivingSeries) -> _Watch:
        now = self._clock.monotonic()
        seen = (series.revision, series.instance_count, series.last_received_at)
        watch = self._watches.get(series.series_instance_uid)
        if watch is None:
            watch = self._watches[series.series_instance_uid] = _Watch(seen, now)
        elif watch.seen != seen:
            watch.longest_pause_s = max(watch.longest_pause_s, now - watch.changed_at)
            watch.seen, watch.changed_at = seen, now
            watch.disagree()
        return watch

    def _evidence(self, series: ReceivingSeries, watch: _Watch) -> CompletionEvidence | None:
        """Give the strongest evidence that the series is complete, None while there is none."""
        lacking = (series.expected_count or 0) > series.instance_count
        if series.signalled and not lacking:
            return CompletionEvidence.SIGNAL
        options = self._options
        quiet_s = self._clock.monotonic() - watch.changed_at
        if lacking or self._associations.open_associations(series.calling_ae) > 0:
            watch.disagree()
            return CompletionEvidence.QUIET_TIME if quiet_s >= options.quiet_time_s * options.patience else None
        if self._archive_agrees(series, watch):
            return CompletionEvidence.ARCHIVE_COUNT
        if series.promised_count == series.instance_count and quiet_s >= options.settle_time_s:
            return CompletionEvidence.HEADER_PROMISE
        return CompletionEvidence.QUIET_TIME if quiet_s >= options.quiet_time_s else None

    def _archive_agrees(self, series: ReceivingSeries, watch: _Watch) -> bool:
        """Tell whether the archive gave our count twice, a settle time apart, with no arrival in between.

        An archive that forwards image by image agrees at any moment half-way, so the settle time is at least twice
        the longest pause seen between two arrivals of this series.
        """
        now = self._clock.monotonic()
        settle_s = max(self._options.settle_time_s, 2 * watch.longest_pause_s)
        if self._counter is None or now < self._ask_archive_from:
            return False
        if watch.asked_at is not None and now - watch.asked_at < settle_s:
            return False
        count = self._counter.count(series.study_instance_uid, series.series_instance_uid)
        if count is None:
            self._ask_archive_from = self._clock.monotonic() + self._options.archive_pause_s
        agreed_before, watch.agreed = watch.agreed, count == series.instance_count
        watch.asked_at = self._clock.monotonic()
        return agreed_before and watch.agreed
