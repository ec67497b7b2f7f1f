"""Orthanc forwards image by image; the node must see when a series is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import Engine

from dicom_node.assembler import Assembler, AssemblerOptions
from dicom_node.intake import Intake
from dicom_node.receiver import Receiver
from inference.domain.identifiers import JobID
from inference.domain.study import CompletionEvidence, SeriesRevision
from inference.errors import StudyNotFound
from integrations.orthanc.find_scu import FindSCUCounter
from integrations.persistence.study_index import SQLStudyIndex
from integrations.system import SystemClock
from tests.support.arrivals import data_set_bytes, small_series
from tests.support.dcmtk import storescu
from tests.support.fakes import FixedCatalogue
from tests.support.orthanc_server import OrthancOptions, OrthancServer, running_orthanc
from tests.support.receiving import running_receiver
from tests.support.synthetic_series import revision_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

SLICES = 24


class NotingIntake:
    """The real intake, and a note of what it was given and closed."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.closed: list[SeriesRevision] = []

    def admit(self, series: SeriesRevision) -> Sequence[JobID]:
        """Admit, and note it if the series was closed."""
        jobs = self._intake.admit(series)
        if jobs:
            self.closed.append(series)
        return jobs


@dataclass
class Node:
    """A receiving and assembling node behind a routing Orthanc."""

    receiver: Receiver
    index: SQLStudyIndex
    intake: NotingIntake
    orthanc: OrthancServer

    def digests(self, paths: list[Path]) -> set[str]:
        """Give the digests that the node has of a series, none while it does not know it."""
        try:
            uid = revision_of(paths).series_instance_uid
            return {i.sha256 for i in self.index.series(uid, CompletionEvidence.QUIET_TIME).instances}
        except StudyNotFound:
            return set()


@contextmanager
def assembling(tmp_path: Path, engine: Engine, options: AssemblerOptions) -> Iterator[Node]:
    """Run Orthanc with ``docker/orthanc/route.lua``, the receiver and the assembler."""
    clock = SystemClock()
    index = SQLStudyIndex(engine, clock, tmp_path / "spool")
    with (
        running_receiver(tmp_path / "spool", index) as receiver,
        running_orthanc(tmp_path / "orthanc", OrthancOptions({"NEURONOVA": receiver.port}, routing=True)) as orthanc,
    ):
        intake = NotingIntake(Intake(index, FixedCatalogue()))
        counter = FindSCUCounter(orthanc.peer(timeout_s=2))
        assembler = Assembler(index, intake, counter, receiver, clock, options)
        stop = Event()
        thread = Thread(target=assembler.run, args=(stop,))
        thread.start()
        try:
            yield Node(receiver, index, intake, orthanc)
        finally:
            stop.set()
            thread.join(30)


def test_a_routed_series_closes_whole_by_the_archives_count(tmp_path: Path, sqlite_engine: Engine) -> None:
    """Storescu → Orthanc → node: all instances, the bytes Orthanc holds, one closing, not half-way."""
    options = AssemblerOptions(quiet_time_s=120, settle_time_s=1, tick_s=0.1)
    paths = small_series(tmp_path / "series", SLICES)
    with assembling(tmp_path, sqlite_engine, options) as node:
        storescu(node.orthanc.dicom_port, paths, "ORTHANC")
        wait_until(lambda: node.intake.closed, 90, "the series to close")
        [closed] = node.intake.closed
        held = {hashlib.sha256(data_set_bytes(content)).hexdigest() for content in _held(node.orthanc)}
        assert closed.evidence is CompletionEvidence.ARCHIVE_COUNT
        assert closed.revision == 1
        assert {i.sha256 for i in closed.instances} == held
        assert len(held) == SLICES


def test_images_sent_one_by_one_are_not_cut_off_half_way(tmp_path: Path, sqlite_engine: Engine) -> None:
    """One image per association: Orthanc agrees with us after each, and still the series closes once, whole."""
    options = AssemblerOptions(quiet_time_s=120, settle_time_s=2, tick_s=0.1)
    paths = small_series(tmp_path / "series", 6)
    with assembling(tmp_path, sqlite_engine, options) as node:
        for number, path in enumerate(paths, start=1):
            storescu(node.orthanc.dicom_port, [path], "ORTHANC")
            wait_until(partial(_has_arrived, node, paths, number), 30, "the routed image")
        wait_until(lambda: node.intake.closed, 90, "the series to close")
        [closed] = node.intake.closed
        assert (closed.evidence, len(closed.instances)) == (CompletionEvidence.ARCHIVE_COUNT, 6)


def test_without_the_archive_quiet_time_decides(tmp_path: Path, sqlite_engine: Engine) -> None:
    """When Orthanc dies after routing, the series still closes, whole."""
    options = AssemblerOptions(quiet_time_s=6, settle_time_s=60, tick_s=0.1)
    paths = small_series(tmp_path / "series", SLICES)
    with assembling(tmp_path, sqlite_engine, options) as node:
        storescu(node.orthanc.dicom_port, paths, "ORTHANC")
        wait_until(lambda: len(node.digests(paths)) == SLICES, 60, "all instances")
        node.orthanc.stop()
        wait_until(lambda: node.intake.closed, 90, "the series to close")
        [closed] = node.intake.closed
        assert (closed.evidence, len(closed.instances)) == (CompletionEvidence.QUIET_TIME, SLICES)


def test_a_series_sent_again_is_not_opened_again(tmp_path: Path, sqlite_engine: Engine) -> None:
    """Orthanc does not route what it has; a modality that sends to us as well changes nothing either."""
    options = AssemblerOptions(quiet_time_s=120, settle_time_s=1, tick_s=0.1)
    paths = small_series(tmp_path / "series", 6)
    with assembling(tmp_path, sqlite_engine, options) as node:
        storescu(node.orthanc.dicom_port, paths, "ORTHANC")
        wait_until(lambda: node.intake.closed, 90, "the series to close")
        storescu(node.orthanc.dicom_port, paths, "ORTHANC")
        storescu(node.receiver.port, paths)
        assert node.index.receiving() == []
        assert len(node.intake.closed) == 1


def _has_arrived(node: Node, paths: list[Path], count: int) -> bool:
    return len(node.digests(paths)) == count


def _held(orthanc: OrthancServer) -> Iterator[bytes]:
    for orthanc_id in orthanc.client.get("/instances").json():
        yield orthanc.file(orthanc_id)
