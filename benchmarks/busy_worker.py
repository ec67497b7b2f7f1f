"""``python -m benchmarks.busy_worker SECONDS``: analyse phantoms one after the other, each as a job of the database.

Everything that an inference worker does besides delivering: it reads, runs the model on all cores, encodes, and
writes each stage to the database as it ends. Prints how many jobs it finished.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from dicom_node.commands.serve import INFERENCE_NICENESS
from dicom_node.demo.phantom import Rendering, write
from dicom_node.folder_scan import scan
from inference.domain.identifiers import UID
from inference.domain.job import NewJob, QueueName, StageTime
from inference.domain.model_inputs import ModelInputs
from inference.domain.model_spec import ModelSpec
from inference.domain.study import SeriesRevision
from inference.engine import EngineOptions, OnnxModelRunner
from inference.pipeline import Surroundings, analyse
from integrations.persistence.engine import make_engine
from integrations.persistence.job_store import SQLJobStore
from integrations.settings import load_settings
from integrations.system import RandomUIDSource, SystemClock
from models.catalogue import FolderCatalogue, builtin_models_root
from models.weights import verify

LEASE_SECONDS = 120.0


class BusyWorker:
    """Works on one series again and again, each time as a job of its own.

    Parameters
    ----------
    series
        What is analysed.
    """

    def __init__(self, series: SeriesRevision) -> None:
        self._series = series
        self._spec: ModelSpec = FolderCatalogue([builtin_models_root()]).active()[0]
        self._runner = OnnxModelRunner(EngineOptions(provider="cpu", verify=verify))
        self._jobs = SQLJobStore(make_engine(load_settings()), SystemClock(), RandomUIDSource())

    def work(self, number: int) -> None:
        """Make a job, and do it."""
        study = UID(f"1.2.826.0.1.3680043.8.498.9.{number}")
        job = self._jobs.create(NewJob(study, UID(f"{study}.1"), 1, self._spec.reference))
        lease = self._jobs.claim(job.job_id, QueueName.INFERENCE, "busy", LEASE_SECONDS)
        assert lease is not None

        def on_stage(time: StageTime) -> None:
            """Write a stage, as a worker does."""
            self._jobs.record_stage(lease, time)

        analyse(ModelInputs(self._series), self._spec, Surroundings(self._runner, SystemClock(), on_stage))
        self._jobs.deliver(lease, {"measurements": []})


def main(seconds: float) -> int:
    """Work for some seconds, and give the number of jobs."""
    os.nice(INFERENCE_NICENESS)
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), Rendering())
        worker = BusyWorker(scan(Path(folder)).series[0])
        worker.work(0)
        print("warm", flush=True)
        end, done = clock.monotonic() + seconds, 0
        while clock.monotonic() < end:
            done += 1
            worker.work(done)
    return done


if __name__ == "__main__":
    print(main(float(sys.argv[1])))
