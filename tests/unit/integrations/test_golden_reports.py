"""What other systems are told, word for word: a change of a golden file is a change for whoever reads our reports.

``python -m tests.unit.integrations.test_golden_reports`` writes the files anew; read the difference first.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from inference.domain.result import Report
from integrations.fhir.mapping import report_bundle
from integrations.hl7.message import oru_r01
from tests.support.reports import accepted, findings_report, full_report, refused_report, tumor_report

FOLDER: Final = Path(__file__).parent / "golden"
REPORTS: Final[dict[str, Callable[[], Report]]] = {
    "full": full_report,
    "tumour": tumor_report,
    "findings": findings_report,
    "refused": refused_report,
}


def fhir(report: Report) -> str:
    """Give the Bundle, with its page as text instead of Base64."""
    return json.dumps(_readable(report_bundle(report)), ensure_ascii=False, indent=1) + "\n"


def hl7(report: Report) -> str:
    """Give the messages before and after a review, a segment a line."""
    messages = [oru_r01(report)]
    if report.refusal is None:
        messages.append(oru_r01(report, accepted(report)))
    return "\n".join(message.replace("\r", "\n") for message in messages)


def _readable(value: Any) -> Any:
    if isinstance(value, list):
        return [_readable(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("contentType") == "text/html":
        return value | {"data": base64.b64decode(value["data"]).decode().splitlines()}
    return {name: _readable(child) for name, child in value.items()}


@pytest.mark.parametrize("name", REPORTS)
def test_what_a_report_says_is_what_it_said(name: str) -> None:
    """In FHIR and in HL7 v2."""
    report = REPORTS[name]()
    assert fhir(report) == (FOLDER / f"{name}.fhir.json").read_text(encoding="utf-8")
    assert hl7(report) == (FOLDER / f"{name}.hl7.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    for each, make in REPORTS.items():
        (FOLDER / f"{each}.fhir.json").write_text(fhir(make()), encoding="utf-8")
        (FOLDER / f"{each}.hl7.txt").write_text(hl7(make()), encoding="utf-8")
