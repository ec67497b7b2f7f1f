"""Seconds from the last C-STORE response to the stored report, on an embedded node with warm models."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.processes import embedded_node
from dicom_node.demo.phantom import Rendering, write
from dicom_node.demo.sender import send_files
from integrations.system import SystemClock

ROUNDS = 3
LIMIT_SECONDS = 300.0


def measure() -> dict[str, Any]:
    """Send phantoms one after the other and wait for each one's report; the first one warms the model."""
    clock, seconds = SystemClock(), []
    with tempfile.TemporaryDirectory() as name, embedded_node(Path(name) / "node", quiet_time_s=1.0) as node:
        for seed in range(ROUNDS + 1):
            rendering = Rendering(seed=seed)
            paths = write(Path(name) / f"phantom{seed}", rendering)
            send_files(paths, node.dicom_port, "NEURONOVA", lambda: None)
            start = clock.monotonic()
            job = node.wait_for_job(paths[0], LIMIT_SECONDS)
            if seed:
                seconds.append(clock.monotonic() - start)
    stages = {f"of which {s['stage']} (last round)": round(s["seconds"], 2) for s in job["stages"]}
    return {
        "last C-STORE response to report stored, seconds": {
            "median": round(statistics.median(seconds), 2),
            "least": round(min(seconds), 2),
            "most": round(max(seconds), 2),
            "of which quiet time (fallback evidence, 1 s)": 1.0,
            **stages,
        }
    }
