"""Tables for people say what the documents say."""

from __future__ import annotations

from typing import Any

import pytest
from rich.table import Table

from dicom_node.tables import series_table, stage_table, volume_table

MEASUREMENTS = [{"label": "Thalamus", "value": 18.44, "unit": "mL"}, {"label": "Total", "value": 100.0, "unit": "mL"}]


def lines(table: Table) -> list[list[str]]:
    """Give the cells of each row."""
    columns = [list(column.cells) for column in table.columns]
    return [[str(cell) for cell in row] for row in zip(*columns, strict=True)]


def test_volumes_stand_beside_the_truth() -> None:
    """Where a true volume is known, the difference is in percent of it; a total without truth has none."""
    table = volume_table(MEASUREMENTS, {"Thalamus": 20.0})
    assert [column.header for column in table.columns] == ["structure", "measured", "true", "difference"]
    assert lines(table) == [["Thalamus", "18.4 mL", "20.0 mL", "-8 %"], ["Total", "100.0 mL", "", ""]]


def test_volumes_of_a_real_head_stand_alone() -> None:
    """Nobody knows the truth."""
    table = volume_table(MEASUREMENTS, {})
    assert lines(table) == [["Thalamus", "18.4 mL"], ["Total", "100.0 mL"]]


def test_stage_times_add_up() -> None:
    """The last row is their sum."""
    table = stage_table([{"stage": "volume", "seconds": 0.504}, {"stage": "infer", "seconds": 1.25}])
    assert lines(table) == [["volume", "0.50"], ["infer", "1.25"], ["sum", "1.75"]]


def test_every_series_has_a_row_with_its_decision(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rejected one says why, an analysed one by which model, with its volumes below."""
    monkeypatch.setenv("COLUMNS", "160")
    entry: dict[str, Any] = {"description": "t1", "modality": "MR", "instances": 192, "decision": "analysed"}
    analysed = {**entry, "reason": None, "model": {"id": "brain", "version": "1.0"}, "measurements": MEASUREMENTS}
    rejected = {
        **entry,
        "description": "[/b] T1 [bold]scout",
        "decision": "rejected",
        "reason": {"code": "selection.localizer", "message": "a localizer"},
        "model": None,
        "measurements": [],
    }
    series_table({"series": [analysed, rejected]})

    printed = capsys.readouterr().out
    for word in (
        "192",
        "analysed",
        "brain 1.0",
        "rejected",
        "a localizer",
        "Thalamus",
        "18.4 mL",
        "[/b] T1 [bold]scout",
    ):
        assert word in printed
