"""The DiagnosticReport: what it says of a result, before and after a person has reviewed it."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from inference.domain.codes import FHIR_SYSTEMS, NEOPLASM, Code
from inference.domain.result import Report
from inference.domain.review import Review, Verdict
from integrations import report_text
from integrations.fhir import identifiers
from integrations.fhir.elements import TERMINOLOGY, concept, moment, present
from integrations.fhir.html import LANGUAGE, report_page
from integrations.fhir.links import Links

_RADIOLOGY: Final = (
    {"system": FHIR_SYSTEMS["LN"], "code": "LP29684-5", "display": "Radiology"},
    {"system": f"{TERMINOLOGY}/v2-0074", "code": "RAD", "display": "Radiology"},
)

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Telling:
    """What is told of a report.

    Parameters
    ----------
    report
        What stands of it.
    review
        Who reviewed it; None before anybody did.
    opening
        First words of a report that nobody reviewed.
    """

    report: Report
    review: Review | None = None
    opening: str = report_text.NOTICE

    def elements(self) -> Resource:
        """Give the elements of the DiagnosticReport that differ before and after a review."""
        report, review = self.report, self.review
        issued = report.produced_at if review is None else review.at
        told: Resource = {
            "issued": issued.isoformat(),
            "conclusion": report_text.conclusion(report, review, self.opening),
        }
        return told | present({"conclusionCode": _conclusion_codes(report), "presentedForm": self._forms()})

    def _forms(self) -> list[Resource]:
        """Give the page, and the one-page PDF as it was made unless a person has amended what it says."""
        report, review = self.report, self.review
        page = report_page(report, review, self.opening).encode()
        forms = [_attachment("text/html", page, report.procedure.meaning)]
        if report.pdf_base64 and (review is None or review.verdict is Verdict.ACCEPT):
            title = f"{report.procedure.meaning}, as it was made automatically"
            forms.append(_attachment("application/pdf", base64.b64decode(report.pdf_base64), title))
        created = report.produced_at if review is None else review.at
        return [forms[0] | {"creation": created.isoformat()}, *forms[1:]]


def diagnostic_report(report: Report, links: Links, results: Sequence[str], order: str | None) -> Resource:
    """Give the DiagnosticReport of a result that no person has seen, or of a series that was not analysed.

    Parameters
    ----------
    report
        What is reported.
    links
        Addresses of the other resources.
    results
        Names of its Observations.
    order
        Reference to the ServiceRequest that asked for the study; None where it is not known.
    """
    diagnostic: Resource = {
        "resourceType": "DiagnosticReport",
        "identifier": identifiers.of_diagnostic_report(report),
        "status": "preliminary" if report.refusal is None else "cancelled",
        "category": [{"coding": [coding]} for coding in _RADIOLOGY],
        "code": concept(report.procedure, report.procedure.meaning),
        "subject": links.to("patient"),
        "imagingStudy": [links.to("study")],
    }
    return diagnostic | present(
        {
            "basedOn": [{"reference": order}] if order else None,
            "effectiveDateTime": moment(report.source.started_at),
            "result": [links.to(name) for name in results],
            **Telling(report).elements(),
        }
    )


def _attachment(content_type: str, content: bytes, title: str) -> Resource:
    """Give a document with its size in bytes and its SHA-1 (FHIR R4 section 2.24.0.3)."""
    digest = hashlib.sha1(content, usedforsecurity=False).digest()
    return {
        "contentType": content_type,
        "language": LANGUAGE,
        "data": base64.b64encode(content).decode(),
        "size": len(content),
        "hash": base64.b64encode(digest).decode(),
        "title": title,
    }


def _conclusion_codes(report: Report) -> list[Resource]:
    """Code what was found, each code once with all that it stands for.

    A model that looks for findings and has none says so in words.
    """
    if report.refusal is not None:
        reason = {"system": FHIR_SYSTEMS["99NEURONOVA"], "code": report.refusal.code}
        return [{"coding": [reason], "text": f"Not analysed: {report.refusal.message}"}]
    found: dict[Code, Counter[str]] = defaultdict(Counter)
    if report.tumor is not None and report.tumor.tumor_detected:
        found[NEOPLASM]["Tumour"] += 1
    for finding in report.findings:
        if finding.present:
            found[finding.label.type][finding.label.sided_name] += 1
    if not found and (report.tumor is not None or report.findings):
        return [{"text": "No finding"}]
    return [concept(code, "; ".join(map(_counted, names.items()))) for code, names in found.items()]


def _counted(named: tuple[str, int]) -> str:
    """Say how many there are of a name, where there are several."""
    name, number = named
    return name if number == 1 else f"{name} ({number})"
