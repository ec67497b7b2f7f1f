"""Which of two reports on the same series by the same model stands, and how the later one takes its place."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from inference.domain.result import Report
from integrations import report_text
from integrations.fhir import identifiers
from integrations.fhir.diagnostic_report import Telling
from integrations.fhir.withdrawal import WITHDRAWN, in_error

REVIEWED: Final = frozenset({"final", "amended", "corrected", "appended"})
"""Statuses that only a person gives."""
REPLACED_NOTE: Final = report_text.sentence(report_text.REPLACED.capitalize())

Resource = dict[str, Any]


def is_of(resource: Resource, report: Report) -> bool:
    """Tell whether a DiagnosticReport is that of a report, or an Observation one of its."""
    if resource["resourceType"] == "DiagnosticReport":
        return _has(resource, identifiers.dicom_uid(report.report_uid))
    return any(
        one.get("system") == identifiers.OBSERVATION_SYSTEM
        and str(one.get("value", "")).startswith(f"{report.report_uid}/")
        for one in resource.get("identifier", [])
    )


def is_ours(observation: Resource) -> bool:
    """Tell whether an Observation is a node's; a person may have added others."""
    systems = {one.get("system") for one in observation.get("identifier", [])}
    return observation["resourceType"] == "Observation" and identifiers.OBSERVATION_SYSTEM in systems


def results_of_others(diagnostic: Resource, observations: Iterable[Resource]) -> list[Resource]:
    """Give the references of a DiagnosticReport to Observations that are not a node's.

    Parameters
    ----------
    diagnostic
        As it is stored.
    observations
        What it names, as stored.
    """
    others = {f"Observation/{one['id']}" for one in observations if not is_ours(one)}
    return [one for one in diagnostic.get("result", []) if one.get("reference") in others]


def newest(diagnostics: Iterable[Resource]) -> Resource | None:
    """Give the DiagnosticReport whose run was ordered last; of equal ones always the same."""
    return max(diagnostics, key=_age, default=None)


def gives_way(stored: Resource, report: Report) -> bool:
    """Tell whether a stored DiagnosticReport is replaced by a report of its lineage.

    A later result replaces an earlier one. Where a later analysis gave no result, a report that a person has
    reviewed stays.
    """
    if report.refusal is not None and stored.get("status") in REVIEWED:
        return False
    return _age(stored) < (report.succession, f"urn:oid:{report.report_uid}")


def replacing(stored: Resource, fresh: Resource, report: Report) -> Resource:
    """Give the DiagnosticReport of a report in the place of an earlier one.

    What a person had reviewed becomes ``amended`` and says that nobody has reviewed this. Results that are not a
    node's stay.

    Parameters
    ----------
    stored
        The earlier one.
    fresh
        The later one as it would be created.
    report
        The later one.
    """
    wanted = fresh | {"id": stored["id"]}
    if stored.get("status") in REVIEWED:
        wanted |= {"status": "amended"} | Telling(report, opening=report_text.REPLACES_REVIEWED).elements()
    return wanted


def replaced(observation: Resource) -> Resource:
    """Give an Observation of ours as replaced."""
    return in_error(observation, REPLACED_NOTE)


def is_withdrawn(resource: Resource) -> bool:
    """Tell whether it must not be used."""
    return bool(resource.get("status") == WITHDRAWN)


def _age(diagnostic: Resource) -> tuple[datetime, str]:
    """Give when its run was ordered, and the identifier to tell equal ones apart."""
    for one in diagnostic.get("identifier", []):
        if one.get("system") == identifiers.DICOM_UID_SYSTEM:
            produced_at = one.get("period", {}).get("start") or diagnostic["issued"]
            return datetime.fromisoformat(produced_at), str(one.get("value", ""))
    return datetime.fromisoformat(diagnostic["issued"]), ""


def _has(resource: Resource, identifier: Resource) -> bool:
    return any(
        (one.get("system"), one.get("value")) == (identifier["system"], identifier["value"])
        for one in resource.get("identifier", [])
    )
