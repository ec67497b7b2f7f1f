"""One slice of a preview as a picture."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from inference.encoding.painting import paint, picture_size
from inference.encoding.preview_file import PreviewFile
from inference.encoding.windowing import Window


@dataclass(frozen=True, slots=True)
class View:
    """How a slice is shown.

    Parameters
    ----------
    index
        Which slice, counted from 0.
    window
        Which values are black and white; whether the source turns them is the preview's to say.
    shown
        Numbers of the structures that are drawn on it.
    """

    index: int
    window: tuple[float, float]
    shown: Collection[int] = ()


def draw(preview: PreviewFile, view: View) -> bytes:
    """Draw a slice as PNG, in true proportions.

    Parameters
    ----------
    preview
        Where it is.
    view
        How it is shown.

    Raises
    ------
    EncodingError
        If the file is damaged.
    """
    header = preview.header
    rows, columns = picture_size(header.shape[1:], header.spacing_mm[1:])
    window = Window(*view.window, inverted=header.inverted)
    grey = Image.fromarray(window.grey(preview.values(view.index)))
    grey = grey.resize((columns, rows), Image.Resampling.BICUBIC)
    drawn = [(number, mask) for number, mask in preview.drawn(view.index) if number in view.shown]
    if not drawn:
        return _png(grey)
    pixels = np.repeat(np.asarray(grey)[:, :, None], 3, axis=2)
    colours = {structure.number: structure.colour_rgb for structure in header.structures}
    for number, mask in sorted(drawn, key=lambda item: -int(np.count_nonzero(item[1]))):  # the smaller on the larger
        paint(pixels, mask, colours[number])
    return _png(Image.fromarray(pixels))


def _png(image: Image.Image) -> bytes:
    """Write a picture quickly: it is looked at once, on a network that is faster than a better compression."""
    content = BytesIO()
    image.save(content, format="PNG", compress_level=1)
    return content.getvalue()
