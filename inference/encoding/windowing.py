"""The values of a volume as grey, for pictures: which of them are black, which are white."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.domain.volume import Volume
from inference.frames import attributes_of
from inference.modality import has_unit

SOFT_TISSUE_HU: Final = (-160.0, 240.0)
"""What of a CT is shown where it states no window."""

PERCENTILES: Final = (1.0, 99.5)
"""What of anything else is shown: a few very bright voxels must not leave the rest black."""

SAMPLE: Final = 500_000
"""So many voxels are enough to tell the percentiles."""


@dataclass(frozen=True, slots=True)
class Window:
    """A linear map of modality values to grey.

    Parameters
    ----------
    low, high
        The values that are black and white.
    inverted
        Whether it is the other way round, as the source asks for (Photometric Interpretation MONOCHROME1);
        values without a unit were turned when they were read.
    """

    low: float
    high: float
    inverted: bool = False

    def grey(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Map values to 0..255; the shape stays.

        Parameters
        ----------
        values
            Modality values, any shape.
        """
        scaled = (values.astype(np.float64) - self.low) / (self.high - self.low)
        levels = np.rint(np.clip(np.nan_to_num(scaled), 0.0, 1.0) * 255.0).astype(np.uint8)
        return 255 - levels if self.inverted else levels


def window_of(volume: Volume, data_sets: Sequence[Dataset]) -> Window:
    """Choose the window of a volume.

    Parameters
    ----------
    volume
        Its values.
    data_sets
        Headers of the source instances; a CT may state a window (PS3.3 sections C.11.2, C.7.6.16.2.10).
    """
    first = next((frame for frame in volume.frames if frame is not None), None)
    header = next((ds for ds in data_sets if first and ds.SOPInstanceUID == first.sop_instance_uid), None)
    if first is None or header is None:
        return _percentile_window(volume.array, inverted=False)
    find = attributes_of(header, first.frame_number)
    inverted = header.get("PhotometricInterpretation") == "MONOCHROME1" and has_unit(find)
    if header.get("Modality") != "CT":
        return _percentile_window(volume.array, inverted=inverted)
    centre = find.number("FrameVOILUTSequence", "WindowCenter")
    width = find.number("FrameVOILUTSequence", "WindowWidth")
    if centre is None or width is None or width < 2:
        return Window(*SOFT_TISSUE_HU, inverted)
    return Window(centre - width / 2, centre + width / 2, inverted)


def _percentile_window(array: NDArray[np.float32], *, inverted: bool) -> Window:
    step = max(1, round((array.size / SAMPLE) ** (1 / 3)))
    low, high = (float(value) for value in np.nanpercentile(array[::step, ::step, ::step], PERCENTILES))
    return Window(low, high if high > low else low + 1.0, inverted)
