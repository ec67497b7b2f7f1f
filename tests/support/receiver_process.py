"""A receiver in a process of its own, for a test to kill: ``python -m tests.support.receiver_process DIR``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Event

from sqlalchemy import URL, Engine

from dicom_node.handlers import Destination
from dicom_node.receiver import Receiver, ReceiverOptions
from dicom_node.spool import FolderSpool
from inference.domain.identifiers import AETitle
from integrations.persistence.engine import engine_for
from integrations.persistence.migrations import upgrade
from integrations.persistence.study_index import SQLStudyIndex
from integrations.system import SystemClock


def engine_in(folder: Path) -> Engine:
    """Give the migrated database of a node folder."""
    engine = engine_for(URL.create("sqlite", database=str(folder / "node.sqlite3")))
    upgrade(engine)
    return engine


def index_in(folder: Path, engine: Engine) -> SQLStudyIndex:
    """Give the index of a node folder."""
    return SQLStudyIndex(engine, SystemClock(), folder / "spool")


class ReceiverProcess:
    """A running receiver process on a node folder.

    Parameters
    ----------
    folder
        Holds spool and database.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        assert self._process.stdout is not None
        line = next(line for line in self._process.stdout if line.startswith("port "))
        self.port = int(line.split()[1])

    def kill(self) -> None:
        """End it at once, as the kernel does when memory is short (SIGKILL)."""
        self._process.kill()
        self._process.wait(10)

    def __enter__(self) -> ReceiverProcess:
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()


def main(folder: Path) -> None:
    """Receive until killed."""
    receiver = Receiver(
        ReceiverOptions(AETitle("NEURONOVA")),
        Destination(FolderSpool(folder / "spool"), index_in(folder, engine_in(folder))),
    )
    receiver.start()
    os.write(1, f"port {receiver.port}\n".encode())
    Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
