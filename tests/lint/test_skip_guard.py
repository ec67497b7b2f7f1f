"""A skipped test must be able to fail a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import REPOSITORY

SKIPPED = """
import pytest

def test_passes():
    pass

@pytest.mark.skip(reason={reason!r})
def test_skips():
    pass
"""


@pytest.fixture
def run(tmp_path: Path):
    """Run pytest on one test module under the repository's conftest, in a process of its own."""

    def _run(content: str, *options: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_sample.py").write_text(content)
        command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "--rootdir", str(tmp_path), *options, "."]
        environment = {"PYTHONPATH": str(REPOSITORY), "PATH": ""}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return _run


def test_a_skip_fails_the_run_where_skips_are_forbidden(run) -> None:
    """The run fails, names test and reason, and pytest's own count is still the last line."""
    done = run(SKIPPED.format(reason="server is missing"), "--forbid-skips")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "test_sample.py::test_skips: Skipped: server is missing" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout.strip().splitlines()[-1]


def test_a_module_that_skips_itself_fails_the_run_too(run) -> None:
    """``importorskip`` at the top of a module is a skip like any other."""
    done = run("import pytest\npytest.importorskip('no_such_module')\ndef test_passes(): pass\n", "--forbid-skips")
    assert done.returncode != pytest.ExitCode.OK
    assert "no_such_module" in done.stdout


def test_a_skip_is_only_shown_elsewhere(run) -> None:
    """A developer without some server can still work."""
    assert run(SKIPPED.format(reason="server is missing")).returncode == pytest.ExitCode.OK


def test_absent_shared_data_is_the_one_accepted_reason(run) -> None:
    """Data that may not be committed cannot be demanded of a fresh machine."""
    done = run(SKIPPED.format(reason="shared data absent"), "--forbid-skips")
    assert done.returncode == pytest.ExitCode.OK
