"""Keeps reports as files, for a node without a FHIR server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inference.domain.result import Report
from inference.errors import FHIRUnavailable
from inference.ports import ReportSink
from integrations.durable_files import write_durably
from integrations.fhir.mapping import report_bundle
from integrations.fhir.withdrawal import WITHDRAWN, withdrawn


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

        A report that was withdrawn stays so.

        Raises
        ------
        FHIRUnavailable
            If the file cannot be written.
        FHIRRejected
            If the report does not fit FHIR R4.
        """
        path, bundle = self._path(report), report_bundle(report)
        with _writing():
            if not _is_withdrawn(path):
                _write(path, bundle)
        return path.as_uri()

    def withdraw(self, report: Report, reason: str) -> None:
        """Write the Bundle anew with report and observations entered in error, where there is one.

        Raises
        ------
        FHIRUnavailable, FHIRRejected
            As ``store``.
        """
        path, bundle = self._path(report), report_bundle(report)
        entries = [entry | {"resource": withdrawn(entry["resource"], reason)} for entry in bundle["entry"]]
        with _writing():
            if path.exists() and not _is_withdrawn(path):
                _write(path, bundle | {"entry": entries})

    def _path(self, report: Report) -> Path:
        return self._folder.absolute() / f"{report.report_uid}.json"


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FHIRUnavailable(f"the report cannot be written ({type(error).__name__})") from error


def _is_withdrawn(path: Path) -> bool:
    """Tell whether the file holds a withdrawn report, which a late repeat of its delivery must not bring back."""
    try:
        resources = [entry["resource"] for entry in json.loads(path.read_bytes())["entry"]]
        statuses = [one["status"] for one in resources if one["resourceType"] == "DiagnosticReport"]
    except (FileNotFoundError, ValueError, LookupError, TypeError):  # none yet, or none of ours
        return False
    return WITHDRAWN in statuses


def _write(path: Path, bundle: dict[str, Any]) -> None:
    write_durably(path, json.dumps(bundle, ensure_ascii=False, indent=1).encode())
