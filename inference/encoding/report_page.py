"""The layout of the one-page report, A4: two columns of facts, a few texts, pictures, and a table that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from inference.encoding.equipment import AS_MADE, MODEL_NAME, software_version
from inference.encoding.fonts import STRONG, cut_to, register_fonts, wrap
from inference.encoding.page_content import PageContent
from inference.encoding.pen import FAINT, WHITE, Pen
from inference.encoding.structure_table import Area, arrange, draw_table

MARGIN: Final = 36.0
WIDTH, HEIGHT = A4

_INNER: Final = WIDTH - 2 * MARGIN
_BAND: Final = 20.0
"""Height of the notice."""
_BAND_RGB: Final = (0.47, 0.0, 0.0)
_TEXT: Final = 8.0
_CAPTION: Final = 7.0
_LEADING: Final = 11.0
_LABEL_WIDTH: Final = 62.0
_HEADING_WIDTH: Final = 140.0
_PICTURE_HEIGHT: Final = 165.0
_SMALL_PICTURE_HEIGHT: Final = 115.0
_MANY_ROWS: Final = 40
"""From so many rows on, pictures are small."""
_GAP: Final = 12.0
_MOST_LINES: Final = 4
"""Of one text or fact."""

Rgb = NDArray[np.uint8]


def lay_out(content: PageContent, pictures: Sequence[tuple[Rgb, str]]) -> bytes:
    """Lay out the page; the same content gives the same bytes.

    Parameters
    ----------
    content
        What is said.
    pictures
        (rows, columns, 3) uint8 arrays of one size, each with the words below it; one to four.

    Returns
    -------
    bytes
        A PDF of one page.
    """
    register_fonts()
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, pageCompression=1, invariant=1)
    canvas.setTitle(f"AI result: {content.title}")
    canvas.setAuthor(MODEL_NAME)
    canvas.setSubject(AS_MADE)
    top = _draw_facts(canvas, content, _draw_heading(canvas, content.title))
    top = _draw_texts(canvas, content.paragraphs, top)
    height = _SMALL_PICTURE_HEIGHT if len(content.rows) > _MANY_ROWS else _PICTURE_HEIGHT
    top = _draw_pictures(canvas, pictures, Area(MARGIN, top, _INNER, height))
    if content.rows:
        draw_table(canvas, Area(MARGIN, top, _INNER, top - MARGIN), arrange(content.rows, top - MARGIN))
    _draw_foot(canvas)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _draw_heading(canvas: Canvas, title: str) -> float:
    """Write notice and title; give where there is room."""
    canvas.setFillColorRGB(*_BAND_RGB)
    canvas.rect(0, HEIGHT - _BAND, WIDTH, _BAND, stroke=0, fill=1)
    Pen(canvas, 10.0, WHITE, STRONG).write_around(WIDTH / 2, HEIGHT - _BAND + 6, AS_MADE)
    Pen(canvas, 16.0, latin=STRONG).write(MARGIN, HEIGHT - _BAND - 28, f"AI result: {title}", _INNER)
    return HEIGHT - _BAND - 46


def _draw_facts(canvas: Canvas, content: PageContent, top: float) -> float:
    """Write the two columns of facts; give where there is room."""
    width = (_INNER - _GAP) / 2
    ends = [
        _draw_column(Pen(canvas), facts, Area(left, top, width, top))
        for left, facts in ((MARGIN, content.subject), (MARGIN + width + _GAP, content.model))
    ]
    return min(ends) - _GAP / 2


def _draw_column(pen: Pen, facts: Sequence[tuple[str, str]], area: Area) -> float:
    y = area.top
    for name, value in facts:
        replace(pen, rgb=FAINT).write(area.left, y, name)
        lines = wrap(value, area.width - _LABEL_WIDTH, pen.size)[:_MOST_LINES] or ["-"]
        for line in lines:
            pen.write(area.left + _LABEL_WIDTH, y, line)
            y -= _LEADING
    return y


def _draw_pictures(canvas: Canvas, pictures: Sequence[tuple[Rgb, str]], area: Area) -> float:
    """Draw pictures side by side, as large as their place allows; give where there is room."""
    place = (area.width - (len(pictures) - 1) * _GAP) / len(pictures)
    rows, columns, _ = pictures[0][0].shape
    scale = min(place / columns, area.height / rows)
    x, below = area.left, area.top - rows * scale
    for pixels, caption in pictures:
        canvas.drawImage(ImageReader(Image.fromarray(pixels)), x, below, columns * scale, rows * scale)
        Pen(canvas, _CAPTION, FAINT).write(x, below - _CAPTION - 2, caption, place)
        x += columns * scale + _GAP
    return float(below - _CAPTION - 2 - _GAP)


def _text_lines(heading: str, text: str) -> list[tuple[str, str]]:
    """Give the lines of a text; the first has the heading."""
    width = _INNER - _HEADING_WIDTH
    lines = wrap(text, width, _TEXT)
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], cut_to(" ".join(lines[_MOST_LINES - 1 :]), width, _TEXT)]
    return [(heading if number == 0 else "", line) for number, line in enumerate(lines)]


def _draw_texts(canvas: Canvas, texts: Sequence[tuple[str, str]], top: float) -> float:
    """Write texts below each other, their headings beside them; give where there is room."""
    pen = Pen(canvas)
    lines = [line for heading, text in texts for line in _text_lines(heading, text)]
    for heading, line in lines:
        replace(pen, latin=STRONG).write(MARGIN, top, heading)
        pen.write(MARGIN + _HEADING_WIDTH, top, line)
        top -= _LEADING
    return top - _GAP / 2 if lines else top


def _draw_foot(canvas: Canvas) -> None:
    pen = Pen(canvas, 6.5, FAINT)
    pen.write(MARGIN, MARGIN / 2, AS_MADE)
    pen.write_to(WIDTH - MARGIN, MARGIN / 2, f"{MODEL_NAME} {software_version()}")
