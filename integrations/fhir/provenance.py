"""Who or what made a report, from what, and who reviewed it (FHIR R4 Provenance).

FHIR R4 gives a Provenance no identifier to search for, so each is written under an id of our making, derived from
what it is about: "update as create" (FHIR R4 section 3.1.0.4.1).
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from inference.domain.result import Report
from inference.domain.review import Review
from integrations import report_text
from integrations.fhir import identifiers
from integrations.fhir.elements import TERMINOLOGY
from integrations.fhir.links import Links

_ACTIVITY: Final = {"system": f"{TERMINOLOGY}/v3-DataOperation", "code": "UPDATE", "display": "revise"}

Resource = dict[str, Any]


def made(report: Report, links: Links) -> Resource:
    """Say what made the report and its DICOM objects, and from what.

    Parameters
    ----------
    report
        What is reported.
    links
        Addresses of the other resources.
    """
    objects = [
        {"identifier": identifiers.dicom_uid(item.identity.sop_instance_uid), "display": f"DICOM {item.kind}"}
        for item in report.evidence
    ]
    source_series = [
        {
            "role": "source",
            "what": {"identifier": identifiers.dicom_uid(series.series_instance_uid), "display": "DICOM series"},
        }
        for series in (report.source, *report.further_sources)
    ]
    provenance = {
        "resourceType": "Provenance",
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{report.report_uid} provenance")),
        "target": [links.to("report"), *objects],
        "recorded": report.produced_at.isoformat(),
        "agent": [{"type": _role("performer"), "who": links.to("device")}],
        "entity": [{"role": "source", "what": links.to("study")}, *source_series],
    }
    return _entry(links.url("provenance"), provenance)


def reviewed(report: Report, review: Review, links: Links) -> Resource:
    """Say who reviewed the report, when, and with what result; the same review gives the same one.

    Parameters
    ----------
    report
        What was reviewed.
    review
        The review.
    links
        Addresses of the report and of the person.
    """
    what = f"{report.report_uid} {review.reviewer} {review.at.isoformat()} {review.verdict}"
    activity: Resource = {"coding": [_ACTIVITY], "text": f"Review: {review.verdict.value}"}
    provenance: Resource = {
        "resourceType": "Provenance",
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{what} provenance")),
        "target": [links.to("report")],
        "recorded": review.at.isoformat(),
        "activity": activity,
        "agent": [
            {
                "type": _role("verifier"),
                "who": links.to("reviewer") | {"display": report_text.reviewer(review)},
            }
        ],
    }
    if review.reason:
        provenance["reason"] = [{"text": review.reason}]
    return _entry(links.url("review"), provenance)


def revising(entry: Resource, earlier: Resource) -> Resource:
    """Give the entry of a report's Provenance with the version of the report that it replaces.

    Servers may drop the version from the reference, so the earlier report's identifier is named as well.

    Parameters
    ----------
    entry
        As ``made`` gives it; not changed.
    earlier
        The DiagnosticReport as it is stored.
    """
    place = f"DiagnosticReport/{earlier['id']}/_history/{earlier['meta']['versionId']}"
    known = next(one for one in earlier["identifier"] if one.get("system") == identifiers.DICOM_UID_SYSTEM)
    plain = {name: value for name, value in known.items() if name in ("system", "value")}
    what = {"reference": place, "identifier": plain, "display": "Earlier result"}
    resource = entry["resource"]
    changed = resource | {"entity": [*resource["entity"], {"role": "revision", "what": what}]}
    return entry | {"resource": changed}


def _role(code: str) -> Resource:
    return {"coding": [{"system": f"{TERMINOLOGY}/provenance-participant-type", "code": code}]}


def _entry(address: str, provenance: Resource) -> Resource:
    request = {"method": "PUT", "url": f"Provenance/{provenance['id']}"}
    return {"fullUrl": address, "resource": provenance, "request": request}
