"""A report in words: what FHIR, its page and HL7 v2 tell a reader alike."""

from __future__ import annotations

from typing import Final

from inference.domain.phrases import rounded
from inference.domain.result import Finding, Report, TumorDetection
from inference.domain.review import Review, Verdict

RESEARCH: Final = "Research use only. Not for diagnosis."
NOTICE: Final = f"{RESEARCH} Automatic result, not reviewed by a person."
"""Opens every conclusion that no person has reviewed."""
REPLACES_REVIEWED: Final = f"Automatic result, not reviewed by a person, that replaces a reviewed one. {RESEARCH}"
"""Opens the conclusion of a result that came after a person had reviewed an earlier one."""
REPLACED: Final = "replaced by a newer analysis"
"""Why an earlier result does not stand any more."""

_REVIEWED: Final = {Verdict.ACCEPT: "Accepted", Verdict.AMEND: "Amended", Verdict.REJECT: "Rejected"}


def conclusion(report: Report, review: Review | None = None, opening: str = NOTICE) -> str:
    """Say what this is, what was found, what was looked for in vain, and what a reader should know.

    Parameters
    ----------
    report
        What stands of it.
    review
        Who reviewed it; None before anybody did.
    opening
        First words of a report that nobody reviewed.
    """
    if report.refusal is not None:
        return f"{refusal(report)} {RESEARCH}"
    lines = [opening] if review is None else [RESEARCH, review_sentence(review)]
    if review is not None and review.conclusion:
        lines.append(sentence(review.conclusion))
    return " ".join([*lines, *findings(report)])


def findings(report: Report) -> list[str]:
    """Say, a sentence each, what measured, what was found, what was not, and what a reader should know."""
    lines = [f"Measured by {report.model_title} {report.model.version} ({report.manufacturer})."]
    if report.tumor is not None:
        lines.append(_tumor_sentence(report.tumor))
    lines += [finding_sentence(finding) for finding in report.findings]
    if report.absent:
        lines.append(f"Looked for and not found: {', '.join(report.absent)}.")
    if report.warnings:
        lines.append(f"Note: {'; '.join(report.warnings)}.")
    return lines


def refusal(report: Report) -> str:
    """Say why there is no result; nothing where there is one."""
    if report.refusal is None:
        return ""
    return sentence(f"Not analysed by {report.model_title} {report.model.version}: {report.refusal.message}")


def review_sentence(review: Review) -> str:
    """Say who reviewed the result, when (UTC is not assumed: the offset is told), and why it was changed."""
    at = review.at.isoformat(sep=" ", timespec="minutes")
    why = f": {review.reason}" if review.reason else ""
    return sentence(f"{_REVIEWED[review.verdict]} by {reviewer(review)} on {at}{why}")


def reviewer(review: Review) -> str:
    """Give the name of the person for reading, or of the account where that has none."""
    return person_name(*reviewer_parts(review)) or review.reviewer


def reviewer_parts(review: Review) -> tuple[str, str]:
    """Give family and given name of the first component group (PS3.5 section 6.2.1), empty when absent."""
    parts = [part.strip() for part in review.reviewer_name.split("=")[0].split("^")]
    return parts[0], parts[1] if len(parts) > 1 else ""


def person_name(family: str, given: str) -> str:
    """Write a name family first; the comma that says so stands only in names of Latin letters."""
    separator = ", " if f"{family}{given}".isascii() else " "
    return separator.join(filter(None, [family, given]))


def finding_sentence(finding: Finding) -> str:
    """Say whether something is there, and how sure that is."""
    known = "" if finding.probability is None else f", {_probability(finding.probability)}"
    return f"{finding.sided_name}: {'present' if finding.present else 'absent'}{known}."


def sentence(words: str) -> str:
    """End words with a full stop."""
    return words if words.endswith((".", "!", "?")) else f"{words}."


def number(value: float) -> str:
    """Write a number with at most four decimals, and without an exponent."""
    written = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def interpretation(value: float, usual: tuple[float, float]) -> tuple[str, str]:
    """Give code and name of where a value lies: below, above or within what is usual.

    Parameters
    ----------
    value
        The value.
    usual
        Lowest and highest usual value, in the same unit.

    Returns
    -------
    tuple
        Code of HL7's ObservationInterpretation (table 0078 of HL7 v2) and its display.
    """
    if value < usual[0]:
        return "L", "Low"
    return ("H", "High") if value > usual[1] else ("N", "Normal")


def _tumor_sentence(tumor: TumorDetection) -> str:
    if not tumor.tumor_detected:
        return f"No tumour found ({_probability(tumor.confidence)})."
    return f"Tumour found: {rounded(tumor.volume_ml)} mL, {_probability(tumor.confidence)}."


def _probability(probability: float) -> str:
    return f"probability {round(100 * probability, 1):g} %"
