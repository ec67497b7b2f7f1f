"""The parent of a node's processes: it starts what died again, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from structlog.testing import capture_logs

from dicom_node.bootstrap import CHILDREN, supervisor
from dicom_node.cli import cli
from dicom_node.supervisor import RESTART_WAIT_SECONDS, ChildCommand, Supervisor
from tests.support.fakes import FixedClock
from tests.support.repository import REPOSITORY
from tests.support.waiting import wait_until

NOTE = (
    "import os, signal, sys, time; note = lambda text: open(sys.argv[1], 'a').write(f'{text}\\n'); note(os.getpid());"
)
OBEDIENT = NOTE + "signal.signal(15, lambda *_: (note('ended'), sys.exit(0))); note('ready'); time.sleep(60)"
STUBBORN = NOTE + "signal.signal(15, signal.SIG_IGN); note('ready'); time.sleep(60)"
SHORT = NOTE + "sys.exit(3)"
PARENT = NOTE + "import subprocess; note(subprocess.Popen(['sleep', '60']).pid); note('ready'); time.sleep(60)"


def gone(pid: int) -> bool:
    """Tell whether a process has ended, whether or not somebody has asked for its status."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in {"Z", "X"}


class Children:
    """Harmless processes under a supervisor, each of which notes its process id and what it does.

    Parameters
    ----------
    folder
        For the notes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.clock = FixedClock()

    def supervisor(self, **scripts: str) -> Supervisor:
        """Give a supervisor of Python scripts."""
        commands = [ChildCommand(name, (script, str(self._folder / name))) for name, script in scripts.items()]
        self.last = Supervisor(commands, self.clock, program=(sys.executable, "-c"), stop_seconds=0.5)
        return self.last

    def notes(self, name: str) -> list[str]:
        """Read what a child has noted, over all its lives."""
        path = self._folder / name
        return path.read_text().split() if path.exists() else []

    def pids(self, name: str) -> list[int]:
        """Give the process ids that a child has noted."""
        return [int(word) for word in self.notes(name) if word.isdigit()]

    def wait_ready(self, name: str, lives: int = 1) -> None:
        """Wait until a child has come so far that it knows what to do on a signal."""
        wait_until(lambda: self.notes(name).count("ready") == lives, 20, f"{name} to be ready")


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    """Give a place for children; what is left of them at the end is killed."""
    made = Children(tmp_path)
    yield made
    for path in tmp_path.iterdir():
        for pid in made.pids(path.name):
            if not gone(pid):
                os.kill(pid, signal.SIGKILL)


def test_every_command_is_started_once(children: Children) -> None:
    """Further ticks leave what runs alone."""
    supervisor = children.supervisor(one=OBEDIENT, two=OBEDIENT)
    for _ in range(3):
        supervisor.tick()
    children.wait_ready("one")
    children.wait_ready("two")
    supervisor.stop()
    assert len(children.pids("one")) == len(children.pids("two")) == 1


def test_a_child_that_dies_is_started_again_after_a_while(children: Children) -> None:
    """Not at once, so that a fault at start does not spin; the others are not disturbed."""
    supervisor = children.supervisor(short=SHORT, other=OBEDIENT)
    with capture_logs() as logs:
        supervisor.tick()
        for lives in (1, 2, 3):
            wait_until(
                lambda n=lives: len(children.pids("short")) == n and gone(children.pids("short")[-1]), 20, "end"
            )
            supervisor.tick()
            children.clock.advance(RESTART_WAIT_SECONDS - 0.1)
            supervisor.tick()
            assert len(children.pids("short")) == lives
            children.clock.advance(0.2)
            supervisor.tick()
    children.wait_ready("other")
    supervisor.stop()

    assert len(children.pids("other")) == 1
    died = [entry for entry in logs if entry["event"] == "child.died"]
    assert [(entry["child"], entry["status"]) for entry in died] == [("short", 3)] * 3


def test_a_stop_lets_children_end_in_good_order(children: Children) -> None:
    """SIGTERM first, and time to finish."""
    supervisor = children.supervisor(one=OBEDIENT, two=OBEDIENT)
    supervisor.tick()
    children.wait_ready("one")
    children.wait_ready("two")

    supervisor.stop()

    assert children.notes("one")[-1] == children.notes("two")[-1] == "ended"


def test_a_stop_leaves_no_child_behind(children: Children) -> None:
    """One that does not listen, and one that has a child of its own, are gone when stop returns."""
    supervisor = children.supervisor(stubborn=STUBBORN, parent=PARENT, short=SHORT)
    supervisor.tick()
    for name in ("stubborn", "parent"):
        children.wait_ready(name)
    wait_until(lambda: children.pids("short"), 20, "the short child to be known")

    supervisor.stop()

    pids = [pid for name in ("stubborn", "parent", "short") for pid in children.pids(name)]
    assert len(pids) == 4
    wait_until(lambda: all(gone(pid) for pid in pids), 10, "every process to be gone")


def test_what_a_dead_child_leaves_is_cleared_before_it_is_started_again(children: Children) -> None:
    """Workers of a dead API would hold its port."""
    supervisor = children.supervisor(parent=PARENT)
    supervisor.tick()
    children.wait_ready("parent")
    child, grandchild = children.pids("parent")
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: gone(child), 10, "the child's end")
    assert not gone(grandchild)

    supervisor.tick()

    wait_until(lambda: gone(grandchild), 10, "the grandchild's end")
    supervisor.stop()


def test_run_goes_on_until_it_is_told_to_stop(children: Children) -> None:
    """Then everything has ended when it returns."""
    supervisor, stop = children.supervisor(one=OBEDIENT), Event()
    thread = Thread(target=supervisor.run, args=(stop,))
    thread.start()
    try:
        children.wait_ready("one")
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
    assert children.notes("one")[-1] == "ended"


def test_children_do_not_outlive_a_parent_that_is_killed(children: Children, tmp_path: Path) -> None:
    """``kill -9`` of the parent gives it no chance to stop anything; the kernel does it (PR_SET_PDEATHSIG)."""
    program = textwrap.dedent(
        """
        import sys
        from threading import Event
        from dicom_node.supervisor import ChildCommand, Supervisor
        from integrations.system import SystemClock
        command = ChildCommand("child", (sys.argv[1], sys.argv[2]))
        Supervisor([command], SystemClock(), program=(sys.executable, "-c")).run(Event())
        """
    )
    arguments = [sys.executable, "-c", program, STUBBORN, str(tmp_path / "orphan")]
    parent = subprocess.Popen(arguments, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    try:
        children.wait_ready("orphan")
    finally:
        parent.kill()
        parent.wait()
    (pid,) = children.pids("orphan")
    wait_until(lambda: gone(pid), 10, "the child to be gone")


def test_the_nodes_children_are_commands_that_exist() -> None:
    """Receiver, both workers and the API, each with arguments that the command line takes."""
    assert [child.name for child in CHILDREN] == ["receiver", "inference", "delivery", "api"]
    for child in CHILDREN:
        name, *rest = child.arguments
        with cli.commands[name].make_context(name, list(rest)):
            pass
    assert isinstance(supervisor(), Supervisor)
