"""The table of structures, in as many columns and as small a typeface as it takes to fit its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from reportlab.pdfgen.canvas import Canvas

from inference.encoding.fonts import STRONG, text_width
from inference.encoding.page_content import StructureRow
from inference.encoding.pen import ALARM, BLACK, FAINT, Pen

LAYOUTS: Final = ((1, 8.0), (1, 7.0), (2, 7.0), (2, 6.0), (3, 6.0), (3, 5.0), (4, 4.5))
"""Numbers of columns and sizes in points, the best to read first."""

_LEADING: Final = 1.4
"""Of a row, in sizes of the typeface."""
_GAP: Final = 16.0
_WIDEST: Final = 380.0
"""Of a column: a number far from its name is read in the wrong line."""
_CELL_GAP: Final = 6.0

_HEADINGS: Final = StructureRow("Structure", "Side", "mL", "Usual", "Diameters, mm")


@dataclass(frozen=True, slots=True)
class Area:
    """A part of a page, in points from the lower left.

    Parameters
    ----------
    left, top, width, height
        Its upper left-hand corner and its size.
    """

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How a table lies in its place.

    Parameters
    ----------
    columns, size
        How many columns, and the size of the typeface in points.
    rows_each
        Rows of a column, without its heading.
    rows
        What is written; the last says how many more there are where not all have room.
    """

    columns: int
    size: float
    rows_each: int
    rows: tuple[StructureRow, ...]

    @property
    def height(self) -> float:
        """What it takes, in points."""
        return (min(self.rows_each, len(self.rows)) + 1) * self.size * _LEADING


def arrange(rows: Sequence[StructureRow], height: float) -> Arrangement:
    """Choose the first layout that has room for all rows; else the last, with as many as fit.

    Parameters
    ----------
    rows
        The table.
    height
        Room for it, in points.
    """
    for columns, size in LAYOUTS:
        room = max(1, int(height / (size * _LEADING)) - 1)
        if columns * room >= len(rows):
            return Arrangement(columns, size, -(-len(rows) // columns), tuple(rows))
    kept = columns * room - 1
    more = StructureRow(f"and {len(rows) - kept} more", "", "")
    return Arrangement(columns, size, room, (*rows[:kept], more))


def draw_table(canvas: Canvas, area: Area, table: Arrangement) -> None:
    """Draw the table, column after column.

    Parameters
    ----------
    canvas
        The page.
    area
        Its place.
    table
        What, and how.
    """
    width = min(_WIDEST, (area.width - (table.columns - 1) * _GAP) / table.columns)
    leading = table.size * _LEADING
    for start in range(0, len(table.rows), table.rows_each):
        left = area.left + start // table.rows_each * (width + _GAP)
        column = table.rows[start : start + table.rows_each]
        cells = _Cells(canvas, table.size, left, _widths(table, width))
        cells.write(area.top - table.size, _HEADINGS, is_heading=True)
        canvas.setStrokeColorRGB(*FAINT)
        canvas.setLineWidth(0.4)
        canvas.line(left, area.top - table.size - 2, left + width, area.top - table.size - 2)
        for number, row in enumerate(column, start=1):
            cells.write(area.top - table.size - number * leading, row)


def _widths(table: Arrangement, width: float) -> tuple[float, float, float, float, float]:
    """Give the width of each cell, 0 for a column that says nothing; the name has what the others leave."""

    def widest(texts: list[str], heading: str) -> float:
        if not any(texts):
            return 0.0
        return max(text_width(text, table.size) for text in (*texts, heading)) + _CELL_GAP

    side = min(widest([row.side for row in table.rows], _HEADINGS.side), width / 5)
    volume = widest([row.volume for row in table.rows], _HEADINGS.volume)
    usual = widest([row.usual for row in table.rows], _HEADINGS.usual)
    usual += _mark_width(table.size) if usual else 0.0
    diameters = widest([row.diameters for row in table.rows], _HEADINGS.diameters)
    return width - side - volume - usual - diameters, side, volume, usual, diameters


def _mark_width(size: float) -> float:
    """Give the room for a mark, which all rows have, so that ranges stand below each other."""
    return text_width(" high", size, STRONG)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Writes rows at one place."""

    canvas: Canvas
    size: float
    left: float
    widths: tuple[float, float, float, float, float]

    def write(self, y: float, row: StructureRow, *, is_heading: bool = False) -> None:
        name, side, volume, usual, diameters = self.widths
        pen = Pen(self.canvas, self.size, FAINT if is_heading else BLACK)
        indent = self.size * 1.4
        if row.colour_rgb is not None:
            self.canvas.setFillColorRGB(*(value / 255 for value in row.colour_rgb))
            self.canvas.rect(self.left, y - self.size * 0.1, self.size * 0.9, self.size * 0.9, stroke=0, fill=1)
        is_total = row.colour_rgb is None and not is_heading
        naming = replace(pen, latin=STRONG) if is_total else pen
        naming.write(self.left + indent, y, row.name, name - indent - _CELL_GAP / 2)
        x = self.left + name
        if side:
            pen.write(x, y, row.side, side - _CELL_GAP / 2)
        pen.write_to(x + side + volume - _CELL_GAP / 2, y, row.volume)
        x += side + volume
        if usual:
            self._write_usual(pen, x + usual - _CELL_GAP / 2, y, row)
        if diameters:
            pen.write_to(x + usual + diameters, y, row.diameters)

    def _write_usual(self, pen: Pen, right: float, y: float, row: StructureRow) -> None:
        """Write the usual range and, beyond it, whether the volume is lower or higher."""
        pen.write_to(right - _mark_width(self.size), y, row.usual)
        replace(pen, rgb=ALARM, latin=STRONG).write_to(right, y, row.mark)
