"""The spool keeps bytes, durably, under names of its own."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from dicom_node.spool import FolderSpool
from inference.domain.identifiers import UID
from inference.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from inference.errors import SpoolFull
from tests.support.arrivals import SYNTAX, data_set_bytes, identity_of, small_bytes, small_instance

IDENTITY = identity_of(small_instance())


def kept_files(root: Path) -> list[Path]:
    """List all files under the spool."""
    return [path for path in root.rglob("*") if path.is_file()]


def test_bytes_are_kept_as_received(tmp_path: Path) -> None:
    """The file is Part 10 with our own File Meta, and behind it exactly the received bytes."""
    received = small_bytes()
    stored = FolderSpool(tmp_path).store(IDENTITY, SYNTAX, received)
    content = stored.path.read_bytes()
    assert data_set_bytes(content) == received
    assert stored.sha256 == hashlib.sha256(received).hexdigest()
    assert stored.size_bytes == len(content)
    meta = dcmread(stored.path).file_meta
    assert meta.MediaStorageSOPInstanceUID == IDENTITY.sop_instance_uid
    assert meta.TransferSyntaxUID == SYNTAX
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME


def test_names_are_digests(tmp_path: Path) -> None:
    """No part of a path comes from a received value."""
    path = FolderSpool(tmp_path).store(IDENTITY, SYNTAX, small_bytes()).path
    parts = path.relative_to(tmp_path).with_suffix("").parts
    assert len(parts) == 3
    assert all(set(part) <= set("0123456789abcdef-") for part in parts)


def test_the_same_again_is_one_file(tmp_path: Path) -> None:
    """A re-sent instance changes nothing; other bytes under its UID are kept beside it."""
    spool = FolderSpool(tmp_path)
    first = spool.store(IDENTITY, SYNTAX, small_bytes())
    assert spool.store(IDENTITY, SYNTAX, small_bytes()) == first
    other = spool.store(IDENTITY, SYNTAX, small_bytes(1))
    assert sorted(kept_files(tmp_path)) == sorted([first.path, other.path])


def test_bytes_are_on_disk_before_their_name_and_the_name_before_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is: fsync the file, rename it, fsync its folder."""
    spool = FolderSpool(tmp_path)
    spool.store(IDENTITY, SYNTAX, b"earlier")
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noting_fsync(handle: int) -> None:
        events.append("folder" if Path(f"/proc/self/fd/{handle}").is_dir() else "file")
        fsync(handle)

    def noting_replace(path: Path, target: Path) -> Any:
        events.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(Path, "replace", noting_replace)
    spool.store(IDENTITY, SYNTAX, small_bytes())
    assert events == ["file", "rename", "folder"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """When the file system refuses, the sender can be told so, and no torn file stays."""
    spool = FolderSpool(tmp_path)

    def refuse(_handle: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(SpoolFull):
            spool.store(IDENTITY, SYNTAX, small_bytes())
    assert kept_files(tmp_path) == []
    assert spool.store(IDENTITY, SYNTAX, small_bytes()).path.exists()


def test_the_reserve_is_never_touched(tmp_path: Path) -> None:
    """Below the watermark nothing is written."""
    spool = FolderSpool(tmp_path, reserve_bytes=1 << 62)
    with pytest.raises(SpoolFull):
        spool.store(IDENTITY, SYNTAX, small_bytes())
    assert kept_files(tmp_path) == []


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    """A start removes abandoned temporary files, but not those of another running receiver."""
    abandoned = tmp_path / "incoming" / "dead"
    abandoned.mkdir(parents=True)
    (abandoned / "torn.part").write_bytes(b"half")
    living = FolderSpool(tmp_path)
    FolderSpool(tmp_path)
    assert not abandoned.exists()
    assert living.store(IDENTITY, SYNTAX, small_bytes()).path.exists()


def test_other_encodings_are_named_in_the_file_meta(tmp_path: Path) -> None:
    """The transfer syntax of the file is the negotiated one."""
    implicit = UID("1.2.840.10008.1.2")
    stored = FolderSpool(tmp_path).store(IDENTITY, implicit, small_bytes())
    assert stored.transfer_syntax_uid == implicit
