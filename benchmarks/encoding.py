"""Seconds, memory and size of a Segmentation, encoded by us and by dcmqi's ``itkimage2segimage``, in turn.

Both write the same segments of the same label map over the same source, each in a process of its own. Ours starts
from what a worker has in memory when it begins to encode, and is warm, as in a worker that has encoded before, or
cold; dcmqi reads source and label map from files. What it takes us to read the headers, which a worker has done long
before, and to check the object before it leaves, which dcmqi does not do, stands beside it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread

from benchmarks.drawings import DRAWINGS, IMAGE, METADATA, OURS, SOURCE, THEIRS
from inference.domain.artifact import Segmentation

ROUNDS = 3
KINDS = (Segmentation.BINARY, Segmentation.LABELMAP)
DCMQI = Path(sys.executable).parent / "itkimage2segimage"
LAUNCHER = Path(__file__).parent / "launch.py"


def measure() -> dict[str, Any]:
    """Encode each drawing as each kind, by both in turn."""
    result = {}
    with tempfile.TemporaryDirectory() as name:
        for key, drawing in DRAWINGS.items():
            folder = Path(name) / key
            drawing.write(folder)
            for kind in KINDS:
                result[f"{drawing.title}, {kind.name}"] = _measure(folder, kind)
    return result


@dataclass(frozen=True)
class _Run:
    """What one process took."""

    seconds: Mapping[str, float]
    peak_mib: int
    size_mb: float


def _measure(folder: Path, kind: Segmentation) -> dict[str, float]:
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_ours(folder, kind))
        theirs.append(_theirs(folder, kind))
    if dcmread(folder / OURS).NumberOfFrames != dcmread(folder / THEIRS).NumberOfFrames:
        raise RuntimeError("the two objects do not have the same frames")
    return _summary(ours, theirs)


def _ours(folder: Path, kind: Segmentation) -> _Run:
    *_, seconds, process = _run([sys.executable, "-m", "benchmarks.encode_once", str(folder), kind.value])
    return _Run(json.loads(seconds), json.loads(process)["peak_mib"], (folder / OURS).stat().st_size / 1e6)


def _theirs(folder: Path, kind: Segmentation) -> _Run:
    files = {
        "--inputDICOMDirectory": SOURCE,
        "--inputImageList": IMAGE,
        "--inputMetadata": METADATA,
        "--outputDICOM": THEIRS,
    }
    arguments = [part for option, file in files.items() for part in (option, str(folder / file))]
    *_, line = _run([str(DCMQI), *arguments, "--skip", "1", "--segmentationType", kind.value])
    process = json.loads(line)
    return _Run({"encoding": process["seconds"]}, process["peak_mib"], (folder / THEIRS).stat().st_size / 1e6)


def _run(command: Sequence[str]) -> list[str]:
    """Run a process; give the lines that it printed, and the launcher's after them."""
    launched = [sys.executable, "-S", str(LAUNCHER), *command]
    done = subprocess.run(launched, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return done.stdout.splitlines()


def _summary(ours: Sequence[_Run], theirs: Sequence[_Run]) -> dict[str, float]:
    def median(runs: Sequence[_Run], what: str) -> float:
        return statistics.median(run.seconds[what] for run in runs)

    checked = statistics.median(run.seconds["encoding"] + run.seconds["checking"] for run in ours)
    encoded, dcmqi = median(ours, "encoding"), median(theirs, "encoding")
    return {
        "ours, s": round(encoded, 3),
        "ours, cold, s": round(median(ours, "cold"), 3),
        "ours and the check, s": round(checked, 3),
        "reading the headers besides, s": round(median(ours, "reading"), 3),
        "dcmqi, s": round(dcmqi, 3),
        "dcmqi / ours": round(dcmqi / encoded, 2),
        "dcmqi / ours and the check": round(dcmqi / checked, 2),
        "ours, peak MiB": max(run.peak_mib for run in ours),
        "dcmqi, peak MiB": max(run.peak_mib for run in theirs),
        "ours, MB": round(ours[0].size_mb, 1),
        "dcmqi, MB": round(theirs[0].size_mb, 1),
    }
