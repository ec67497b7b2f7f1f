"""When a series is complete, by which evidence, and what must not close it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest

from dicom_node.assembler import Assembler, AssemblerOptions
from inference.domain.arrival import ArrivalHeader, Decision
from inference.domain.identifiers import UID, AETitle, JobID
from inference.domain.study import CompletionEvidence, InstanceIdentity, SeriesRevision, StoredInstance
from inference.errors import StudyNotFound
from inference.ports import StudyIndex
from tests.support.fakes import FakeCounter, FixedClock
from tests.support.memory_index import MemoryIndex
from tests.support.waiting import wait_until

STUDY = UID("1.2.3")
SERIES = UID("1.2.3.1")
OTHER = UID("1.2.3.2")
SENDER = AETitle("ORTHANC")
OPTIONS = AssemblerOptions(quiet_time_s=30, settle_time_s=2, patience=10, archive_pause_s=30)


@dataclass
class ClosingIntake:
    """Closes every series without looking into it; series in ``broken`` raise."""

    index: StudyIndex
    broken: set[UID] = field(default_factory=set)
    before_close: list[UID] = field(default_factory=list)

    def admit(self, series: SeriesRevision) -> Sequence[JobID]:
        """Close."""
        if series.series_instance_uid in self.broken:
            raise RuntimeError("unreadable")
        return self.index.close(series, Decision(analysed=True, code=None, message=None), [])


@dataclass
class Connections:
    """Open associations per sender."""

    count: dict[str, int] = field(default_factory=dict)

    def open_associations(self, calling_ae: str) -> int:
        """Count."""
        return self.count.get(calling_ae, 0)


class Bench:
    """An assembler with everything around it under control."""

    def __init__(self, counter: FakeCounter | None = None) -> None:
        self.clock = FixedClock()
        self.index = MemoryIndex(self.clock)
        self.intake = ClosingIntake(self.index)
        self.connections = Connections()
        self.counter = counter
        self.assembler = self.restarted()
        self._number = 0

    def restarted(self) -> Assembler:
        """Give a new assembler on the same index, as after a restart."""
        return Assembler(self.index, self.intake, self.counter, self.connections, self.clock, OPTIONS)

    def arrive(self, count: int = 1, series: UID = SERIES, promised: int | None = None) -> None:
        """Let instances arrive."""
        for _ in range(count):
            self._number += 1
            identity = InstanceIdentity(STUDY, series, UID(f"{series}.{self._number}"), UID("1.2"))
            instance = StoredInstance(identity, UID("1.2"), Path(), f"{self._number}", 1)
            self.index.add(instance, ArrivalHeader(promised_instances=promised), SENDER)

    def tick_for(self, seconds: float) -> None:
        """Tick each half second."""
        for _ in range(int(seconds * 2)):
            self.assembler.tick()
            self.clock.advance(0.5)

    def evidence(self, series: UID = SERIES) -> list[CompletionEvidence]:
        """List by what the series was closed, each time."""
        return [evidence for evidence, _ in self.index.rows[series].decisions]


def test_quiet_time_is_the_fallback() -> None:
    """Without other evidence a series closes when nothing came for the quiet time, and not before."""
    bench = Bench()
    bench.arrive(5)
    bench.tick_for(29)
    bench.arrive()
    bench.tick_for(29)
    assert bench.evidence() == []
    bench.tick_for(2)
    assert bench.evidence() == [CompletionEvidence.QUIET_TIME]


def test_an_open_association_keeps_a_series_open() -> None:
    """While its sender is connected a series waits longer, but not for ever."""
    bench = Bench(FakeCounter({SERIES: 5}))
    bench.arrive(5, promised=5)
    bench.connections.count[SENDER] = 1
    bench.tick_for(299)
    assert bench.evidence() == []
    bench.tick_for(2)
    assert bench.evidence() == [CompletionEvidence.QUIET_TIME]


def test_an_association_of_another_sender_does_not_matter() -> None:
    """Only the sender of the series is waited for."""
    bench = Bench()
    bench.arrive()
    bench.connections.count["SOMEBODY"] = 3
    bench.tick_for(31)
    assert bench.evidence() == [CompletionEvidence.QUIET_TIME]


def test_a_signal_closes_at_once() -> None:
    """An explicit signal is the strongest evidence, also while the association is open."""
    bench = Bench()
    bench.arrive(5)
    bench.connections.count[SENDER] = 1
    bench.index.signal_complete(STUDY, {})
    bench.assembler.tick()
    assert bench.evidence() == [CompletionEvidence.SIGNAL]


def test_a_signal_that_names_more_instances_waits_for_them() -> None:
    """A series stays open until the named count is there."""
    bench = Bench()
    bench.arrive(5)
    bench.index.signal_complete(STUDY, {SERIES: 6})
    bench.tick_for(60)
    assert bench.evidence() == []
    bench.arrive()
    bench.assembler.tick()
    assert bench.evidence() == [CompletionEvidence.SIGNAL]


def test_a_signal_for_instances_that_never_come_does_not_wait_for_ever() -> None:
    """The long quiet time ends the wait."""
    bench = Bench()
    bench.arrive(5)
    bench.index.signal_complete(STUDY, {SERIES: 6})
    bench.tick_for(301)
    assert bench.evidence() == [CompletionEvidence.QUIET_TIME]


def test_the_archive_must_agree_twice() -> None:
    """One equal count proves nothing; two, a settle time apart, do."""
    counter = FakeCounter({SERIES: 20})
    bench = Bench(counter)
    bench.arrive(20)
    bench.assembler.tick()
    assert (counter.asked, bench.evidence()) == ([SERIES], [])
    bench.tick_for(1.5)
    assert (counter.asked, bench.evidence()) == ([SERIES], [])
    bench.tick_for(1)
    assert bench.evidence() == [CompletionEvidence.ARCHIVE_COUNT]


def test_an_archive_that_forwards_one_by_one_closes_nothing_half_way() -> None:
    """It agrees with us at every moment; each arrival starts the two questions anew."""
    counts: dict[UID, int] = {}
    bench = Bench(FakeCounter(counts))
    for number in range(1, 21):
        bench.arrive()
        counts[SERIES] = number
        bench.tick_for(1.5)
    assert bench.evidence() == []
    bench.tick_for(4)
    assert bench.evidence() == [CompletionEvidence.ARCHIVE_COUNT]


def test_a_slow_sender_is_given_time() -> None:
    """The settle time grows with the pauses seen, so a sender that takes 5 s per image is not cut off."""
    counts: dict[UID, int] = {}
    bench = Bench(FakeCounter(counts))
    counts[SERIES] = 2
    bench.arrive()
    bench.tick_for(5)
    bench.arrive()
    bench.tick_for(9.5)
    assert bench.evidence() == []
    bench.tick_for(2)
    assert bench.evidence() == [CompletionEvidence.ARCHIVE_COUNT]


def test_an_archive_that_holds_more_keeps_the_series_open() -> None:
    """More in the archive than here means that more will come; quiet time has the last word."""
    bench = Bench(FakeCounter({SERIES: 21}))
    bench.arrive(20)
    bench.tick_for(29)
    assert bench.evidence() == []
    bench.tick_for(2)
    assert bench.evidence() == [CompletionEvidence.QUIET_TIME]


def test_a_silent_archive_is_not_asked_again_at_once() -> None:
    """One unanswered question is enough for a while: other series must not wait for its timeouts."""
    counter = FakeCounter()
    bench = Bench(counter)
    bench.arrive()
    bench.arrive(series=OTHER)
    bench.tick_for(29)
    assert len(counter.asked) == 1
    bench.tick_for(2)
    assert bench.evidence() == bench.evidence(OTHER) == [CompletionEvidence.QUIET_TIME]


def test_the_archive_is_not_asked_while_its_association_is_open() -> None:
    """Nor do answers from before an association count after it."""
    counter = FakeCounter({SERIES: 1})
    bench = Bench(counter)
    bench.arrive()
    bench.assembler.tick()
    bench.connections.count[SENDER] = 1
    bench.tick_for(10)
    bench.connections.count[SENDER] = 0
    bench.assembler.tick()
    assert (len(counter.asked), bench.evidence()) == (2, [])


def test_a_kept_promise_shortens_the_wait() -> None:
    """When as many came as the headers promise, a settle time is enough."""
    bench = Bench()
    bench.arrive(8, promised=8)
    bench.tick_for(2)
    assert bench.evidence() == []
    bench.tick_for(1)
    assert bench.evidence() == [CompletionEvidence.HEADER_PROMISE]


def test_a_broken_promise_keeps_nothing_open() -> None:
    """A promise only shortens the wait; it never lengthens it."""
    bench = Bench()
    bench.arrive(7, promised=8)
    bench.tick_for(31)
    assert bench.evidence() == [CompletionEvidence.QUIET_TIME]


def test_one_broken_series_does_not_stop_the_others() -> None:
    """The failure of one series is logged, and the next is looked at."""
    bench = Bench()
    bench.intake.broken = {SERIES}
    bench.arrive()
    bench.arrive(series=OTHER)
    bench.tick_for(31)
    assert (bench.evidence(), bench.evidence(OTHER)) == ([], [CompletionEvidence.QUIET_TIME])


def test_an_unreadable_index_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away a tick does nothing; afterwards all goes on."""
    bench = Bench()
    bench.arrive()
    with monkeypatch.context() as patch:

        def fail() -> Sequence[object]:
            raise StudyNotFound("database away")

        patch.setattr(bench.index, "receiving", fail)
        bench.tick_for(1)
    bench.tick_for(31)
    assert bench.evidence() == [CompletionEvidence.QUIET_TIME]


def test_an_arrival_during_closing_keeps_the_series_open() -> None:
    """close() refuses what is no longer true, and the series is closed later with everything in it."""
    bench = Bench()
    bench.arrive(5)
    original = bench.index.series

    def late(series_instance_uid: UID, evidence: CompletionEvidence) -> SeriesRevision:
        revision = original(series_instance_uid, evidence)
        if len(revision.instances) == 5:
            bench.arrive()
        return revision

    bench.index.series = late  # type: ignore[method-assign]
    bench.tick_for(31)
    assert bench.evidence() == []
    bench.tick_for(31)
    assert bench.evidence() == [CompletionEvidence.QUIET_TIME]
    assert len(bench.index.rows[SERIES].instances) == 6


def test_late_instances_are_closed_again() -> None:
    """A late instance opens the next revision, which completes by its own evidence."""
    bench = Bench()
    bench.arrive(5)
    bench.tick_for(31)
    bench.arrive()
    bench.tick_for(31)
    assert bench.evidence() == [CompletionEvidence.QUIET_TIME] * 2
    assert bench.index.rows[SERIES].revision == 2


def test_a_restart_starts_the_quiet_time_anew() -> None:
    """What came before a restart is found in the index, and waits once more: the sender may just be reconnecting."""
    bench = Bench()
    bench.arrive(5)
    bench.clock.advance(3600)
    bench.assembler = bench.restarted()
    bench.tick_for(29)
    assert bench.evidence() == []
    bench.tick_for(2)
    assert bench.evidence() == [CompletionEvidence.QUIET_TIME]


def test_a_clock_that_jumps_closes_nothing() -> None:
    """Quiet time is monotonic."""
    bench = Bench()
    bench.arrive(5)
    bench.assembler.tick()
    bench.clock.jump_to(datetime(2030, 1, 1, tzinfo=UTC))
    bench.tick_for(20)
    assert bench.evidence() == []


def test_it_runs_until_it_is_stopped() -> None:
    """The loop ticks, and ends when told."""
    bench = Bench()
    bench.arrive(5)
    bench.index.signal_complete(STUDY, {})
    assembler = Assembler(
        bench.index, bench.intake, None, bench.connections, bench.clock, AssemblerOptions(tick_s=0.01)
    )
    stop = Event()
    thread = Thread(target=assembler.run, args=(stop,))
    thread.start()
    wait_until(bench.evidence, 10, "the series to close")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
