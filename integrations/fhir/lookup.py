"""What a FHIR server knows already of what a report is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from inference.domain.result import Report
from inference.errors import FHIRRejected
from integrations.fhir import identifiers
from integrations.fhir.observations import observations
from integrations.fhir.transport import FHIRTransport, update_of

_AT_ONCE: Final = 50
"""Identifiers in one search; servers limit both the length of a request and the page they answer with."""

Resource = dict[str, Any]


class Lookup:
    """Searches of one server.

    Parameters
    ----------
    server
        The server.
    patient_systems
        FHIR system of PatientID by its issuer.
    """

    def __init__(self, server: FHIRTransport, patient_systems: Mapping[str, str]) -> None:
        self._server = server
        self._patient_systems = patient_systems

    def lineage(self, report: Report) -> tuple[list[Resource], list[Resource]]:
        """Give the DiagnosticReports of a report and of its lineage, and the Observations that they name."""
        known_as = [identifiers.dicom_uid(report.report_uid)]
        if report.lineage_uid is not None:
            known_as.append(identifiers.lineage(report.lineage_uid))
        condition = f"{identifiers.search(*known_as)}&_include=DiagnosticReport%3Aresult"
        found = self._server.search("DiagnosticReport", condition)
        diagnostics = [one for one in found if one["resourceType"] == "DiagnosticReport"]
        return diagnostics, [one for one in found if one["resourceType"] == "Observation"]

    def observations(self, report: Report) -> list[Resource]:
        """Give all Observations of a report, also those that it does not name any more, in the report's order."""
        wanted = [one["identifier"][0] for _, one in observations(report, {"subject": {}})]
        found: dict[str, Resource] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            condition = f"{identifiers.search(*wanted[start : start + _AT_ONCE])}&_count={_AT_ONCE}"
            for resource in self._server.search("Observation", condition):
                found |= {one["value"]: resource for one in resource["identifier"] if "value" in one}
        return [found[one["value"]] for one in wanted if one["value"] in found]

    def order(self, report: Report) -> str | None:
        """Give the reference to the patient's ServiceRequest with the accession number of the study.

        None where there is none, or where several could be meant: no link is better than a wrong one.
        """
        number, subject = report.source.accession_number, report.subject
        if not number or not subject.patient_id:
            return None
        patient = identifiers.patient(subject, report.source.study_instance_uid, self._patient_systems)
        whose = identifiers.search(patient).removeprefix("identifier=")
        condition = f"identifier={quote(identifiers.escape(number), safe='')}&subject%3APatient.identifier={whose}"
        try:
            found = self._server.search("ServiceRequest", condition)
        except FHIRRejected:  # a server that knows no orders, or no such search
            return None
        orders = [one for one in found if _has_accession(one, number)]
        return f"ServiceRequest/{orders[0]['id']}" if len(orders) == 1 else None

    def join_study(self, entry: Resource) -> bool:
        """Add what the server's ImagingStudy lacks, under its version; False where the server has none yet.

        Studies are shared by all who report on them, and the server's own content stays.

        Parameters
        ----------
        entry
            Of the transaction, with the study as we know it; becomes an update where the server lacks something.
        """
        found = self._server.search("ImagingStudy", identifiers.search(entry["resource"]["identifier"][0]))
        if len(found) != 1:
            return False
        joined = _join(found[0], entry["resource"])
        if joined != found[0]:
            entry |= update_of(found[0], joined)
        return True


def _join(stored: Resource, ours: Resource) -> Resource:
    """Give the stored study with the series and modalities of ours that it lacks."""
    known = {series["uid"] for series in stored.get("series", [])}
    kinds = {coding.get("code") for coding in stored.get("modality", [])}
    return stored | {
        "series": [*stored.get("series", []), *(s for s in ours["series"] if s["uid"] not in known)],
        "modality": [*stored.get("modality", []), *(m for m in ours["modality"] if m["code"] not in kinds)],
    }


def _has_accession(resource: Resource, number: str) -> bool:
    """Tell whether a resource has the accession number as such."""
    return resource.get("resourceType") == "ServiceRequest" and any(
        one.get("value") == number and {"ACSN"} & {c.get("code") for c in one.get("type", {}).get("coding", [])}
        for one in resource.get("identifier", [])
    )
