"""A report as one small page, for readers of FHIR who show nothing else (DiagnosticReport.presentedForm)."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from inference.domain.phrases import rounded
from inference.domain.result import Measurement, Report
from inference.domain.review import Review
from integrations import report_text

LANGUAGE: Final = "en"

_STYLE: Final = (
    "body{font-family:sans-serif;max-width:50em;margin:1em auto;padding:0 1em}"
    "table{border-collapse:collapse}th,td{border:1px solid #999;padding:.2em .6em;text-align:left}"
    "td.n{text-align:right}.notice{border:2px solid #b00;padding:.5em}"
)


def report_page(report: Report, review: Review | None = None, opening: str = report_text.NOTICE) -> str:
    """Write a report as HTML that needs nothing from elsewhere, and is well-formed XML too.

    Parameters
    ----------
    report
        What stands of it.
    review
        Who reviewed it; None before anybody did.
    opening
        First words of a report that nobody reviewed.
    """
    title = escape(report.procedure.meaning)
    return (
        f'<!DOCTYPE html>\n<html lang="{LANGUAGE}" xmlns="http://www.w3.org/1999/xhtml"><head><meta charset="utf-8"/>'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"{_about(report)}{_notice(report, review, opening)}{_measurements(report)}{_findings(report)}"
        "</body></html>\n"
    )


def _about(report: Report) -> str:
    """Say of whom and of which study the page is."""
    subject, source = report.subject, report.source
    name = report_text.person_name(subject.family_name, subject.given_name)
    started = "" if source.started_at is None else source.started_at.date().isoformat()
    rows = (
        ("Patient", name),
        ("Patient ID", subject.patient_id),
        ("Born", subject.birth_date),
        ("Study", source.study_description),
        ("Study date", started),
        ("Accession number", source.accession_number),
        ("Series", source.series_description),
        ("Analysed", report.produced_at.isoformat(sep=" ", timespec="minutes")),
    )
    return _table((f"<tr><th>{label}</th><td>{escape(value)}</td></tr>" for label, value in rows if value), "")


def _notice(report: Report, review: Review | None, opening: str) -> str:
    """Say first what the page is worth."""
    if report.refusal is not None:
        words = [report_text.refusal(report), report_text.RESEARCH]
    elif review is None:
        words = [opening]
    else:
        words = [report_text.RESEARCH, report_text.review_sentence(review), review.conclusion]
    return f'<p class="notice">{escape(" ".join(filter(None, words)))}</p>'


def _measurements(report: Report) -> str:
    if not report.measurements:
        return ""
    head = "<tr><th>Structure</th><th>Quantity</th><th>Value</th><th>Unit</th><th>Usual range</th><th></th></tr>"
    return f"<h2>Measurements</h2>{_table(map(_row, report.measurements), head)}"


def _row(measurement: Measurement) -> str:
    usual = measurement.reference_range
    span = "" if usual is None else f"{report_text.number(usual[0])} to {report_text.number(usual[1])}"
    flag = "" if usual is None else report_text.interpretation(measurement.value, usual)[1]
    cells = [
        f"<td>{escape(measurement.sided_name)}</td><td>{escape(measurement.quantity.meaning)}</td>",
        f'<td class="n">{rounded(measurement.value)}</td><td>{escape(measurement.unit.meaning)}</td>',
        f"<td>{span}</td><td>{'' if flag == 'Normal' else flag}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _findings(report: Report) -> str:
    """Give what is said in words."""
    if report.refusal is not None:
        return ""
    items = (f"<li>{escape(line)}</li>" for line in report_text.findings(report))
    return f"<h2>Findings</h2><ul>{''.join(items)}</ul>"


def _table(rows: Iterable[str], head: str) -> str:
    top = f"<thead>{head}</thead>" if head else ""
    return f"<table>{top}<tbody>{''.join(rows)}</tbody></table>"
