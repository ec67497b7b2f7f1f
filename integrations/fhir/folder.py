"""Keeps reports as files, for a node without a FHIR server."""

from __future__ import annotations

import json
import os
from pathlib import Path

from inference.domain.result import Report
from inference.errors import FHIRUnavailable
from inference.ports import ReportSink
from integrations.fhir.mapping import report_bundle


class FolderReportSink(ReportSink):
    """Writes each report's transaction Bundle as one JSON file, named by the report's UID.

    Parameters
    ----------
    folder
        Is made where it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def store(self, report: Report) -> str:
        """Write the Bundle durably and give the file's URI; the same report again replaces its file.

        Raises
        ------
        FHIRUnavailable
            If the file cannot be written.
        FHIRRejected
            If the report does not fit FHIR R4.
        """
        content = json.dumps(report_bundle(report), ensure_ascii=False, indent=1)
        path = self._folder.absolute() / f"{report.report_uid}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write_durably(path, content.encode())
        except OSError as error:
            raise FHIRUnavailable(f"the report cannot be written ({type(error).__name__})") from error
        return path.as_uri()


def _write_durably(path: Path, content: bytes) -> None:
    """Write beside the place, flush to disk, then rename: a reader sees the whole file or none."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
