"""Starting a server for tests, waiting until it answers, and stopping exactly that process."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support.waiting import wait_until


def required_command(name: str) -> str:
    """Give the path of a command; where it is absent the test fails with its name."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    assert found is not None, f"{name} is not installed (scripts/install-test-servers.sh)"
    return found


class ServerProcess:
    """One server process with its output in a file.

    Parameters
    ----------
    command
        Program and arguments.
    log
        Where its output goes.
    environment
        Its environment; the test run's own by default.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment
            )

    def wait_ready(self, answers: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
        """Return when ``answers`` does; a server that ended instead fails the test with its log."""

        def ready() -> bool:
            assert self._process.poll() is None, f"{what} ended: {self.log.read_text(errors='replace')[-2000:]}"
            return answers()

        try:
            wait_until(ready, timeout_s, what)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ask it to end, and kill it where it does not within 20 seconds."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        self._process.kill()
        self._process.wait()
