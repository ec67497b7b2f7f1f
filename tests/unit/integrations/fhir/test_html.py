"""The page of a report: well formed, nothing from elsewhere, and nothing of what it tells is taken for markup."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from inference.domain.result import Report
from inference.domain.review import Review
from integrations.fhir.html import report_page
from tests.support.reports import accepted, findings_report, full_report, refused_report, tumor_report

HOSTILE = '<script>alert("x")</script>&amp;'


def texts(page: str, element: str) -> list[str]:
    """Give the text of each element of a name."""
    root = ET.fromstring(page)
    return ["".join(one.itertext()) for one in root.iter(f"{{http://www.w3.org/1999/xhtml}}{element}")]


def hostile() -> Report:
    """Give a report in which every text is markup."""
    report = full_report()
    named = replace(report.measurements[0], label=HOSTILE)
    return replace(
        report,
        subject=replace(report.subject, family_name=HOSTILE, patient_id=HOSTILE),
        source=replace(report.source, study_description=HOSTILE, series_description=HOSTILE),
        measurements=(named,),
        absent=(HOSTILE,),
        warnings=(HOSTILE,),
        model_title=HOSTILE,
    )


@pytest.mark.parametrize(
    ("report", "review"),
    [
        (full_report(), None),
        (full_report(), accepted(full_report())),
        (hostile(), replace(accepted(full_report()), reviewer_name=HOSTILE, conclusion=HOSTILE)),
        (refused_report(), None),
        (tumor_report(), None),
        (findings_report(), None),
    ],
    ids=["full", "accepted", "hostile", "refused", "tumour", "findings"],
)
def test_every_page_is_well_formed_and_needs_nothing(report: Report, review: Review | None) -> None:
    """No script, no address of anything; the same report gives the same page."""
    page = report_page(report, review)
    names = {one.tag.rpartition("}")[2] for one in ET.fromstring(page).iter()}
    assert not names & {"script", "img", "link", "a", "iframe", "form"}
    assert "src=" not in page
    assert "url(" not in page
    assert page == report_page(report, review)


def test_what_a_text_holds_is_shown_as_it_is() -> None:
    """Not run."""
    cells = texts(report_page(hostile()), "td")
    assert sum(HOSTILE in cell for cell in cells) >= 4


def test_values_stand_beside_what_is_usual() -> None:
    """And a word says where they lie, if outside."""
    rows = texts(report_page(full_report()), "tr")
    assert "Left thalamusVolume15.1mL4.5 to 9High" in rows
    assert "Left CaudateVolume7.5mL8 to 12.5Low" in rows
    items = texts(report_page(full_report()), "li")
    assert "Looked for and not found: Hippocampus." in items
    assert "Note: One slice is missing." in items


def test_the_notice_says_who_has_seen_it() -> None:
    """Nobody, a person, or why there is nothing to see."""
    report = full_report()
    assert "not reviewed by a person" in texts(report_page(report), "p")[0]
    (seen,) = texts(report_page(report, accepted(report)), "p")
    assert "Accepted by Kim, Min & Ho" in seen
    assert "not reviewed" not in seen
    assert texts(report_page(refused_report()), "p") == [
        "Not analysed by Brain structures 1.2.0: two slices are missing. Research use only. Not for diagnosis."
    ]
