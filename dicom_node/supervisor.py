"""``dicom-node up``: the node's processes under one parent, for the embedded default.

The children are the same commands that production runs under its own supervisor; a child that dies is started
again, and none outlives the parent (``PR_SET_PDEATHSIG``, prctl(2)).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import Final

import structlog

from inference.ports import Clock

LOG = structlog.get_logger(__name__)

PR_SET_PDEATHSIG: Final = 1

RESTART_WAIT_SECONDS: Final = 2.0
"""Time between a child's death and its next start."""

STOP_SECONDS: Final = 30.0
"""Time that a stopping child has; more than the 20 seconds that consumers and gunicorn give to the work at hand."""

DICOM_NODE: Final = (sys.executable, "-m", "dicom_node")


@dataclass(frozen=True, slots=True)
class ChildCommand:
    """One process of the node.

    Parameters
    ----------
    name
        Name in the log.
    arguments
        Arguments of ``dicom-node``.
    """

    name: str
    arguments: tuple[str, ...]


class Supervisor:
    """Starts children in this process's environment, restarts those that die, stops all.

    Parameters
    ----------
    commands
        What to run.
    clock
        Time, for the wait between restarts.
    program
        What takes the commands' arguments.
    stop_seconds
        How long a child may take to end.
    """

    def __init__(
        self,
        commands: Sequence[ChildCommand],
        clock: Clock,
        program: Sequence[str] = DICOM_NODE,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._commands = commands
        self._clock = clock
        self._program = program
        self._stop_seconds = stop_seconds
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._not_before: dict[str, float] = {}

    def run(self, stop: Event) -> None:
        """Keep all children running until ``stop`` is set, then stop them."""
        try:
            while not stop.is_set():
                self.tick()
                stop.wait(0.2)
        finally:
            self.stop()

    def tick(self) -> None:
        """Start what is not running and may be started."""
        for command in self._commands:
            child = self._children.get(command.name)
            if child is not None and child.poll() is None:
                continue
            if child is not None and command.name not in self._not_before:
                LOG.warning("child.died", child=command.name, status=child.returncode)
                _kill_group(child)
                self._not_before[command.name] = self._clock.monotonic() + RESTART_WAIT_SECONDS
            if self._clock.monotonic() >= self._not_before.get(command.name, 0.0):
                self._not_before.pop(command.name, None)
                self._children[command.name] = self._start(command)

    def stop(self) -> None:
        """Ask every child to end, and end those that do not within a bound, with whatever they started."""
        for child in self._children.values():
            if child.poll() is None:
                child.terminate()
        deadline = self._clock.monotonic() + self._stop_seconds
        for child in self._children.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.1, deadline - self._clock.monotonic()))
            _kill_group(child)
            child.wait()

    def _start(self, command: ChildCommand) -> subprocess.Popen[bytes]:
        LOG.info("child.start", child=command.name)
        return subprocess.Popen(  # noqa: S603 - our own commands
            [*self._program, *command.arguments],
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one async-signal-safe call, before any thread exists
            start_new_session=True,
        )


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """End a child and what it started: it leads a process group of its own."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
