"""Take in and read files that nobody trusts, in a process of their own: ``python -m tests.support.read_corpus ROOT``.

Standard input names a file a line. Each goes the way of an instance that is received: parsed and kept, its series
closed by the intake; and the way of one that is read: header, geometry, pixels. For each a JSON line says how both
ended, how long they took and the most memory that this process and its decoders ever had.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.contexts import RECEIVED_TRANSFER_SYNTAXES
from dicom_node.folder_scan import scan
from dicom_node.headers import read_arrival
from dicom_node.inspect_folder import Inspector, inspect_folder
from dicom_node.intake import Intake
from dicom_node.spool import FolderSpool
from inference.decoder_pool import CompressedFrame, DecoderSupply
from inference.decoding import Stored, stored_values
from inference.domain.charsets import NOTHING_CONFIGURED
from inference.domain.identifiers import UID, AETitle
from inference.domain.study import CompletionEvidence, StoredInstance
from inference.errors import NodeError
from inference.file_format import open_file
from inference.headers import read_headers
from inference.pixel_data import encoded_frames, is_encapsulated, pixel_formats
from inference.volume_builder import build_volume
from integrations.system import SystemClock
from models.catalogue import FolderCatalogue, builtin_models_root
from tests.support.memory_index import MemoryIndex

EXPLICIT: Final = UID(ExplicitVRLittleEndian)


@dataclass
class Node:
    """What a file goes through."""

    spool: FolderSpool
    index: MemoryIndex
    intake: Intake
    catalogue: FolderCatalogue

    def ingest(self, path: Path) -> str:
        """Take a file in as the receiver does, and close its series; give how that ended."""
        try:
            start, syntax = announced(path)
            data_set = path.read_bytes()[start:]
            identity, header = read_arrival(data_set, syntax)
            self.index.add(self.spool.store(identity, syntax, data_set), header, AETitle("CORPUS"))
        except NodeError as error:
            return error.code
        self.intake.admit(self.index.series(identity.series_instance_uid, CompletionEvidence.QUIET_TIME))
        _, decision = self.index.rows[identity.series_instance_uid].decisions[-1]
        return decision.code or "analysed"

    def read(self, path: Path) -> str:
        """Look into a file as ``inspect`` and ``infer`` do, and decode its first frame; give how that ended."""
        inspect_folder(path.parent, Inspector(self.catalogue, NOTHING_CONFIGURED))
        found = scan(path.parent)
        if not found.series:
            return f"skipped: {found.skipped[0].reason}"
        (instance,) = found.series[0].instances
        try:
            decoded = decode_first(instance)
        except NodeError as error:
            return error.code
        try:
            build_volume(read_headers([instance]))
        except NodeError as error:
            return f"decoded {decoded.shape}, then {error.code}"
        return f"decoded {decoded.shape}"


def announced(path: Path) -> tuple[int, UID]:
    """Give where the data set of a file begins, and the encoding under which a sender would announce it."""
    try:
        with path.open("rb") as file:
            opened = open_file(file)
    except Exception:  # noqa: BLE001 - a sender would not know either
        return 0, EXPLICIT
    known = opened.transfer_syntax_uid in RECEIVED_TRANSFER_SYNTAXES
    return opened.begins_at, UID(opened.transfer_syntax_uid) if known else EXPLICIT


def decode_first(instance: StoredInstance) -> Stored:
    """Decode the first frame, in a child where it is compressed."""
    (header,) = read_headers([instance])
    (form,) = pixel_formats([header])
    _, frame = next(encoded_frames(header, form, [1]))
    if not is_encapsulated(header):
        return stored_values(frame, form, little_endian=header.data_set.original_encoding[1])
    decoded: list[Stored] = []
    with DecoderSupply(1).pool() as pool:
        compressed = CompressedFrame(0, frame, instance.transfer_syntax_uid, form)
        pool.decode([compressed], lambda _, stored: decoded.append(stored))
    return decoded[0]


def _largest_mb() -> float:
    """Give the most that this process, or any decoder that has ended, had in memory.

    Its own ``ru_maxrss`` begins with what the process had that started it, so the kernel's other count is read.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (own_kb,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return max(own_kb, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def _outcome(way: Any, path: Path) -> str:
    try:
        return str(way(path))
    except Exception as error:  # noqa: BLE001 - that is what the test looks for
        return f"raised {type(error).__name__}: {error}"


def main(root: Path) -> None:
    """Take in and read what standard input names."""
    catalogue = FolderCatalogue([builtin_models_root()])
    index = MemoryIndex(SystemClock())
    node = Node(FolderSpool(root / "spool"), index, Intake(index, catalogue), catalogue)
    for line in sys.stdin:
        path = Path(line.strip())
        start = time.perf_counter()
        ends = {"ingest": _outcome(node.ingest, path), "read": _outcome(node.read, path)}
        seconds = time.perf_counter() - start
        said = {"file": str(path), "seconds": seconds, "largest_mb": _largest_mb(), **ends}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
