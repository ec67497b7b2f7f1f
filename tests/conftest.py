"""What holds for every test: where fixtures come from, and that a skipped test can be made to count as a failure."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.support")

_RANDOM: Final = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
"""Random cases go through whole lines, and no time is measured."""

_SUPPORT: Final = Path(__file__).parent / "support"

ABSENT_DATA: Final = "shared data absent"
"""The one accepted reason for a skip: data too large, or not ours, to commit (tests/support/shared_data.py)."""

pytest_plugins = sorted(
    f"tests.support.{module.stem}" for module in _SUPPORT.glob("*.py") if "@pytest.fixture" in module.read_text()
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--forbid-skips``, which the Makefile gives when CI is true."""
    parser.addoption("--forbid-skips", action="store_true", help="a skipped test fails the run, and is named")


def pytest_configure(config: pytest.Config) -> None:
    """Set how many random cases there are, and watch for skips where they are forbidden."""
    settings.register_profile("every run", _RANDOM, max_examples=50, derandomize=True)
    settings.register_profile("nightly", _RANDOM, max_examples=500)
    settings.load_profile(config.getoption("--hypothesis-profile") or "every run")
    if config.getoption("--forbid-skips"):
        config.pluginmanager.register(SkipGuard(), "skip-guard")


class SkipGuard:
    """Fails a run in which a test was skipped: what was not run was not shown."""

    def __init__(self) -> None:
        self.forbidden: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that skipped itself."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that skipped itself."""
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if ABSENT_DATA not in reason:
            self.forbidden.append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn success into failure before the summary is written."""
        if self.forbidden and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name the tests that were skipped."""
        if self.forbidden:
            terminalreporter.section("skipped, which counts as failed here", red=True, bold=True)
            for line in self.forbidden:
                terminalreporter.line(line)
