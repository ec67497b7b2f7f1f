"""Models that want several series of a study, and studies with several series."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from inference.domain.identifiers import UID
from inference.domain.model_spec import ChannelSpec, IntensitySpec, ModelSpec, Normalisation, SelectionRule, Weighting
from inference.domain.study import SeriesRevision
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

HEADERS: Final[Mapping[Weighting, Mapping[str, Any]]] = {
    Weighting.T1: {},
    Weighting.T1_CONTRAST: {"SeriesDescription": "t1_mprage", "ContrastBolusAgent": "Gadovist"},
    Weighting.T2: {
        "SeriesDescription": "t2_tse",
        "ScanningSequence": "SE",
        "SequenceVariant": ["SK", "SP"],
        "RepetitionTime": "5000",
        "EchoTime": "93",
        "InversionTime": None,
    },
    Weighting.FLAIR: {
        "SeriesDescription": "t2_tirm_tra_dark-fluid",
        "ScanningSequence": ["SE", "IR"],
        "SequenceVariant": ["SK", "SP", "MP"],
        "RepetitionTime": "9000",
        "EchoTime": "120",
        "InversionTime": "2500",
    },
}
"""What tells one contrast from the other, on top of an ordinary T1's header."""


def channel(name: str, weighting: Weighting | None, *, required: bool = True) -> ChannelSpec:
    """Make a channel for head MR of one contrast."""
    rule = SelectionRule("MR", weighting, (), frozenset({"HEAD"}), 10, 6.0)
    return ChannelSpec(name, rule, IntensitySpec(Normalisation.NONE), required)


def with_channels(spec: ModelSpec, **wanted: Weighting) -> ModelSpec:
    """Give a model required channels of these names and contrasts, in this order, instead of its own."""
    return replace(spec, channels=tuple(channel(name, weighting) for name, weighting in wanted.items()))


def study_uid(name: str = "study") -> UID:
    """Give the study of that name."""
    return UID(generate_uid(entropy_srcs=["several channels", name]))


def write_contrast(
    folder: Path,
    weighting: Weighting,
    study: UID,
    array: NDArray[Any] | None = None,
    header: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write an axial series of 2 mm voxels as one contrast of a study.

    Parameters
    ----------
    folder
        Where; its name tells series of the same contrast apart.
    weighting
        The contrast.
    study
        Study Instance UID.
    array : (slices, rows, columns) ndarray, optional
        Stored values; twelve small slices by default.
    header
        Further attributes.
    """

    def join(data_set: Dataset, _index: int) -> None:
        data_set.StudyInstanceUID = study
        data_set.FrameOfReferenceUID = generate_uid(entropy_srcs=[study, "frame of reference"])

    pixels = np.zeros((12, 8, 8)) if array is None else array
    slices, rows, columns = pixels.shape
    seed = zlib.crc32(f"{study} {weighting} {folder.name}".encode())
    options = SeriesOptions(seed, {**HEADERS[weighting], **(header or {})}, edit=join)
    return write_series(folder, pixels, axial_grid((slices, rows, columns), (2.0, 2.0, 2.0)), options)


def contrast(folder: Path, weighting: Weighting, study: UID) -> SeriesRevision:
    """Write one contrast of a study, and give it as the node would hold it."""
    return revision_of(write_contrast(folder, weighting, study))
