"""Fixtures of the DICOM door's tests; here and not in tests/support, because they load the whole pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from tests.support.work_bench import WorkBench


@pytest.fixture
def bench(sqlite_engine: Engine, tmp_path: Path) -> Iterator[WorkBench]:
    """Give a worker's surroundings, with nothing in them; what is logged is in ``bench.logs``."""
    with capture_logs() as logs:
        yield WorkBench(sqlite_engine, tmp_path / "spool", logs=logs)
