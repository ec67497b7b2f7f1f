"""A worker gives back what a job took."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.integration

JOBS = 20
SCRIPT = "from tests.support.busy_worker import main; main()"


def test_memory_returns_after_a_job(tmp_path: Path) -> None:
    """The worker process is after 20 jobs within a tenth as large as it was after 2.

    It runs in a process of its own, with a real network, a real database and results on disk.
    """
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), str(JOBS)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    resident_mb = json.loads(done.stdout.splitlines()[-1])

    assert len(resident_mb) == JOBS
    assert resident_mb[-1] <= 1.1 * resident_mb[1], resident_mb
