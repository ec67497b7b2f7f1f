"""A receiver with its spool and index in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicom_node.handlers import Destination
from dicom_node.receiver import Receiver, ReceiverOptions
from dicom_node.spool import FolderSpool
from inference.domain.identifiers import AETitle
from inference.ports import StudyIndex
from integrations.system import SystemClock
from tests.support.memory_index import MemoryIndex

OUR_TITLE = AETitle("NEURONOVA")


@dataclass
class Receiving:
    """What runs."""

    receiver: Receiver
    index: MemoryIndex
    root: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.receiver.port

    def digests(self) -> set[str]:
        """Give the content digests of all current instances."""
        return {i.sha256 for row in self.index.rows.values() for i in row.instances.values()}

    def files(self) -> list[Path]:
        """List the spool's files."""
        return sorted(path for path in self.root.rglob("*") if path.is_file())


@contextmanager
def receiving(root: Path, options: ReceiverOptions | None = None) -> Iterator[Receiving]:
    """Run a receiver on a free port with an index in memory."""
    index = MemoryIndex(SystemClock())
    with running_receiver(root, index, options) as receiver:
        yield Receiving(receiver, index, root)


@contextmanager
def running_receiver(root: Path, index: StudyIndex, options: ReceiverOptions | None = None) -> Iterator[Receiver]:
    """Run a receiver on a free port with a given index."""
    receiver = Receiver(
        options or ReceiverOptions(OUR_TITLE, network_timeout_s=10), Destination(FolderSpool(root), index)
    )
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop(grace_s=1.0)
