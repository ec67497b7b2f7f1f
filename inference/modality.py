"""From stored values to modality values, e.g. HU (PS3.3 section C.11.1), and what is no image to background.

Policies:

* MONOCHROME1 says how an image is displayed, not what its values are (PS3.3 section C.7.6.3.1.2). Values with a unit
  (CT, PET, a Rescale Type other than US) are therefore left as they are; values without one are turned, so that what
  is bright for the reader is high for a model.
* Pixel padding takes the lowest value of the image that is no padding, after turning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut

from inference.attributes import number, text, values
from inference.errors import ReasonCode, UnsupportedPixelData
from inference.frames import FrameAttributes
from inference.pixel_format import PixelFormat

_WITH_UNIT: Final = frozenset({"CT", "PT", "NM"})
"""Modalities whose values mean something whatever Rescale Type says."""

_NO_UNIT: Final = frozenset({"", "US", "UNSPECIFIED"})

_EXACT_IN_FLOAT32: Final = 24
"""Whole numbers of so many bits are exact in single precision."""


@dataclass(frozen=True, eq=False, slots=True)
class ModalityTransform:
    """What is done to the stored values of a frame.

    Parameters
    ----------
    slope, intercept
        Of the linear part, turning included.
    padding
        Lowest and highest stored value that is padding.
    lut
        The header with a Modality LUT Sequence, which takes the place of the linear part.
    turned_lut
        Whether what comes out of the table is turned.
    """

    slope: float = 1.0
    intercept: float = 0.0
    padding: tuple[float, float] | None = None
    lut: Dataset | None = None
    turned_lut: bool = False

    def apply(self, stored: NDArray[np.integer], out: NDArray[np.float32]) -> None:
        """Write modality values.

        Parameters
        ----------
        stored : (rows, columns) integer ndarray
            As decoded.
        out : (rows, columns) float32 ndarray
            Where to.

        Raises
        ------
        UnsupportedPixelData
            PIXEL_FORMAT where the table is damaged or what comes out is not finite.
        """
        if self.lut is not None:
            out[...] = self._through_lut(stored, self.lut)
        else:
            self._rescale(stored, out)
        if self.padding is not None:
            low, high = self.padding
            padding = (stored >= low) & (stored <= high)
            if padding.any() and not padding.all():
                out[padding] = out[~padding].min()

    def _rescale(self, stored: NDArray[np.integer], out: NDArray[np.float32]) -> None:
        if self.slope == 1 and self.intercept.is_integer() and 8 * stored.itemsize < _EXACT_IN_FLOAT32:
            np.add(stored, np.float32(self.intercept), out=out, casting="unsafe")
            return
        with np.errstate(over="ignore"):
            out[...] = stored * np.float64(self.slope) + self.intercept
        if not np.isfinite(out).all():
            raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "pixel values are not finite after rescaling")

    def _through_lut(self, stored: NDArray[np.integer], lut: Dataset) -> NDArray[np.float32]:
        try:
            looked_up = np.asarray(apply_modality_lut(stored.astype(np.int64), lut), dtype=np.float32)
            highest = 2.0 ** int(lut.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
        except Exception as error:  # a damaged table raises many types
            raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "the modality LUT of an image is damaged") from error
        turned: NDArray[np.float32] = np.float32(highest) - looked_up
        return turned if self.turned_lut else looked_up


def modality_transform(find: FrameAttributes, form: PixelFormat) -> ModalityTransform:
    """Read what is to be done to the stored values of a frame.

    Parameters
    ----------
    find
        What is said of the frame: Pixel Value Transformation, or the header's own rescale (PS3.3 section
        C.7.6.16.2.9, C.11.1).
    form
        How its pixels are stored.

    Raises
    ------
    UnsupportedPixelData
        PIXEL_FORMAT for a rescale slope of zero.
    """
    turned = form.inverted and not has_unit(find)
    padding = _padding(find.top, form)
    if values(find.top, "ModalityLUTSequence"):
        return ModalityTransform(padding=padding, lut=find.top, turned_lut=turned)
    slope = find.number("PixelValueTransformationSequence", "RescaleSlope")
    intercept = find.number("PixelValueTransformationSequence", "RescaleIntercept") or 0.0
    if slope == 0:
        raise UnsupportedPixelData(ReasonCode.PIXEL_FORMAT, "the rescale slope of an image is zero")
    slope = 1.0 if slope is None else slope
    if turned:
        brightest = -1.0 if form.signed else 2.0**form.bits_stored - 1
        return ModalityTransform(-slope, slope * brightest + intercept, padding)
    return ModalityTransform(slope, intercept, padding)


def has_unit(find: FrameAttributes) -> bool:
    """Say whether the values of a frame have a unit, so that MONOCHROME1 does not turn them.

    Parameters
    ----------
    find
        What is said of the frame.
    """
    kind = find.text("PixelValueTransformationSequence", "RescaleType").upper()
    return text(find.top, "Modality").upper() in _WITH_UNIT or kind not in _NO_UNIT


def _padding(header: Dataset, form: PixelFormat) -> tuple[float, float] | None:
    """Read Pixel Padding Value and Pixel Padding Range Limit (PS3.3 section C.7.5.1.1.2).

    Their value representation is that of the pixels; headers that write a negative value as unsigned are common.
    """
    value = number(header, "PixelPaddingValue")
    if value is None:
        return None
    limit = number(header, "PixelPaddingRangeLimit")
    low, high = sorted(_as_stored(bound, form) for bound in (value, value if limit is None else limit))
    return low, high


def _as_stored(value: float, form: PixelFormat) -> float:
    cells = 2.0**form.bits_allocated
    if form.signed and value >= cells / 2:
        return value - cells
    return value + cells if not form.signed and value < 0 else value
