"""A worker process that does one job after another, and tells how large it is after each."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
from sqlalchemy import URL

from dicom_node.errands import Archive, Destinations
from dicom_node.worker import Worker, WorkOptions, WorkPlaces
from inference.domain.arrival import ArrivalHeader, Decision
from inference.domain.delivery import Wanted
from inference.domain.job import Hint, JobState, NewJob, QueueName
from inference.domain.study import CompletionEvidence, SeriesRevision
from integrations.orthanc.folder import FolderArchive
from integrations.persistence.deliveries import SQLDeliveryLog
from integrations.persistence.engine import engine_for
from integrations.persistence.job_store import SQLJobStore
from integrations.persistence.migrations import upgrade
from integrations.persistence.study_index import SQLStudyIndex
from integrations.result_folder import FolderResultStore
from integrations.system import RandomUIDSource, SystemClock
from models.catalogue import FolderCatalogue
from tests.support.fakes import FakeReportSink, RecordingNotifier
from tests.support.package_folders import Package, write_package
from tests.support.spooled_instances import SENDER
from tests.support.synthetic_series import axial_grid, revision_of, write_series
from tests.support.written_packages import cpu_runner

SHAPE = (96, 128, 128)
"""Of the series: 6 MB as it is stored, several times that at work."""


def main() -> None:
    """Do as many jobs as the second argument says in the folder that the first one names, and print the sizes, MB."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    write_package(folder / "models" / "bright", Package(golden=False))
    clock, uids = SystemClock(), RandomUIDSource()
    engine = engine_for(URL.create("sqlite", database=str(folder / "node.sqlite3")))
    upgrade(engine)
    jobs, index = SQLJobStore(engine, clock, uids), SQLStudyIndex(engine, clock, folder, uids)
    catalogue = FolderCatalogue([folder / "models"])
    results, archive = FolderResultStore(folder / "results"), FolderArchive(folder / "archive")
    destinations = Destinations([Archive("folder", archive, Wanted())], {"fhir": FakeReportSink()})
    log = SQLDeliveryLog(engine, clock)
    places = WorkPlaces(jobs, index, catalogue, cpu_runner(), results, destinations, log, RecordingNotifier(), clock)
    worker = Worker(places, WorkOptions(owner="busy"))
    revision = _arrived(index, folder)
    names = revision.study_instance_uid, revision.series_instance_uid, revision.revision
    sizes = []
    for run in range(1, count + 1):
        job = jobs.create(NewJob(*names, catalogue.active()[0].reference, run=run))
        for queue in QueueName:
            worker.run(Hint(queue, job.job_id))
        ended = jobs.get(job.job_id)
        assert ended.state is JobState.COMPLETED, ended
        sizes.append(resident_mb())
    sys.stdout.write(json.dumps(sizes))


def resident_mb() -> float:
    """Give how much memory this process really has, MB."""
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return round(int(kilobytes) / 1024, 1)


def _arrived(index: SQLStudyIndex, folder: Path) -> SeriesRevision:
    values = np.zeros(SHAPE)
    values[20:70, 30:90, 40:100] = 900
    found = revision_of(write_series(folder / "spool", values, axial_grid(SHAPE, (1.5, 1.5, 1.5))))
    for instance in found.instances:
        index.add(instance, ArrivalHeader(), SENDER)
    revision = index.series(found.series_instance_uid, CompletionEvidence.QUIET_TIME)
    index.close(revision, Decision(analysed=True, code=None, message=None), [])
    return revision
