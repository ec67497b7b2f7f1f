"""A folder of DICOM files, grouped into series, for work without a network or a database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import ImplicitVRLittleEndian

from inference.domain.identifiers import UID
from inference.domain.study import CompletionEvidence, InstanceIdentity, SeriesRevision, StoredInstance

IDENTIFIERS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


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
        found.setdefault(identity.series_instance_uid, {}).setdefault(identity.sop_instance_uid, read)
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
        data_set = dcmread(path, stop_before_pixels=True, specific_tags=[*IDENTIFIERS], force=True)
        values = [str(data_set.get(keyword, "")) for keyword in IDENTIFIERS]
    except (
        InvalidDicomError,
        OSError,
        ValueError,
        NotImplementedError,
        AttributeError,
        TypeError,
        KeyError,
        EOFError,
    ):
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
        transfer_syntax_uid=_transfer_syntax(data_set),
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )


def _transfer_syntax(data_set: Dataset) -> UID:
    meta = getattr(data_set, "file_meta", None)
    try:
        return UID(str(getattr(meta, "TransferSyntaxUID", "")))
    except ValueError:
        return UID(str(ImplicitVRLittleEndian))
