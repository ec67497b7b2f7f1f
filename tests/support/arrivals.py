"""Small instances and their identifiers, as senders send them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from inference.domain.identifiers import UID
from inference.domain.study import InstanceIdentity
from tests.support.raw_scu import encoded
from tests.support.synthetic_series import SeriesOptions, axial_grid, make_instance, write_series

SYNTAX = UID(ExplicitVRLittleEndian)


def small_instance(index: int = 0, seed: int = 0) -> Dataset:
    """Make one slice of 8 by 8 pixels; the same arguments give the same UIDs and bytes."""
    grid = axial_grid((4, 8, 8))
    return make_instance(np.full((8, 8), index), grid, index, SeriesOptions(seed=seed))


def small_bytes(index: int = 0, seed: int = 0) -> bytes:
    """Encode ``small_instance`` in Explicit VR Little Endian, without File Meta."""
    return encoded(small_instance(index, seed))


def small_series(folder: Path, slices: int, seed: int = 0) -> list[Path]:
    """Write a series of small slices that differ in their pixels."""
    array = np.arange(slices)[:, None, None] * np.ones((1, 16, 16))
    return write_series(folder, array, axial_grid(array.shape), SeriesOptions(seed=seed))


def identity_of(data_set: Dataset) -> InstanceIdentity:
    """Give the identifiers of a data set."""
    return InstanceIdentity(
        UID(data_set.StudyInstanceUID),
        UID(data_set.SeriesInstanceUID),
        UID(data_set.SOPInstanceUID),
        UID(data_set.SOPClassUID),
    )


def data_set_bytes(part10: bytes) -> bytes:
    """Cut preamble and File Meta off a Part 10 file (PS3.10 section 7.1)."""
    group_length = int.from_bytes(part10[140:144], "little")
    return part10[144 + group_length :]


def identities(paths: list[Path]) -> list[InstanceIdentity]:
    """Give the identifiers of files."""
    return [identity_of(dcmread(path, stop_before_pixels=True)) for path in paths]
