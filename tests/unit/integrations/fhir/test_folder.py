"""Reports as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inference.errors import FHIRUnavailable
from integrations.fhir.folder import FolderReportSink
from integrations.fhir.mapping import report_bundle
from tests.support.reports import Names, make_report


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


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    """The delivery is tried again later."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FHIRUnavailable):
        FolderReportSink(tmp_path / "file" / "reports").store(make_report())
