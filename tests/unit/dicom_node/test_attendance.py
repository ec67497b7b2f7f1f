"""A process says that it lives, and how its machine does; a large node is counted seldom."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from dicom_node.attendance import Attendance, device_facts
from dicom_node.stock import Stock
from inference.domain.node_report import WorkerReport
from inference.errors import DeviceUnavailable
from integrations.persistence.node_reports import SQLWorkerRoll, spool_bytes
from integrations.persistence.transactions import Transactions
from tests.support.fakes import NOON, FixedClock

WHO = WorkerReport("host:1:abc", "inference", "host", 1, 1, "9.8.7", NOON, NOON)


def test_a_worker_is_heard_of_until_it_leaves(sqlite_engine: Engine) -> None:
    """With the time of its last word, and all that is told of its machine."""
    clock = FixedClock()
    roll = SQLWorkerRoll(sqlite_engine, clock)
    attendance = Attendance(roll, WHO, clock, [lambda: {"cpu_count": 4}, lambda: {"provider": "CPU"}])

    attendance.beat()
    clock.advance(10)
    attendance.beat()

    (report,) = roll.all()
    assert (report.started_at, (report.seen_at - NOON).total_seconds()) == (NOON, 10)
    assert report.facts == {"cpu_count": 4, "provider": "CPU"}
    attendance.leave()
    assert roll.all() == []


class NoDevice:
    """An engine whose GPU is not there."""

    def device(self) -> str:
        """Say so."""
        raise DeviceUnavailable("CUDA was demanded and this ONNX Runtime has none")


def test_a_device_that_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without its GPU takes jobs that all fail: the dashboard must show why."""
    monkeypatch.setattr("dicom_node.attendance.gpu_facts", list)

    facts = device_facts(NoDevice())

    assert facts == {
        "provider": None,
        "provider_fault": "CUDA was demanded and this ONNX Runtime has none",
        "gpus": [],
    }


def test_what_the_node_holds_is_counted(sqlite_engine: Engine, tmp_path: Path) -> None:
    """Results in files of all depths, the spool as the database has it; before the first count nothing is said."""
    (tmp_path / "results" / "deep").mkdir(parents=True)
    (tmp_path / "results" / "one").write_bytes(b"x" * 10)
    (tmp_path / "results" / "deep" / "two").write_bytes(b"x" * 5)
    clock = FixedClock()
    held = spool_bytes(Transactions(sqlite_engine, clock))
    stock = Stock(lambda: held, tmp_path / "results", clock)
    assert stock.facts() == {}

    stock.count()

    assert stock.facts() == {"spool_bytes": 0, "results_bytes": 15, "counted_at": NOON.isoformat()}


def test_a_node_without_results_holds_none(tmp_path: Path) -> None:
    """The folder is made with the first one."""
    stock = Stock(lambda: 7, tmp_path / "absent", FixedClock())

    stock.count()

    assert stock.facts()["results_bytes"] == 0
