"""Series as hospitals may send them, made at random: where slices lie, and how they and their pixels are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedMRImageStorage,
    RLELossless,
)

from inference.domain.geometry import Grid
from tests.support.codestreams import LOSSLESS, LOSSY
from tests.support.enhanced_series import EnhancedOptions, FrameOrder, write_enhanced
from tests.support.synthetic_series import SeriesOptions, write_series

DARK, BRIGHT, BETWEEN = 100.0, 900.0, 500.0
"""Modality values of background and object, and what lies in the middle."""

NATIVE: Final = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
COMPRESSED: Final = (RLELossless, *LOSSLESS, *LOSSY)
EIGHT_BIT_ONLY: Final = "1.2.840.10008.1.2.4.50"
TWELVE_BITS: Final = 12


@dataclass(frozen=True)
class Storage:
    """How pixels are stored.

    Parameters
    ----------
    transfer_syntax_uid
        Encoding.
    stored_type
        ``uint8``, ``uint16`` or ``int16``.
    bits_stored
        Bits that count.
    slope, intercept
        From stored to modality values.
    inverted
        Whether it is MONOCHROME1.
    """

    transfer_syntax_uid: str
    stored_type: str
    bits_stored: int
    slope: float
    intercept: float
    inverted: bool

    def stored(self, modality: NDArray[np.float64]) -> NDArray[np.int64]:
        """Give what is stored for modality values that a reader would see as bright where they are high."""
        values = np.rint((modality - self.intercept) / self.slope).astype(np.int64)
        if not self.inverted:
            return values
        return (-1 if self.stored_type == "int16" else 2**self.bits_stored - 1) - values


@dataclass(frozen=True)
class RandomSeries:
    """A series with an object in it that has no symmetry.

    Parameters
    ----------
    grid
        Where its slices lie, ascending along their normal.
    mask : (slices, rows, columns) bool ndarray
        The object.
    order
        Slice indices in the order in which they are stored.
    storage
        How its pixels are stored.
    enhanced
        How it is made a multi-frame series; None for a classic one.
    """

    grid: Grid
    mask: NDArray[np.bool_]
    order: Sequence[int]
    storage: Storage
    enhanced: EnhancedOptions | None

    def write(self, folder: Path) -> list[Path]:
        """Write it as Part 10 files."""
        storage = self.storage
        array = storage.stored(np.where(self.mask, BRIGHT, DARK))
        header = {
            "PhotometricInterpretation": "MONOCHROME1" if storage.inverted else "MONOCHROME2",
            "RescaleSlope": str(storage.slope),
            "RescaleIntercept": str(storage.intercept),
        }

        options = SeriesOptions(
            header=header,
            stored_type=storage.stored_type,
            bits_stored=storage.bits_stored,
            order=self.order,
            transfer_syntax_uid=storage.transfer_syntax_uid,
        )
        if self.enhanced is None:
            return write_series(folder, array, self.grid, options)
        frames = [
            FrameOrder(array[index], self.grid, index, slope=storage.slope, intercept=storage.intercept)
            for index in self.order
        ]
        made = EnhancedOptions(options, self.enhanced.sop_class_uid, self.enhanced.per_frame, self.enhanced.instances)
        return write_enhanced(folder, frames, made)


@st.composite
def rotations(draw: st.DrawFn) -> NDArray[np.float64]:
    """Give any rotation, upright ones more often than chance would: a unit quaternion."""
    component = st.integers(-4, 4) | st.floats(-1, 1, allow_nan=False)
    parts = draw(st.tuples(component, component, component, component).filter(lambda q: np.linalg.norm(q) > 0.1))
    w, x, y, z = np.array(parts, dtype=np.float64) / np.linalg.norm(parts)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


@st.composite
def grids(draw: st.DrawFn, most_tilt_degrees: float = 0.0) -> Grid:
    """Give a lattice anywhere in the patient, of any direction and spacing; its slices ascend along their normal."""
    shape = draw(st.tuples(st.integers(5, 8), st.integers(8, 15), st.integers(8, 15)))
    slice_mm, row_mm, column_mm = draw(st.tuples(*[st.floats(1.0, 3.0).map(lambda mm: round(mm, 3))] * 3))
    turn = draw(rotations())
    along_row, down_column = turn[:, 0], turn[:, 1]
    step = np.cross(along_row, down_column) * slice_mm
    if most_tilt_degrees:
        degrees = draw(st.floats(-most_tilt_degrees, most_tilt_degrees))
        step = step + down_column * slice_mm * np.tan(np.radians(degrees))
    origin = draw(st.tuples(*[st.floats(-200, 200)] * 3))
    return Grid(shape, np.array(origin), np.column_stack([step, down_column * row_mm, along_row * column_mm]))


@st.composite
def objects(draw: st.DrawFn, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Give a box with a smaller one in one of its corners: no turning over or round leaves it as it was."""
    mask = np.zeros(shape, dtype=np.bool_)
    low = [draw(st.integers(0, size - 5)) for size in shape]
    slices, rows, columns = (slice(start, start + 3) for start in low)
    mask[slices, rows, columns] = True
    mask[low[0] + 3 : low[0] + 5, low[1] : low[1] + 2, low[2] : low[2] + 1] = True
    mask[low[0] : low[0] + 1, low[1] + 3 : low[1] + 5, low[2] : low[2] + 1] = True
    mask[low[0] : low[0] + 1, low[1] : low[1] + 2, low[2] + 3 : low[2] + 5] = True
    return mask


@st.composite
def storages(draw: st.DrawFn, syntaxes: Sequence[str] = NATIVE + COMPRESSED) -> Storage:
    """Give a way of storing pixels in which the two values of the object can be told apart."""
    syntax = draw(st.sampled_from(syntaxes))
    kinds = [("uint16", 16), ("uint16", TWELVE_BITS), ("uint8", 8)]
    if syntax not in COMPRESSED or syntax == RLELossless:
        kinds += [("int16", 16), ("int16", TWELVE_BITS)]
    if syntax in LOSSY:
        kinds = [(kind, bits) for kind, bits in kinds if bits <= TWELVE_BITS]
    if syntax == EIGHT_BIT_ONLY:
        kinds = [("uint8", 8)]
    stored_type, bits = draw(st.sampled_from(kinds))
    slope, intercept = (
        (4.0, 20.0) if stored_type == "uint8" else draw(st.sampled_from([(1.0, 0.0), (2.0, -100.0), (0.5, 0.0)]))
    )
    return Storage(syntax, stored_type, bits, slope, intercept, draw(st.booleans()))


@st.composite
def series(draw: st.DrawFn, most_tilt_degrees: float = 0.0) -> RandomSeries:
    """Give a series of any kind."""
    lattice = draw(grids(most_tilt_degrees))
    order = draw(st.permutations(range(lattice.shape[0])))
    classes = [EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage]
    multi_frame = st.builds(
        EnhancedOptions,
        sop_class_uid=st.sampled_from(classes),
        per_frame=st.booleans(),
        instances=st.integers(1, 2),
    )
    return RandomSeries(lattice, draw(objects(lattice.shape)), order, draw(storages()), draw(st.none() | multi_frame))
