"""What falls with the findings that a person takes out of a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from inference.domain.identifiers import UID
from integrations.lineages import LineageFolder
from integrations.standing import fallen, measurement_name, standing
from tests.support.reports import Names, findings_report, full_report, tumor_report


def test_every_measurement_has_a_name_of_its_own() -> None:
    """Also the diameters, which have the tracking UID of the volume."""
    report = full_report()
    names = [measurement_name(one, position) for position, one in enumerate(report.measurements)]
    assert len(set(names)) == len(names) == 5
    assert names[0] == report.measurements[0].tracking_uid
    assert names[1] == f"{report.measurements[0].tracking_uid}/103339001"
    assert names[-1] == "total-4"


def test_a_structure_falls_with_its_diameters_and_the_total() -> None:
    """A sum of what does not stand does not stand."""
    report = full_report()
    left = standing(report, (report.measurements[0].tracking_uid,))
    assert [one.label for one in left.measurements] == ["Caudate"]
    assert standing(report, ()) is report
    assert standing(report, (UID("1.2.3"),)) is report


def test_a_finding_falls_alone() -> None:
    """The others stay."""
    report = findings_report()
    first = report.findings[0].tracking_uid
    assert fallen(report, (first,)) == {first}
    assert standing(report, (first,)).findings == report.findings[1:]


def test_a_tumour_falls_with_any_of_its_parts() -> None:
    """Its volume was measured from all of them, and is wrong without one."""
    report = tumor_report()
    (part,) = report.measurements
    assert standing(report, (part.tracking_uid,)).tumor is None
    other = replace(part, tracking_uid=UID("2.25.300.77"))
    two = replace(report, measurements=(part, other))
    assert standing(two, (part.tracking_uid,)).tumor is None
    assert standing(two, (UID("2.25.300.78"),)).tumor is not None


def test_what_was_told_of_a_lineage_is_remembered(tmp_path: Path) -> None:
    """The last report, whether it was reviewed or withdrawn; a damaged file is none."""
    memory, report = LineageFolder(tmp_path), full_report()
    assert memory.last(report) is None
    memory.note(report, reviewed_at=report.produced_at, withdrawn=True)
    last = memory.last(full_report(Names(2)))
    assert last is not None
    assert (last.report_uid, last.reviewed_at, last.withdrawn) == (report.report_uid, report.produced_at, True)
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"[]")
    assert memory.last(report) is None


@pytest.mark.parametrize(("hours", "report", "expected"), [(1, 2, False), (-1, 2, True), (0, 2, False), (0, 0, True)])
def test_the_later_of_two_is_known(tmp_path: Path, hours: int, report: int, expected: bool) -> None:
    """By the time of the analysis, then by the identifier."""
    memory = LineageFolder(tmp_path)
    memory.note(full_report(Names(1)))
    last = memory.last(full_report())
    assert last is not None
    assert last.is_after(full_report(Names(report), hours=hours)) is expected
