"""Time of each stage of the pipeline on one series, in one process, after one warm-up run."""

from __future__ import annotations

import resource
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from dicom_node.demo.phantom import Rendering, write
from dicom_node.folder_scan import scan
from inference.domain.model_inputs import ModelInputs
from inference.domain.study import SeriesRevision
from inference.engine import EngineOptions, OnnxModelRunner
from inference.pipeline import Surroundings, analyse
from integrations.system import SystemClock
from models.catalogue import FolderCatalogue, builtin_models_root
from models.weights import verify

ROUNDS = 3
REAL_HEAD = Path(__file__).parents[2] / "shared" / "data" / "mr-t1-defaced-adult-192" / "dicom"


def measure() -> dict[str, Any]:
    """Run every built-in model on the phantom and, where it is there, on a real head."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), Rendering())
        series = {"digital head phantom": scan(Path(folder)).series[0]}
        if REAL_HEAD.exists():
            series["real head, 192 slices of 384 x 274"] = scan(REAL_HEAD).series[0]
        result = {name: _measure_series(one) for name, one in series.items()}
    result["peak_memory_mib"] = {"whole process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    return result


def _measure_series(series: SeriesRevision) -> dict[str, float]:
    runner = OnnxModelRunner(EngineOptions(provider="cpu", verify=verify))
    spec = FolderCatalogue([builtin_models_root()]).active()[0]
    seconds: dict[str, list[float]] = defaultdict(list)
    for round_number in range(ROUNDS + 1):
        times: list[Any] = []
        analyse(ModelInputs(series), spec, Surroundings(runner, SystemClock(), times.append))
        if round_number:
            for time in times:
                seconds[time.stage.value].append(time.seconds)
    medians = {stage: round(statistics.median(values), 3) for stage, values in seconds.items()}
    return medians | {"sum": round(sum(medians.values()), 3)}
