"""The table of structures is as readable as its place allows, and says how much it leaves out."""

from __future__ import annotations

import pytest

from inference.encoding.page_content import StructureRow
from inference.encoding.structure_table import LAYOUTS, arrange


def rows(count: int) -> list[StructureRow]:
    """Give so many rows."""
    return [StructureRow(f"Structure {number}", "", "1.00") for number in range(count)]


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (17, 1), (40, 2), (101, 3), (130, 3), (190, 4)])
def test_more_rows_take_more_columns(count: int, columns: int) -> None:
    """All of them are there."""
    table = arrange(rows(count), 320)
    assert (table.columns, len(table.rows)) == (columns, count)
    assert table.rows_each * table.columns >= count
    assert table.height <= 320


def test_the_first_layout_that_has_room_is_taken() -> None:
    """The largest typeface there is room for."""
    table = arrange(rows(17), 18 * LAYOUTS[0][1] * 1.4)
    assert (table.columns, table.size) == LAYOUTS[0]
    smaller = arrange(rows(17), 18 * LAYOUTS[0][1] * 1.4 - 1)
    assert (smaller.columns, smaller.size) == LAYOUTS[1]


def test_what_has_no_room_is_counted() -> None:
    """The last row says how many there are besides."""
    table = arrange(rows(255), 200)
    assert len(table.rows) == table.columns * table.rows_each
    assert table.rows[-1].name == f"and {255 - len(table.rows) + 1} more"
    assert table.height <= 200


def test_even_no_room_has_a_row() -> None:
    """Nothing is divided by nothing."""
    assert arrange(rows(9), 0.0).rows[-1].name == "and 6 more"
