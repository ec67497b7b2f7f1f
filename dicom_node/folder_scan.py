"""A folder of DICOM files, grouped into series, for work without a network or a database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.tag import Tag

from inference.domain.identifiers import UID
from inference.domain.study import CompletionEvidence, InstanceIdentity, SeriesRevision, StoredInstance
from inference.domain.transfer_syntaxes import IMPLICIT
from inference.encoding.libraries import silence
from inference.file_format import open_file

IDENTIFIERS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_IDENTIFIER_TAGS: Final = tuple(map(Tag, IDENTIFIERS))


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that is no instance of any series, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class FolderScan:
    """What a folder holds.

    Parameters
    ----------
    series
        The series found, in order of their UIDs.
    skipped
        Files that belong to none.
    """

    series: tuple[SeriesRevision, ...]
    skipped: tuple[SkippedFile, ...]


def scan(folder: Path) -> FolderScan:
    """Read the identifiers of every file below a folder and group them into series.

    A SOP instance that is there twice is taken once (the first path in order). Nothing is written.

    Parameters
    ----------
    folder
        Where to look, recursively.
    """
    found: dict[UID, dict[UID, StoredInstance]] = {}
    skipped: list[SkippedFile] = []
    for path in _files(folder):
        read = _read_instance(path)
        if isinstance(read, SkippedFile):
            skipped.append(read)
            continue
        identity = read.identity
        series = found.setdefault(identity.series_instance_uid, {})
        if series.setdefault(identity.sop_instance_uid, read) is not read:
            skipped.append(SkippedFile(path, "the same instance as another file"))
    return FolderScan(tuple(_series(found[uid]) for uid in sorted(found)), tuple(skipped))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _series(instances: dict[UID, StoredInstance]) -> SeriesRevision:
    ordered = tuple(instances[uid] for uid in sorted(instances))
    identity = ordered[0].identity
    return SeriesRevision(
        study_instance_uid=identity.study_instance_uid,
        series_instance_uid=identity.series_instance_uid,
        revision=1,
        instances=ordered,
        evidence=CompletionEvidence.OFFLINE,
    )


def _read_instance(path: Path) -> StoredInstance | SkippedFile:
    try:
        with silence(), path.open("rb") as file:
            opened = open_file(file)
            data_set = opened.read(_IDENTIFIER_TAGS)
        values = [str(data_set.get(keyword, "")) for keyword in IDENTIFIERS]
    except Exception:  # noqa: BLE001 - files made by strangers; a dozen exception types are known
        return SkippedFile(path, "not readable as DICOM")
    if not all(values):
        return SkippedFile(path, "no DICOM instance: an identifier is missing")
    try:
        study, series, instance, sop_class = (UID(value) for value in values)
    except ValueError:
        return SkippedFile(path, "an identifier is not a valid UID")
    content = path.read_bytes()
    return StoredInstance(
        identity=InstanceIdentity(study, series, instance, sop_class),
        transfer_syntax_uid=_transfer_syntax(opened.transfer_syntax_uid),
        path=path,
        # Preamble and File Meta are left out, as a sender does: they tell of the writer only.
        sha256=hashlib.sha256(memoryview(content)[opened.begins_at :]).hexdigest(),
        size_bytes=len(content),
    )


def _transfer_syntax(named: str) -> UID:
    try:
        return UID(named)
    except ValueError:
        return IMPLICIT
