"""The summary of a day, as a person reads it in an e-mail; no patient data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final

from inference.ports import Clock
from integrations.notify.notification import SUMMARY
from integrations.persistence.day_counts import DayCounts, SQLDayCounts
from integrations.persistence.notifications import SQLNotificationOutbox
from integrations.persistence.periodic_runs import SQLTurns

SPAN: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class SummaryPlaces:
    """Where a summary is from."""

    counts: SQLDayCounts
    outbox: SQLNotificationOutbox
    turns: SQLTurns
    clock: Clock
    data_dir: Path


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes of a disk."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What a summary says.

    Parameters
    ----------
    counts
        Of jobs and deliveries.
    disk
        Of the node's data.
    given_up
        Notifications that never arrived.
    patients
        When patients were synchronised last, and the report of it; None where they never were.
    """

    counts: DayCounts
    disk: Disk
    given_up: int
    patients: tuple[datetime, Mapping[str, Any]] | None


class DailySummary:
    """Writes the summary of the last day into the outbox.

    Parameters
    ----------
    places
        Where it is from.
    channel
        Who gets it.
    patient_task
        Name of the task that synchronises patients.
    zone
        Where the site is.
    """

    def __init__(self, places: SummaryPlaces, channel: str, patient_task: str, zone: tzinfo) -> None:
        self._places = places
        self._channel = channel
        self._patient_task = patient_task
        self._zone = zone

    def write(self, day: str) -> dict[str, Any]:
        """Write it once a day.

        Parameters
        ----------
        day
            Names the event.
        """
        places, now = self._places, self._places.clock.now()
        since = now - SPAN
        disk = shutil.disk_usage(places.data_dir)
        facts = Facts(
            places.counts.since(since),
            Disk(disk.free, disk.total),
            places.outbox.given_up_since(since),
            places.turns.last_report(self._patient_task),
        )
        content = {"subject": _subject(facts, day), "text": text(facts, since, now, self._zone)}
        places.outbox.add(self._channel, f"summary.{day}", SUMMARY, content)
        return {"failed": facts.counts.ended.get("FAILED", 0)}


def _subject(facts: Facts, day: str) -> str:
    ended = facts.counts.ended
    return f"NeuroNova Node: {ended.get('COMPLETED', 0)} completed, {ended.get('FAILED', 0)} failed ({day})"


def text(facts: Facts, since: datetime, now: datetime, zone: tzinfo) -> str:
    """Write a summary.

    Parameters
    ----------
    facts
        What it says.
    since, now
        Its span.
    zone
        In which times are written.
    """
    lines = [f"From {_time(since, zone)} to {_time(now, zone)}", ""]
    for part in (_jobs(facts.counts), _failures(facts.counts), _owed(facts.counts, zone), _node(facts, zone)):
        lines += [*part, ""]
    return "\n".join(lines)


def _jobs(counts: DayCounts) -> Iterator[str]:
    yield f"Studies received: {counts.studies}"
    yield f"Jobs ended: {sum(counts.ended.values())}; not ended yet: {counts.unfinished}"
    yield from _table(counts.ended)
    yield "By model:"
    yield from _table({f"{model} {state}": count for (model, state), count in counts.by_model.items()})
    yield "Without a result, by reason (docs/errors.md):"
    yield from _table(counts.reasons)


def _failures(counts: DayCounts) -> Iterator[str]:
    yield "Failed jobs, the latest first:"
    yield from (f"  {one.job_id}  {one.model}  {one.code}" for one in counts.failures)
    if not counts.failures:
        yield "  none"


def _owed(counts: DayCounts, zone: tzinfo) -> Iterator[str]:
    yield "Deliveries owed:"
    for one in counts.owed:
        yield f"  {one.destination}: {one.count}, the oldest since {_time(one.oldest, zone)}"
    if not counts.owed:
        yield "  none"


def _node(facts: Facts, zone: tzinfo) -> Iterator[str]:
    percent = 100 * facts.disk.free / max(facts.disk.total, 1)
    yield f"Disk: {facts.disk.free / 2**30:.1f} GiB free ({percent:.0f} %)"
    yield f"Notifications given up: {facts.given_up}"
    if facts.patients is not None:
        at, report = facts.patients
        yield f"Patients synchronised: {_time(at, zone)}"
        yield from (f"  {name}: {_source(counts)}" for name, counts in sorted(report.items()))


def _source(counts: Mapping[str, Any]) -> str:
    said = [f"{name} {value}" for name, value in counts.items() if isinstance(value, int) and value]
    said += [f"{code} {count}" for code, count in (counts.get("failed") or {}).items()]
    said += [str(counts["error"])] if counts.get("error") else []
    return ", ".join(said) or "nothing new"


def _table(counts: Mapping[str, int]) -> Iterator[str]:
    yield from (f"  {name}: {count}" for name, count in sorted(counts.items()))
    if not counts:
        yield "  none"


def _time(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
