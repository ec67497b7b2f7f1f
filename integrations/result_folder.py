"""Results on disk: durable from ``save`` on, until somebody removes them."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from inference.domain.artifact import ArtifactKind, DicomArtifact, Segmentation
from inference.domain.identifiers import UID, JobID
from inference.domain.result import Report
from inference.domain.study import InstanceIdentity
from inference.errors import EncodingError, JobNotFound, StoreUnavailable
from inference.ports import ResultStore
from integrations.durable_files import make_folder_durably, write_durably

CURRENT: Final = "current"
"""File of a job's folder that names the folder with its present results."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class KeptArtifact:
    """Entry of a result folder's list.

    Parameters
    ----------
    kind, identity, transfer_syntax_uid, sha256, segmentation
        As in ``DicomArtifact``.
    file
        Name of the Part 10 file.
    """

    kind: ArtifactKind
    identity: InstanceIdentity
    transfer_syntax_uid: UID
    sha256: str
    file: str
    segmentation: Segmentation | None = None


class FolderResultStore(ResultStore):
    """A folder per job.

    An attempt's results are written into a folder of their own, and become the job's by one rename of the file
    that names it: a reader sees the old results or the new, never a mixture.

    Parameters
    ----------
    root
        Folder of all jobs; made when first needed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(
        self, job_id: JobID, artifacts: Sequence[DicomArtifact], report: Report, manifest: Mapping[str, object]
    ) -> None:
        """Keep a job's results durably, replacing what an earlier attempt left; the manifest lies in ``run.json``.

        Raises
        ------
        StoreUnavailable
            If they cannot be written, for instance because the disk is full.
        """
        try:
            with self._replacing(self._folder(job_id)) as folder:
                _write(folder, artifacts, report, manifest)
        except OSError as error:
            raise StoreUnavailable(f"the result cannot be kept ({type(error).__name__})") from error

    def artifacts(self, job_id: JobID) -> Sequence[DicomArtifact]:
        """Give the DICOM results of a job, each checked against its digest.

        Raises
        ------
        JobNotFound
            If the job has no results here.
        EncodingError
            If what is on disk is not what was written.
        StoreUnavailable
            If it cannot be read.
        """
        folder = self._present(job_id)
        return [
            _artifact(folder, kept) for kept in _parsed(tuple[KeptArtifact, ...], _read(folder / "artifacts.json"))
        ]

    def report(self, job_id: JobID) -> Report:
        """Give the report of a job.

        Raises
        ------
        JobNotFound, EncodingError, StoreUnavailable
            As ``artifacts``.
        """
        return _parsed(Report, _read(self._present(job_id) / "report.json"))

    def remove(self, job_id: JobID) -> bool:
        """Delete a job's results, and tell whether there were any.

        Raises
        ------
        StoreUnavailable
            If they cannot be deleted.
        """
        home = self._folder(job_id)
        if not home.is_dir():
            return False
        try:
            shutil.rmtree(home)
        except OSError as error:
            raise StoreUnavailable(f"the result cannot be removed ({type(error).__name__})") from error
        return True

    def _folder(self, job_id: JobID) -> Path:
        if not job_id.isalnum():
            raise JobNotFound("there is no such job")
        return self._root / job_id[:2] / job_id

    @contextmanager
    def _replacing(self, home: Path) -> Iterator[Path]:
        """Give a new folder, which becomes the job's when the block ends well."""
        make_folder_durably(home)
        replaced = (home / CURRENT).read_text(encoding="utf-8") if (home / CURRENT).exists() else None
        folder = Path(tempfile.mkdtemp(dir=home))
        yield folder
        write_durably(home / CURRENT, folder.name.encode())
        if replaced:  # and no other folder: a worker that lost its lease may still be writing one
            shutil.rmtree(home / replaced, ignore_errors=True)

    def _present(self, job_id: JobID) -> Path:
        home = self._folder(job_id)
        try:
            return home / (home / CURRENT).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise JobNotFound("the job has no results on this node") from error
        except OSError as error:
            raise StoreUnavailable(f"the result cannot be read ({type(error).__name__})") from error


def _write(folder: Path, artifacts: Sequence[DicomArtifact], report: Report, manifest: Mapping[str, object]) -> None:
    kept = []
    for number, artifact in enumerate(artifacts, start=1):
        name = f"{number:02d}-{artifact.kind.value}.dcm"
        write_durably(folder / name, artifact.content)
        kept.append(
            KeptArtifact(
                artifact.kind,
                artifact.identity,
                artifact.transfer_syntax_uid,
                artifact.sha256,
                name,
                artifact.segmentation,
            )
        )
    write_durably(folder / "artifacts.json", TypeAdapter(list[KeptArtifact]).dump_json(kept, indent=1))
    write_durably(folder / "report.json", TypeAdapter(Report).dump_json(report, indent=1))
    write_durably(folder / "run.json", json.dumps(manifest, indent=1).encode())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise EncodingError(f"{path.name} of the kept result is missing") from error
    except OSError as error:
        raise StoreUnavailable(f"the result cannot be read ({type(error).__name__})") from error


def _parsed(kind: type[Value], content: bytes) -> Value:
    try:
        return TypeAdapter(kind).validate_json(content)
    except ValidationError as error:
        raise EncodingError("the kept result cannot be read back") from error


def _artifact(folder: Path, kept: KeptArtifact) -> DicomArtifact:
    content = _read(folder / kept.file)
    if hashlib.sha256(content).hexdigest() != kept.sha256:
        raise EncodingError(f"{kept.file} of the kept result is damaged")
    return DicomArtifact(kept.kind, kept.identity, kept.transfer_syntax_uid, content, kept.sha256, kept.segmentation)
