"""Images per second of our receiver, of DCMTK ``storescp`` and of Orthanc, sent by the same ``storescu`` in turn.

Every answer of ours means: bytes fsynced, renamed, folder fsynced, row committed. ``storescp`` syncs nothing;
Orthanc writes its index in a transaction. DCMTK to DCMTK is held back by delayed acknowledgements with one
association, so one and four associations are measured.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.processes import orthanc, our_receiver, storescp
from dicom_node.demo.phantom import Rendering, write
from integrations.system import SystemClock

RECEIVERS: Mapping[str, Callable[[Path], AbstractContextManager[int]]] = {
    "ours": our_receiver,
    "storescp": storescp,
    "orthanc": orthanc,
}
ROUNDS = 3
IMAGES = 240


def measure() -> dict[str, Any]:
    """Send phantoms to each receiver in turn; a new study in every round, so that nothing is a duplicate."""
    rates: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for round_number in range(ROUNDS):
            folder = Path(name) / f"images{round_number}"
            paths = write(folder, Rendering(seed=100 + round_number))[:IMAGES]
            for associations in (1, 4):
                for receiver, run in RECEIVERS.items():
                    target = Path(name) / f"{receiver}{round_number}{associations}"
                    target.mkdir()
                    with run(target) as port:
                        rate = len(paths) / _send(paths, port, associations)
                    rates.setdefault((receiver, associations), []).append(rate)
    return {f"{n} association{'s' * (n > 1)}, images/s": _summary(rates, n) for n in (1, 4)}


def _send(paths: list[Path], port: int, associations: int) -> float:
    clock = SystemClock()
    start = clock.monotonic()
    senders = [
        subprocess.Popen(
            ["/usr/bin/storescu", "-aec", "NEURONOVA", "127.0.0.1", str(port), *map(str, paths[part::associations])]
        )
        for part in range(associations)
    ]
    statuses = [sender.wait() for sender in senders]
    if any(statuses):
        raise RuntimeError("storescu failed")
    return clock.monotonic() - start


def _summary(rates: Mapping[tuple[str, int], list[float]], associations: int) -> dict[str, float]:
    median = {receiver: statistics.median(rates[receiver, associations]) for receiver in RECEIVERS}
    rounded = {receiver: round(value, 1) for receiver, value in median.items()}
    others = {f"ours / {other}": round(median["ours"] / median[other], 2) for other in RECEIVERS if other != "ours"}
    return rounded | others
