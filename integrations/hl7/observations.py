"""Measurements, findings and documents as OBX segments (HL7 v2.5.1 section 7.4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from inference.domain.codes import ABSENT, NEOPLASM, PERCENT, PRESENT, PROBABILITY, Code
from inference.domain.result import Measurement, Report
from inference.domain.review import Review, Verdict
from integrations import report_text
from integrations.hl7.segments import coded, components, escape, segment, timestamp
from integrations.standing import fallen, measurement_name

IMPRESSION: Final = Code("19005-8", "LN", "Radiology Imaging study [Impression] (narrative)")
DOCUMENT: Final = Code("18748-4", "LN", "Diagnostic imaging study")
STUDY: Final = Code("110180", "DCM", "Study Instance UID")
REASON: Final = Code("not-analysed", "99NEURONOVA", "Why there is no result")
DELETED: Final = "D"
"""OBX-11 of what a person took out of the report (table 0085)."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """Result statuses.

    Parameters
    ----------
    order
        OBR-25, table 0123.
    observation
        OBX-11, table 0085.
    """

    order: str
    observation: str


@dataclass(frozen=True, slots=True)
class _Said:
    """One observation before it is numbered.

    Parameters
    ----------
    kind
        Data type of the value (OBX-2).
    what
        Written identifier (OBX-3).
    value
        Written value (OBX-5).
    name
        Of what it is part, as ``integrations.standing`` names it; empty for what nobody takes out.
    unit, usual, flag
        Written OBX-6 to OBX-8.
    """

    kind: str
    what: str
    value: str
    name: str = ""
    unit: str = ""
    usual: str = ""
    flag: str = ""


def observation_segments(report: Report, review: Review | None, statuses: Statuses, conclusion: str) -> Iterator[str]:
    """Write the observations of a report: in words first, then coded, then numbers, then the PDF.

    What a person took out of the report is told as deleted, under the sub-id (OBX-4) that it had.

    Parameters
    ----------
    report
        As it was made.
    review
        Who reviewed it; None before anybody did.
    statuses
        Of what stands.
    conclusion
        In words.
    """
    gone = frozenset() if review is None else fallen(report, review.excluded)
    subs = {name: str(number) for number, name in enumerate(_names(report), start=1)}
    for number, said in enumerate(_all_said(report, review, conclusion), start=1):
        fields = {
            1: str(number),
            2: said.kind,
            3: said.what,
            4: subs.get(said.name.split("/")[0], ""),
            5: said.value,
            6: said.unit,
            7: said.usual,
            8: said.flag,
            11: DELETED if said.name in gone else statuses.observation,
            14: timestamp(report.source.started_at),
            17: components("", f"{report.model_title} {report.model.version}"),
            18: components(f"{report.model.model_id}/{report.model.version}", report.manufacturer),
            19: timestamp(report.produced_at),
        }
        yield segment("OBX", fields)


def _all_said(report: Report, review: Review | None, conclusion: str) -> Iterator[_Said]:
    yield _Said("FT", coded(IMPRESSION), escape(conclusion))
    yield _Said("ST", coded(STUDY), escape(report.source.study_instance_uid))
    if report.refusal is not None:
        reason = Code(report.refusal.code, "99NEURONOVA", "Reason")
        yield _Said("CWE", coded(REASON), coded(reason, report.refusal.message))
    yield from _tumor(report)
    yield from _findings(report)
    for position, measurement in enumerate(report.measurements):
        yield _measurement(measurement, position)
    if report.pdf_base64 and (review is None or review.verdict is Verdict.ACCEPT):
        yield _Said("ED", coded(DOCUMENT), components("", "AP", "PDF", "Base64", report.pdf_base64))


def _tumor(report: Report) -> Iterator[_Said]:
    if report.tumor is not None:
        yield _Said("CWE", coded(NEOPLASM, "Tumour"), _presence(report.tumor.tumor_detected), "tumor")
        yield _probability("Tumour", report.tumor.confidence, "tumor")


def _findings(report: Report) -> Iterator[_Said]:
    for finding in report.findings:
        name = str(finding.tracking_uid)
        yield _Said("CWE", coded(finding.label.type, finding.sided_name), _presence(finding.present), name)
        if finding.probability is not None:
            yield _probability(finding.sided_name, finding.probability, name)


def _measurement(measurement: Measurement, position: int) -> _Said:
    """Say a number; the identifier is the quantity, and the structure its alternate (data type CE)."""
    quantity, finding, usual = measurement.quantity, measurement.finding, measurement.reference_range
    text = f"{measurement.sided_name}: {quantity.meaning}"
    what = f"{coded(quantity, text)}^{coded(finding)}"
    name = measurement_name(measurement, position)
    span = "" if usual is None else "-".join(map(report_text.number, usual))
    flag = "" if usual is None else report_text.interpretation(measurement.value, usual)[0]
    return _Said("NM", what, report_text.number(measurement.value), name, coded(measurement.unit), span, flag)


def _probability(of: str, probability: float, name: str) -> _Said:
    value = report_text.number(100 * probability)
    return _Said("NM", coded(PROBABILITY, f"{of}: Probability"), value, name, coded(PERCENT))


def _presence(found: bool) -> str:
    return coded(PRESENT if found else ABSENT)


def _names(report: Report) -> list[str]:
    """Give what has a sub-id: each finding and structure once, also with several numbers."""
    names = ["tumor"] if report.tumor is not None else []
    names += [str(finding.tracking_uid) for finding in report.findings]
    names += [measurement_name(one, n).split("/")[0] for n, one in enumerate(report.measurements)]
    return list(dict.fromkeys(names))
