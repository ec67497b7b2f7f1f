"""Writing on a page of a PDF, in any script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reportlab.pdfgen.canvas import Canvas

from inference.encoding.fonts import PLAIN, cut_to, runs, text_width

Rgb = tuple[float, float, float]

BLACK: Final = (0.0, 0.0, 0.0)
WHITE: Final = (1.0, 1.0, 1.0)
FAINT: Final = (0.42, 0.42, 0.42)
"""Of what is not read first."""
ALARM: Final = (0.75, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Pen:
    """Writes on a page; all lengths are in points, from the lower left.

    Parameters
    ----------
    canvas
        The page.
    size
        Of the typeface.
    rgb
        Red, green and blue, 0..1.
    latin
        Typeface of Latin text.
    """

    canvas: Canvas
    size: float = 8.0
    rgb: Rgb = BLACK
    latin: str = PLAIN

    def write(self, x: float, y: float, text: str, width: float | None = None) -> None:
        """Write a line from left to right.

        Parameters
        ----------
        x, y
            Where its base line begins.
        text
            In any script.
        width
            What it may take; what is longer is cut. None for all there is.
        """
        if width is not None:
            text = cut_to(text, width, self.size, self.latin)
        self.canvas.setFillColorRGB(*self.rgb)
        for font, part in runs(text, self.latin):
            self.canvas.setFont(font, self.size)
            self.canvas.drawString(x, y, part)
            x += float(self.canvas.stringWidth(part, font, self.size))

    def write_to(self, right: float, y: float, text: str) -> None:
        """Write a line that ends at ``right``."""
        self.write(right - text_width(text, self.size, self.latin), y, text)

    def write_around(self, middle: float, y: float, text: str) -> None:
        """Write a line whose middle is at ``middle``."""
        self.write(middle - text_width(text, self.size, self.latin) / 2, y, text)
