"""The words beside a picture: what its colours mean, and that it is no diagnosis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inference.encoding.encoding_input import EncodingInput
from inference.encoding.overlay import Overlay
from inference.encoding.slice_names import slice_name, slice_place
from inference.encoding.typeface import BOLD, covers, image_font
from inference.encoding.wording import Line, answer_line, finding_lines, not_found, nothing_found, structure_line

WARNING: Final = "RESEARCH USE ONLY - NOT FOR DIAGNOSIS"

PANEL_PX: Final = 320
"""Width of the legend."""
STRIP_PX: Final = 34
"""Height of the strip with the warning."""
SMALLEST_HEIGHT_PX: Final = 320

_TEXT_PX: Final = 15
_LINE_PX: Final = 22
_MARGIN_PX: Final = 12
_SWATCH_PX: Final = 14

_WHITE: Final = (255, 255, 255)
_GREY: Final = (170, 170, 170)
_STRIP: Final = (120, 0, 0)


@dataclass(frozen=True, slots=True)
class Heading:
    """The first lines of a legend.

    Parameters
    ----------
    title
        Of the model.
    details
        What else is said of it and of the slice.
    """

    title: str
    details: tuple[str, ...]


def with_legend(overlay: Overlay, source: EncodingInput) -> NDArray[np.uint8]:
    """Put a picture, its legend and the warning together; nothing in it tells who the patient is.

    Returns
    -------
    (rows, columns, 3) uint8 ndarray
        Red, green, blue.
    """
    rows, columns, _ = overlay.pixels.shape
    height = max(rows, SMALLEST_HEIGHT_PX)
    canvas = Image.new("RGB", (columns + PANEL_PX, height + STRIP_PX))
    canvas.paste(Image.fromarray(overlay.pixels), (0, 0))
    draw = ImageDraw.Draw(canvas)
    _write_panel(draw, columns + _MARGIN_PX, height, _heading(overlay, source), legend_lines(overlay, source))
    draw.rectangle((0, height, canvas.width, canvas.height), fill=_STRIP)
    middle = (canvas.width / 2, height + STRIP_PX / 2)
    draw.text(middle, WARNING, fill=_WHITE, font=image_font(18, BOLD), anchor="mm")
    return np.array(canvas)


def legend_lines(overlay: Overlay, source: EncodingInput) -> list[Line]:
    """List what a picture shows, then what has no place, then what was looked for and not found."""
    result = source.result
    answer = answer_line(result)
    nothing = nothing_found(source.spec, result)
    return [
        *([Line(nothing)] if nothing else []),
        *([answer] if answer else []),
        *map(structure_line, overlay.segments),
        *_on_the_slice(overlay, source),
        *finding_lines(finding for finding in result.findings if finding.place is None),
        *(Line(f"Not found: {name}") for name in not_found(result)),
    ]


def _on_the_slice(overlay: Overlay, source: EncodingInput) -> Iterator[Line]:
    """Give the lines of the detections that are seen, numbered as among all of them."""
    placed = [finding for finding in source.result.findings if finding.present and finding.place is not None]
    shown = {finding.tracking_uid for finding in overlay.findings}
    for finding, line in zip(placed, finding_lines(placed), strict=True):
        if finding.tracking_uid in shown:
            yield line


def _heading(overlay: Overlay, source: EncodingInput) -> Heading:
    spec = source.spec
    model = f"{spec.reference.model_id} {spec.reference.version}"
    at = overlay.slice_index
    where = f"{slice_name(at, source)}, {slice_place(at, source.volume.grid)}"
    return Heading(spec.title, (model, where))


def _write_panel(draw: ImageDraw.ImageDraw, left: int, height: int, heading: Heading, lines: Sequence[Line]) -> None:
    """Write as many lines as there is room for, and how many more there are."""
    font = image_font(_TEXT_PX)
    width = PANEL_PX - 2 * _MARGIN_PX
    title_font = image_font(_TEXT_PX + 2, BOLD)
    draw.text((left, _MARGIN_PX), _cut(heading.title, title_font, width), fill=_WHITE, font=title_font)
    top = _MARGIN_PX + _LINE_PX + 4
    for detail in heading.details:
        draw.text((left, top), _cut(detail, font, width), fill=_GREY, font=font)
        top += _LINE_PX
    top += _LINE_PX // 2
    room = max(1, (height - top) // _LINE_PX)
    shown = lines if len(lines) <= room else [*lines[: room - 1], Line(f"and {len(lines) - room + 1} more")]
    for line in shown:
        _write_line(draw, (left, top), width, line)
        top += _LINE_PX


def _write_line(draw: ImageDraw.ImageDraw, at: tuple[int, int], width: int, line: Line) -> None:
    """Write swatch, name and value; the name gives way."""
    left, top = at
    font = image_font(_TEXT_PX)
    indent = 0
    if line.colour_rgb is not None:
        draw.rectangle((left, top + 2, left + _SWATCH_PX, top + 2 + _SWATCH_PX), fill=line.colour_rgb, outline=_WHITE)
        indent = _SWATCH_PX + 8
    value_px = font.getlength(line.value) + (10 if line.value else 0)
    draw.text((left + indent, top), _cut(line.name, font, width - indent - value_px), fill=_WHITE, font=font)
    draw.text((left + width, top), line.value, fill=_WHITE, font=font, anchor="ra")


def _cut(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """Shorten a text to a width; what the typeface lacks becomes a question mark."""
    text = "".join(character if covers(character) else "?" for character in text)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
