"""Reports as files."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from inference.domain.identifiers import UID
from inference.errors import FHIRUnavailable
from integrations.fhir.folder import FolderReportSink
from integrations.fhir.mapping import report_bundle
from tests.support.reports import Names, make_report, tumor_report


def test_a_report_is_one_file_that_holds_its_bundle(tmp_path: Path) -> None:
    """Found at the address that is given; nothing unfinished is left."""
    report = make_report()
    address = FolderReportSink(tmp_path / "reports").store(report)
    (path,) = (tmp_path / "reports").iterdir()
    assert path.as_uri() == address
    assert json.loads(path.read_text(encoding="utf-8")) == report_bundle(report)


def test_the_same_report_again_changes_nothing(tmp_path: Path) -> None:
    """Another report is another file."""
    sink = FolderReportSink(tmp_path)
    assert sink.store(make_report()) == sink.store(make_report())
    sink.store(make_report(Names(report=2)))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_withdrawn_report_says_so_in_its_file(tmp_path: Path) -> None:
    """All that says something of the patient's head is in error; the rest is as it was."""
    report = tumor_report()
    sink = FolderReportSink(tmp_path)
    sink.store(report)
    sink.withdraw(report, "left and right were exchanged")
    (path,) = tmp_path.iterdir()
    entries = json.loads(path.read_text(encoding="utf-8"))["entry"]
    assert len(entries) == len(report_bundle(report)["entry"])
    for entry, before in zip(entries, report_bundle(report)["entry"], strict=True):
        resource = entry["resource"]
        if resource["resourceType"] in ("DiagnosticReport", "Observation"):
            assert resource["status"] == "entered-in-error"
            assert "Withdrawn: left and right were exchanged" in json.dumps(resource)
        else:
            assert entry == before


def test_a_withdrawn_report_is_not_brought_back(tmp_path: Path) -> None:
    """A late repeat of its delivery changes nothing, nor does another withdrawal."""
    report, sink = make_report(), FolderReportSink(tmp_path)
    address = sink.store(report)
    sink.withdraw(report, "it was wrong")
    (path,) = tmp_path.iterdir()
    withdrawn = path.read_bytes()
    sink.withdraw(report, "for another reason")
    assert sink.store(report) == address
    assert path.read_bytes() == withdrawn


def test_a_report_that_is_not_there_needs_no_withdrawal(tmp_path: Path) -> None:
    """And none is made for it."""
    FolderReportSink(tmp_path / "reports").withdraw(make_report(), "it was wrong")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"[]", b'{"entry": [{"resource": {}}]}'])
def test_a_damaged_file_is_written_anew(tmp_path: Path, content: bytes) -> None:
    """By the next delivery, and by a withdrawal."""
    report, sink = make_report(), FolderReportSink(tmp_path)
    path = tmp_path / f"{report.report_uid}.json"
    path.write_bytes(content)
    sink.store(report)
    assert json.loads(path.read_bytes()) == report_bundle(report)
    path.write_bytes(content)
    sink.withdraw(report, "it was wrong")
    assert b"entered-in-error" in path.read_bytes()


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    """The delivery is tried again later."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FHIRUnavailable):
        FolderReportSink(tmp_path / "file" / "reports").store(make_report())


@pytest.mark.parametrize("withdrawn", [False, True])
def test_an_earlier_answer_that_comes_again_stands(tmp_path: Path, withdrawn: bool) -> None:
    """Also where the answer between them was withdrawn."""
    sink, first = FolderReportSink(tmp_path), replace(make_report(), lineage_uid=UID("2.25.900"))
    second = replace(first, report_uid=UID("2.25.901"), ordered_at=first.succession + timedelta(hours=1))
    again = replace(first, ordered_at=first.succession + timedelta(hours=2))
    sink.store(first)
    sink.store(second)
    if withdrawn:
        sink.withdraw(second, "recalled")
    sink.store(again)
    assert "entered-in-error" not in (tmp_path / f"{first.report_uid}.json").read_text()
    assert "entered-in-error" in (tmp_path / f"{second.report_uid}.json").read_text()
