"""Previews on disk, a file per job: they may be lost, and are then no longer shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from inference.domain.identifiers import JobID
from inference.errors import StoreUnavailable
from inference.ports import PreviewStore
from integrations.durable_files import write_durably

SUFFIX: Final = ".preview"


class PreviewFolder(PreviewStore):
    """A folder of previews.

    Parameters
    ----------
    root
        The folder; made when first needed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, job_id: JobID, parts: Sequence[bytes]) -> None:
        """Keep the preview of a job, so that a reader sees the earlier one or this, never a mixture.

        Raises
        ------
        StoreUnavailable
            If it cannot be written, for instance because the disk is full.
        """
        try:
            write_durably(self._path(job_id), *parts)
        except OSError as error:
            raise StoreUnavailable(f"the preview cannot be kept ({type(error).__name__})") from error

    def find(self, job_id: JobID) -> Path | None:
        """Give the file of a job's preview; None where there is none."""
        path = self._path(job_id)
        return path if path.is_file() else None

    def remove(self, job_id: JobID) -> None:
        """Delete the preview of a job, if there is one.

        Raises
        ------
        StoreUnavailable
            If it cannot be deleted.
        """
        try:
            self._path(job_id).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"the preview cannot be deleted ({type(error).__name__})") from error

    def _path(self, job_id: JobID) -> Path:
        return self._root / job_id[:2] / f"{job_id}{SUFFIX}"
