"""Keeps reports as files, for a node without a FHIR server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from inference.domain.result import Report
from inference.domain.review import Review
from inference.errors import FHIRUnavailable
from inference.ports import ReportSink
from integrations import report_text
from integrations.durable_files import write_durably
from integrations.fhir import identifiers, revision
from integrations.fhir.diagnostic_report import Telling
from integrations.fhir.mapping import report_bundle
from integrations.fhir.review import (
    can_be_reviewed,
    review_entries,
    reviewed_observation,
    reviewed_report,
    standing_results,
)
from integrations.fhir.withdrawal import withdrawn
from integrations.lineages import Entry, LineageFolder

LINEAGES: Final = "lineages"
"""Folder, beside the reports, that says which report of a lineage is the last."""

Resource = dict[str, Any]


class FolderReportSink(ReportSink):
    """Writes each report's transaction Bundle as one JSON file, named by the report's UID.

    Parameters
    ----------
    folder
        Is made where it does not exist.
    patient_systems
        FHIR system of PatientID by its issuer, ``""`` for no issuer, where the site has systems of its own.
    """

    def __init__(self, folder: Path, patient_systems: Mapping[str, str] = identifiers.NO_SYSTEMS) -> None:
        self._folder = folder.absolute()
        self._lineages = LineageFolder(self._folder / LINEAGES)
        self._patient_systems = patient_systems

    def store(self, report: Report) -> str:
        """Write the Bundle durably and give the file's URI; the same report again changes nothing.

        An earlier report of its lineage is withdrawn; of a later one the URI is given, and nothing is written.

        Raises
        ------
        FHIRUnavailable
            If the file cannot be written.
        FHIRRejected
            If the report does not fit FHIR R4.
        """
        path, bundle = self._path(report.report_uid), report_bundle(report, self._patient_systems)
        with _writing():
            last = self._last(report)
            if last is not None and (last.is_after(report) or not self._replace(last, report, bundle)):
                return self._path(last.report_uid).as_uri()
            kept = _diagnostic(_read(path))
            if kept is None or (last is not None and revision.is_withdrawn(kept)):
                _write(path, bundle)  # also where the same answer came again after another one
            if report.lineage_uid is not None:
                self._lineages.note(report)
        return path.as_uri()

    def review(self, report: Report, review: Review) -> str:
        """Write the Bundle anew as reviewed, and give the file's URI.

        The same review again changes nothing. A report that was withdrawn, replaced or reviewed later stays.

        Raises
        ------
        FHIRUnavailable, FHIRRejected
            As ``store``.
        """
        address, path = self.store(report), self._path(report.report_uid)
        with _writing():
            bundle = _read(path)
            diagnostic = _diagnostic(bundle)
            if diagnostic is not None and can_be_reviewed(diagnostic, review):
                _write(path, _reviewed(bundle, report, review))
        return address

    def withdraw(self, report: Report, reason: str) -> None:
        """Write the Bundle anew with report and observations entered in error, where there is one.

        Raises
        ------
        FHIRUnavailable, FHIRRejected
            As ``store``.
        """
        path = self._path(report.report_uid)
        with _writing():
            if not path.exists():
                return
            kept = _read(path)
            if _diagnostic(kept) is None:
                kept = report_bundle(report, self._patient_systems)
            _write(path, _withdrawn(kept, reason))

    def _last(self, report: Report) -> Entry | None:
        """Give the last report of the lineage where that is another one."""
        last = self._lineages.last(report)
        return None if last is None or last.report_uid == report.report_uid else last

    def _replace(self, last: Entry, report: Report, bundle: Resource) -> bool:
        """Withdraw the earlier report for a later one, which says so if a person had reviewed the earlier one.

        False where the earlier one stays.
        """
        earlier = _read(self._path(last.report_uid))
        was = _diagnostic(earlier)
        if was is None or revision.is_withdrawn(was):
            return True
        if not revision.gives_way(was, report):
            return False
        diagnostic = _diagnostic(bundle)
        if was["status"] in revision.REVIEWED and diagnostic is not None:
            diagnostic |= {"status": "amended"}
            diagnostic |= Telling(report, opening=report_text.REPLACES_REVIEWED).elements()
        _write(self._path(last.report_uid), _withdrawn(earlier, report_text.REPLACED))
        return True

    def _path(self, report_uid: str) -> Path:
        return self._folder / f"{report_uid}.json"


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FHIRUnavailable(f"the report cannot be written ({type(error).__name__})") from error


def _read(path: Path) -> Resource:
    """Give the Bundle of a file; an empty one where there is none, or none of ours."""
    try:
        bundle = json.loads(path.read_bytes())
        kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return {"entry": []}
    return bundle if "DiagnosticReport" in kinds else {"entry": []}


def _diagnostic(bundle: Resource) -> Resource | None:
    resources = [entry["resource"] for entry in bundle["entry"]]
    return next((one for one in resources if one["resourceType"] == "DiagnosticReport"), None)


def _withdrawn(bundle: Resource, reason: str) -> Resource:
    return bundle | {"entry": [e | {"resource": withdrawn(e["resource"], reason)} for e in bundle["entry"]]}


def _reviewed(bundle: Resource, report: Report, review: Review) -> Resource:
    """Give the Bundle as reviewed; the entries of an earlier review go with what it said."""
    person, signed = review_entries(report, review)
    known = {person["fullUrl"], signed["fullUrl"]}
    entries = [entry for entry in bundle["entry"] if entry["fullUrl"] not in known]
    observed = [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "Observation"]
    standing = {one["identifier"][0]["value"] for one in standing_results(observed, report, review)}
    results = [
        {"reference": entry["fullUrl"]}
        for entry in entries
        if entry["resource"]["resourceType"] == "Observation"
        and entry["resource"]["identifier"][0]["value"] in standing
    ]
    for entry in entries:
        if entry["resource"]["resourceType"] == "Observation":
            entry["resource"] = reviewed_observation(entry["resource"], report, review)
        if entry["resource"]["resourceType"] == "DiagnosticReport":
            entry["resource"] = reviewed_report(entry["resource"], report, review, results)
    return bundle | {"entry": [*entries, person, signed]}


def _write(path: Path, bundle: Resource) -> None:
    write_durably(path, json.dumps(bundle, ensure_ascii=False, indent=1).encode())
