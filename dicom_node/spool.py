"""The spool: every received instance as a Part 10 file, byte for byte, under a name made of digests."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import weakref
from io import BytesIO
from pathlib import Path
from typing import Final

from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import write_file_meta_info

from inference.domain.identifiers import UID
from inference.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from inference.domain.study import InstanceIdentity, StoredInstance
from inference.errors import SpoolFull
from inference.ports import StudySpool
from integrations.durable_files import make_folder_durably, write_durably

_PREAMBLE: Final = b"\x00" * 128 + b"DICM"
_NAME_DIGITS: Final = 32
_INCOMING: Final = "incoming"


class FolderSpool(StudySpool):
    """A folder as spool: ``<study>/<series>/<instance>-<content>.dcm``, each part a SHA-256 digest.

    No received value becomes part of a path (CVE-2026-56445 was that). Other bytes under a known SOP Instance UID
    get another file name, so nothing is ever overwritten by something else.

    Parameters
    ----------
    root
        The folder; made where it does not exist. Temporary files that a killed process left there are removed.
    reserve_bytes
        Room that is never used, so that database and results can still be written when senders do not stop.
    """

    def __init__(self, root: Path, reserve_bytes: int = 0) -> None:
        self._root = root
        self._reserve_bytes = reserve_bytes
        self._scratch, held = _take_scratch(root / _INCOMING)
        weakref.finalize(self, os.close, held)

    def store(self, identity: InstanceIdentity, transfer_syntax_uid: UID, data_set: bytes) -> StoredInstance:
        """Keep one instance durably; see ``StudySpool``.

        Raises
        ------
        SpoolFull
            If the reserve would be touched or the file system refuses.
        """
        digest = hashlib.sha256(data_set).hexdigest()
        header = _PREAMBLE + _file_meta(identity, transfer_syntax_uid)
        path = self._root / _relative_path(identity, digest)
        try:
            self._check_room(len(header) + len(data_set))
            write_durably(path, header, data_set, scratch=self._scratch)
        except OSError as error:
            raise SpoolFull(f"the spool cannot take more ({type(error).__name__}, errno {error.errno})") from error
        return StoredInstance(identity, transfer_syntax_uid, path, digest, len(header) + len(data_set))

    def _check_room(self, wanted_bytes: int) -> None:
        status = os.statvfs(self._root)
        if status.f_bavail * status.f_frsize - wanted_bytes < self._reserve_bytes:
            raise SpoolFull("the spool has reached its reserve")


def _relative_path(identity: InstanceIdentity, content_digest: str) -> Path:
    instance = f"{_name(identity.sop_instance_uid)}-{content_digest[:_NAME_DIGITS]}.dcm"
    return Path(_name(identity.study_instance_uid), _name(identity.series_instance_uid), instance)


def _name(uid: UID) -> str:
    return hashlib.sha256(uid.encode("ascii")).hexdigest()[:_NAME_DIGITS]


def _file_meta(identity: InstanceIdentity, transfer_syntax_uid: UID) -> bytes:
    """Encode the File Meta Information (PS3.10 section 7.1), group length included."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = str(identity.sop_class_uid)
    meta.MediaStorageSOPInstanceUID = str(identity.sop_instance_uid)
    meta.TransferSyntaxUID = str(transfer_syntax_uid)
    meta.ImplementationClassUID = str(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    buffer = BytesIO()
    write_file_meta_info(buffer, meta, enforce_standard=True)
    return buffer.getvalue()


def _take_scratch(incoming: Path) -> tuple[Path, int]:
    """Remove what dead processes left, and make a scratch folder that is held for the life of this process.

    Several receivers may share one spool, so a folder is abandoned only if nobody holds its lock; the kernel lets go
    of a lock when its process dies.
    """
    make_folder_durably(incoming)
    starting = _open_folder(incoming)
    try:
        fcntl.flock(starting, fcntl.LOCK_EX)
        for folder in incoming.iterdir():
            _remove_if_abandoned(folder)
        scratch = Path(tempfile.mkdtemp(dir=incoming))
        held = _open_folder(scratch)
        fcntl.flock(held, fcntl.LOCK_EX)
    finally:
        os.close(starting)
    return scratch, held


def _remove_if_abandoned(folder: Path) -> None:
    handle = _open_folder(folder)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


def _open_folder(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
