"""The node's dashboard, put together from what the database, the queue and the workers say."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from control_api.node_queries import HeldJob, Hour, QueueWork
from control_api.services import Services
from inference.domain.job import About, Hint, ModelReference, QueueName
from inference.domain.node_report import PeerOutcome, WorkerReport
from inference.errors import QueueUnavailable

ALIVE_SECONDS: Final = 35.0
"""A worker that was not heard of for so long is not alive; it reports every ten seconds."""

RATE_WINDOW: Final = timedelta(hours=24)
"""Over how long the rate is taken at which the disk fills."""


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue.

    Parameters
    ----------
    name
        Which.
    depth
        Messages that wait in it; None where it cannot be asked.
    work
        What the database says, which is the truth.
    """

    name: QueueName
    depth: int | None
    work: QueueWork


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker.

    Parameters
    ----------
    owner
        Its name.
    report
        What it said of itself; None where only its leases are known.
    alive
        Whether it was heard of a moment ago.
    silent_seconds
        How long ago that is; None where it never reported.
    jobs
        What it has.
    verifying
        The version of a model that it looks over.
    """

    owner: str
    report: WorkerReport | None
    alive: bool
    silent_seconds: float | None
    jobs: Sequence[HeldJob] = ()
    verifying: Sequence[ModelReference] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """A machine on which workers run.

    Parameters
    ----------
    host
        Its name.
    seen_at
        When a worker on it was last heard of.
    facts
        What that one said.
    """

    host: str
    seen_at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DiskView:
    """The disk that holds the data.

    Parameters
    ----------
    free_bytes, total_bytes, reserve_bytes
        Of the disk; below the reserve nothing is received.
    spool_bytes, results_bytes, counted_at
        What the node holds, and when a worker counted it; None where none has yet.
    received_bytes
        In the last 24 hours.
    full_at
        When the reserve is reached at that rate; None where nothing comes, or it is more than ten years away.
    """

    free_bytes: int
    total_bytes: int
    reserve_bytes: int
    spool_bytes: int | None
    results_bytes: int | None
    counted_at: datetime | None
    received_bytes: int
    full_at: datetime | None


@dataclass(frozen=True, slots=True)
class StageStatistics:
    """How long a stage takes with a model, seconds."""

    model: ModelReference
    stage: str
    count: int
    p50: float
    p95: float
    longest: float


def queues(given: Services) -> Sequence[QueueView]:
    """Give both queues."""
    work = given.node.queries.queue_work(given.clock.now())
    return [QueueView(name, depth_of(given, name), work[name]) for name in QueueName]


def depth_of(given: Services, queue: QueueName) -> int | None:
    """Count the messages of a queue; None where it cannot be asked."""
    try:
        return given.queue.depth(queue)
    except QueueUnavailable:
        return None


def workers(given: Services) -> Sequence[WorkerView]:
    """Give every worker with what it has, also those of which only leases are known."""
    now = given.clock.now()
    held = _by_owner([(job.owner, job) for job in given.node.queries.held_jobs(now)])
    looks = _by_owner(given.node.queries.verifying())
    reports = {report.owner: report for report in given.node.workers.all()}
    owners = [*reports, *sorted((held.keys() | looks.keys()) - reports.keys())]
    return [_worker(owner, reports.get(owner), now, held.get(owner, ()), looks.get(owner, ())) for owner in owners]


def devices(given: Services) -> Sequence[Device]:
    """Give the machines of the workers; what one worker of a machine says adds to what another one does."""
    by_host: dict[str, list[WorkerReport]] = {}
    for report in sorted(given.node.workers.all(), key=lambda report: report.seen_at):
        by_host.setdefault(report.host, []).append(report)
    return [_device(host, reports) for host, reports in sorted(by_host.items())]


def disk(given: Services) -> DiskView:
    """Give the disk and what fills it."""
    now = given.clock.now()
    usage = shutil.disk_usage(given.node.data_dir)
    stock = _stock(given.node.workers.all())
    received = given.node.queries.received_bytes(now - RATE_WINDOW)
    room = max(usage.free - given.node.reserve_bytes, 0)
    counted_at = stock.get("counted_at")
    return DiskView(
        usage.free,
        usage.total,
        given.node.reserve_bytes,
        stock.get("spool_bytes"),
        stock.get("results_bytes"),
        None if counted_at is None else datetime.fromisoformat(counted_at),
        received,
        full_at(now, room, received * _growth(stock)),
    )


def full_at(now: datetime, room_bytes: int, bytes_a_day: float) -> datetime | None:
    """Say when a disk is full; None where that is more than ten years away.

    Parameters
    ----------
    now
        The present.
    room_bytes
        What is left.
    bytes_a_day
        How fast it fills.
    """
    if bytes_a_day <= 0 or room_bytes / bytes_a_day > 3650:
        return None
    return now + timedelta(days=room_bytes / bytes_a_day)


def peers(given: Services) -> Sequence[PeerOutcome]:
    """Give what each peer answered last."""
    return given.node.peers.all()


def order_probes(given: Services) -> Sequence[PeerOutcome]:
    """Ask a delivery worker to ask every peer now, and give what they answered before.

    A queue that is away is no fault: the workers ask by themselves before long.
    """
    try:
        given.queue.enqueue(Hint(QueueName.DELIVERY, given.uid_source.job_id(), About.PEERS))
    except QueueUnavailable as error:
        structlog.get_logger(__name__).warning("queue.hint_lost", about=About.PEERS.value, error=error.code)
    return peers(given)


def hours(given: Services, count: int) -> Sequence[Hour]:
    """Give the last hours, oldest first; the last one is the present, which has not ended.

    Parameters
    ----------
    given
        The API's services.
    count
        How many.
    """
    now = given.clock.now()
    return given.node.queries.hours(now - timedelta(hours=count - 1), now)


def stages(given: Services, count: int) -> Sequence[StageStatistics]:
    """Give how long the stages took of the jobs that were made in the last hours.

    Parameters
    ----------
    given
        The API's services.
    count
        How many hours.
    """
    found = given.node.queries.stage_seconds(given.clock.now() - timedelta(hours=count))
    ordered = sorted(found.items(), key=lambda item: (item[0][0].model_id, item[0][0].version, item[0][1]))
    return [_statistics(model, stage, seconds) for (model, stage), seconds in ordered]


def _statistics(model: ModelReference, stage: str, seconds: Sequence[float]) -> StageStatistics:
    values = sorted(seconds)
    return StageStatistics(model, stage, len(values), percentile(values, 50), percentile(values, 95), values[-1])


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Give the smallest value that a percentage of the values does not exceed (nearest rank).

    Parameters
    ----------
    ordered
        Values in ascending order, at least one.
    percent
        1 to 100.
    """
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def _by_owner(pairs: Sequence[tuple[str, Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for owner, item in pairs:
        found.setdefault(owner, []).append(item)
    return found


def _worker(
    owner: str,
    report: WorkerReport | None,
    now: datetime,
    jobs: Sequence[HeldJob],
    verifying: Sequence[ModelReference],
) -> WorkerView:
    silent = None if report is None else max((now - report.seen_at).total_seconds(), 0.0)
    alive = silent is not None and silent <= ALIVE_SECONDS
    return WorkerView(owner, report, alive, silent, jobs, verifying)


def _device(host: str, reports: Sequence[WorkerReport]) -> Device:
    """Put together what workers said of a machine, from the one heard of longest ago to the latest."""
    facts: dict[str, Any] = {}
    for report in reports:
        facts.update(report.facts)
    return Device(host, reports[-1].seen_at, facts)


def _stock(reports: Sequence[WorkerReport]) -> Mapping[str, Any]:
    counted = [report.facts for report in reports if "counted_at" in report.facts]
    return max(counted, key=lambda facts: str(facts["counted_at"]), default={})


def _growth(stock: Mapping[str, Any]) -> float:
    """Say how much is kept for each byte that is received: results come on top, as they did so far."""
    spool, results = stock.get("spool_bytes") or 0, stock.get("results_bytes") or 0
    return 1.0 + (results / spool if spool else 0.0)
