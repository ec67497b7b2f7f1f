"""Which of two reports stands, and what becomes of the other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.domain.result import Report
from integrations.fhir import revision
from integrations.fhir.folder import FolderReportSink
from integrations.fhir.mapping import report_bundle
from integrations.fhir.r4_guard import check_r4
from tests.support.reports import Names, accepted, amended, full_report, refused_report

Resource = dict[str, Any]


def diagnostic_of(report: Report, **changes: Any) -> Resource:
    """Give the DiagnosticReport of a report."""
    found = [entry["resource"] for entry in report_bundle(report)["entry"]]
    return next(one for one in found if one["resourceType"] == "DiagnosticReport") | changes


@pytest.mark.parametrize(
    ("stored", "hours", "refused", "expected"),
    [
        ("preliminary", 1, False, True),
        ("preliminary", -1, False, False),
        ("preliminary", 0, False, True),
        ("final", 1, False, True),
        ("cancelled", 1, False, True),
        ("preliminary", 1, True, True),
        ("final", 1, True, False),
        ("amended", 1, True, False),
    ],
)
def test_the_later_analysis_stands(stored: str, hours: int, refused: bool, expected: bool) -> None:
    """No result takes the place of a reviewed one; of two of the same moment always the same one stands."""
    make = refused_report if refused else full_report
    assert revision.gives_way(diagnostic_of(full_report(), status=stored), make(Names(2), hours=hours)) is expected


def test_of_two_of_the_same_moment_one_gives_way() -> None:
    """Else two writers would replace each other for ever."""
    first, second = full_report(Names(1)), full_report(Names(2))
    assert revision.gives_way(diagnostic_of(first), second)
    assert not revision.gives_way(diagnostic_of(second), first)


def test_a_report_of_a_server_that_says_no_period_is_dated_by_its_issue() -> None:
    """A person may have rewritten its identifiers."""
    stored = diagnostic_of(full_report(hours=3))
    for one in stored["identifier"]:
        one.pop("period", None)
    assert not revision.gives_way(stored, full_report(Names(2), hours=2))
    assert revision.gives_way(stored | {"identifier": []}, full_report(Names(2), hours=4))


def bundle_at(folder: Path, report: Report) -> Resource:
    """Give the file of a report."""
    bundle: Resource = json.loads((folder / f"{report.report_uid}.json").read_bytes())
    return bundle


def status_at(folder: Path, report: Report) -> str:
    """Give the status of the report in its file."""
    entries = bundle_at(folder, report)["entry"]
    (status,) = {e["resource"]["status"] for e in entries if e["resource"]["resourceType"] == "DiagnosticReport"}
    return str(status)


def test_a_folder_withdraws_the_earlier_report(tmp_path: Path) -> None:
    """The later one has its own file; late repeats of either change nothing."""
    first, second = full_report(), full_report(Names(2), hours=1)
    sink = FolderReportSink(tmp_path)
    sink.store(first)
    address = sink.store(second)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.json")}
    assert [sink.store(one) for one in (first, second)] == [address, address]
    assert {path: path.read_bytes() for path in tmp_path.glob("*.json")} == before
    assert (status_at(tmp_path, first), status_at(tmp_path, second)) == ("entered-in-error", "preliminary")
    assert "Withdrawn: replaced by a newer analysis." in json.dumps(bundle_at(tmp_path, first))


def test_a_folder_amends_what_a_person_had_reviewed(tmp_path: Path) -> None:
    """And no refusal takes it away."""
    first, second = full_report(), full_report(Names(2), hours=5)
    sink = FolderReportSink(tmp_path)
    sink.review(first, accepted(first))
    assert sink.store(refused_report(Names(3), hours=3)) == sink.store(first)
    assert status_at(tmp_path, first) == "final"
    sink.store(second)
    assert status_at(tmp_path, second) == "amended"
    assert "that replaces a reviewed one" in json.dumps(bundle_at(tmp_path, second))


def test_a_withdrawn_lineage_starts_anew_in_a_folder(tmp_path: Path) -> None:
    """The withdrawn file says its own reason still."""
    first, second = full_report(), full_report(Names(2), hours=1)
    sink = FolderReportSink(tmp_path)
    sink.store(first)
    sink.withdraw(first, "it was wrong")
    before = bundle_at(tmp_path, first)
    sink.store(second)
    assert bundle_at(tmp_path, first) == before
    assert status_at(tmp_path, second) == "preliminary"


def test_a_folder_keeps_reviews_as_a_server_does(tmp_path: Path) -> None:
    """The same again changes no byte, a later one stands, an earlier one that comes late does not."""
    report = full_report()
    sink, path = FolderReportSink(tmp_path), tmp_path / f"{report.report_uid}.json"
    sink.store(report)
    first = amended(report, report.measurements[0].tracking_uid, hours=2)
    sink.review(report, first)
    bundle, content = bundle_at(tmp_path, report), path.read_bytes()
    check_r4(bundle)
    sink.review(report, first)
    sink.store(report)
    assert path.read_bytes() == content
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert (kinds.count("Practitioner"), kinds.count("Provenance")) == (1, 2)
    observed = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Observation"]
    assert [one["status"] for one in observed] == [*["entered-in-error"] * 3, "final", "entered-in-error"]
    sink.review(report, accepted(report, hours=3))
    content = path.read_bytes()
    sink.review(report, first)
    assert path.read_bytes() == content
    assert status_at(tmp_path, report) == "final"


def test_a_withdrawn_or_replaced_file_takes_no_review(tmp_path: Path) -> None:
    """Nor is the later report touched."""
    first, second = full_report(), full_report(Names(2), hours=1)
    sink = FolderReportSink(tmp_path)
    sink.store(first)
    sink.store(second)
    sink.review(first, accepted(first))
    assert status_at(tmp_path, first) == "entered-in-error"
    assert status_at(tmp_path, second) == "preliminary"


def test_a_report_without_lineage_replaces_nothing(tmp_path: Path) -> None:
    """Reports of older versions of the node do not say theirs."""
    first, second = (replace(full_report(Names(n), hours=n), lineage_uid=None) for n in (1, 2))
    sink = FolderReportSink(tmp_path)
    sink.store(first)
    sink.store(second)
    assert {status_at(tmp_path, one) for one in (first, second)} == {"preliminary"}
