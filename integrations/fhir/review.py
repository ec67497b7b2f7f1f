"""What a person's review makes of a report: the report, its observations, and who it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from inference.domain.result import Report
from inference.domain.review import Review, Verdict
from integrations import report_text
from integrations.fhir import identifiers, provenance
from integrations.fhir.diagnostic_report import Telling
from integrations.fhir.elements import present
from integrations.fhir.links import Links
from integrations.fhir.revision import REVIEWED
from integrations.fhir.withdrawal import WITHDRAWN, in_error
from integrations.standing import fallen, standing

STATUSES: Final = {Verdict.ACCEPT: "final", Verdict.AMEND: "amended"}
_EXCLUDED: Final = "Excluded: "

Resource = dict[str, Any]


def can_be_reviewed(diagnostic: Resource, review: Review) -> bool:
    """Tell whether a stored DiagnosticReport takes a review.

    A withdrawn one does not, nor one that says that nothing was analysed, nor one that was reviewed after it.
    """
    if diagnostic.get("status") in (WITHDRAWN, "cancelled"):
        return False
    reviewed = diagnostic.get("status") in REVIEWED
    return not reviewed or datetime.fromisoformat(diagnostic["issued"]) <= review.at


def reviewed_report(diagnostic: Resource, report: Report, review: Review, results: Sequence[Resource]) -> Resource:
    """Give the DiagnosticReport as reviewed; all that was said of an earlier review goes.

    Parameters
    ----------
    diagnostic
        As it is stored; not changed.
    report
        As it was made.
    review
        Accepts or amends it.
    results
        References to the results that stand.
    """
    told = Telling(standing(report, review.excluded), review)
    person = Links(report.report_uid).to("reviewer") | {"display": report_text.reviewer(review)}
    organization = [{"type": "Organization", "display": review.organization}] if review.organization else []
    replaced = ("conclusionCode", "presentedForm", "result")
    kept = {name: value for name, value in diagnostic.items() if name not in replaced}
    return kept | present(
        {
            "status": STATUSES[review.verdict],
            "resultsInterpreter": [person],
            "performer": [person, *organization],
            "result": list(results),
            **told.elements(),
        }
    )


def reviewed_observation(observation: Resource, report: Report, review: Review) -> Resource:
    """Give an Observation of the report as reviewed: final, or in error where it does not stand.

    Parameters
    ----------
    observation
        As it is stored; not changed.
    report
        As it was made.
    review
        Accepts or amends it.
    """
    notes = [note for note in observation.get("note", []) if not note.get("text", "").startswith(_EXCLUDED)]
    plain = {name: value for name, value in observation.items() if name != "note"}
    standing_one = plain | {"status": "final", "issued": review.at.isoformat()} | present({"note": notes})
    if _stands(observation, report, review):
        return standing_one
    return in_error(standing_one, report_text.sentence(f"{_EXCLUDED}{review.reason}"))


def standing_results(observations: Sequence[Resource], report: Report, review: Review) -> list[Resource]:
    """Give those Observations that stand, in the order of the report."""
    return [one for one in observations if _stands(one, report, review)]


def review_entries(report: Report, review: Review) -> list[Resource]:
    """Give the entries that name the person and say what they did.

    Parameters
    ----------
    report
        As it was made.
    review
        Accepts or amends it.
    """
    links = Links(report.report_uid)
    identifier = identifiers.user(review.reviewer)
    request = {"method": "POST", "url": "Practitioner", "ifNoneExist": identifiers.search(identifier)}
    person = {"fullUrl": links.url("reviewer"), "resource": _practitioner(review, identifier), "request": request}
    return [person, provenance.reviewed(report, review, links)]


def _practitioner(review: Review, identifier: Resource) -> Resource:
    family, given = report_text.reviewer_parts(review)
    name = {"text": report_text.reviewer(review)} | present({"family": family, "given": [given] if given else None})
    return {"resourceType": "Practitioner", "identifier": [identifier], "name": [name]}


def _stands(observation: Resource, report: Report, review: Review) -> bool:
    gone = {identifiers.of_report(report, name)["value"] for name in fallen(report, review.excluded)}
    known_as = {one.get("value") for one in observation.get("identifier", [])}
    return not gone & known_as
